//! A Dockerfile as the rules see it: statements in the order of the file, on the concrete tree. So rules work on files that
//! no build accepts, and every place is exact.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use rbc_grammar::{Args, Command, Document, Instruction, Item, Keyword, PairText, Text};
use rbc_source::{SourceFile, Span};
use rbc_word::csv;

use crate::config::LintConfig;
use crate::image::Image;
use crate::pragma;
use crate::shell::{self, Script, ScriptCache};

/// Statements that belong together: those of the build, or those that ONBUILD puts off to later ones.
pub(crate) struct Flow<'d> {
    /// The file.
    pub file: &'d SourceFile,
    /// The file, read.
    pub document: &'d Document<'d>,
    /// What is configured.
    pub config: &'d LintConfig,
    /// The statements.
    pub statements: Vec<Statement<'d>>,
    /// The stages of each name (in lower case), ascending.
    names: HashMap<String, Vec<usize>>,
    /// Names (in lower case) of what stages are built on.
    bases: HashSet<String>,
}

/// An instruction.
pub(crate) struct Statement<'d> {
    /// Its text and place.
    pub instruction: &'d Instruction<'d>,
    /// What it is; none if there is no such instruction.
    pub keyword: Option<Keyword>,
    /// The stage it is in, from 1; 0 before the first FROM.
    pub stage: usize,
    /// Of FROM: what the stage is.
    pub base: Option<Base<'d>>,
    file: &'d SourceFile,
    command: Command<'d>,
    /// Which of the command's heads it is: 1 for a trigger.
    head: usize,
    scripts: bool,
    shell: Option<Arc<str>>,
    cache: Option<&'d ScriptCache>,
    script: OnceCell<Script<'d>>,
}

/// FROM.
#[derive(Clone, Debug)]
pub(crate) struct Base<'d> {
    /// The image as written.
    pub text: Text<'d>,
    /// Its parts.
    pub image: Image<'d>,
    /// The stage's name.
    pub name: Option<Text<'d>>,
    /// `--platform`.
    pub platform: Option<Flag<'d>>,
}

/// A flag.
#[derive(Clone, Debug)]
pub(crate) struct Flag<'d> {
    /// Its name, without dashes.
    pub name: Cow<'d, str>,
    /// What is behind `=`.
    pub value: Option<Cow<'d, str>>,
    /// All of it, in the line.
    pub range: Range<usize>,
}

/// A mount of RUN, as far as it can be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mount {
    options: Vec<(String, String)>,
}

/// The statements of a file: those of the build, and those put off by ONBUILD.
pub(crate) fn read<'d>(
    file: &'d SourceFile,
    document: &'d Document<'d>,
    config: &'d LintConfig,
    cache: Option<&'d ScriptCache>,
) -> [Flow<'d>; 2] {
    // Nobody changes the escape character but for Windows, whose default shell is cmd.
    let default: Option<Arc<str>> = (document.escape == '\\').then(|| "/bin/sh".into());
    let mut reader = Reader {
        file,
        cache,
        document,
        scripts: config.shell,
        shell: default.clone(),
        default,
        stages: 0,
        name: None,
        shells: HashMap::new(),
    };
    let (mut build, mut triggers) = (Vec::new(), Vec::new());
    for item in &document.items {
        match item {
            Item::Comment(range) => {
                if let Some(shell) = pragma::shell(&document.text[range.clone()]) {
                    reader.shell = known_shell(shell);
                    // Before the first FROM it is for all stages.
                    if reader.stages == 0 {
                        reader.default = reader.shell.clone();
                    }
                }
            }
            Item::Instruction(instruction) => {
                let (statement, trigger) = reader.statement(instruction);
                build.push(statement);
                triggers.extend(trigger);
            }
            _ => {}
        }
    }
    [build, triggers].map(|statements| {
        let mut names: HashMap<String, Vec<usize>> = HashMap::new();
        let mut bases = HashSet::new();
        for (stage, base) in statements.iter().filter_map(|s| Some((s.stage, s.base.as_ref()?))) {
            bases.insert(base.image.name.to_lowercase());
            if let Some(name) = &base.name {
                names.entry(name.text.to_lowercase()).or_default().push(stage);
            }
        }
        Flow { file, document, config, statements, names, bases }
    })
}

