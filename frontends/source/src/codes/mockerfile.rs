//! Mockerfiles (E07xx).

codes! {
    SYNTAX = "E0701" "mockerfile-syntax" Error Input: "a Mockerfile is not well formed";
}
