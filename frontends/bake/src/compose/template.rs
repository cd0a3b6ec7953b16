//! Variables in texts: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+instead}`, `${NAME:?message}`; `$$` is `$`.

/// Defaults within defaults at most.
const DEEPEST: usize = 50;

/// What a variable is set to.
pub(super) type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Replaces all variables in a text. Those that are not set are empty.
///
/// # Errors
/// A phrase, if a required variable is not set or a `${` is not closed.
pub(super) fn substitute(text: &str, variables: Variables) -> Result<String, String> {
    replace(text, variables, 0)
}

fn replace(text: &str, variables: Variables, depth: usize) -> Result<String, String> {
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    if depth > DEEPEST {
        return Err(format!("more than {DEEPEST} defaults within one another"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Where the line ends that was looked at last, and its last brace, counted from the end of the text.
    let mut line: Option<(usize, Option<usize>)> = None;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.as_bytes().first() {
            Some(b'$') => {
                out.push('$');
                &after[1..]
            }
            Some(b'{') => {
                let from_end = after.len();
                if line.is_none_or(|(end, _)| end >= from_end) {
                    let end = after.find('\n').unwrap_or(after.len());
                    line = Some((from_end - end, after[..end].rfind('}').map(|i| from_end - i)));
                }
                let last = line.and_then(|(_, brace)| brace).filter(|b| *b < from_end).map(|b| from_end - b);
                braced(after, last, variables, depth, &mut out)?
            }
            Some(b) if b.is_ascii_alphabetic() || *b == b'_' => {
                let length = name_length(after);
                out.push_str(&variables(&after[..length]).unwrap_or_default());
                &after[length..]
            }
            _ => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    Ok(out)
}

fn name_length(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

/// Replaces what begins with `{`; `last` is the last brace on its line. Gives what follows.
fn braced<'t>(
    text: &'t str,
    last: Option<usize>,
    variables: Variables,
    depth: usize,
    out: &mut String,
) -> Result<&'t str, String> {
    let invalid =
        || Err("`${` does not begin the name of a variable; write `$${` for the characters themselves".to_owned());
    let length = name_length(&text[1..]);
    let name = &text[1..1 + length];
    if length == 0 || name.starts_with(|c: char| c.is_ascii_digit()) {
        return invalid();
    }
    let behind = &text[1 + length..];
    if let Some(rest) = behind.strip_prefix('}') {
        out.push_str(&variables(name).unwrap_or_default());
        return Ok(rest);
    }
    let (colon, operator) = match behind.as_bytes() {
        [b':', operator @ (b'-' | b'+' | b'?'), ..] => (true, *operator),
        [operator @ (b'-' | b'+' | b'?'), ..] => (false, *operator),
        _ => return invalid(),
    };
    let Some(last) = last else { return invalid() };
    let close = closing(&text[..=last]).unwrap_or(last);
    let word = text.get(1 + length + 1 + usize::from(colon)..close).unwrap_or("");
    let value = variables(name).filter(|v| !(colon && v.is_empty()));
    match (operator, value) {
        (b'-', None) | (b'+', Some(_)) => out.push_str(&replace(word, variables, depth + 1)?),
        (b'?', None) => {
            let message = replace(word, variables, depth + 1)?;
            let colon = if message.is_empty() { "" } else { ": " };
            return Err(format!("the variable `{name}` must be set{colon}{message}"));
        }
        (b'+', None) => {}
        (_, value) => out.push_str(&value.unwrap_or_default()),
    }
    Ok(&text[close + 1..])
}

/// The brace that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0i32;
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(i);
                }
            }
            b'{' => {
                open += 1;
                // What stands right behind an opening brace is never a closing one.
                i += 1;
            }
            _ => {}
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(text: &str) -> Result<String, String> {
        substitute(text, &|name| match name {
            "A" => Some("a".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn forms() {
        let cases = [
            ("$A ${A} $$A $1 $", "a a $A $1 $"),
            ("${NO}x$NO.", "x."),
            ("${NO:-d}/${EMPTY:-e}/${EMPTY-f}", "d/e/"),
            ("${A:+s}${NO:+t}${EMPTY+u}", "su"),
            ("${NO:-${NO2:-deep}}!", "deep!"),
            ("${NO:-{}}", "{}"),
            ("${NO-a:-b}", "a:-b"),
        ];
        for (text, value) in cases {
            assert_eq!(sub(text), Ok(value.to_owned()), "{text}");
        }
        for text in ["${", "${1}", "${A", "${A!}", "${NO:?why}", "${NO:-\n}"] {
            assert!(sub(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_defaults_are_refused() {
        assert!(sub(&("${N:-".repeat(5000) + &"}".repeat(5000))).is_err());
        assert!(sub(&"${A:-}".repeat(20_000)).is_ok());
    }
}
