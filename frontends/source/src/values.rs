//! Values that several languages write alike.

/// True or false as Go's `strconv.ParseBool` reads it: `1`, `t`, `T`, `true`, `True`, `TRUE` and their opposites.
pub fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
