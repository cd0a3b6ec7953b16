//! Permission bits of `--chmod`: octal or symbolic.

/// The bits to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Exactly these.
    Octal(i32),
    /// As chmod(1) says, such as `u=rwX,go=rX`.
    Symbolic(String),
}

/// Reads `--chmod`; none if it is neither form.
pub(crate) fn read(text: &str) -> Option<Mode> {
    if text.bytes().next()?.is_ascii_digit() {
        let bits =
            text.bytes().all(|b| (b'0'..=b'7').contains(&b)).then(|| i32::from_str_radix(text, 8).ok()).flatten()?;
        return (bits <= 0o7777).then_some(Mode::Octal(bits));
    }
    is_symbolic(text.as_bytes()).then(|| Mode::Symbolic(text.to_owned()))
}

/// `who* (op perm*)+`, comma-separated, as BSD's setmode(3) reads it.
fn is_symbolic(text: &[u8]) -> bool {
    text.split(|b| *b == b',').all(|clause| {
        let rest = skip(clause, b"augo");
        !rest.is_empty() && {
            let mut rest = rest;
            while let [b'+' | b'-' | b'=', perms @ ..] = rest {
                rest = skip(perms, b"rstwXxugo");
            }
            rest.is_empty()
        }
    })
}

fn skip<'a>(text: &'a [u8], set: &[u8]) -> &'a [u8] {
    let end = text.iter().position(|b| !set.contains(b)).unwrap_or(text.len());
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(read("0755"), Some(Mode::Octal(0o755)));
        assert_eq!(read("u=rwX,go=rX"), Some(Mode::Symbolic("u=rwX,go=rX".into())));
        for good in ["+x", "a+r-w", "=", "go=u-w"] {
            assert!(read(good).is_some(), "{good}");
        }
        for bad in ["", "u", "u+x,", "10000", "888", "x", ",u+x", "u+q", "755x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
