//! Files of variables: `NAME=value`, one a line.

use super::template;
use std::collections::BTreeMap;

/// Reads the text of a file of variables into `out`. A line with a name alone takes the value that `lookup` gives.
///
/// # Errors
/// A phrase with the line, if it cannot be understood.
pub(super) fn read(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    out: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        if rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |i| &rest[i..]);
            continue;
        }
        let line = || text[..text.len() - rest.len()].bytes().filter(|b| *b == b'\n').count() + 1;
        let statement = rest.strip_prefix("export").filter(|s| s.starts_with(char::is_whitespace));
        let statement = statement.map_or(rest, |s| s.trim_start_matches(is_space));
        let Some(end) = statement.find(['=', ':', '\n']) else {
            // A name at the very end of the file, which takes no value.
            return check_name(statement.trim_end()).map_err(|why| format!("line {}: {why}", line()));
        };
        let name = statement[..end].trim_end();
        check_name(name).map_err(|why| format!("line {}: {why}", line()))?;
        let behind = statement[end + 1..].trim_start_matches(is_space);
        if statement.as_bytes()[end] == b'\n' {
            if let Some(value) = lookup(name) {
                out.insert(name.to_owned(), value);
            }
            rest = behind;
            continue;
        }
        let known = |name: &str| lookup(name).or_else(|| out.get(name).cloned());
        let (value, after) = value(behind, &known).map_err(|why| format!("line {}: {why}", line()))?;
        if !name.is_empty() {
            out.insert(name.to_owned(), value);
        }
        rest = after;
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let odd = |c: &char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']'));
    match name.chars().find(odd) {
        Some(c) => Err(format!("`{c}` cannot be in the name of a variable")),
        None => Ok(()),
    }
}

/// A value, and what follows it.
fn value<'t>(text: &'t str, known: &dyn Fn(&str) -> Option<String>) -> Result<(String, &'t str), String> {
    let quote = match text.as_bytes().first() {
        Some(quote @ (b'"' | b'\'')) => *quote as char,
        _ => {
            let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
            let value = line.split(" #").next().unwrap_or("").trim_end();
            return Ok((template::substitute(value, known)?, rest));
        }
    };
    let mut value = String::new();
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if c == quote && !escaped => {
                let rest = &text[i + 1..];
                let value = if quote == '"' { template::substitute(&unescape(&value), known)? } else { value };
                return Ok((value, rest));
            }
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            _ if escaped && c != quote => value.push('\\'),
            _ => {}
        }
        escaped = false;
        value.push(c);
    }
    Err("this quoted value is not closed".into())
}

/// Replaces escape sequences; `\$` is `$$`, so that no variable begins there.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let replaced = match after.as_bytes().first() {
            Some(b'a') => "\u{7}",
            Some(b'b') => "\u{8}",
            Some(b'f') => "\u{c}",
            Some(b'n') => "\n",
            Some(b'r') => "\r",
            Some(b't') => "\t",
            Some(b'v') => "\u{b}",
            Some(b'$') => "$$",
            Some(b'"') => "\"",
            Some(b'\\') => "\\",
            Some(b'0') => {
                // An octal sequence has three digits behind its `0`.
                let digits = after[1..].bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
                match u32::from_str_radix(&after[1..1 + digits], 8).ok().filter(|v| digits == 3 && *v < 256) {
                    Some(value) => {
                        out.extend(char::from_u32(value));
                        rest = &after[4..];
                        continue;
                    }
                    None => {
                        out.push('\\');
                        rest = after;
                        continue;
                    }
                }
            }
            _ => {
                out.push('\\');
                rest = after;
                continue;
            }
        };
        out.push_str(replaced);
        rest = &after[1..];
    }
    out.push_str(rest);
    out
}

/// Space within a line.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut out = BTreeMap::new();
        read(text, &|name| (name == "OUT").then(|| "outside".into()), &mut out)?;
        Ok(out.into_iter().collect())
    }

    fn one(text: &str) -> String {
        all(text).expect("variables").pop().expect("a variable").1
    }

    #[test]
    fn forms() {
        assert_eq!(one("A=1"), "1");
        assert_eq!(one("# c\n\nexport  A = x y # z\n"), "x y");
        assert_eq!(one("A: b"), "b");
        assert_eq!(one("A='$B\\n'"), "$B\\n");
        assert_eq!(one("A=\"a\\tb\\\"\\$C\n.\""), "a\tb\"$C\n.");
        assert_eq!(one("A=${OUT}-${NO:-d}"), "outside-d");
        assert_eq!(all("OUT\nNO\n"), Ok(vec![("OUT".into(), "outside".into())]));
        assert_eq!(all("A=\nB=$A.\n"), Ok(vec![("A".into(), "".into()), ("B".into(), ".".into())]));
        assert_eq!(all(""), Ok(vec![]));
        assert!(all("A B=1").is_err() && all("A!=1").is_err() && all("A=\"x").is_err());
    }
}