struct Reader<'d> {
    file: &'d SourceFile,
    cache: Option<&'d ScriptCache>,
    document: &'d Document<'d>,
    /// Scripts of RUN are read at all.
    scripts: bool,
    /// The shell that stages begin with.
    default: Option<Arc<str>>,
    /// The shell now; none if its language is not sh's.
    shell: Option<Arc<str>>,
    /// How many stages there are.
    stages: usize,
    /// The name of the open one.
    name: Option<String>,
    /// The shells of those before it that have a name.
    shells: HashMap<String, Option<Arc<str>>>,
}

impl<'d> Reader<'d> {
    fn statement(&mut self, instruction: &'d Instruction<'d>) -> (Statement<'d>, Option<Statement<'d>>) {
        let line = instruction.line.text();
        let command = Command::parse(line, self.document.escape);
        let keyword = command.keyword();
        let base = (keyword == Some(Keyword::From)).then(|| base(&command)).flatten();
        match keyword {
            Some(Keyword::From) => {
                if let Some(name) = self.name.take() {
                    self.shells.insert(name, self.shell.clone());
                }
                self.name = base.as_ref().and_then(|b| b.name.as_ref()).map(|n| n.text.to_lowercase());
                let inherited = base.as_ref().and_then(|b| self.shells.get(&b.text.text.to_lowercase()));
                self.shell = inherited.unwrap_or(&self.default).clone();
                self.stages += 1;
            }
            Some(Keyword::Shell) => {
                if let Ok(Args::Words { words, .. }) = &command.args
                    && let Some(word) = words.first()
                {
                    self.shell = known_shell(&word.text);
                }
            }
            _ => {}
        }
        let make = |keyword, base, head, command| Statement {
            instruction,
            keyword,
            stage: self.stages,
            base,
            file: self.file,
            command,
            head,
            scripts: self.scripts,
            shell: self.shell.clone(),
            cache: self.cache,
            script: OnceCell::new(),
        };
        let trigger = (keyword == Some(Keyword::Onbuild)).then(|| command.heads.get(1)).flatten();
        let trigger = trigger.map(|head| make(Keyword::find(&head.keyword.text), None, 1, command.clone()));
        (make(keyword, base, 0, command), trigger)
    }
}

/// A shell by its command line, if its language is sh's.
fn known_shell(shell: &str) -> Option<Arc<str>> {
    (!shell::is_foreign(shell)).then(|| shell.into())
}

fn base<'d>(command: &Command<'d>) -> Option<Base<'d>> {
    let Ok(Args::Words { words, .. }) = &command.args else { return None };
    let text = words.first()?.clone();
    let image = match &text.text {
        Cow::Borrowed(text) => Image::parse(text),
        Cow::Owned(_) => return None,
    };
    let name = words.get(1).filter(|word| word.text.eq_ignore_ascii_case("as")).and_then(|_| words.get(2)).cloned();
    let platform = flags(command, 0).find(|flag| flag.name == "platform");
    Some(Base { text, image, name, platform })
}

fn flags<'s, 'd>(command: &'s Command<'d>, head: usize) -> impl Iterator<Item = Flag<'d>> + use<'s, 'd> {
    let flags = command.heads.get(head).map_or(&[][..], |head| &head.flags);
    flags.iter().map(|text| {
        let range = text.range.clone();
        let (name, value) = match &text.text {
            Cow::Borrowed(text) => split_flag(text, Cow::Borrowed),
            Cow::Owned(text) => split_flag(text, |part| Cow::Owned(part.to_owned())),
        };
        Flag { name, value, range }
    })
}

fn split_flag<'a, 'd>(text: &'a str, cow: impl Fn(&'a str) -> Cow<'d, str>) -> (Cow<'d, str>, Option<Cow<'d, str>>) {
    let text = text.strip_prefix("--").unwrap_or(text);
    match text.split_once('=') {
        Some((name, value)) => (cow(name), Some(cow(value))),
        None => (cow(text), None),
    }
}

