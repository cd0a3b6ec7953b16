//! Parsing of the native syntax with recovery, and what to say when it fails.
//!
//! hcl-edit stops at its first error and says what it expected there. So a second look finds the cause (an opened quote, a
//! typographic one, a missing comma), the broken item is blanked out at its own length, and parsing goes on.

use crate::ast::{Body, Expr, ExprKind};
use crate::native::{Lower, Place};
use crate::template;
use rbc_source::{Applicability, Diagnostic, Edit, Parsed, SourceFile, Span, hcl as codes};

/// More syntax errors than this in one file help nobody.
const MOST_ERRORS: usize = 10;
/// hcl-edit refuses object keys that come twice; more of them than this are reported instead of accepted.
const MOST_PATCHES: usize = 64;

/// Parses a file of the native syntax. What could not be parsed is left out, and among the diagnostics.
pub fn parse(file: &SourceFile) -> Parsed<Body> {
    let mut text = file.text().to_owned();
    if text.starts_with('\u{feff}') {
        text.replace_range(..3, "   ");
    }
    let mut diagnostics = Vec::new();
    let mut patches = 0;
    let mut resume = 0;
    let mut straight = false;
    // What names are read from: the text before what follows replaces some.
    let mut plain = std::borrow::Cow::Borrowed(file.text());
    loop {
        let error = match hcl_edit::parser::parse_body(&text) {
            Ok(body) => {
                let mut lower = Lower::new(&plain, Place::Shifted(file.id(), 0));
                let body = lower.body(&body);
                diagnostics.append(&mut lower.diagnostics);
                diagnostics.sort_by_key(|d| d.primary.as_ref().map(|l| l.span.start));
                return Parsed { value: body, diagnostics };
            }
            Err(error) => error,
        };
        let at = error_offset(&text, &error);
        if !std::mem::replace(&mut straight, true)
            && let Some(problem) = straighten(file, &mut text)
        {
            diagnostics.push(problem);
            plain = text.clone().into();
            continue;
        }
        if patches < MOST_PATCHES && patch(&mut text, at, error.message(), patches) {
            patches += 1;
            continue;
        }
        let problem = explain(file, &text, at, error.message());
        if diagnostics.is_empty() || at >= resume && !diagnostics.contains(&problem) {
            diagnostics.push(problem);
        }
        if diagnostics.len() >= MOST_ERRORS {
            return Parsed { value: Body::default(), diagnostics };
        }
        match blank(&mut text, at, resume) {
            Some(end) => resume = end,
            None => return Parsed { value: Body::default(), diagnostics },
        }
    }
}

/// Parses a text as one expression. The offsets of its places are moved by `place`.
pub(crate) fn parse_expression(text: &str, place: Place) -> Expr {
    let whole = place.span(0..text.len());
    match hcl_edit::parser::parse_expr(text) {
        Ok(expr) => {
            let mut lower = Lower::new(text, place);
            let expr = lower.expr(&expr);
            match lower.diagnostics.into_iter().next() {
                Some(problem) => Expr::new(whole, ExprKind::Broken(Box::new(problem))),
                None => expr,
            }
        }
        Err(error) => broken(whole, &place, error_offset(text, &error), error.message()),
    }
}

/// Parses a text as a template.
pub(crate) fn parse_template(text: &str, place: Place) -> Expr {
    let whole = place.span(0..text.len());
    match hcl_edit::parser::parse_template(text) {
        Ok(parsed) => {
            let mut lower = Lower::new(text, place);
            let mut tokens = Vec::new();
            lower.elements(&parsed, &mut tokens);
            match lower.diagnostics.into_iter().next() {
                Some(problem) => Expr::new(whole, ExprKind::Broken(Box::new(problem))),
                None => template::build(tokens, false, whole),
            }
        }
        Err(error) => broken(whole, &place, error_offset(text, &error), error.message()),
    }
}

fn broken(whole: Span, place: &Place, at: usize, message: &str) -> Expr {
    let problem = match limit_of(message) {
        Some(limit) => {
            return Expr::new(whole, ExprKind::Broken(Box::new(Diagnostic::new(codes::LIMIT, limit).at(whole))));
        }
        None => Diagnostic::new(codes::SYNTAX, reworded(message)),
    };
    let problem = problem.at(place.span(at..at)).note("`$${` and `%%{` write the sequences `${` and `%{` themselves");
    Expr::new(whole, ExprKind::Broken(Box::new(problem)))
}

