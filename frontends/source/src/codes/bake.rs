//! Bake files (E06xx).

codes! {
    SYNTAX = "E0601" "bake-syntax" Error Input: "a bake file is not well formed";
}
