//! The graph and its wire form (E04xx).

codes! {
    DEFINITION = "E0401" "definition" Error Input: "a file is not a well-formed LLB definition";
}
