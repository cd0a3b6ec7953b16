//! Tokens and tree as text, for people and tests.

use std::fmt::Write;
use std::ops::Range;

use logos::Logos;
use rbc_source::SourceFile;

use crate::command::{Args, Command};
use crate::document::{Document, Instruction, Item, PieceKind};
use crate::lexer::Fragment;

/// A token of a file. All tokens together are the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub range: Range<usize>,
}

/// Kinds of [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A byte order mark in front of the text.
    ByteOrderMark,
    /// White space, line ends included.
    Space,
    /// A comment line.
    Comment,
    /// A directive line.
    Directive,
    /// An instruction's keyword; also that of a trigger.
    Keyword,
    /// A flag, or a part of it if a line ends within.
    Flag,
    /// What stands between white space among the arguments.
    Word,
    /// The character that continues a line, and what is behind it on the line.
    Continuation,
    /// A heredoc's body.
    HeredocBody,
    /// The line that ends a heredoc.
    HeredocEnd,
    /// What was not read, because a line is too long.
    Unread,
}

impl TokenKind {
    fn name(self) -> &'static str {
        match self {
            TokenKind::ByteOrderMark => "byte-order-mark",
            TokenKind::Space => "space",
            TokenKind::Comment => "comment",
            TokenKind::Directive => "directive",
            TokenKind::Keyword => "keyword",
            TokenKind::Flag => "flag",
            TokenKind::Word => "word",
            TokenKind::Continuation => "continuation",
            TokenKind::HeredocBody => "heredoc-body",
            TokenKind::HeredocEnd => "heredoc-end",
            TokenKind::Unread => "unread",
        }
    }
}

/// The tokens of a file.
pub fn tokens(document: &Document<'_>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut push = |kind, range: Range<usize>| {
        if !range.is_empty() {
            tokens.push(Token { kind, range });
        }
    };
    let first = document.items.first().map_or(document.text.len(), |item| item.range().start);
    push(TokenKind::ByteOrderMark, 0..first);
    for item in &document.items {
        match item {
            Item::Blank(range) => push(TokenKind::Space, range.clone()),
            Item::Comment(range) => push(TokenKind::Comment, range.clone()),
            Item::Directive { range, .. } => push(TokenKind::Directive, range.clone()),
            Item::Unread(range) => push(TokenKind::Unread, range.clone()),
            Item::Instruction(instruction) => instruction_tokens(document, instruction, &mut push),
        }
    }
    tokens
}

fn instruction_tokens(
    document: &Document<'_>,
    instruction: &Instruction<'_>,
    push: &mut impl FnMut(TokenKind, Range<usize>),
) {
    let command = Command::parse(instruction.line.text(), document.escape);
    // Keywords and flags in order, each with the offset where it ends.
    let marks = command.heads.iter().flat_map(|head| {
        let keyword = (TokenKind::Keyword, &head.keyword.range);
        std::iter::once(keyword).chain(head.flags.iter().map(|f| (TokenKind::Flag, &f.range)))
    });
    let mut marks = marks.map(|(kind, range)| (kind, instruction.line.in_file(range.clone()))).peekable();
    for piece in &instruction.pieces {
        match piece.kind {
            PieceKind::Text => {}
            PieceKind::Comment => {
                push(TokenKind::Comment, piece.range.clone());
                continue;
            }
            PieceKind::Continuation => {
                push(TokenKind::Continuation, piece.range.clone());
                continue;
            }
            PieceKind::Indent | PieceKind::Blank | PieceKind::LineEnd => {
                push(TokenKind::Space, piece.range.clone());
                continue;
            }
        }
        for (fragment, span) in Fragment::lexer(&document.text[piece.range.clone()]).spanned() {
            let range = piece.range.start + span.start..piece.range.start + span.end;
            while marks.next_if(|(_, mark)| mark.end <= range.start).is_some() {}
            let kind = match (fragment, marks.peek()) {
                (_, Some((kind, mark))) if mark.start <= range.start && range.end <= mark.end => *kind,
                (Ok(Fragment::Space), _) => TokenKind::Space,
                _ => TokenKind::Word,
            };
            push(kind, range);
        }
    }
    for heredoc in &instruction.heredocs {
        push(TokenKind::HeredocBody, heredoc.body.clone());
        push(TokenKind::HeredocEnd, heredoc.end.clone());
    }
}

/// The tokens of a file, one a line: place, kind, text.
pub fn dump_tokens(file: &SourceFile) -> String {
    let mut out = String::new();
    for token in tokens(&Document::parse(file.text())) {
        let Range { start, end } = token.range;
        let _ = writeln!(out, "{start}..{end} {} {:?}", token.kind.name(), &file.text()[start..end]);
    }
    out
}

/// The concrete tree of a file: items with their places, below instructions what they consist of.
pub fn dump_cst(file: &SourceFile) -> String {
    let document = Document::parse(file.text());
    let text = |range: &Range<usize>| &document.text[range.clone()];
    let mut out = format!("file 0..{} escape {:?}\n", document.text.len(), document.escape);
    for item in &document.items {
        let Range { start, end } = item.range();
        let _ = match item {
            Item::Blank(_) => writeln!(out, "  blank {start}..{end}"),
            Item::Comment(range) => writeln!(out, "  comment {start}..{end} {:?}", text(range).trim()),
            Item::Directive { directive, .. } => {
                writeln!(out, "  directive {start}..{end} {} {:?}", directive.name, text(&directive.value))
            }
            Item::Unread(_) => writeln!(out, "  unread {start}..{end}"),
            Item::Instruction(instruction) => {
                let (first, last) = (instruction.first_line, instruction.last_line);
                let written = writeln!(out, "  instruction {start}..{end} lines {first}-{last}");
                dump_instruction(&document, instruction, &mut out);
                written
            }
        };
    }
    out
}

fn dump_instruction(document: &Document<'_>, instruction: &Instruction<'_>, out: &mut String) {
    let command = Command::parse(instruction.line.text(), document.escape);
    let mut row = |name: &str, range: &Range<usize>, text: &str| {
        let Range { start, end } = instruction.line.in_file(range.clone());
        let _ = writeln!(out, "    {name} {start}..{end} {text:?}");
    };
    for head in &command.heads {
        row("keyword", &head.keyword.range, &head.keyword.text);
        for flag in &head.flags {
            row("flag", &flag.range, &flag.text);
        }
    }
    match &command.args {
        Ok(Args::Words { words, json }) => {
            for word in words {
                row(if *json { "string" } else { "word" }, &word.range, &word.text);
            }
        }
        Ok(Args::Pairs(pairs)) => {
            for pair in pairs {
                row(if pair.legacy { "legacy-key" } else { "key" }, &pair.key.range, &pair.key.text);
                row("value", &pair.value.range, &pair.value.text);
            }
        }
        Err(error) => row("error", &error.range, &instruction.line.text()[error.range.clone()]),
    }
    for heredoc in &instruction.heredocs {
        let Range { start, end } = heredoc.body;
        let _ = writeln!(out, "    heredoc {start}..{end} {:?}", heredoc.opening.name);
    }
    for piece in instruction.pieces.iter().filter(|p| matches!(p.kind, PieceKind::Comment | PieceKind::Blank)) {
        let Range { start, end } = piece.range;
        let kind = if piece.kind == PieceKind::Comment { "comment" } else { "blank" };
        let _ = writeln!(out, "    {kind} {start}..{end}");
    }
}
