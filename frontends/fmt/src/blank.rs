//! Blank lines between instructions, and the file's end.

use rbc_grammar::{Command, Document, Item, Keyword, PieceKind};

use crate::Changes;

/// Leaves at most one blank line in a row, none at the ends of the file, and puts one in front of each stage but the first.
pub(crate) fn format(document: &Document<'_>, out: &mut Changes<'_>) {
    let newline = if document.text.contains("\r\n") { "\r\n" } else { "\n" };
    let items = &document.items;
    let mut at = 0;
    let mut in_stage = false;
    while at < items.len() {
        let blanks = items[at..].iter().take_while(|item| matches!(item, Item::Blank(_))).count();
        let block = at + blanks;
        if blanks > 0 {
            let run = items[at].range().start..items[block - 1].range().end;
            // In front of everything a blank line keeps comments from being directives.
            let keep = match items.get(block) {
                None => false,
                Some(next) => at > 0 || matches!(next, Item::Comment(_)),
            };
            out.replace(run, if keep { newline } else { "" });
        }
        // A block: comments up to an instruction, or whatever single item else.
        let mut end = block;
        while matches!(items.get(end), Some(Item::Comment(_))) {
            end += 1;
        }
        let from = matches!(items.get(end), Some(item) if is_from(document, item));
        if from && in_stage && blanks == 0 {
            let start = items[block].range().start;
            out.replace(start..start, newline);
        }
        in_stage |= from;
        at = if end < items.len() && !matches!(items[end], Item::Blank(_)) { end + 1 } else { end };
    }
    final_newline(document, newline, out);
}

fn is_from(document: &Document<'_>, item: &Item<'_>) -> bool {
    let Item::Instruction(instruction) = item else { return false };
    Command::parse(instruction.line.text(), document.escape).keyword() == Some(Keyword::From)
}

fn final_newline(document: &Document<'_>, newline: &str, out: &mut Changes<'_>) {
    let Some(last) = document.items.last() else { return };
    // Blank lines go, also those that an instruction ends in.
    let blank = match last {
        Item::Blank(_) | Item::Unread(_) => true,
        Item::Instruction(i) => i.heredocs.is_empty() && i.pieces.last().is_some_and(|p| p.kind == PieceKind::Blank),
        Item::Comment(_) | Item::Directive { .. } => false,
    };
    let end = document.text.len();
    if !blank && !document.text.ends_with('\n') {
        out.replace(end..end, newline);
    }
}
