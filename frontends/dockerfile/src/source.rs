//! One instruction, with what is needed to speak about its places.

use std::ops::Range;

use rbc_ast::recipe::{Head, Heredoc, Origin, Word};
use rbc_grammar::{Args, Command, Document, Instruction, Text};
use rbc_source::{Code, Diagnostic, FileId, Span};

/// Where offsets of a text belong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Places {
    /// They are those of a file.
    File(FileId),
    /// The text stands in no file: it is all at one place.
    Fixed(Span),
}

impl Places {
    pub fn span(self, range: Range<usize>) -> Span {
        match self {
            Places::File(file) => Span::new(file, range.start, range.end),
            Places::Fixed(span) => span,
        }
    }
}

/// An instruction of a document.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub document: &'a Document<'a>,
    pub instruction: &'a Instruction<'a>,
    pub command: &'a Command<'a>,
    pub places: Places,
}

impl<'a> Source<'a> {
    /// The place of a range of the joined line.
    pub fn span(&self, range: Range<usize>) -> Span {
        self.places.span(self.instruction.line.in_file(range))
    }

    /// The place of the whole instruction.
    pub fn whole(&self) -> Span {
        self.places.span(self.instruction.span.clone())
    }

    /// The keyword as written.
    pub fn keyword(&self) -> &'a str {
        &self.command.head().keyword.text
    }

    /// The arguments, for instructions that have no pairs.
    pub fn words(&self) -> &'a [Text<'a>] {
        match &self.command.args {
            Ok(Args::Words { words, .. }) => words,
            _ => &[],
        }
    }

    /// Whether the arguments are a JSON array.
    pub fn is_json(&self) -> bool {
        matches!(self.command.args, Ok(Args::Words { json: true, .. }))
    }

    /// A text with its place.
    pub fn word(&self, text: &Text<'_>) -> Word {
        Word::new(&*text.text, self.span(text.range.clone()))
    }

    /// A part of a text with its place.
    pub fn part(&self, text: &Text<'_>, range: Range<usize>) -> Word {
        Word::new(&text.text[range.clone()], self.span(text.part(range)))
    }

    pub fn head(&self) -> Head {
        let keyword = &self.command.head().keyword;
        Head {
            span: self.whole(),
            keyword: (*keyword.text).into(),
            keyword_span: self.span(keyword.range.clone()),
            code: self.instruction.line.text().trim().into(),
            comments: self.instruction.comments.iter().map(|c| (*c).into()).collect(),
            origin: Origin::Written,
        }
    }

    pub fn heredocs(&self) -> Vec<Heredoc> {
        let heredocs = self.instruction.heredocs.iter().map(|h| Heredoc {
            name: (*h.opening.name).into(),
            body: self.document.text[h.body.clone()].into(),
            body_span: self.places.span(h.body.clone()),
            expand: h.opening.expand,
            chomp: h.opening.chomp,
        });
        heredocs.collect()
    }

    /// A finding about a range of the joined line. Its primary place touches all lines of the instruction, as the
    /// reference's does: if those are several, the range becomes a secondary place.
    pub fn finding(&self, code: &'static Code, message: impl Into<String>, range: Range<usize>) -> Diagnostic {
        let finding = Diagnostic::new(code, message);
        if range.is_empty() {
            finding.at(self.whole())
        } else if self.instruction.first_line == self.instruction.last_line {
            finding.at(self.span(range))
        } else {
            finding.at(self.whole()).also(self.span(range), "here")
        }
    }

    /// The same for an error.
    pub fn error(&self, code: &'static Code, message: impl Into<String>, range: Range<usize>) -> Box<Diagnostic> {
        Box::new(self.finding(code, message, range))
    }
}
