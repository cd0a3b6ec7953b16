//! Fields of one line of comma-separated values, as options and flags hold them: `type=cache,"id=a,b"`.

use std::fmt;
use std::ops::Range;

/// Why a line cannot be split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvError {
    /// There is nothing.
    Empty,
    /// A quote stands inside a field that does not begin with one; its offset.
    BareQuote(usize),
    /// A quoted field is not closed, or goes on behind its closing quote; the offset.
    Quote(usize),
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CsvError::Empty => f.write_str("it is empty"),
            CsvError::BareQuote(at) => write!(
                f,
                "a quote stands inside a field, at character {}: quote the whole field, and double quotes within",
                at + 1
            ),
            CsvError::Quote(at) => {
                write!(f, "a quoted field must be closed and end at a comma, see character {}", at + 1)
            }
        }
    }
}

impl std::error::Error for CsvError {}

/// Splits a line, by the rules of `github.com/tonistiigi/go-csvvalue`.
///
/// # Errors
/// If quotes are not well placed, or there is nothing.
pub fn fields(line: &str) -> Result<Vec<String>, CsvError> {
    Ok(fields_with_ranges(line)?.into_iter().map(|(field, _)| field).collect())
}

/// The same, with the bytes of the line that each field stands in, its quotes included.
///
/// # Errors
/// As [`fields`].
pub fn fields_with_ranges(line: &str) -> Result<Vec<(String, Range<usize>)>, CsvError> {
    let line = line.strip_suffix('\n').map_or(line, |l| l.strip_suffix('\r').unwrap_or(l));
    if line.is_empty() {
        return Err(CsvError::Empty);
    }
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let rest = &line[at..];
        let field = if rest.starts_with('"') {
            let (field, length) = quoted(rest).map_err(|offset| CsvError::Quote(at + offset))?;
            at += length;
            field
        } else {
            let field = rest.split(',').next().unwrap_or_default();
            if let Some(quote) = field.find('"') {
                return Err(CsvError::BareQuote(at + quote));
            }
            at += field.len();
            field.to_owned()
        };
        found.push((field, start..at));
        if at == line.len() {
            return Ok(found);
        }
        at += 1; // the comma
    }
}

/// Reads a quoted field. Gives it with its length in the line, or the offset of what is wrong.
fn quoted(text: &str) -> Result<(String, usize), usize> {
    let mut field = String::new();
    let mut at = 1;
    loop {
        let close = at + text[at..].find('"').ok_or(at)?;
        field.push_str(&text[at..close]);
        at = close + 1;
        match text.as_bytes().get(at) {
            None | Some(b',') => return Ok((field, at)),
            Some(b'"') => {
                field.push('"');
                at += 1;
            }
            Some(_) => return Err(close),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(fields("a,,b\r\n").unwrap(), ["a", "", "b"]);
        assert_eq!(fields(r#""a,""b""",c"#).unwrap(), [r#"a,"b""#, "c"]);
        assert_eq!(fields("a,").unwrap(), ["a", ""]);
        assert_eq!(fields_with_ranges(r#"x,"y""#).unwrap()[1], ("y".to_owned(), 2..5));
        assert_eq!(fields(""), Err(CsvError::Empty));
        assert_eq!(fields(r#"a"b"#), Err(CsvError::BareQuote(1)));
        assert_eq!(fields(r#""a"b"#), Err(CsvError::Quote(2)));
        assert_eq!(fields(r#""a"#), Err(CsvError::Quote(1)));
    }
}