fn error_offset(text: &str, error: &hcl_edit::parser::Error) -> usize {
    // hcl-edit never points behind the last byte, though that is where an early end is found.
    let at = error.location().offset();
    let at = if at + 1 >= text.len() && error.location().column() > last_column(text) { text.len() } else { at };
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn last_column(text: &str) -> usize {
    text.rsplit('\n').next().map_or(0, |line| line.chars().count())
}

/// Makes hcl-edit accept what HCL accepts: an object key that comes twice gets another name of the same length, a number
/// beyond a machine float other digits. Names and numbers are taken from the original text afterwards.
fn patch(text: &mut String, at: usize, message: &str, count: usize) -> bool {
    if message.contains("redefined object key") {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let bytes = text.as_bytes();
        let Some(start) = (at..bytes.len().min(at + 4)).find(|i| is_name(bytes[*i])) else { return false };
        let length = bytes[start..].iter().take_while(|b| is_name(**b)).count();
        let mut number = count;
        let fresh: String = (0..length)
            .map(|_| {
                let letter = (b'Z' - (number % 26) as u8) as char;
                number /= 26;
                letter
            })
            .collect();
        text.replace_range(start..start + length, &fresh);
        return true;
    }
    let bytes = text.as_bytes();
    let part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    let start = (0..at).rev().take_while(|i| part(bytes[*i])).last().unwrap_or(at);
    let start = (start..at.max(start)).find(|i| bytes[*i].is_ascii_digit()).unwrap_or(at);
    let end = (at..bytes.len()).find(|i| !part(bytes[*i])).unwrap_or(bytes.len());
    let number = &text[start..end];
    let large = number.parse::<f64>().is_ok_and(f64::is_infinite);
    if large && number.contains(['e', 'E']) {
        text.replace_range(start..end, &"1".repeat(end - start));
        return true;
    }
    false
}

/// Blanks out the item that holds the error: an argument if that was not tried already, then the block around it. Gives the
/// end of what was blanked.
fn blank(text: &mut String, at: usize, resume: usize) -> Option<usize> {
    let lines: Vec<(usize, usize)> = text
        .split_inclusive('\n')
        .scan(0, |start, line| {
            let range = (*start, *start + line.len());
            *start = range.1;
            Some(range)
        })
        .collect();
    let line = lines.partition_point(|(start, _)| *start <= at.min(text.len().saturating_sub(1))).checked_sub(1)?;
    // A list that is not closed began further up.
    let line = match open_list(text, at) {
        Some(start) if start >= resume => lines.partition_point(|(s, _)| *s <= start).checked_sub(1)?.min(line),
        _ => line,
    };
    let indent = |i: usize| {
        let (start, end) = lines[i];
        let content = &text[start..end];
        content.len() - content.trim_start().len()
    };
    let begins = |i: usize| {
        let (start, end) = lines[i];
        begins_item(text[start..end].trim())
    };
    let blank_line = |i: usize| text[lines[i].0..lines[i].1].trim().is_empty();
    let first = (0..=line).rev().find(|i| begins(*i) && (*i < line || !blank_line(*i))).unwrap_or(line);
    let whole = at < resume || text[lines[first].0..lines[first].1].contains('{') && first < line;
    let first = if whole { (0..=line).rev().find(|i| begins(*i) && indent(*i) == 0).unwrap_or(0) } else { first };
    let depth = indent(first);
    let last = (line + 1..lines.len())
        .find(|i| !blank_line(*i) && (indent(*i) < depth || indent(*i) == depth && begins(*i)))
        .unwrap_or(lines.len());
    let (start, end) = (lines[first].0, lines[last.checked_sub(1)?].1);
    if text[start..end].trim().is_empty() {
        return None;
    }
    let blanked: String = text[start..end]
        .chars()
        .flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { ' ' }, c.len_utf8()))
        .collect();
    text.replace_range(start..end, &blanked);
    Some(end)
}

