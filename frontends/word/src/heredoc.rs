//! Finding heredocs: `<<EOF`, `<<-EOF`, `<<"EOF"`, `3<<EOF`.

use crate::{Mode, NoEnv, Template, Unset, WordError, WordErrorKind};

/// The opening word of a heredoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The delimiter without quotes.
    pub name: String,
    /// No part of it was quoted, so variables in the body are expanded.
    pub expand: bool,
    /// `<<-`: leading tabs do not count.
    pub chomp: bool,
    /// The file descriptor in front; 0 if there is none.
    pub descriptor: u64,
}

/// Reads one word; None if it opens no heredoc. Escapes are by backslash, whatever a file's directive says.
///
/// # Errors
/// If the delimiter is not a well-formed word.
pub fn parse(word: &str) -> Result<Option<Opening>, WordError> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let descriptor = match &word[..word.len() - rest.len()] {
        "" => 0,
        digits => digits.parse().unwrap_or(u64::MAX),
    };
    let Some(rest) = rest.strip_prefix("<<") else { return Ok(None) };
    let (rest, chomp) = rest.strip_prefix('-').map_or((rest, false), |r| (r, true));
    let rest = rest.trim_start_matches(['\t', '\n', '\u{C}', '\r', ' ']);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let words = |raw_quotes| {
        let mode = Mode { raw_quotes, ..Mode::default() };
        Template::parse(rest, '\\', mode)?.expand_words(&NoEnv, Unset::Keep)
    };
    let plain = words(false)?;
    let [name] = &*plain else { return Ok(None) };
    let raw = words(true)?;
    let [raw] = &*raw else {
        return Err(WordError { kind: WordErrorKind::HeredocWord, at: 0..word.len() });
    };
    let quotes = |s: &str| s.bytes().filter(|b| matches!(b, b'\'' | b'"')).count();
    Ok(Some(Opening { expand: quotes(name) == quotes(raw), name: name.clone(), chomp, descriptor }))
}

/// All heredocs that an instruction's line opens, in order. A line that is no well-formed sequence of words opens none.
///
/// # Errors
/// If a delimiter is not a well-formed word.
pub fn in_line(line: &str) -> Result<Vec<Opening>, WordError> {
    let mode = Mode { raw_quotes: true, raw_escapes: true, skip_quotes: false };
    let words = Template::parse(line, '\\', mode).and_then(|t| t.expand_words(&NoEnv, Unset::Keep));
    let mut openings = Vec::new();
    for word in words.unwrap_or_default() {
        openings.extend(parse(&word)?);
    }
    Ok(openings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(name: &str, expand: bool, chomp: bool, descriptor: u64) -> Option<Opening> {
        Some(Opening { name: name.into(), expand, chomp, descriptor })
    }

    #[test]
    fn words() {
        assert_eq!(parse("<<EOF").unwrap(), opening("EOF", true, false, 0));
        assert_eq!(parse("<<-'E F'").unwrap(), opening("E F", false, true, 0));
        assert_eq!(parse("3<< E$X").unwrap(), opening("E$X", true, false, 3));
        assert_eq!(parse("<<E\\'F").unwrap(), opening("E'F", true, false, 0));
        for none in ["<<", "<<<EOF", "x<<EOF", "<EOF", "<<a b", "<<-"] {
            assert_eq!(parse(none).unwrap(), None, "{none}");
        }
        assert!(parse("<<'EOF").is_err());
        assert!(parse("<<'' a").is_err());
    }

    #[test]
    fn lines() {
        let names = |l| in_line(l).unwrap().into_iter().map(|o| o.name).collect::<Vec<_>>();
        assert_eq!(names("COPY <<a <<\"b c\" /x"), ["a", "b c"]);
        assert_eq!(names("RUN cat << EOF > x"), ["EOF"]);
        assert_eq!(names("RUN echo \"<<EOF\" '<<X' \\<<Y"), [""; 0]);
        assert_eq!(names("RUN it's <<EOF"), [""; 0]);
    }
}
