//! A Dockerfile as instructions, comments and blank lines, every byte accounted for.
//!
//! Where an instruction ends depends on what it is: only some open heredocs, and none whose arguments are a JSON array. So
//! this reads as much of an instruction as that takes ([`crate::Command`]); what it means is not decided here.

use std::ops::Range;

use rbc_word::{WordError, heredoc};

use crate::Line;
use crate::command::Command;
use crate::directive::{Directive, Directives, Found};
use crate::lexer::{LineKind, Lines, PhysicalLine};

/// A file, read.
#[derive(Clone, Debug)]
pub struct Document<'t> {
    /// The file's text.
    pub text: &'t str,
    /// The character that escapes and continues lines: a backslash or a backtick.
    pub escape: char,
    /// What the file consists of, in order. Together with a byte order mark in front and the text behind a line that is too
    /// long, it is the whole text.
    pub items: Vec<Item<'t>>,
    /// What is wrong with the file's lines, in order.
    pub faults: Vec<Fault>,
}

/// A part of a file.
#[derive(Clone, Debug)]
pub enum Item<'t> {
    /// A line of white space.
    Blank(Range<usize>),
    /// A comment line.
    Comment(Range<usize>),
    /// A directive line.
    Directive {
        /// The whole line.
        range: Range<usize>,
        /// What it says.
        directive: Directive,
    },
    /// An instruction.
    Instruction(Box<Instruction<'t>>),
    /// What is behind a line that is too long, and that line.
    Unread(Range<usize>),
}

/// An instruction with all its lines.
#[derive(Clone, Debug)]
pub struct Instruction<'t> {
    /// All of it: from its first line's beginning to behind its last line's end.
    pub range: Range<usize>,
    /// The same without white space in front and the last line's end, but so that it touches the same lines.
    pub span: Range<usize>,
    /// Its first line, counted from 1.
    pub first_line: usize,
    /// Its last line, counted from 1.
    pub last_line: usize,
    /// The instruction as one line, without heredocs.
    pub line: Line<'t>,
    /// What its lines consist of, up to the heredocs.
    pub pieces: Vec<Piece>,
    /// Its heredocs, in order.
    pub heredocs: Vec<Heredoc>,
    /// The comments above it, without `#` and space, oldest first. Blank lines do not separate them, an empty comment does.
    pub comments: Vec<&'t str>,
}

/// A piece of an instruction's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: PieceKind,
    /// Where it stands.
    pub range: Range<usize>,
}

/// Kinds of [`Piece`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceKind {
    /// White space before the first line's text.
    Indent,
    /// Text that counts.
    Text,
    /// The character that continues a line, with what follows it on the line.
    Continuation,
    /// A comment line within the instruction.
    Comment,
    /// A blank line within the instruction, which is skipped.
    Blank,
    /// The end of the last line.
    LineEnd,
}

/// A heredoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// How it is opened.
    pub opening: heredoc::Opening,
    /// Its lines.
    pub body: Range<usize>,
    /// The line that ends it; empty if there is none.
    pub end: Range<usize>,
}

/// Something wrong with the lines of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it is.
    pub kind: FaultKind,
    /// The lines that it concerns, without the last one's end.
    pub range: Range<usize>,
}

/// Kinds of [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A directive is given again.
    DirectiveAgain(Directive),
    /// A directive `escape` has a value that is neither a backslash nor a backtick.
    Escape(Directive),
    /// A heredoc is not closed.
    HeredocUnclosed {
        /// Its delimiter.
        name: String,
        /// What looks like the delimiter but for white space around it, if any line does.
        near: Option<Range<usize>>,
    },
    /// A heredoc's delimiter is no well-formed word.
    HeredocName(WordError),
    /// There is no instruction.
    NoInstruction,
    /// A line is too long.
    LongLine,
}

impl<'t> Document<'t> {
    /// Reads a file. It never fails: what is wrong is among the faults.
    pub fn parse(text: &'t str) -> Self {
        let reader = Reader {
            lines: Lines::new(text),
            document: Document { text, escape: '\\', items: Vec::new(), faults: Vec::new() },
            comments: Vec::new(),
        };
        reader.run()
    }

    /// Its instructions.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction<'t>> {
        self.items.iter().filter_map(|item| match item {
            Item::Instruction(instruction) => Some(&**instruction),
            _ => None,
        })
    }

    /// Its directives.
    pub fn directives(&self) -> impl Iterator<Item = (&Range<usize>, &Directive)> {
        self.items.iter().filter_map(|item| match item {
            Item::Directive { range, directive } => Some((range, directive)),
            _ => None,
        })
    }
}

impl Item<'_> {
    /// Where it stands, its last line's end included.
    pub fn range(&self) -> Range<usize> {
        match self {
            Item::Blank(range) | Item::Comment(range) | Item::Unread(range) => range.clone(),
            Item::Directive { range, .. } => range.clone(),
            Item::Instruction(instruction) => instruction.range.clone(),
        }
    }
}

struct Reader<'t> {
    lines: Lines<'t>,
    document: Document<'t>,
    comments: Vec<&'t str>,
}

