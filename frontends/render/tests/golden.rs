//! What renderers print, compared with files in `tests/golden`. `RBC_BLESS=1 cargo test -p rbc-render` writes them anew.

#![allow(clippy::disallowed_methods, reason = "what is expected lies in files")]

use std::path::Path;

use rbc_render::{Style, arrange, github, json, json_report, pages, sarif, terminal};
use rbc_source::{
    Applicability, Diagnostic, Edit, FileId, Severity, Sources, Span, dockerfile, environment, image, lint, lower,
};

const STYLE: Style = Style { color: false, unicode: true, width: 80, limit: 100 };

/// A finding by hand: its places are given by the text that they cover.
struct Case {
    sources: Sources,
    found: Vec<Diagnostic>,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Case {
        let mut sources = Sources::new();
        for (name, text) in files {
            sources.add(*name, *text);
        }
        Case { sources, found: Vec::new() }
    }

    /// The first place of `text` in the file of that index.
    fn span(&self, file: u32, text: &str) -> Span {
        let id = FileId(file);
        let start = self.sources.get(id).text().find(text).expect("the text is in the file");
        Span::new(id, start, start + text.len())
    }

    fn add(&mut self, finding: Diagnostic) {
        self.found.push(finding);
    }

    fn terminal(&self, style: Style) -> String {
        terminal(&self.found, &self.sources, &style)
    }
}

/// A log without what changes on its own: the texts of the pages and rbc's version.
fn log(case: &Case) -> String {
    let text = |text: &str| serde_json::to_string(text).expect("a text is JSON");
    let mut log = sarif(&case.found, &case.sources).replace(&text(env!("CARGO_PKG_VERSION")), "\"VERSION\"");
    for page in pages() {
        log = log.replace(&text(page.text), &text(&format!("docs/codes/{}.md", page.id)));
    }
    log
}

fn edit(span: Span, text: &str) -> Edit {
    Edit { span, text: text.to_owned() }
}

fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("RBC_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(&path, found).expect("the expected text can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{name} differs; `RBC_BLESS=1 cargo test -p rbc-render` accepts it\n--- expected\n{expected}\n--- found\n{found}"
    );
}

/// One build with findings of every form.
fn everything() -> Case {
    let mut case = Case::new(&[
        (
            "Dockerfile",
            "FROM alpine as build\nARG VERSON=3\nRUN --mount=typ=cache,target=/c \\\n    make all\nCOPY --from=biuld /a /b\n",
        ),
        ("docker-bake.hcl", "target \"app\" {\n  args = { VERSION = \"4\" }\n}\n"),
    ]);
    let casing = case.span(0, "as");
    case.add(Diagnostic::new(lint::FROM_AS_CASING, "'as' and 'FROM' keywords' casing do not match").at(casing).fix(
        "write `AS` in upper case",
        vec![edit(casing, "AS")],
        Applicability::Safe,
    ));
    case.add(
        Diagnostic::new(lower::MOUNT, "`typ` is no option of a mount")
            .labelled(case.span(0, "typ"), "there is `type`")
            .also(case.span(0, "target=/c"), "the mount is for this directory")
            .within(case.span(1, "target \"app\" {\n  args = { VERSION = \"4\" }\n}"), "while building target `app`")
            .within(case.span(0, "FROM alpine as build"), "while building stage `build`")
            .within(case.span(0, "RUN --mount=typ=cache,target=/c \\\n    make all"), "while compiling this step")
            .note("did you mean `type`?")
            .fix("write `type`", vec![edit(case.span(0, "typ"), "type")], Applicability::Unsafe),
    );
    let from = case.span(0, "biuld");
    case.add(
        Diagnostic::new(image::NOT_FOUND, "there is no image `biuld`")
            .labelled(from, "")
            .note("`biuld` is no stage of this file, so it is taken for an image")
            .note("did you mean `build`?"),
    );
    case.add(Diagnostic::new(environment::READ, "`/etc/ssl/certs` cannot be read: permission denied"));
    case.add(
        Diagnostic { severity: Severity::Hint, ..Diagnostic::new(lint::UNDEFINED_VAR, "`VERSON` is never used") }
            .at(case.span(0, "VERSON=3")),
    );
    case.found = arrange(case.found);
    case
}

#[test]
fn every_form() {
    let case = everything();
    check("everything.txt", &case.terminal(STYLE));
    check("everything.ascii.txt", &case.terminal(Style { unicode: false, ..STYLE }));
    check("everything.color.txt", &case.terminal(Style { color: true, ..STYLE }));
    check("everything.jsonl", &json(&case.found, &case.sources));
    check("everything.json", &json_report(&case.found, &case.sources));
    check("everything.sarif", &log(&case));
    check("everything.github", &github(&case.found, &case.sources));
}

