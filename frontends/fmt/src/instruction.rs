//! One instruction.

use std::ops::Range;

use rbc_grammar::{Args, Command, Instruction, Keyword, PieceKind};

use crate::{Changes, Style};

/// Formats an instruction; `upper` is the case of keywords.
pub(crate) fn format(instruction: &Instruction<'_>, escape: char, upper: bool, style: &Style, out: &mut Changes<'_>) {
    let command = Command::parse(instruction.line.text(), escape);
    let Some(keyword) = command.keyword() else { return };
    let cased = |word: &str| if upper { word.to_ascii_uppercase() } else { word.to_ascii_lowercase() };
    let head = &command.head().keyword;
    replace_word(instruction, &head.range, &cased(&head.text), out);
    if let (Keyword::From, Ok(Args::Words { words, .. })) = (keyword, &command.args)
        && let [_, word, _] = words.as_slice()
        && word.text.eq_ignore_ascii_case("as")
    {
        replace_word(instruction, &word.range, &cased(&word.text), out);
    }
    lines(instruction, keyword, out);
    if !is_described(keyword) && command.args.is_ok() {
        space_behind(instruction, head.range.end, out);
        indents(instruction, &command, style, out);
    }
}

/// Whether the joined text of such an instruction goes into the graph or the image's config.
fn is_described(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(keyword, Add | Copy | From | Onbuild | Run | Workdir)
}

/// Replaces a word of ASCII that stands on one line.
fn replace_word(instruction: &Instruction<'_>, word: &Range<usize>, text: &str, out: &mut Changes<'_>) {
    let place = instruction.line.in_file(word.clone());
    if text.is_ascii() && place.len() == text.len() {
        out.replace(place, text);
    }
}

/// Takes away what the parser drops from the lines. What stands at the end of a trigger is part of it.
fn lines(instruction: &Instruction<'_>, keyword: Keyword, out: &mut Changes<'_>) {
    for (at, piece) in instruction.pieces.iter().enumerate() {
        let range = piece.range.clone();
        match piece.kind {
            PieceKind::Indent | PieceKind::Blank => out.replace(range, ""),
            PieceKind::Comment => out.trim_line(range),
            PieceKind::Continuation => {
                let text = &out.text[range.clone()];
                let blanks = text[1..].trim_end_matches(['\r', '\n']).len();
                out.replace(range.start + 1..range.start + 1 + blanks, "");
            }
            PieceKind::Text if keyword != Keyword::Onbuild => {
                let next = instruction.pieces.get(at + 1);
                if next.is_none_or(|p| p.kind != PieceKind::Continuation) {
                    out.trim_line(range.start..next.map_or(range.end, |p| p.range.end));
                }
            }
            PieceKind::Text | PieceKind::LineEnd => {}
        }
    }
}

/// One space behind the keyword, which ends at `end` of the joined line.
fn space_behind(instruction: &Instruction<'_>, end: usize, out: &mut Changes<'_>) {
    let line = instruction.line.text();
    let gap = line[end..].len() - line[end..].trim_start_matches([' ', '\t']).len();
    let place = instruction.line.in_file(end..end + gap);
    let keyword = instruction.line.in_file(0..end);
    // Elsewhere a line ends in the gap.
    if gap > 0 && place.len() == gap && place.start == keyword.end && end + gap < line.len() {
        out.replace(place, " ");
    }
}

/// Indents the continuation lines that begin between arguments.
fn indents(instruction: &Instruction<'_>, command: &Command<'_>, style: &Style, out: &mut Changes<'_>) {
    let line = instruction.line.text();
    let mut words: Vec<Range<usize>> = Vec::new();
    for head in &command.heads {
        words.push(head.keyword.range.clone());
        words.extend(head.flags.iter().map(|flag| flag.range.clone()));
    }
    match &command.args {
        Ok(Args::Words { words: args, .. }) => words.extend(args.iter().map(|word| word.range.clone())),
        Ok(Args::Pairs(pairs)) => words.extend(pairs.iter().map(|pair| pair.key.range.start..pair.value.range.end)),
        Err(_) => return,
    }
    let mut at = 0;
    let texts = instruction.pieces.iter().filter(|piece| piece.kind == PieceKind::Text);
    for (index, piece) in texts.enumerate() {
        let start = at;
        at += piece.range.len();
        let text = &line[start..at];
        let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
        // A line of its own for what closes an array, or nothing at all, is not indented.
        let closes = text[blanks..].starts_with(']') || blanks == text.len();
        let within = words.partition_point(|word| word.end <= start);
        let in_word = words.get(within).is_some_and(|word| word.start < start);
        // Where the line before ends without white space, the indentation may be what separates two words.
        let glued = !line[..start].ends_with([' ', '\t']) && (blanks == 0 || style.indent.is_empty());
        if index > 0 && !in_word && !closes && !glued {
            out.replace(piece.range.start..piece.range.start + blanks, &style.indent);
        }
    }
}
