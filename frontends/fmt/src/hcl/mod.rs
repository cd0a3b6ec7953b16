//! Formats HCL, such as bake files, in HashiCorp's canonical style.
//!
//! Only white space between tokens changes: lines stay lines, and what is text, a heredoc or a comment stays as it is. The rules
//! are those of HashiCorp's `hclwrite`, which `terraform fmt` uses.

mod lex;

use rbc_source::SourceFile;
use unicode_width::UnicodeWidthStr as _;

use self::lex::{Kind, MARK, Token, lex};
use crate::{Changes, Formatted};

/// One level of indentation.
const INDENT: usize = 2;

/// Formats a file. One that is not well formed stays as it is.
pub fn format_hcl(file: &SourceFile) -> Formatted {
    let mut changes = Changes { text: file.text(), list: Vec::new() };
    if !rbc_hcl::parse(file).has_errors()
        && let Some(tokens) = lex(file.text())
    {
        layout(&tokens, &mut changes);
    }
    changes.apply(file)
}

/// A line: what stands first, an assignment if it has one that ends in it, and a comment behind these.
struct Line<'t> {
    lead: &'t [Token],
    assign: &'t [Token],
    comment: &'t [Token],
    newline: &'t [Token],
    /// Blanks before `lead`, before `assign`, and before `comment`.
    before: [usize; 3],
}

fn layout(tokens: &[Token], changes: &mut Changes) {
    let text = changes.text;
    let lines = tokens.split_inclusive(|token| token.kind == Kind::Newline);
    let mut lines: Vec<Line> = lines.map(split).collect();
    indent(&mut lines);
    align(&mut lines, text);
    let mut end =
        tokens.first().map_or(0, |first| if text[..first.range.start].starts_with(MARK) { MARK.len() } else { 0 });
    for line in &lines {
        let [lead, assign, comment] = line.before;
        for (cell, first) in [(line.lead, lead), (line.assign, assign), (line.comment, comment), (line.newline, 0)] {
            for (at, token) in cell.iter().enumerate() {
                let blanks = if at == 0 { first } else { usize::from(space(cell, at, text)) };
                changes.replace(end..token.range.start, &" ".repeat(blanks));
                end = token.range.end;
            }
        }
    }
    changes.replace(end..text.len(), "");
}

/// Splits a line into its cells.
fn split(line: &[Token]) -> Line<'_> {
    let ends = line.last().is_some_and(|token| token.kind == Kind::Newline);
    let (line, newline) = line.split_at(line.len() - usize::from(ends));
    let commented = line.len() > 1 && line.last().is_some_and(|token| token.kind == Kind::LineComment);
    let (line, comment) = line.split_at(line.len() - usize::from(commented));
    let equal = line.iter().skip(1).position(|token| token.kind == Kind::Equal).map_or(line.len(), |at| at + 1);
    // What goes on in other lines is not aligned with what stands in one.
    let at = if net(&line[equal..]) == 0 { equal } else { line.len() };
    let (lead, assign) = line.split_at(at);
    Line { lead, assign, comment, newline, before: [0; 3] }
}

/// How many more brackets are opened than closed.
fn net(tokens: &[Token]) -> i32 {
    tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Open(_) | Kind::OpenTemplate => 1,
            Kind::Close(_) | Kind::CloseTemplate => -1,
            _ => 0,
        })
        .sum()
}

/// Lines that open brackets are followed by deeper ones; however many they open, it is one level.
fn indent(lines: &mut [Line]) {
    let mut levels: Vec<i32> = Vec::new();
    for line in lines {
        let change = net(line.lead) + net(line.assign);
        let mut closed = -change;
        while closed > 0
            && let Some(level) = levels.last_mut()
        {
            if closed < *level {
                *level -= closed;
                break;
            }
            closed -= *level;
            levels.pop();
        }
        line.before[0] = if line.lead.is_empty() { 0 } else { INDENT * levels.len() };
        if change > 0 {
            levels.push(change);
        }
    }
}

/// Puts the assignments of neighbouring lines below one another, and then their comments.
fn align(lines: &mut [Line], text: &str) {
    for line in lines.iter_mut().filter(|line| !line.assign.is_empty()) {
        line.before[1] = 1;
    }
    chains(lines, |line| !line.assign.is_empty(), 1, |line| line.before[0] + width(line.lead, text));
    chains(
        lines,
        |line| !line.comment.is_empty(),
        2,
        |line| line.before[0] + width(line.lead, text) + line.before[1] + width(line.assign, text),
    );
}

fn chains(lines: &mut [Line], has: impl Fn(&Line) -> bool, cell: usize, width: impl Fn(&Line) -> usize) {
    for chain in lines.chunk_by_mut(|a, b| has(a) && has(b)).filter(|chain| has(&chain[0])) {
        let widest = chain.iter().map(&width).max().unwrap_or(0);
        for line in chain {
            line.before[cell] = widest - width(line) + 1;
        }
    }
}

/// How wide a cell is. Of a token of several lines, all lines count.
fn width(cell: &[Token], text: &str) -> usize {
    let of =
        |(at, token): (usize, &Token)| text[token.range.clone()].width() + usize::from(at > 0 && space(cell, at, text));
    cell.iter().enumerate().map(of).sum()
}