#[test]
fn of_many_only_some_are_shown() {
    let case = everything();
    check("limit.txt", &case.terminal(Style { limit: 2, ..STYLE }));
}

#[test]
fn a_step_that_failed_in_two_files() {
    let mut case = Case::new(&[
        ("Dockerfile", "FROM golang AS build\nCOPY . .\nRUN make all\n"),
        ("docker-bake.hcl", "target \"app\" {\n  context = \".\"\n}\n"),
    ]);
    case.add(
        Diagnostic::new(environment::INTERNAL, "the solver lost a step")
            .labelled(case.span(0, "RUN make all"), "this step of stage `build`")
            .within(case.span(1, "\"app\""), "while building target `app` (go = 1.23)"),
    );
    check("trace.txt", &case.terminal(STYLE));
}

#[test]
fn many_lines() {
    let mut text = String::from("FROM debian\nRUN apt-get update \\\n");
    for n in 1..50 {
        text.push_str(&format!("    && apt-get install -y package-{n} \\\n"));
    }
    text.push_str("    && true\nCOPY a /b\nEXPOSE 80\nEXPOSE 81\nCMD x\n");
    let mut case = Case::new(&[("Dockerfile", &text)]);
    let (start, end) = (text.find("RUN").unwrap_or_default(), text.find("COPY").unwrap_or_default());
    let run = Span::new(FileId(0), start, end);
    case.add(Diagnostic::new(lower::EMPTY_RUN, "this step fails").labelled(run, "all of this"));
    case.add(
        Diagnostic::new(lint::UNDEFINED_VAR, "a place within a step of many lines")
            .labelled(case.span(0, "package-25"), "this one")
            .also(run, "in this step")
            .also(case.span(0, "CMD x"), "and this"),
    );
    case.add(
        Diagnostic::new(lint::UNDEFINED_VAR, "the way there shows the first line of a step only")
            .labelled(case.span(0, "EXPOSE 80"), "one line between two is shown")
            .also(case.span(0, "CMD x"), "")
            .within(run, "while compiling this step"),
    );
    check("many-lines.txt", &case.terminal(STYLE));
}

#[test]
fn long_lines() {
    let text = format!("FROM alpine\nRUN {}$TARGT{}\nRUN {}\n", "a ".repeat(4000), " b".repeat(4000), "界".repeat(400));
    let mut case = Case::new(&[("Dockerfile", &text)]);
    let var = case.span(0, "$TARGT");
    case.add(Diagnostic::new(lint::UNDEFINED_VAR, "Usage of undefined variable '$TARGT'").labelled(var, "here"));
    let line = Span::new(FileId(0), 12, text.find("\nRUN 界").unwrap_or_default());
    case.add(
        Diagnostic::new(lint::UNDEFINED_VAR, "the label is longer than the line can be")
            .labelled(line, "all of it")
            .also(var, "outside of what is shown"),
    );
    let wide = text.len() - 1;
    case.add(
        Diagnostic::new(lint::UNDEFINED_VAR, "wide characters").labelled(Span::new(FileId(0), wide - 6, wide), "two"),
    );
    case.add(Diagnostic::new(dockerfile::DIRECTIVE, "a ".repeat(5000)).note("b".repeat(5000)));
    check("long-lines.txt", &case.terminal(STYLE));
}

#[test]
fn odd_places() {
    let crlf = "FROM alpine\r\n\tRUN\techo\thi\r\nEXPOSE 8O\r\n";
    let mut case = Case::new(&[("crlf/Dockerfile", crlf), ("empty/Dockerfile", ""), ("no-newline", "FROM alpine")]);
    case.add(
        Diagnostic::new(lower::PORT, "tabs and line ends of two characters").labelled(case.span(0, "echo"), "echo"),
    );
    case.add(Diagnostic::new(lower::PORT, "a place with a line end").labelled(case.span(0, "8O\r\n"), "no port"));
    case.add(Diagnostic::new(lower::PORT, "a line end only").labelled(case.span(0, "\r\n"), "here"));
    case.add(
        Diagnostic::new(dockerfile::HEREDOC, "the end of the file").labelled(Span::point(FileId(0), crlf.len()), "EOF"),
    );
    case.add(
        Diagnostic::new(dockerfile::HEREDOC, "nothing, within a line").labelled(Span::point(FileId(0), 5), "here"),
    );
    case.add(
        Diagnostic::new(dockerfile::NO_INSTRUCTION, "a file without text").labelled(Span::point(FileId(1), 0), "empty"),
    );
    case.add(Diagnostic::new(dockerfile::NO_INSTRUCTION, "no newline").labelled(Span::point(FileId(2), 11), "end"));
    case.add(
        Diagnostic::new(dockerfile::NO_INSTRUCTION, "behind the end").labelled(Span::new(FileId(2), 900, 905), "end"),
    );
    case.add(
        Diagnostic::new(dockerfile::NO_INSTRUCTION, "no primary place, and one in a file that is not known")
            .also(Span::new(FileId(9), 1, 2), "lost")
            .also(Span::new(FileId(2), 0, 4), "found"),
    );
    check("odd-places.txt", &case.terminal(STYLE));
    check("odd-places.jsonl", &json(&case.found, &case.sources));
    check("odd-places.github", &github(&case.found, &case.sources));
}