/// Where the innermost list or call begins that is open at an offset.
fn open_list(text: &str, at: usize) -> Option<usize> {
    let mut open: Vec<(u8, usize)> = Vec::new();
    for (kind, start, _) in scan(text).tokens.into_iter().take_while(|t| t.1 < at) {
        match kind {
            Kind::Open(b) => open.push((b, start)),
            Kind::Close(_) => {
                open.pop();
            }
            _ => {}
        }
    }
    open.last().filter(|(b, _)| *b != b'{').map(|(_, start)| *start)
}

/// Whether a line looks like the beginning of an argument or block.
fn begins_item(line: &str) -> bool {
    let name = line.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(line.len());
    if name == 0 || !line.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return false;
    }
    let rest = line[name..].trim_start();
    rest.starts_with('=') && !rest.starts_with("==")
        || rest.starts_with('{')
        || rest.starts_with('"')
        || rest.starts_with('\u{201c}')
}

/// A coarse token, enough to see what went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Open(u8),
    Close(u8),
    /// Something that can end or begin a value.
    Value,
    Name,
    Comma,
    Newline,
    Other,
}

struct Scan {
    tokens: Vec<(Kind, usize, usize)>,
    /// A quote that is not closed on its line.
    open_quote: Option<usize>,
    /// A `${` or `%{` within such a text that is not closed either.
    open_interpolation: Option<usize>,
    /// A heredoc that is not closed: where it begins, and its delimiter.
    open_heredoc: Option<(usize, String)>,
    /// Typographic or single quotes where a text should begin, with those that end it on the same line.
    odd_quotes: Vec<(usize, Option<usize>)>,
    /// `\x` that is no escape, within a text.
    bad_escape: Option<usize>,
}

/// Reads coarse tokens up to where something is plainly broken, or the end.
fn scan(text: &str) -> Scan {
    let bytes = text.as_bytes();
    let mut out = Scan {
        tokens: Vec::new(),
        open_quote: None,
        open_interpolation: None,
        open_heredoc: None,
        odd_quotes: Vec::new(),
        bad_escape: None,
    };
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        let kind = match bytes[i] {
            b'\n' => {
                i += 1;
                Kind::Newline
            }
            b' ' | b'\t' | b'\r' => {
                i += 1;
                continue;
            }
            b'#' => {
                i = line_end(bytes, i);
                continue;
            }
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                i = line_end(bytes, i);
                continue;
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                i = text[i..].find("*/").map_or(bytes.len(), |n| i + n + 2);
                continue;
            }
            b'"' => match quoted_end(bytes, i, &mut out.bad_escape) {
                Ok(end) => {
                    i = end;
                    Kind::Value
                }
                Err(interpolation) => {
                    out.open_quote = Some(i);
                    out.open_interpolation = interpolation;
                    return out;
                }
            },
            b'<' if text[i..].starts_with("<<") && is_heredoc(&text[i..]) => {
                let head = line_end(bytes, i);
                let delimiter = text[i + 2..head].trim_start_matches('-').trim().to_owned();
                let body = (head + 1).min(bytes.len());
                let mut at = body;
                let mut end = None;
                for line in text[body..].split_inclusive('\n') {
                    if line.trim() == delimiter {
                        end = Some(at + line.trim_end().len());
                        break;
                    }
                    at += line.len();
                }
                match end {
                    Some(end) => {
                        i = end;
                        Kind::Value
                    }
                    None => {
                        out.open_heredoc = Some((start, delimiter));
                        return out;
                    }
                }
            }
            b @ (b'{' | b'[' | b'(') => {
                i += 1;
                Kind::Open(b)
            }
            b @ (b'}' | b']' | b')') => {
                i += 1;
                Kind::Close(b)
            }
            b',' => {
                i += 1;
                Kind::Comma
            }
            _ => {
                let c = text[i..].chars().next().unwrap_or(' ');
                if is_odd_quote(c) {
                    let content = i + c.len_utf8();
                    let line = &text[content..line_end(bytes, content)];
                    let close = line.find(|other| is_odd_quote(other) && (c == '\'') == (other == '\''));
                    let close = close.map(|n| content + n).filter(|end| !text[content..*end].contains('"'));
                    out.odd_quotes.push((i, close));
                    if let Some(close) = close {
                        i = close + text[close..].chars().next().map_or(1, char::len_utf8);
                        out.tokens.push((Kind::Value, start, i));
                        continue;
                    }
                }
                if c.is_alphanumeric() || c == '_' {
                    let length = text[i..]
                        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
                        .unwrap_or(text.len() - i);
                    i += length.max(1);
                    if c.is_ascii_digit() { Kind::Value } else { Kind::Name }
                } else {
                    i += c.len_utf8();
                    Kind::Other
                }
            }
        };
        out.tokens.push((kind, start, i));
    }
    out
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| from + n)
}

