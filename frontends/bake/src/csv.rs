//! One line of comma-separated fields, as flags and variables use them.

/// The fields of a line. Quotes stand around whole fields only, and two within them are one.
///
/// # Errors
/// A phrase, for an empty line and for misplaced quotes.
pub(crate) fn fields(line: &str, comma: char) -> Result<Vec<String>, String> {
    let mut rest = line.strip_suffix('\n').map_or(line, |l| l.strip_suffix('\r').unwrap_or(l));
    if rest.is_empty() {
        return Err("the value is empty".into());
    }
    let mut out = Vec::new();
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, after) = match rest.split_once(comma) {
                Some((field, after)) => (field, Some(after)),
                None => (rest, None),
            };
            if field.contains('"') {
                return Err(format!(
                    "a quote stands within `{field}`: put the whole field in quotes and double those inside"
                ));
            }
            out.push(field.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Ok(out),
            }
            continue;
        };
        let mut field = String::new();
        let mut inside = quoted;
        loop {
            let Some((text, after)) = inside.split_once('"') else {
                return Err(format!("a quote is not closed: `\"{quoted}`"));
            };
            field.push_str(text);
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    inside = more;
                }
                None => {
                    inside = after;
                    break;
                }
            }
        }
        out.push(field);
        if inside.is_empty() {
            return Ok(out);
        }
        match inside.strip_prefix(comma) {
            Some(after) => rest = after,
            None => return Err(format!("`{inside}` follows a closing quote")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_quotes() {
        assert_eq!(fields("a,b", ',').unwrap(), ["a", "b"]);
        assert_eq!(fields("type=local,\"dest=a,b\"", ',').unwrap(), ["type=local", "dest=a,b"]);
        assert_eq!(fields("\"say \"\"x\"\"\"", ',').unwrap(), ["say \"x\""]);
        assert_eq!(fields("a,", ',').unwrap(), ["a", ""]);
        assert!(fields("", ',').is_err() && fields("a\"b", ',').is_err() && fields("\"a", ',').is_err());
    }
}