#[test]
fn nothing_steers_the_terminal() {
    let text = "FROM alpine\nRUN echo \u{1b}]0;title\u{7}\u{1b}[2J 'x\u{202e}y' \u{9b}31m \u{0} \u{7f}\nR\u{200b}UN\u{a0}a # caf\u{fffd}\n";
    let mut case = Case::new(&[("a\u{1b}[31m\n::error::b", text)]);
    let run = case.span(0, "\u{1b}]0;title\u{7}");
    case.add(
        Diagnostic::new(
            dockerfile::UNKNOWN_INSTRUCTION,
            "there is no \u{1b}[31m instruction `R\u{200b}UN\u{a0}a`\r\n::error::x",
        )
        .labelled(case.span(0, "R\u{200b}UN"), "a\u{8}b\n::warning::y")
        .also(run, "\u{1b}")
        .also(case.span(0, "x\u{202e}y"), "bidi \u{2066}")
        .within(run, "while \u{1b}c")
        .note("first\u{1b}[1m\nsecond\u{85}")
        .fix(
            "write \u{1b}",
            vec![edit(case.span(0, "R\u{200b}UN\u{a0}a"), "RUN \u{1b}a")],
            Applicability::Safe,
        ),
    );
    check("controls.txt", &case.terminal(STYLE));
    check("controls.json", &json_report(&case.found, &case.sources));
    check("controls.sarif", &log(&case));
    check("controls.github", &github(&case.found, &case.sources));
}

#[test]
fn fixes() {
    let text = "FROM alpine AS a\nMAINTAINER me\nENV A 1\nENV B 2\nRUN x\nRUN y\n";
    let mut case = Case::new(&[("Dockerfile", text), (".dockerignore", "*.md\n")]);
    let at = case.span(0, "MAINTAINER me");
    let end = Span::point(FileId(0), text.len());
    case.add(
        Diagnostic::new(lint::MAINTAINER_DEPRECATED, "several ways to mend it")
            .at(at)
            .fix("write a label", vec![edit(at, "LABEL org.opencontainers.image.authors=\"me\"")], Applicability::Safe)
            .fix("drop it", vec![edit(case.span(0, "MAINTAINER me\n"), "")], Applicability::Unsafe)
            .fix(
                "change two lines and add one",
                vec![edit(end, "CMD z\n"), edit(case.span(0, "A 1"), "A=1"), edit(case.span(0, "B 2"), "B=2")],
                Applicability::Safe,
            )
            .fix("change another file", vec![edit(case.span(1, "*.md\n"), "*.md\n!README.md\n")], Applicability::Safe)
            .fix("a fifth one", vec![], Applicability::Safe),
    );
    case.add(Diagnostic::new(lint::MAINTAINER_DEPRECATED, "edits that cannot be shown").at(at).fix(
        "do both",
        vec![edit(at, "x"), edit(at, "y")],
        Applicability::Safe,
    ));
    check("fixes.txt", &case.terminal(STYLE));
    check("fixes.sarif", &log(&case));
}

#[test]
fn many_places_and_targets() {
    let text: String = (0..40).map(|n| format!("EXPOSE {n}\n")).collect();
    let mut case = Case::new(&[("Dockerfile", &text)]);
    let mut violation = Diagnostic::new(lower::VIOLATION, "checks that are set to be errors found something");
    for line in 0..40 {
        let start = case.sources.get(FileId(0)).line_range(line).start;
        violation =
            violation.also(Span::new(FileId(0), start, start + 6), "ExposeInvalidFormat").note(format!("note {line}"));
    }
    case.add(violation);
    let at = case.span(0, "EXPOSE 7");
    for target in ["a", "b", "c"] {
        let way = case.span(0, &format!("EXPOSE {}", target.len() * 3));
        case.add(
            Diagnostic::new(lower::PORT, "one fault in three targets")
                .at(at)
                .within(way, format!("while building target `{target}`")),
        );
    }
    case.found = arrange(case.found);
    check("many-places.txt", &case.terminal(STYLE));
}