fn is_heredoc(text: &str) -> bool {
    text[2..].trim_start_matches('-').starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The end of a quoted text; interpolations may hold quotes and lines of their own. If it has none, the outermost
/// interpolation that is open there.
fn quoted_end(bytes: &[u8], from: usize, bad_escape: &mut Option<usize>) -> Result<usize, Option<usize>> {
    let mut depth = 0usize;
    let mut outermost = None;
    let mut inner_quote = false;
    let mut i = from + 1;
    while let Some(b) = bytes.get(i) {
        match b {
            b'\\' if depth == 0 || inner_quote => {
                if !matches!(bytes.get(i + 1), Some(b'n' | b'r' | b't' | b'"' | b'\\' | b'u' | b'U')) {
                    bad_escape.get_or_insert(i);
                }
                i += 1;
            }
            b'"' if depth == 0 => return Ok(i + 1),
            b'"' => inner_quote = !inner_quote,
            b'\n' if depth == 0 || inner_quote => break,
            b'$' | b'%'
                if bytes.get(i + 1) == Some(&b'{') && bytes.get(i.wrapping_sub(1)) != Some(b) && !inner_quote =>
            {
                if depth == 0 {
                    outermost = Some(i);
                }
                depth += 1;
                i += 1;
            }
            b'{' if depth > 0 && !inner_quote => depth += 1,
            b'}' if depth > 0 && !inner_quote => depth -= 1,
            _ => {}
        }
        i += 1;
    }
    Err(outermost.filter(|_| depth > 0))
}

/// Finds the cause of a syntax error at `at`.
fn explain(file: &SourceFile, text: &str, at: usize, message: &str) -> Diagnostic {
    let span = |start: usize, end: usize| file.span(start, end);
    let char_end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let word_end = text[at..].find(|c| !in_word(c)).map_or(text.len(), |n| at + n).max(char_end);
    if let Some(limit) = limit_of(message) {
        return Diagnostic::new(codes::LIMIT, limit).at(span(at, char_end));
    }
    let scan = scan(text);
    let new = |message: &str| Diagnostic::new(codes::SYNTAX, message);
    let line_of = |offset: usize| file.line_of(offset);

    if let Some(&(quote, None)) = scan.odd_quotes.first()
        && (quote <= at || line_of(quote) == line_of(at))
    {
        let length = text[quote..].chars().next().map_or(1, char::len_utf8);
        return new("a text is written in double quotes").labelled(span(quote, quote + length), "this is not `\"`");
    }
    if let Some(escape) = scan.bad_escape
        && line_of(escape) == line_of(at)
    {
        return new("this is no escape sequence")
            .at(span(escape, escape + 2))
            .note("the escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\uNNNN` and `\\UNNNNNNNN`; write `\\\\` for a backslash");
    }
    if let Some(open) = scan.open_interpolation {
        return new("this `${` is not closed")
            .labelled(span(open, open + 2), "no `}` matches it")
            .note("`$${` writes the characters `${` themselves");
    }
    if let Some(quote) = scan.open_quote {
        let end = line_end(text.as_bytes(), quote);
        return new("this text is not closed")
            .labelled(span(quote, end), "it begins here and the line ends within it")
            .note("close it with `\"`; for a text of several lines use `\\n` or a heredoc: `<<EOT` ... `EOT`");
    }
    if let Some((start, delimiter)) = scan.open_heredoc {
        return new("this heredoc is not closed")
            .labelled(span(start, line_end(text.as_bytes(), start)), "it begins here")
            .note(format!("end it with a line that holds nothing but `{delimiter}`"));
    }
    explain_brackets(file, text, &scan, at)
        .or_else(|| explain_line(file, text, &scan, at))
        .unwrap_or_else(|| new(&reworded(message)).at(span(at, word_end)))
}

fn is_odd_quote(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}')
}

