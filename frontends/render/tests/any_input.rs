//! Whatever the texts, and wherever places point: every renderer ends soon, and nothing in what it gives steers a terminal.

#![allow(clippy::disallowed_methods, reason = "time is what is measured")]

use std::time::{Duration, Instant};

use rbc_render::{Style, arrange, github, json, json_report, pages, sarif, terminal};
use rbc_source::{Applicability, Diagnostic, Edit, FileId, Sources, Span, dockerfile, lint};

/// Numbers that look random and are the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }

    fn text(&mut self, longest: usize) -> String {
        const PARTS: [&str; 24] = [
            "a",
            "RUN ",
            " ",
            "\n",
            "\n",
            "\r\n",
            "\r",
            "\t",
            "é",
            "界",
            "\u{1f600}",
            "\u{301}",
            "\u{200d}",
            "\u{1b}[31m",
            "\u{9b}1m",
            "\u{202e}",
            "\u{feff}",
            "\0",
            "\u{2028}",
            "::error::",
            "%0A",
            "`",
            "\\",
            "\u{e0041}",
        ];
        (0..self.below(longest)).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }

    /// A span that often fits no text, or no character of it.
    fn span(&mut self, texts: &[usize]) -> Span {
        let file = self.below(texts.len() + 1);
        let length = texts.get(file).copied().unwrap_or(10);
        let (start, end) = (self.below(length + 5), self.below(length + 5));
        Span::new(FileId(file as u32), start, end)
    }
}

fn findings(dice: &mut Dice, sources: &mut Sources) -> Vec<Diagnostic> {
    let mut lengths = Vec::new();
    for _ in 0..dice.below(4) {
        let text = dice.text(200);
        lengths.push(text.len());
        sources.add(dice.text(4), text);
    }
    let mut found = Vec::new();
    for _ in 0..dice.below(5) {
        let code = [dockerfile::DIRECTIVE, lint::UNDEFINED_VAR][dice.below(2)];
        let mut finding = Diagnostic::new(code, dice.text(10));
        if dice.below(5) > 0 {
            finding = finding.labelled(dice.span(&lengths), dice.text(5));
        }
        for _ in 0..dice.below(5) {
            finding = finding.also(dice.span(&lengths), dice.text(5));
        }
        for _ in 0..dice.below(4) {
            finding = finding.within(dice.span(&lengths), dice.text(5));
        }
        for _ in 0..dice.below(3) {
            finding = finding.note(dice.text(20));
            let edits = (0..dice.below(4)).map(|_| Edit { span: dice.span(&lengths), text: dice.text(8) }).collect();
            finding = finding.fix(dice.text(5), edits, Applicability::Safe);
        }
        found.push(finding);
    }
    arrange(found)
}

/// What no output may hold, colours of our own aside.
fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn nothing_breaks_and_nothing_steers() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..1500 {
        let mut sources = Sources::new();
        let found = findings(&mut dice, &mut sources);
        let style = Style { color: false, unicode: round % 2 == 0, width: dice.below(120), limit: 3 };
        let plain = terminal(&found, &sources, &style);
        let color = terminal(&found, &sources, &Style { color: true, ..style });
        for (name, text) in [
            ("terminal", &plain),
            ("json", &json(&found, &sources)),
            ("json_report", &json_report(&found, &sources)),
            ("sarif", &sarif(&found, &sources)),
            ("github", &github(&found, &sources)),
        ] {
            assert!(!text.contains(steers), "round {round}: {name} lets something through: {text:?}");
        }
        assert_eq!(without_colors(&color), plain, "round {round}: colours change the text");
        for line in json(&found, &sources).lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        }
        assert_eq!(github(&found, &sources).lines().count(), found.len());
    }
}

/// Takes out the escape sequences that rbc writes.
fn without_colors(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn pages_hold_nothing_that_steers() {
    for page in pages() {
        assert!(!page.render(&Style::default()).contains(steers), "{}", page.id);
    }
}

/// Runs what is linear in a moment and otherwise takes minutes.
fn soon(what: &str, run: impl FnOnce() -> usize) {
    let start = Instant::now();
    let size = run();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{what} took {took:?} for {size} bytes");
}

#[test]
fn huge_inputs_take_linear_time() {
    const LENGTH: usize = 10 << 20;
    let mut sources = Sources::new();
    let line = sources.add("line", "é".repeat(LENGTH / 2));
    let lines = sources.add("lines", "a\n".repeat(LENGTH / 2));
    let accents = sources.add("accents", "\u{301}".repeat(LENGTH / 2));
    let mut found = Vec::new();
    for i in 0..2000 {
        let at = i * 5000;
        found.push(
            Diagnostic::new(lint::UNDEFINED_VAR, "one")
                .at(Span::new(line, at, at + 2))
                .also(Span::new(lines, 0, at), ""),
        );
    }
    found.push(Diagnostic::new(lint::UNDEFINED_VAR, "all").at(Span::new(lines, 0, LENGTH)));
    found.push(Diagnostic::new(lint::UNDEFINED_VAR, "accents").at(Span::new(accents, 99, LENGTH)));
    found.push(Diagnostic::new(dockerfile::DIRECTIVE, "x".repeat(LENGTH / 20)).note("\n".repeat(LENGTH / 20)));
    let mut many = Diagnostic::new(lint::UNDEFINED_VAR, "places");
    for i in 0..3000 {
        many = many.also(Span::new(line, i, i + 3), "here").within(Span::new(lines, i, i + 3), "while there");
    }
    found.push(many);
    let same = Diagnostic::new(lint::UNDEFINED_VAR, "same").at(Span::new(line, 1, 2));
    found.extend(std::iter::repeat_n(same, 10_000));
    soon("arranging", || {
        found = arrange(std::mem::take(&mut found));
        found.len()
    });
    assert_eq!(found.len(), 2005);
    let style = Style { limit: usize::MAX, ..Style::default() };
    soon("the terminal", || terminal(&found, &sources, &style).len());
    soon("JSON", || json(&found, &sources).len());
    soon("SARIF", || sarif(&found, &sources).len());
    soon("GitHub", || github(&found, &sources).len());
}
