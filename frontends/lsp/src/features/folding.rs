//! `textDocument/foldingRange`.

use std::ops::Range;

use rbc_grammar::{Document, Item, PieceKind};
use serde_json::{Value, json};

use crate::server::Client;
use crate::text::Text;

/// Comments of several lines, instructions of several lines, heredocs and stages.
pub(crate) fn ranges(document: &Document<'_>, text: &Text, client: &Client) -> Value {
    let mut found: Vec<(Range<usize>, Option<&str>)> = Vec::new();
    let mut comments: Vec<Range<usize>> = Vec::new();
    for item in &document.items {
        match item {
            Item::Comment(range) => comments.push(range.clone()),
            Item::Instruction(instruction) => {
                flush(&mut comments, &mut found);
                if !instruction.line.text().trim().is_empty() {
                    found.push((instruction.span.clone(), None));
                }
                for piece in &instruction.pieces {
                    match piece.kind {
                        PieceKind::Comment => comments.push(piece.range.clone()),
                        _ => flush(&mut comments, &mut found),
                    }
                }
                flush(&mut comments, &mut found);
                let heredocs = instruction.heredocs.iter().map(|heredoc| heredoc.body.start..heredoc.end.end);
                found.extend(heredocs.filter(|_| instruction.heredocs.len() > 1).map(|range| (range, None)));
            }
            _ => flush(&mut comments, &mut found),
        }
    }
    flush(&mut comments, &mut found);
    let ranges = found.into_iter().filter_map(|(range, kind)| {
        let end = range.start + text.as_str()[range.clone()].trim_end_matches(['\r', '\n']).len();
        let (first, last) = (text.line_of(range.start), text.line_of(end));
        let mut fold = json!({"startLine": first, "endLine": last});
        if let Some(kind) = kind {
            fold["kind"] = kind.into();
        }
        if !client.whole_lines {
            fold["startCharacter"] = text.position(text.line(first).end).character.into();
            fold["endCharacter"] = text.position(end).character.into();
        }
        (first < last).then_some(fold)
    });
    ranges.take(client.folding_limit.unwrap_or(usize::MAX)).collect()
}

/// Comments that follow one another fold as one.
fn flush(comments: &mut Vec<Range<usize>>, found: &mut Vec<(Range<usize>, Option<&'static str>)>) {
    if let (Some(first), Some(last)) = (comments.first(), comments.last()) {
        found.push((first.start..last.end, Some("comment")));
    }
    comments.clear();
}