/// Puts double quotes where others delimit texts, without moving anything. Gives one finding about them all.
fn straighten(file: &SourceFile, text: &mut String) -> Option<Diagnostic> {
    let pairs: Vec<(usize, usize)> = scan(text).odd_quotes.iter().filter_map(|(a, b)| Some((*a, (*b)?))).collect();
    let (first, last) = *pairs.first()?;
    let length = |text: &str, at: usize| text[at..].chars().next().map_or(1, char::len_utf8);
    let problem = match text[first..].starts_with('\'') {
        true => Diagnostic::new(codes::SYNTAX, "a single quote cannot delimit a text"),
        false => Diagnostic::new(codes::SYNTAX, "a typographic quote cannot delimit a text")
            .note("such quotes come from word processors, slides and web pages"),
    };
    let quotes = pairs.iter().flat_map(|(a, b)| [*a, *b]);
    let edits = quotes.map(|at| Edit { span: file.span(at, at + length(text, at)), text: "\"".into() }).collect();
    let mut problem = problem
        .labelled(file.span(first, last + length(text, last)), "a text is written between two `\"`")
        .fix("write straight double quotes", edits, Applicability::Safe);
    if pairs.len() > 1 {
        problem = problem.note(format!("{} more texts are written like this", pairs.len() - 1));
    }
    for (open, close) in pairs {
        let (before, after) = (length(text, open), length(text, close));
        text.replace_range(close..close + after, &format!("{:after$}", "\""));
        text.replace_range(open..open + before, &format!("{:>before$}", "\""));
    }
    Some(problem)
}

/// Brackets that do not match, and what is missing between two values.
fn explain_brackets(file: &SourceFile, text: &str, scan: &Scan, at: usize) -> Option<Diagnostic> {
    let new = |message: String| Diagnostic::new(codes::SYNTAX, message);
    let closer = |open: u8| match open {
        b'{' => b'}',
        b'[' => b']',
        _ => b')',
    };
    let mut open: Vec<(u8, usize)> = Vec::new();
    let mut before: Option<(Kind, usize, usize)> = None;
    let mut item_start = true;
    for &(kind, start, end) in &scan.tokens {
        let here = file.span(start, end);
        match kind {
            Kind::Open(b) => open.push((b, start)),
            Kind::Close(b) => match open.pop() {
                Some((o, _)) if closer(o) == b => {}
                Some((o, opened)) => {
                    return Some(
                        new(format!("`{}` is closed by `{}`", o as char, b as char))
                            .labelled(here, format!("`{}` is expected before this", closer(o) as char))
                            .also(file.span(opened, opened + 1), "opened here"),
                    );
                }
                None => {
                    return Some(new(format!("nothing is opened that this `{}` could close", b as char)).at(here));
                }
            },
            _ => {}
        }
        if start >= at {
            let inside = open.last().map(|(b, _)| *b);
            let ends_value = matches!(before, Some((Kind::Value | Kind::Name | Kind::Close(_), ..)));
            let begins_value = matches!(kind, Kind::Value | Kind::Name);
            if ends_value && begins_value && matches!(inside, Some(b'[' | b'(')) {
                let gap = before.map_or(start, |(_, _, end)| end);
                return Some(
                    new("a comma is missing between two elements".into())
                        .labelled(here, "this begins another element")
                        .fix(
                            "insert a comma",
                            vec![Edit { span: file.span(gap, gap), text: ",".into() }],
                            Applicability::Safe,
                        ),
                );
            }
            if matches!(kind, Kind::Other) && &text[start..end] == ":" && item_start && inside.is_none_or(|b| b == b'{')
            {
                return Some(new("an argument is set with `=`".into()).labelled(here, "not with `:`").fix(
                    "write `=`",
                    vec![Edit { span: here, text: " =".into() }],
                    Applicability::Safe,
                ));
            }
            if !matches!(kind, Kind::Newline) {
                break;
            }
        }
        if !matches!(kind, Kind::Newline) {
            item_start = matches!(kind, Kind::Name)
                && matches!(before, None | Some((Kind::Newline | Kind::Open(b'{') | Kind::Close(b'}'), ..)));
        }
        if !(matches!(kind, Kind::Newline) && matches!(open.last(), Some((b'[' | b'(', _)))) {
            before = Some((kind, start, end));
        }
    }
    // At the end of the file something may still be open.
    let mut open: Vec<(u8, usize)> = Vec::new();
    for &(kind, start, _) in &scan.tokens {
        match kind {
            Kind::Open(b) => open.push((b, start)),
            Kind::Close(_) => {
                open.pop();
            }
            _ => {}
        }
    }
    let innermost = open.last().copied()?;
    let line = file.line_of(innermost.1);
    let unfinished = at >= text.trim_end().len() || file.line_of(at) > line;
    unfinished.then(|| {
        new(format!("this `{}` is not closed", innermost.0 as char))
            .labelled(
                file.span(innermost.1, innermost.1 + 1),
                format!("no `{}` matches it", closer(innermost.0) as char),
            )
            .also(file.span(at.min(text.len()), at.min(text.len())), "the fault shows here")
    })
}