impl<'d> Flow<'d> {
    /// Statements of one kind.
    pub fn of(&self, keyword: Keyword) -> impl Iterator<Item = &Statement<'d>> {
        self.statements.iter().filter(move |statement| statement.keyword == Some(keyword))
    }

    /// RUNs whose script could be read, with their scripts.
    pub fn runs(&self) -> impl Iterator<Item = (&Statement<'d>, &Script<'d>)> {
        self.of(Keyword::Run).map(|run| (run, run.script())).filter(|(_, script)| script.readable)
    }

    /// The stages with what opens them, in order.
    pub fn stages(&self) -> impl Iterator<Item = (&Statement<'d>, &Base<'d>)> {
        self.of(Keyword::From).filter_map(|from| Some((from, from.base.as_ref()?)))
    }

    /// The statements of a stage, FROM first.
    pub fn statements_of(&self, stage: usize) -> &[Statement<'d>] {
        let start = self.statements.partition_point(|statement| statement.stage < stage);
        let end = self.statements.partition_point(|statement| statement.stage <= stage);
        &self.statements[start..end]
    }

    /// What opens a stage.
    pub fn stage(&self, stage: usize) -> Option<(&Statement<'d>, &Base<'d>)> {
        let from = self.statements_of(stage).first()?;
        Some((from, from.base.as_ref()?))
    }

    /// The last stage of a name (in any case) among those before `end`.
    pub fn stage_named(&self, name: &str, end: usize) -> Option<usize> {
        let stages = self.names.get(&name.to_lowercase())?;
        let before = stages.partition_point(|stage| *stage < end);
        before.checked_sub(1).and_then(|last| stages.get(last)).copied()
    }

    /// The stage that a name or number refers to, among those before `end`.
    pub fn stage_referred(&self, reference: &str, end: usize) -> Option<usize> {
        let by_number = || reference.parse::<usize>().ok()?.checked_add(1).filter(|stage| *stage < end);
        self.stage_named(reference, end).or_else(by_number)
    }

    /// Whether a stage's layers are shipped as far as the file tells: it is the last, or others are built on it. Without
    /// stages, as among triggers, all are.
    pub fn ships(&self, stage: usize) -> bool {
        let name = self.stage(stage).and_then(|(_, base)| base.name.as_ref());
        stage == self.last_stage() || name.is_some_and(|name| self.bases.contains(&name.text.to_lowercase()))
    }

    /// The number of the last stage; 0 if there is none.
    pub fn last_stage(&self) -> usize {
        self.statements.last().map_or(0, |statement| statement.stage)
    }
}

impl<'d> Statement<'d> {
    /// Whether ONBUILD puts it off.
    pub fn is_trigger(&self) -> bool {
        self.head > 0
    }

    /// All of it.
    pub fn span(&self) -> Span {
        self.file.span(self.instruction.span.start, self.instruction.span.end)
    }

    /// Its keyword; of a trigger its own.
    pub fn keyword_span(&self) -> Span {
        self.command.heads.get(self.head).map_or_else(|| self.span(), |head| self.place(&head.keyword.range))
    }

    /// The instruction without heredocs: keyword to end of the last line.
    pub fn line_span(&self) -> Span {
        let text = self.instruction.line.text();
        let start = text.len() - text.trim_start().len();
        self.place(&(start..text.trim_end().len().max(start)))
    }

    /// Where a range of its line stands.
    pub fn place(&self, range: &Range<usize>) -> Span {
        let range = self.instruction.line.in_file(range.clone());
        self.file.span(range.start, range.end)
    }

    /// Where a text of it stands.
    pub fn at(&self, text: &Text<'_>) -> Span {
        self.place(&text.range)
    }

    /// Its words, or none.
    pub fn words(&self) -> &[Text<'d>] {
        match &self.command.args {
            Ok(Args::Words { words, .. }) => words,
            _ => &[],
        }
    }

