//! ShellCheck on scripts in RUN: what to give it, and what its answer means.
//!
//! Running it is the caller's: for each of [`scripts`], give its text to `shellcheck --format=json1 -` on standard input and
//! the output to [`ShellCheckScript::findings`].

use std::collections::{BTreeSet, HashMap};

use rbc_grammar::{Document, Keyword};
use rbc_source::{Applicability, Diagnostic, Edit, SourceFile, Span, practice};
use serde::Deserialize;

use crate::config::{Level, LintConfig};
use crate::pragma::Pragmas;
use crate::sheet::{self, Flow, Statement};
use crate::shell::Script;

/// Rules that ask for what a Dockerfile cannot give: that the shell is one ShellCheck knows (2187), or that it is told of
/// other files (1090, 1091).
const NEVER: [u32; 3] = [1090, 1091, 2187];

/// Variables that every build has.
const PROXIES: [&str; 8] =
    ["FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ftp_proxy", "http_proxy", "https_proxy", "no_proxy"];

/// A script for ShellCheck.
#[derive(Clone, Debug)]
pub struct ShellCheckScript<'d> {
    /// The text to check: a head that names the shell and the variables there are, and the script.
    pub text: String,
    /// How long the head is, in lines.
    head: usize,
    /// The line (from 0) on which its instruction begins.
    line: usize,
    script: Script<'d>,
}

/// The scripts of a file that ShellCheck can check: those for shells it knows.
///
/// `config` must be for scripts ([`LintConfig::shell`]); without it there are none.
pub fn scripts<'d>(
    file: &'d SourceFile,
    document: &'d Document<'d>,
    config: &'d LintConfig,
) -> Vec<ShellCheckScript<'d>> {
    if !config.shell {
        return Vec::new();
    }
    let flows = sheet::read(file, document, config, None);
    let [build, triggers] = flows;
    of_flow(&build).into_iter().chain(of_flow(&triggers)).collect()
}

fn of_flow<'d>(flow: &Flow<'d>) -> Vec<ShellCheckScript<'d>> {
    let mut found = Vec::new();
    let mut variables: BTreeSet<String> = BTreeSet::new();
    // Variables of the stages before, by name.
    let mut stages: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut name: Option<String> = None;
    for statement in &flow.statements {
        match statement.keyword {
            Some(Keyword::From) => {
                let Some(base) = &statement.base else { continue };
                if let Some(name) = name.take() {
                    stages.insert(name, std::mem::take(&mut variables));
                }
                variables = stages.get(&base.text.text.to_lowercase()).cloned().unwrap_or_default();
                name = base.name.as_ref().map(|name| name.text.to_lowercase());
            }
            Some(Keyword::Arg) => {
                let names = statement.words().iter().filter_map(|word| word.text.split('=').next());
                variables.extend(names.map(str::to_owned));
            }
            Some(Keyword::Env) => variables.extend(statement.pairs().iter().map(|pair| pair.key.text.to_string())),
            Some(Keyword::Run) => found.extend(of_run(statement, &variables)),
            _ => {}
        }
    }
    found
}

fn of_run<'d>(run: &Statement<'d>, variables: &BTreeSet<String>) -> Option<ShellCheckScript<'d>> {
    let script = run.shell_script()?;
    // What a script says of itself counts more.
    let own = script.text.trim_start().strip_prefix("#!").and_then(|rest| rest.lines().next());
    let shell = own.unwrap_or(run.shell()?).split_whitespace().next().unwrap_or_default();
    let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let names: BTreeSet<&str> = variables.iter().map(|name| &**name).chain(PROXIES).filter(is_name).collect();
    let mut text = format!("#!{shell}\n");
    for name in &names {
        text += &format!("export {name}=1\n");
    }
    text += &script.text;
    let line = run.instruction.first_line.saturating_sub(1);
    Some(ShellCheckScript { text, head: 1 + names.len(), line, script })
}

/// ShellCheck's answer.
#[derive(Deserialize)]
struct Answer {
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    #[serde(flatten)]
    place: Place,
    level: String,
    code: u32,
    message: String,
    fix: Option<Fix>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    line: usize,
    end_line: usize,
    column: usize,
    end_column: usize,
}

#[derive(Deserialize)]
struct Fix {
    replacements: Vec<Replacement>,
}

#[derive(Deserialize)]
struct Replacement {
    #[serde(flatten)]
    place: Place,
    replacement: String,
    precedence: i64,
}