/// What limit of the parser was exceeded.
fn limit_of(message: &str) -> Option<String> {
    if let Some(limit) = message.strip_prefix("invalid nesting depth; expected ") {
        return Some(format!("this is nested too deep: {limit} are possible"));
    }
    let limit = message.strip_prefix("invalid binary operation; expected ")?;
    Some(format!("this has too many operators: {limit} are possible"))
}

/// What is often written in other languages.
fn explain_line(file: &SourceFile, text: &str, scan: &Scan, at: usize) -> Option<Diagnostic> {
    let new = |message: &str| Diagnostic::new(codes::SYNTAX, message);
    let rest = &text[at..];
    let remove = |length: usize| vec![Edit { span: file.span(at, at + length), text: String::new() }];
    if rest.starts_with(';') {
        let problem = new("a line is not ended by `;`").at(file.span(at, at + 1));
        return Some(problem.fix("remove the `;`", remove(1), Applicability::Safe));
    }
    let name = rest.strip_prefix('$').filter(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'));
    if let Some(name) = name {
        let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(text.len(), |n| at + 1 + n);
        let problem = new("a variable is written without `$`, except within a text").at(file.span(at, end));
        return Some(problem.fix("remove the `$`", remove(1), Applicability::Safe));
    }
    if rest.starts_with('"') && rest.lines().next().is_some_and(|line| line.contains("${") && line.ends_with('{')) {
        let end = quoted_end(text.as_bytes(), at, &mut None).unwrap_or(at + 1);
        let problem = new("the name of a block is a plain text, without `${`").at(file.span(at, end));
        return Some(problem.note("a `matrix` makes several targets of one block, with computed names"));
    }
    // `name "value"` at the end of a line.
    let before: Vec<_> = scan.tokens.iter().filter(|t| t.2 <= at).rev().take(3).collect();
    let ends = rest.is_empty() || rest.starts_with(['\n', '\r']);
    if let [(Kind::Value, start, end), (Kind::Name, name, name_end), ..] = before[..]
        && ends
        && before.get(2).is_none_or(|t| matches!(t.0, Kind::Newline | Kind::Open(b'{')))
    {
        let name = &text[*name..*name_end];
        let problem = new(&format!("`{name}` is neither set with `=` nor a block")).at(file.span(*start, *end));
        let edits = vec![Edit { span: file.span(*start, *start), text: "= ".into() }];
        return Some(problem.fix("write `=`", edits, Applicability::Unsafe));
    }
    None
}

/// The parser's words in ours.
fn reworded(message: &str) -> String {
    if message.contains("redefined attribute") {
        return "this argument is already set in the same block".into();
    }
    if message.contains("redefined object key") {
        return "this key is already set in the same object".into();
    }
    if message.starts_with("invalid block body; ") {
        return "a block on one line can hold one argument: `}` or a new line is expected here".into();
    }
    if message.starts_with("invalid expression; ") {
        return "a value is expected here".into();
    }
    if message.starts_with("invalid structure; ") {
        return "an argument (`name = value`) or a block (`name \"label\" {`) is expected here".into();
    }
    if message.contains("expected newline or eof") {
        return "the line should end here: one argument or block a line".into();
    }
    match message.strip_prefix("expected ") {
        Some(what) => format!("{what} is expected here"),
        None => message.to_owned(),
    }
}