    /// Its only word, if it takes its line as a whole.
    pub fn text(&self) -> Option<&Text<'d>> {
        self.words().first()
    }

    /// Whether its words are a JSON array.
    pub fn is_json(&self) -> bool {
        matches!(&self.command.args, Ok(Args::Words { json: true, .. }))
    }

    /// Its keys and values, or none.
    pub fn pairs(&self) -> &[PairText<'d>] {
        match &self.command.args {
            Ok(Args::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// Its flags.
    pub fn flags(&self) -> impl Iterator<Item = Flag<'d>> {
        flags(&self.command, self.head)
    }

    /// The last flag of a name.
    pub fn flag(&self, name: &str) -> Option<Flag<'d>> {
        self.flags().filter(|flag| flag.name == name).last()
    }

    /// The value of `--from`, if it is not empty.
    pub fn from(&self) -> Option<(Cow<'d, str>, Span)> {
        let flag = self.flag("from")?;
        let value = flag.value.filter(|value| !value.is_empty())?;
        let start = flag.range.end - value.len().min(flag.range.len());
        Some((value, self.place(&(start..flag.range.end))))
    }

    /// Of COPY and ADD: the sources (heredocs among them) and the destination.
    pub fn transfer(&self) -> Option<(&[Text<'d>], &Text<'d>)> {
        let (dest, sources) = self.words().split_last()?;
        (!sources.is_empty()).then_some((sources, dest))
    }

    /// Mounts of RUN.
    pub fn mounts(&self) -> Vec<Mount> {
        let mounts = self.flags().filter(|flag| flag.name == "mount");
        mounts.map(|flag| Mount::parse(flag.value.as_deref().unwrap_or_default())).collect()
    }

    /// Whether a mount that the image does not keep (a cache or memory) is where `part` occurs in the path.
    pub fn has_scratch_mount(&self, part: &str) -> bool {
        self.mounts().iter().any(|mount| {
            matches!(mount.kind(), "cache" | "tmpfs") && mount.target().is_some_and(|target| target.contains(part))
        })
    }

    /// Where its only word begins, in the file.
    pub fn script_start(&self) -> Option<usize> {
        self.text().map(|text| self.at(text).start as usize)
    }

    /// Of RUN and SHELL: what runs.
    pub fn script(&self) -> &Script<'d> {
        self.script.get_or_init(|| self.read_script())
    }

    fn read_script(&self) -> Script<'d> {
        let line = &self.instruction.line;
        if self.keyword == Some(Keyword::Run) && !self.scripts {
            return Script::unreadable();
        }
        if !self.is_json() {
            return self.shell_script().map_or_else(Script::unreadable, |script| script.read(self.cache));
        }
        let mut script = Script::unreadable();
        script.exec = true;
        for (i, word) in self.words().iter().enumerate() {
            // A space for the quotes and the comma: the words as a command line.
            if i > 0 {
                script.push_whole(line, word.range.start..word.range.start, " ");
            }
            // Between its quotes a word is as written, unless it has escapes.
            let inner = word.range.start + 1..word.range.end.saturating_sub(1);
            match line.text().get(inner.clone()) {
                Some(written) if *written == *word.text => script.push_line(line, inner),
                _ => script.push_whole(line, word.range.clone(), &word.text),
            }
        }
        script.read(self.cache)
    }

    /// The script of a RUN in shell form, not read yet, if it is one for a shell.
    pub fn shell_script(&self) -> Option<Script<'d>> {
        let line = &self.instruction.line;
        let text = self.text().filter(|_| self.shell.is_some() && !self.is_json())?;
        let mut script = Script::unreadable();
        let Some(heredoc) = self.instruction.heredocs.first() else {
            script.push_line(line, text.range.clone());
            return Some(script);
        };
        let body = &self.file.text()[heredoc.body.clone()];
        if text.text.starts_with("<<") && text.text.split_whitespace().count() == 1 {
            script.push_file(heredoc.body.start, body);
            return (!names_foreign(body)).then_some(script);
        }
        // The heredocs stay with the script, as the shell gets them.
        script.push_line(line, text.range.clone());
        let rest = self.instruction.line_end();
        script.push_file(rest.saturating_sub(1), "\n");
        script.push_file(rest, &self.file.text()[rest..self.instruction.range.end]);
        Some(script)
    }

    /// The command line of the shell that runs scripts here, if its language is sh's.
    pub fn shell(&self) -> Option<&str> {
        self.shell.as_deref()
    }
}

/// Whether the first line of a script names a language that is not a shell's.
fn names_foreign(script: &str) -> bool {
    let Some(line) = script.trim_start().strip_prefix("#!") else { return false };
    let mut words = line.lines().next().unwrap_or_default().split_whitespace();
    let mut program = words.next().unwrap_or_default();
    if program.ends_with("/env") {
        program = words.find(|word| !word.starts_with('-')).unwrap_or_default();
    }
    !matches!(program.rsplit('/').next().unwrap_or_default(), "sh" | "bash" | "ash" | "dash" | "ksh" | "zsh")
}

