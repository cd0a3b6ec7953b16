//! Formatting the recorded Dockerfiles changes nothing that is built.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;

use rbc_ast::recipe::{Head, Recipe, StepKind};
use rbc_fmt::{KeywordCase, Style, format};
use rbc_source::{FileId, SourceFile};

/// A few files of our own, for when the recorded ones are not there.
const OWN: [&str; 4] = [
    "# syntax=docker/dockerfile:1\n\n\narg v=1\nFrom a:${v} as b \nRUN  x \\ \n\n   # c \n  y  \nFrom b\ncopy --from=b  /x /y\n",
    "# escape=`\r\nFROM a\r\nENV a=b `\r\nc=\"d `\r\n e\"\r\nCMD [ `\r\n\"a\" ]\r\n",
    "from a\nrun <<x\n  b \n\n\nx\nonbuild run  c \nLABEL\ta=b  c=d \\\n e=f\\\n g=h",
    "FROM a\nHEALTHCHECK   --interval=5s \\\n CMD  a  \\\n b\nVOLUME a \\\nb\nEXPOSE 1\\\n 2\nARG a \\\nb=c\n",
];

/// The recorded texts, if they are there.
fn recorded() -> Vec<String> {
    let root = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from).or_else(|| {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().map(|a| a.join("shared/conformance")).find(|p| p.is_dir())
    });
    let folder = root.and_then(|root| std::fs::read_dir(root.join("dockerfile/cases")).ok());
    let Some(folder) = folder else {
        println!("the recorded cases are not there");
        return Vec::new();
    };
    let mut texts = Vec::new();
    for file in folder {
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            texts.push(case["dockerfile"].as_str().unwrap_or_default().to_owned());
        }
    }
    texts
}

fn file(text: &str) -> SourceFile {
    SourceFile::new(FileId(0), "Dockerfile", text)
}

/// All of a recipe but places, the case of keywords and, where an instruction's text is not part of the graph, white space
/// in that.
fn essence(mut recipe: Recipe) -> String {
    for step in &mut recipe.global_args {
        ease(&mut step.head, false);
    }
    for stage in &mut recipe.stages {
        // `AS` is a keyword too; base, name and platform are compared on their own.
        stage.head.code = stage.head.code.to_uppercase().into();
        ease(&mut stage.head, true);
        for step in &mut stage.steps {
            let exact = matches!(
                step.kind,
                StepKind::Run(_) | StepKind::Copy(_) | StepKind::Add(_) | StepKind::Workdir(_) | StepKind::Onbuild(_)
            );
            ease(&mut step.head, exact);
        }
    }
    // A line that ends in `0:3..8` ends in a place: texts are printed in quotes.
    let text = format!("{recipe:#?}");
    let without_place = |line: &str| match line.trim_end_matches(',').rsplit_once(' ') {
        Some((rest, last)) if last.starts_with("0:") && last.contains("..") => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(without_place).collect::<Vec<_>>().join("\n")
}

fn ease(head: &mut Head, exact: bool) {
    let keyword = head.keyword.len();
    let (name, rest) = head.code.split_at(keyword.min(head.code.len()));
    let rest = match exact {
        true => rest.to_owned(),
        false => rest.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    head.code = format!("{} {rest}", name.to_ascii_uppercase()).into();
    head.keyword = head.keyword.to_ascii_uppercase().into();
}

#[test]
fn formatting_changes_nothing_that_is_built() {
    let mut texts = recorded();
    texts.extend(OWN.map(str::to_owned));
    let styles = [
        Style::default(),
        Style { keywords: KeywordCase::Upper, indent: "\t".to_owned() },
        Style { keywords: KeywordCase::Lower, indent: String::new() },
    ];
    let (mut compared, mut changed, mut failures) = (0, 0, Vec::new());
    for text in &texts {
        let before = rbc_dockerfile::parse(&file(text));
        for style in &styles {
            let formatted = format(&file(text), style);
            let again = format(&file(&formatted.text), style);
            if again.text != formatted.text || !again.edits.is_empty() {
                failures.push(format!("not idempotent:\n{:?}\n{:?}", formatted.text, again.text));
            }
            let after = rbc_dockerfile::parse(&file(&formatted.text));
            if before.has_errors() != after.has_errors() {
                failures.push(format!("{text:?} becomes {:?}", after.diagnostics));
            }
            compared += 1;
            changed += usize::from(formatted.text != *text);
            let (want, got) = (essence(before.value.clone()), essence(after.value));
            if want != got && !before.has_errors() {
                let different = want.lines().zip(got.lines()).find(|(want, got)| want != got);
                failures.push(format!("{text:?}: {different:?}"));
            }
        }
    }
    println!("{compared} formatted, {changed} of them differ from before");
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures[..failures.len().min(8)].join("\n"));
}
