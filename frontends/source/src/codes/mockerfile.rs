//! Mockerfiles (E07xx).

codes! {
    SYNTAX = "E0701" "mockerfile-syntax" Error Input: "a Mockerfile is not well formed";
    VALUE = "E0702" "mockerfile-value" Error Input: "a key of a Mockerfile is not known, or has a value that it cannot take";
    IMAGE = "E0703" "mockerfile-image" Error Input: "an image of a Mockerfile has no usable name or base";
}