/// Whether there is a blank before a token of a cell that is not the first one.
fn space(cell: &[Token], at: usize, text: &str) -> bool {
    let kind = |at: Option<usize>| at.and_then(|at| cell.get(at)).map(|token| token.kind);
    let (Some(left), Some(right)) = (kind(at.checked_sub(1)), kind(Some(at))) else { return false };
    let earlier = kind(at.checked_sub(2));
    match (left, right) {
        // Blanks in a text are part of it.
        (Kind::Head | Kind::Middle, _) | (_, Kind::Middle | Kind::Tail) => false,
        // A call, and a function of a namespace.
        (Kind::Ident, Kind::Open(b'(') | Kind::DoubleColon) | (Kind::DoubleColon, Kind::Ident) => false,
        (Kind::Dot, _) | (_, Kind::Dot | Kind::Comma | Kind::Ellipsis) => false,
        (Kind::Comma, _) => true,
        // An index, unless the name before it is the `in` of a loop.
        (Kind::Ident, Kind::Open(b'[')) => earlier == Some(Kind::Ident) && text[cell[at - 1].range.clone()] == *"in",
        (Kind::Number | Kind::Close(_), Kind::Open(b'[')) => false,
        (Kind::Bang, _) => false,
        // A sign, unless something stands before it from which it could be taken away.
        (Kind::Minus, _) => !matches!(
            earlier,
            None | Some(
                Kind::Open(_)
                    | Kind::OpenTemplate
                    | Kind::Equal
                    | Kind::Operator
                    | Kind::Comma
                    | Kind::Minus
                    | Kind::Bang
            )
        ),
        (Kind::OpenTemplate, Kind::Open(b'{')) | (Kind::Close(b'}'), Kind::CloseTemplate) => true,
        (Kind::OpenTemplate | Kind::CloseTemplate, Kind::OpenTemplate) => false,
        (Kind::Open(b'{'), Kind::Close(b'}')) => false,
        (Kind::Open(b'{'), _) | (_, Kind::Close(b'}')) => true,
        (Kind::Open(_) | Kind::OpenTemplate, _) | (_, Kind::Close(_) | Kind::CloseTemplate) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use rbc_source::FileId;

    use super::*;

    fn formatted(text: &str) -> String {
        let format = |text: &str| format_hcl(&SourceFile::new(FileId(0), "docker-bake.hcl", text)).text;
        let once = format(text);
        assert_eq!(format(&once), once, "{text}");
        // Nothing but blanks has changed.
        let plain = |text: &str| text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect::<String>();
        assert_eq!(plain(&once), plain(text));
        once
    }

    #[test]
    fn lines_are_indented_and_aligned() {
        let text = "target \"a\"{\nargs={\n# why\nA=1 # one\n  LONG   =  2// two\n\nB = 3\n}\n\ttags=[\"x\",\n\"y\"]   \n  a = [{\nb = 1\n}]\n}";
        let expected = "target \"a\" {\n  args = {\n    # why\n    A    = 1 # one\n    LONG = 2 // two\n\n    B = 3\n  }\n  tags = [\"x\",\n  \"y\"]\n  a = [{\n    b = 1\n  }]\n}";
        assert_eq!(formatted(text), expected);
    }

    #[test]
    fn blanks_within_lines() {
        for (text, expected) in [
            ("a = f( 1,2 ) [ 0 ] . b", "a = f(1, 2)[0].b"),
            ("a=-1+-b -c*!d", "a = -1 + -b - c * !d"),
            ("a = x==\"\"?[ ]:{ }", "a = x == \"\" ? [] : {}"),
            ("a = {b=1,c=2}", "a = { b = 1, c = 2 }"),
            ("a={for k,v in[1,2]:k=>v...if v>=1&&v<2}", "a = { for k, v in [1, 2] : k => v... if v >= 1 && v < 2 }"),
            ("a=[for x in list [0]:x]", "a = [for x in list[0] : x]"),
            (
                "a = \"x ${ f( {b=1} ) }-${\"${c}\"} %{if d}e%{endif}\"",
                "a = \"x ${f({ b = 1 })}-${\"${c}\"} %{if d}e%{endif}\"",
            ),
            ("a = \"${~ b ~} $${c } \\\" %%{d\"", "a = \"${~b~} $${c } \\\" %%{d\""),
            ("group\"default\"{ targets=[\"a\"] }", "group \"default\" { targets = [\"a\"] }"),
            ("a = /* why */1", "a = /* why */ 1"),
            ("a.b  = 1.5e3", "a.b  = 1.5e3"),
        ] {
            let made = formatted(&format!("{text}\n"));
            // What does not parse stays as it is.
            let expected = if text == expected { text } else { expected };
            assert_eq!(made, format!("{expected}\n"));
        }
    }

    #[test]
    fn what_is_text_stays() {
        let text = "a = <<EOT\n  x = ${ y }\n\tEOT\nb   = <<-E\n  z\n  E\n/* a\n   b */\nc = 1\r\n\r\n";
        let expected = "a = <<EOT\n  x = ${ y }\n\tEOT\nb = <<-E\n  z\n  E\n/* a\n   b */\nc = 1\r\n\r\n";
        assert_eq!(formatted(text), expected);
        assert_eq!(formatted("\u{feff}a  =  1"), "\u{feff}a = 1");
        assert_eq!(formatted("ä  = \"語\" # c\nb = \"xxxx\"   # d\n"), "ä = \"語\"   # c\nb = \"xxxx\" # d\n");
    }

    #[test]
    fn what_is_not_well_formed_stays() {
        for text in [
            "a  =",
            "a  = \"${\"",
            "a  = 1 @",
            "b  {",
            "a  = <<E\n",
            "a  = \"\\",
            &format!("a  = {}", "\"${".repeat(1000)),
        ] {
            assert_eq!(formatted(text), text);
        }
    }
}
