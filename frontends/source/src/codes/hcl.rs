//! HCL and its JSON syntax (E05xx).

codes! {
    SYNTAX = "E0501" "hcl-syntax" Error Input: "the text is not well-formed HCL";
}