impl Mount {
    /// Reads the value of a flag; what is not well formed has no options.
    pub fn parse(text: &str) -> Self {
        let option = |field: String| match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), value.to_owned()),
            None => (field.to_ascii_lowercase(), String::new()),
        };
        Mount { options: csv::fields(text).unwrap_or_default().into_iter().map(option).collect() }
    }

    fn option(&self, keys: &[&str]) -> Option<&str> {
        self.options.iter().rev().find(|(key, _)| keys.contains(&&**key)).map(|(_, value)| &**value)
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        self.option(&["type"]).unwrap_or("bind")
    }

    /// Where it is mounted.
    pub fn target(&self) -> Option<&str> {
        self.option(&["target", "dst", "destination"])
    }

    /// The stage or image it shows.
    pub fn from(&self) -> Option<&str> {
        self.option(&["from"]).filter(|from| !from.is_empty())
    }

    /// The options in an order that does not depend on how they are written.
    pub fn sorted(mut self) -> Vec<(String, String)> {
        self.options.sort();
        self.options
    }
}

/// A text without the quotes around it.
pub(crate) fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

/// A text without quotes, and without the backslashes that escape quotes.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(['"', '\'', '\\']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) if chars.peek().is_some_and(|next| matches!(next, '"' | '\'')) => out.extend(chars.next()),
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// All variables that a text uses, with whatever operator.
pub(crate) fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').map(|(at, _)| {
        let behind = text[at + 1..].trim_start_matches('{');
        &behind[..behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(behind.len())]
    })
}

/// The variables that a text uses as `$name` or `${name}`.
pub(crate) fn variables(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = Vec::new();
    for (at, _) in text.match_indices('$') {
        let behind = &text[at + 1..];
        let (behind, braced) = behind.strip_prefix('{').map_or((behind, false), |inner| (inner, true));
        let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
        if end > 0 && !text[..at].ends_with('\\') && (!braced || behind[end..].starts_with('}')) {
            names.push(&behind[..end]);
        }
    }
    names
}

/// Whether a path is absolute, on Unix or on Windows.
pub(crate) fn is_absolute(path: &str) -> bool {
    let mut chars = path.chars();
    path.starts_with('/') || (chars.next().is_some_and(char::is_alphabetic) && chars.next() == Some(':'))
}

/// How names of archives end that ADD unpacks, or that it should be used for.
pub(crate) const ARCHIVES: [&str; 16] = [
    ".tar", ".Z", ".bz2", ".gz", ".lz", ".lzma", ".tZ", ".tb2", ".tbz", ".tbz2", ".tgz", ".tlz", ".tpz", ".txz", ".xz",
    ".zst",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(plain("a\"b c\"'d \"e'"), "ab cd \"e");
        assert_eq!(plain("\\\"a\\b"), "\"a\\b");
        assert_eq!(variables("$a ${b} ${c:-d} \\$e $$f x$"), ["a", "b", "f"]);
        assert_eq!(mentioned("$a ${b:-${c}}$").collect::<Vec<_>>(), ["a", "b", "c", ""]);
        assert!(
            is_absolute("/a") && is_absolute("c:/a") && !is_absolute("a") && !is_absolute("") && !is_absolute("a/c:")
        );
    }

    #[test]
    fn shells() {
        for shell in ["powershell -Command", "C:\\x\\pwsh.exe", "cmd"] {
            assert_eq!(known_shell(shell), None);
        }
        assert_eq!(known_shell("/bin/bash").as_deref(), Some("/bin/bash"));
        assert!(names_foreign("#!/usr/bin/env -S python3\n") && names_foreign("\n#!/usr/bin/perl"));
        assert!(!names_foreign("#!/bin/bash -e\n") && !names_foreign("set -e\n#!/usr/bin/perl"));
    }

    #[test]
    fn places_in_scripts() {
        let text =
            "FROM a\nRUN a \\\n  b\nRUN [\"c\", \"d e\"]\nRUN <<E\nf\n g\nE\nRUN h <<E > i\nj\nE\nONBUILD RUN k\n";
        let file = SourceFile::new(rbc_source::FileId(0), "Dockerfile", text);
        let document = Document::parse(file.text());
        let config = LintConfig::default();
        let [build, triggers] = read(&file, &document, &config, None);
        let mut seen = Vec::new();
        for (_, script) in build.runs().chain(triggers.runs()) {
            for command in &script.commands {
                let span = script.span(file.id(), &command.name_range);
                assert_eq!(file.slice(span), &*command.name);
                seen.push(format!("{} {}", command.name, command.args.len()));
            }
        }
        assert_eq!(seen, ["a 1", "c 2", "f 0", "g 0", "h 0", "k 0"]);
    }
}