impl<'t> Reader<'t> {
    fn run(mut self) -> Document<'t> {
        let mut directives = Directives::new("#");
        let mut empty = true;
        let mut last = 0..0;
        while let Some(line) = self.lines.next() {
            last = line.content.clone();
            match line.kind {
                LineKind::Blank => {
                    directives.done = true;
                    self.document.items.push(Item::Blank(line.range));
                }
                LineKind::Comment => self.comment(line, &mut directives),
                _ => {
                    directives.done = true;
                    empty = false;
                    self.instruction(line);
                }
            }
        }
        let end = self.document.text.len();
        if let Some(range) = self.lines.too_long.take() {
            self.document.items.push(Item::Unread(range.start..end));
            self.fault(FaultKind::LongLine, range);
        } else if empty {
            // What is missing would stand behind what is there.
            self.fault(FaultKind::NoInstruction, last.end..last.end);
        }
        self.document
    }

    fn fault(&mut self, kind: FaultKind, range: Range<usize>) {
        self.document.faults.push(Fault { kind, range });
    }

    fn slice(&self, range: &Range<usize>) -> &'t str {
        &self.document.text[range.clone()]
    }

    fn comment(&mut self, line: PhysicalLine, directives: &mut Directives<'_>) {
        let content = self.slice(&line.content);
        let trimmed = content.trim_start();
        let found = match directives.done {
            true => Found::End,
            false => directives.read(trimmed, line.content.end - trimmed.len()),
        };
        match found {
            Found::Directive(directive) => {
                if directive.name == "escape" {
                    match self.slice(&directive.value) {
                        "\\" => self.document.escape = '\\',
                        "`" => self.document.escape = '`',
                        _ => self.fault(FaultKind::Escape(directive.clone()), line.content.clone()),
                    }
                }
                self.document.items.push(Item::Directive { range: line.range, directive });
                return;
            }
            Found::Again(directive) => self.fault(FaultKind::DirectiveAgain(directive), line.content.clone()),
            // The first character goes, whatever it is: the sign of an indented comment stays, as in the reference.
            Found::End => match content.get(content.chars().next().map_or(0, char::len_utf8)..).unwrap_or("").trim() {
                "" => self.comments.clear(),
                comment => self.comments.push(comment),
            },
        }
        self.document.items.push(Item::Comment(line.range));
    }

    /// Reads an instruction that begins with this line.
    fn instruction(&mut self, first: PhysicalLine) {
        let text = self.document.text;
        let escape = self.document.escape;
        let first_line = self.lines.count;
        let indent = first.content.start..first.content.end - text[first.content.clone()].trim_start().len();
        let mut pieces = Vec::new();
        if !indent.is_empty() {
            pieces.push(Piece { kind: PieceKind::Indent, range: indent.clone() });
        }
        let mut line = Line::new("", indent.end);
        let mut last = first.clone();
        let mut next = Some(first.clone());
        while let Some(physical) = next {
            last = physical.clone();
            let from = physical.content.start.max(indent.end);
            let kind = match physical.kind {
                LineKind::Comment => Some(PieceKind::Comment),
                LineKind::Blank => Some(PieceKind::Blank),
                _ => None,
            };
            if let Some(kind) = kind {
                pieces.push(Piece { kind, range: physical.range });
                next = self.lines.next();
                continue;
            }
            let continuation = physical.continuation(text, escape);
            let end = continuation.unwrap_or(physical.content.end);
            line.push(&text[from..end], from);
            if from < end {
                pieces.push(Piece { kind: PieceKind::Text, range: from..end });
            }
            let kind = if continuation.is_some() { PieceKind::Continuation } else { PieceKind::LineEnd };
            if end < physical.range.end {
                pieces.push(Piece { kind, range: end..physical.range.end });
            }
            if continuation.is_none() {
                break;
            }
            next = self.lines.next();
        }
        let mut instruction = Box::new(Instruction {
            range: first.range.start..last.range.end,
            span: indent.end..last.content.end,
            first_line,
            last_line: self.lines.count,
            line,
            pieces,
            heredocs: Vec::new(),
            comments: std::mem::take(&mut self.comments),
        });
        self.heredocs(&mut instruction, &mut last);
        instruction.last_line = self.lines.count;
        instruction.range.end = last.range.end;
        instruction.span.end = last.touched_end();
        self.document.items.push(Item::Instruction(instruction));
    }

    /// Reads the heredocs that an instruction opens; `last` becomes its last line.
    fn heredocs(&mut self, instruction: &mut Instruction<'t>, last: &mut PhysicalLine) {
        let line = instruction.line.text();
        if !line.contains("<<") || !Command::parse(line, self.document.escape).opens_heredocs() {
            return;
        }
        let openings = match heredoc::in_line(line) {
            Ok(openings) => openings,
            Err(error) => {
                self.fault(FaultKind::HeredocName(error), instruction.span.clone());
                return;
            }
        };
        for opening in openings {
            let start = last.range.end;
            let mut near = None;
            let mut end = None;
            for line in self.lines.by_ref() {
                let content = &self.document.text[line.content.clone()];
                let is_end = match opening.chomp {
                    true => content.trim_start_matches('\t') == opening.name,
                    false => content == opening.name,
                };
                *last = line;
                if is_end {
                    end = Some(last.range.clone());
                    break;
                }
                if near.is_none() && content.trim() == opening.name {
                    near = Some(last.content.clone());
                }
            }
            let unclosed = end.is_none().then(|| opening.name.clone());
            let end = end.unwrap_or(last.range.end..last.range.end);
            instruction.heredocs.push(Heredoc { opening, body: start..end.start.max(start), end });
            if let Some(name) = unclosed {
                self.fault(FaultKind::HeredocUnclosed { name, near }, instruction.span.start..last.touched_end());
                return;
            }
        }
    }
}

impl Instruction<'_> {
    /// Whether a blank line is skipped within it.
    pub fn has_blank_lines(&self) -> bool {
        self.pieces.iter().any(|p| p.kind == PieceKind::Blank)
    }

    /// Where its joined line ends, which is where heredocs begin.
    pub fn line_end(&self) -> usize {
        self.pieces.last().map_or(self.range.end, |p| p.range.end)
    }
}
