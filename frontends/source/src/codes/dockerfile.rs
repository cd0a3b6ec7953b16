//! Dockerfiles: directives, instructions, words (E01xx).

codes! {
    SYNTAX = "E0101" "dockerfile-syntax" Error Input: "an instruction is not well formed";
}
