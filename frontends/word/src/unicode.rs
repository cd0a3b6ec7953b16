//! Classes and cases of characters, as the reference's language (Go) has them. Rust's own differ in corners: its
//! `is_alphabetic` takes in combining signs, and its case mappings may give several characters.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A letter: general category L.
pub fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Letter)
}

/// A decimal digit of any script: general category Nd.
pub fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber)
}

/// A character that can stand in a variable's name.
pub fn is_name(c: char) -> bool {
    c == '_' || is_letter(c) || is_digit(c)
}

fn lower(c: char) -> char {
    // The one character with a long lower case (İ) maps to the first of it.
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// Characters with a long upper case (ß) stay as they are.
fn upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut up = c.to_uppercase();
    match (up.next(), up.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Whether `text` is in lower case: it is as [`to_lower`] would make it.
pub fn is_lower(text: &str) -> bool {
    text.chars().all(|c| lower(c) == c)
}

/// Whether `text` is in upper case: it is as [`to_upper`] would make it.
pub fn is_upper(text: &str) -> bool {
    text.chars().all(|c| upper(c) == c)
}

/// `text` in lower case, character by character.
pub fn to_lower(text: &str) -> Cow<'_, str> {
    if is_lower(text) { Cow::Borrowed(text) } else { text.chars().map(lower).collect() }
}

/// `text` in upper case, character by character. Characters with a long upper case (ß) stay as they are.
pub fn to_upper(text: &str) -> Cow<'_, str> {
    if is_upper(text) { Cow::Borrowed(text) } else { text.chars().map(upper).collect() }
}

/// Whether two texts are equal but for case, where `lower` is in ASCII lower case. The long s and the Kelvin sign count as
/// the letters that they are variants of.
pub fn eq_fold(text: &str, lower: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    text.chars().map(fold).eq(lower.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners() {
        assert!(is_letter('é') && is_letter('한') && !is_letter('\u{93F}') && !is_letter('²'));
        assert!(is_digit('٣') && !is_digit('²'));
        assert_eq!(to_lower("İΣ\u{212A}"), "iσk");
        assert_eq!(to_upper("ßıſ"), "ßIS");
        assert!(is_lower("aß-1") && !is_lower("aB") && is_upper("Aß-1") && !is_upper("aB"));
        assert!(eq_fold("A\u{17F}", "as") && eq_fold("aS", "as") && !eq_fold("at", "as"));
    }
}