impl ShellCheckScript<'_> {
    /// The findings in ShellCheck's output of the format `json1`, as far as they count. A message begins with ShellCheck's
    /// id of the rule.
    ///
    /// # Errors
    /// If the output is not in that format; the text says how.
    pub fn findings(
        &self,
        file: &SourceFile,
        config: &LintConfig,
        pragmas: &Pragmas,
        output: &str,
    ) -> Result<Vec<Diagnostic>, String> {
        let answer: Answer = serde_json::from_str(output).map_err(|error| error.to_string())?;
        let found = answer.comments.into_iter().filter(|comment| !NEVER.contains(&comment.code));
        Ok(found.filter_map(|comment| self.finding(file, config, pragmas, &comment)).collect())
    }

    fn finding(
        &self,
        file: &SourceFile,
        config: &LintConfig,
        pragmas: &Pragmas,
        comment: &Comment,
    ) -> Option<Diagnostic> {
        let id = format!("SC{}", comment.code);
        let level = config.level(&id, Level::find(&comment.level).unwrap_or(Level::Error));
        if config.pragmas && !pragmas.allows_key(&id, self.line) {
            return None;
        }
        let mut finding = Diagnostic::new(practice::SHELLCHECK, format!("{id}: {}", comment.message))
            .at(self.span(file, &comment.place)?)
            .note(format!("https://www.shellcheck.net/wiki/{id}"));
        finding.severity = level.severity()?;
        if let Some(fix) = &comment.fix
            && let Some(edits) = self.edits(file, fix)
        {
            finding = finding.fix("do as ShellCheck suggests", edits, Applicability::Unsafe);
        }
        Some(finding)
    }

    fn edits(&self, file: &SourceFile, fix: &Fix) -> Option<Vec<Edit>> {
        let mut replacements: Vec<&Replacement> = fix.replacements.iter().collect();
        replacements.sort_by_key(|replacement| replacement.precedence);
        let edit = |replacement: &Replacement| {
            let span = self.span(file, &replacement.place)?;
            Some(Edit { span, text: replacement.replacement.clone() })
        };
        let edits: Vec<Edit> = replacements.into_iter().map(edit).collect::<Option<_>>()?;
        // Insertions at one place would have to be put in order.
        let mut places: Vec<Span> = edits.iter().map(|edit| edit.span).collect();
        places.sort_by_key(|span| (span.start, span.end));
        places.windows(2).all(|pair| pair[0].end <= pair[1].start && pair[0] != pair[1]).then_some(edits)
    }

    /// Where a place in the text stands in the file; nowhere if it is in the head.
    fn span(&self, file: &SourceFile, place: &Place) -> Option<Span> {
        let start = self.offset(place.line, place.column)?;
        let end = self.offset(place.end_line, place.end_column)?.max(start);
        match start == end && start > 0 {
            // Behind what is before it: what follows may be on another line.
            true => {
                let before = self.script.text[..start].chars().next_back().map_or(0, char::len_utf8);
                Some(Span::point(file.id(), self.script.span(file.id(), &(start - before..start)).end as usize))
            }
            false => Some(self.script.span(file.id(), &(start..end))),
        }
    }

    /// The offset in the script of a line and a column, both from 1 and the column in characters.
    fn offset(&self, line: usize, column: usize) -> Option<usize> {
        let number = line.checked_sub(self.head + 1)?;
        let mut start = 0;
        for _ in 0..number {
            start += self.script.text.get(start..)?.find('\n')? + 1;
        }
        let rest = self.script.text.get(start..)?;
        let line = rest.split('\n').next().unwrap_or_default();
        let at = line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
        Some(start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_source::{FileId, SourceFile};

    const TEXT: &str = "FROM a AS x\nARG B c=1\nENV D=1\nRUN echo \\\n  é $E\nSHELL [\"/bin/bash\", \"-c\"]\n\
                        RUN <<E\necho $F\nE\nFROM x\nRUN [\"a\"]\nRUN b\nSHELL [\"pwsh\"]\nRUN c\n";

    fn with_scripts<R>(check: impl Fn(&SourceFile, &[ShellCheckScript<'_>]) -> R) -> R {
        let file = SourceFile::new(FileId(0), "Dockerfile", TEXT);
        let document = Document::parse(file.text());
        let config = LintConfig::default();
        check(&file, &scripts(&file, &document, &config))
    }

    #[test]
    fn texts() {
        with_scripts(|_, scripts| {
            let first = |i: usize| scripts[i].text.lines().next().unwrap_or_default().to_owned();
            assert_eq!(scripts.len(), 3);
            assert_eq!(
                (first(0), first(1), first(2)),
                ("#!/bin/sh".into(), "#!/bin/bash".into(), "#!/bin/bash".into())
            );
            assert!(scripts.iter().all(|script| script.text.contains("\nexport B=1\n")));
            assert!(scripts[0].text.ends_with("\necho   é $E"));
            assert!(scripts[1].text.ends_with("\necho $F\n"));
        });
    }

    #[test]
    fn answers() {
        with_scripts(|file, scripts| {
            let answer = |line: usize, column: usize, end: usize| {
                let place = format!(r#""line":{line},"endLine":{line},"column":{column},"endColumn":{end}"#);
                let insert = |column: usize| {
                    format!(
                        r#"{{"line":{line},"endLine":{line},"column":{column},"endColumn":{column},"insertionPoint":"afterEnd","precedence":1,"replacement":"\""}}"#
                    )
                };
                let fix = format!(r#"{{"replacements":[{},{}]}}"#, insert(column), insert(end));
                format!(
                    r#"{{"comments":[{{"file":"-",{place},"level":"info","code":2086,"message":"Quote.","fix":{fix}}}]}}"#
                )
            };
            for (script, column, word, line) in [(&scripts[0], 10, "$E", 4), (&scripts[1], 6, "$F", 7)] {
                let output = answer(script.head + 1, column, column + 2);
                let found = script.findings(file, &LintConfig::default(), &Pragmas::default(), &output).unwrap();
                let span = found[0].primary.as_ref().unwrap().span;
                assert_eq!((file.slice(span), file.line_of(span.start as usize)), (word, line));
                assert_eq!(found[0].message, "SC2086: Quote.");
                let fixed = crate::testing::apply(TEXT, &found);
                assert!(fixed.contains(&format!("\"{word}\"")), "{fixed}");
                let ignored = LintConfig { ignored: vec!["SC2086".into()], ..LintConfig::default() };
                assert!(script.findings(file, &ignored, &Pragmas::default(), &output).unwrap().is_empty());
                assert!(script.findings(file, &ignored, &Pragmas::default(), "no JSON").is_err());
            }
        });
    }
}
