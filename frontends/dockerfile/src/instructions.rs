//! Each instruction: from split arguments to a step.

use std::collections::HashMap;

use rbc_ast::recipe::{
    Add, ArgDecl, CommandLine, Copy, Healthcheck, Heredoc, Onbuild, Pair, Stage, StepKind, Transfer, Trigger, Word,
};
use rbc_grammar::values::duration;
use rbc_grammar::{Args, Keyword, Text};
use rbc_source::{Applicability, Diagnostic, Edit, closest, dockerfile as codes};
use rbc_word::unicode::{eq_fold, is_lower, to_lower, to_upper};

use crate::flags::{Flags, Takes};
use crate::run::run;
use crate::source::Source;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// Reads any instruction but FROM.
pub(crate) fn read(keyword: Keyword, source: &Source<'_>) -> Result<StepKind> {
    match keyword {
        Keyword::Add => add(source),
        Keyword::Arg => arg(source),
        Keyword::Cmd => no_flags(source).map(|()| StepKind::Cmd(command_line(source, source.words()))),
        Keyword::Copy => copy(source),
        Keyword::Entrypoint => no_flags(source).map(|()| StepKind::Entrypoint(command_line(source, source.words()))),
        Keyword::Env => pairs(source).map(StepKind::Env),
        Keyword::Expose => expose(source),
        Keyword::From => Ok(StepKind::Error),
        Keyword::Healthcheck => healthcheck(source),
        Keyword::Label => pairs(source).map(StepKind::Label),
        Keyword::Maintainer => one(source).and_then(|word| no_flags(source).map(|()| StepKind::Maintainer(word))),
        Keyword::Onbuild => onbuild(source),
        Keyword::Run => run(source),
        Keyword::Shell => shell(source),
        // Its flags are not looked at in the reference.
        Keyword::StopSignal => one(source).map(StepKind::StopSignal),
        Keyword::User => one(source).and_then(|word| no_flags(source).map(|()| StepKind::User(word))),
        Keyword::Volume => volume(source),
        Keyword::Workdir => one(source).and_then(|word| no_flags(source).map(|()| StepKind::Workdir(word))),
    }
}

/// A line that begins with no instruction.
pub(crate) fn unknown(source: &Source<'_>) -> Box<Diagnostic> {
    let keyword = &source.command.head().keyword;
    let written = &*keyword.text;
    let message = match written {
        "" => "there is no instruction on the line".to_owned(),
        _ => format!("there is no instruction `{written}`"),
    };
    let error = source.error(codes::UNKNOWN_INSTRUCTION, message, keyword.range.clone());
    let upper = !is_lower(written);
    let names = Keyword::ALL.map(|(name, _)| if upper { name.to_ascii_uppercase() } else { name.to_owned() });
    Box::new(match closest(written, &names) {
        Some(near) => {
            let edit = Edit { span: source.span(keyword.range.clone()), text: near.clone() };
            error.note(format!("did you mean `{near}`?")).fix(
                format!("write `{near}`"),
                vec![edit],
                Applicability::Unsafe,
            )
        }
        None => error.note("if it goes on from the line above, that must end in the escape character"),
    })
}

fn no_flags(source: &Source<'_>) -> Result<()> {
    Flags::read(source, &[]).map(|_| ())
}

fn arguments(source: &Source<'_>, message: impl Into<String>) -> Box<Diagnostic> {
    source.error(codes::ARGUMENTS, message, 0..0)
}

fn needs_argument(source: &Source<'_>, example: &str) -> Box<Diagnostic> {
    let keyword = to_upper(source.keyword());
    Box::new(arguments(source, format!("`{keyword}` needs an argument")).note(format!("for example `{example}`")))
}

/// The only argument.
fn one(source: &Source<'_>) -> Result<Word> {
    match source.words() {
        [word] => Ok(source.word(word)),
        _ => Err(arguments(source, format!("`{}` needs an argument", to_upper(source.keyword())))),
    }
}

/// A command in shell or exec form.
pub(crate) fn command_line(source: &Source<'_>, words: &[Text<'_>]) -> CommandLine {
    CommandLine {
        args: words.iter().map(|w| source.word(w)).collect(),
        shell: !source.is_json(),
        heredocs: source.heredocs(),
    }
}

/// FROM.
pub(crate) fn from(source: &Source<'_>) -> Result<Stage> {
    let (base, name) = match source.words() {
        [base] => (base, None),
        [base, r#as, name] if eq_fold(&r#as.text, "as") => (base, Some(name)),
        words => {
            let error = arguments(source, "`FROM` takes an image, or an image, `AS` and a name");
            return Err(Box::new(match words {
                [] => error.note("for example `FROM alpine:3.20`"),
                [_, r#as] if eq_fold(&r#as.text, "as") => error.note("the name is missing behind `AS`"),
                [_, r#as, ..] if eq_fold(&r#as.text, "as") => error.note("a stage's name is one word"),
                [_, more, ..] => error.also(source.span(more.range.clone()), "`AS` was expected here"),
                [_] => *error,
            }));
        }
    };
    let lower = name.map(|name| to_lower(&name.text));
    if let (Some(name), Some(lower)) = (name, &lower)
        && !is_stage_name(lower)
    {
        let message = format!("`{}` cannot be the name of a stage", name.text);
        let note = "a name begins with a letter and goes on with letters, digits, `-`, `_` and `.`";
        return Err(Box::new(source.error(codes::STAGE_NAME, message, name.range.clone()).note(note)));
    }
    let flags = Flags::read(source, &[("platform", Takes::Value)])?;
    Ok(Stage {
        doc: lower.as_deref().and_then(|name| Docs::new(source).find(name)),
        name: lower.map(Into::into),
        name_span: name.map(|name| source.span(name.range.clone())),
        base: source.word(base),
        platform: flags.value("platform"),
        head: source.head(),
        steps: Vec::new(),
    })
}

fn is_stage_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
}

/// Descriptions of names in the comments above an instruction.
struct Docs<'a> {
    /// The comments, by their first word.
    comments: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Docs<'a> {
    fn new(source: &Source<'a>) -> Self {
        let mut comments: HashMap<_, Vec<_>> = HashMap::new();
        for comment in &source.instruction.comments {
            comments.entry(first_word(comment)).or_default().push(*comment);
        }
        Docs { comments }
    }

    /// The description of a name: what follows it in the first comment that begins with it.
    fn find(&self, name: &str) -> Option<Box<str>> {
        let comments = self.comments.get(first_word(name)).filter(|_| !name.is_empty())?;
        comments.iter().find_map(|c| c.strip_prefix(name)?.strip_prefix(' ')).map(Into::into)
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

fn arg(source: &Source<'_>) -> Result<StepKind> {
    // Its flags are not looked at in the reference.
    if source.words().is_empty() {
        return Err(needs_argument(source, "ARG NAME=default"));
    }
    let docs = Docs::new(source);
    let mut args = Vec::with_capacity(source.words().len());
    for word in source.words() {
        let (name, default) = match word.text.find('=') {
            Some(0) => {
                return Err(source.error(codes::ARGUMENTS, "the argument has no name", word.range.clone()));
            }
            Some(equals) => (0..equals, Some(equals + 1..word.text.len())),
            None => (0..word.text.len(), None),
        };
        let doc = docs.find(&word.text[name.clone()]);
        let default = default.map(|range| source.part(word, range));
        args.push(ArgDecl { name: source.part(word, name), default, doc });
    }
    Ok(StepKind::Arg(args))
}

fn pairs(source: &Source<'_>) -> Result<Vec<Pair>> {
    no_flags(source)?;
    let Ok(Args::Pairs(pairs)) = &source.command.args else { return Ok(Vec::new()) };
    if pairs.is_empty() {
        return Err(needs_argument(source, &format!("{} key=value", to_upper(source.keyword()))));
    }
    if let Some(pair) = pairs.iter().find(|p| p.key.text.is_empty()) {
        let range = pair.key.range.start..pair.value.range.end;
        return Err(source.error(codes::ARGUMENTS, "there is no key before `=`", range));
    }
    let pair = |p: &rbc_grammar::PairText<'_>| Pair {
        key: source.word(&p.key),
        value: source.word(&p.value),
        legacy: p.legacy,
    };
    Ok(pairs.iter().map(pair).collect())
}

/// How many bytes an instruction may copy from heredocs beyond the length of the file. Only one that names a heredoc again and
/// again comes to more than that length.
const MAX_COPIES: usize = 64 << 20;

/// Sources and destination of COPY and ADD. Its flags come after the first check and before the others.
fn transfer<'a>(source: &Source<'a>, known: &[(&'static str, Takes)]) -> Result<(Transfer, Flags<'a>)> {
    let [sources @ .., dest] = source.words() else { return Err(no_destination(source)) };
    if sources.is_empty() {
        return Err(no_destination(source));
    }
    let flags = Flags::read(source, known)?;
    let opening = |text: &str| rbc_word::heredoc::parse(text).ok().flatten();
    if opening(&dest.text).is_some() {
        let keyword = to_upper(source.keyword());
        let message = format!("a heredoc cannot be the destination of `{keyword}`");
        return Err(source.error(codes::ARGUMENTS, message, dest.range.clone()));
    }
    let heredocs = source.heredocs();
    // Of several with one name the last counts.
    let by_name: HashMap<&str, &Heredoc> = heredocs.iter().map(|h| (&*h.name, h)).collect();
    let mut size = 0;
    let mut transfer = Transfer {
        sources: Vec::new(),
        files: Vec::new(),
        dest: source.word(dest),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.truth("link").unwrap_or(false),
        excludes: flags.all("exclude").map(|(word, _)| word.clone()).collect(),
    };
    for text in sources {
        let Some(opening) = opening(&text.text) else {
            transfer.sources.push(source.word(text));
            continue;
        };
        // In a JSON array there are no heredocs, and the file is empty.
        let written = by_name.get(&*opening.name);
        let (body, body_span) = match written {
            Some(heredoc) => (heredoc.body.clone(), heredoc.body_span),
            None => ("".into(), source.span(text.range.clone())),
        };
        size += body.len();
        if size > source.document.text.len() + MAX_COPIES {
            let message = format!("heredoc `{}` is copied too many times", opening.name);
            return Err(source.error(codes::ARGUMENTS, message, text.range.clone()));
        }
        transfer.files.push(Heredoc {
            name: opening.name.into(),
            body,
            body_span,
            expand: opening.expand,
            chomp: opening.chomp,
        });
    }
    Ok((transfer, flags))
}

fn no_destination(source: &Source<'_>) -> Box<Diagnostic> {
    let keyword = to_upper(source.keyword());
    let error = arguments(source, format!("`{keyword}` needs a source and a destination"));
    Box::new(error.note(format!("for example `{keyword} . /app`")))
}

fn copy(source: &Source<'_>) -> Result<StepKind> {
    let known = [
        ("chown", Takes::Value),
        ("from", Takes::Value),
        ("chmod", Takes::Value),
        ("link", Takes::Bool),
        ("exclude", Takes::Values),
        ("parents", Takes::Bool),
    ];
    let (transfer, flags) = transfer(source, &known)?;
    let parents = flags.truth("parents").unwrap_or(false);
    Ok(StepKind::Copy(Box::new(Copy { transfer, from: flags.value("from"), parents })))
}

fn add(source: &Source<'_>) -> Result<StepKind> {
    let known = [
        ("chown", Takes::Value),
        ("chmod", Takes::Value),
        ("link", Takes::Bool),
        ("keep-git-dir", Takes::Bool),
        ("checksum", Takes::Value),
        ("unpack", Takes::Bool),
        ("exclude", Takes::Values),
    ];
    let (transfer, flags) = transfer(source, &known)?;
    Ok(StepKind::Add(Box::new(Add {
        transfer,
        checksum: flags.value("checksum"),
        keep_git_dir: flags.truth("keep-git-dir"),
        unpack: flags.truth("unpack"),
    })))
}

fn expose(source: &Source<'_>) -> Result<StepKind> {
    if source.words().is_empty() {
        return Err(needs_argument(source, "EXPOSE 8080"));
    }
    no_flags(source)?;
    let mut ports: Vec<Word> = source.words().iter().map(|w| source.word(w)).collect();
    ports.sort_by(|a, b| a.text.cmp(&b.text));
    Ok(StepKind::Expose(ports))
}

fn volume(source: &Source<'_>) -> Result<StepKind> {
    if source.words().is_empty() {
        return Err(needs_argument(source, "VOLUME /data"));
    }
    no_flags(source)?;
    let mut volumes = Vec::with_capacity(source.words().len());
    for text in source.words() {
        let word = source.word(text);
        match text.text.trim() {
            "" => return Err(source.error(codes::ARGUMENTS, "a volume's path is empty", text.range.clone())),
            path => volumes.push(Word::new(path, word.span)),
        }
    }
    Ok(StepKind::Volume(volumes))
}

fn shell(source: &Source<'_>) -> Result<StepKind> {
    no_flags(source)?;
    let example = "SHELL [\"/bin/bash\", \"-c\"]";
    if source.words().is_empty() {
        return Err(needs_argument(source, example));
    }
    if !source.is_json() {
        let range = source.words().first().map_or(0..0, |w| w.range.clone());
        let error = source.error(codes::SHELL_FORM, "`SHELL` takes a JSON array of strings", range);
        return Err(Box::new(error.note(format!("for example `{example}`"))));
    }
    Ok(StepKind::Shell(source.words().iter().map(|w| (*w.text).into()).collect()))
}

fn healthcheck(source: &Source<'_>) -> Result<StepKind> {
    let [kind, command @ ..] = source.words() else {
        return Err(needs_argument(source, "HEALTHCHECK CMD curl -f http://localhost/"));
    };
    let upper = to_upper(&kind.text);
    if upper == "NONE" {
        return match command {
            [] => Ok(StepKind::Healthcheck(Healthcheck::None)),
            [first, ..] => {
                let message = "`HEALTHCHECK NONE` takes no arguments";
                Err(source.error(codes::HEALTHCHECK, message, first.range.clone()))
            }
        };
    }
    let known = ["interval", "timeout", "start-period", "start-interval", "retries"].map(|n| (n, Takes::Value));
    let flags = Flags::read(source, &known)?;
    if upper != "CMD" {
        let message = format!("a health check is `CMD` or `NONE`, not `{}`", kind.text);
        let error = source.error(codes::HEALTHCHECK, message, kind.range.clone());
        return Err(Box::new(error.note("write `HEALTHCHECK CMD` before the command")));
    }
    if command.is_empty() {
        return Err(source.error(codes::HEALTHCHECK, "the health check has no command", kind.range.clone()));
    }
    Ok(StepKind::Healthcheck(Healthcheck::Check {
        interval: interval(&flags, "interval")?,
        timeout: interval(&flags, "timeout")?,
        start_period: interval(&flags, "start-period")?,
        start_interval: interval(&flags, "start-interval")?,
        retries: retries(&flags)?,
        command: command_line(source, command),
    }))
}

/// A duration of a millisecond or more, in nanoseconds; 0 if it is absent, empty or zero.
fn interval(flags: &Flags<'_>, name: &str) -> Result<i64> {
    const MILLISECOND: i64 = 1_000_000;
    let Some((value, text)) = flags.raw(name).filter(|(value, _)| !value.text.is_empty()) else { return Ok(0) };
    match duration(&value.text) {
        Ok(time) if time == 0 || time >= MILLISECOND => Ok(time),
        Ok(_) => Err(flags.bad_value(text, format!("`--{name}` cannot be shorter than a millisecond"))),
        Err(error) => Err(flags.bad_value(text, format!("`{}` is no duration: {error}", value.text))),
    }
}

fn retries(flags: &Flags<'_>) -> Result<i64> {
    let Some((value, text)) = flags.raw("retries").filter(|(value, _)| !value.text.is_empty()) else { return Ok(0) };
    match value.text.parse::<i32>() {
        Ok(retries) if retries >= 0 => Ok(retries.into()),
        _ => {
            Err(flags.bad_value(text, format!("`--retries` is a number from 0 to {}, not `{}`", i32::MAX, value.text)))
        }
    }
}

fn onbuild(source: &Source<'_>) -> Result<StepKind> {
    let Some(trigger) = source.command.heads.get(1) else { return Err(needs_argument(source, "ONBUILD RUN make")) };
    no_flags(source)?;
    let name = to_upper(&trigger.keyword.text);
    if matches!(&*name, "ONBUILD" | "MAINTAINER" | "FROM") {
        let message = format!("`{name}` cannot be a trigger of `ONBUILD`");
        return Err(source.error(codes::TRIGGER, message, trigger.keyword.range.clone()));
    }
    let line = source.instruction.line.text();
    let space = ['\t', '\n', '\u{C}', '\r', ' '];
    let trimmed = line.trim_start_matches(space);
    let mut expression = match trimmed.get(..7) {
        Some(keyword) if keyword.eq_ignore_ascii_case("onbuild") => trimmed[7..].trim_start_matches(space),
        _ => line,
    }
    .to_owned();
    for heredoc in &source.instruction.heredocs {
        expression.push('\n');
        expression.push_str(&source.document.text[heredoc.body.clone()]);
        expression.push_str(&heredoc.opening.name);
    }
    let trigger = Trigger(crate::parse_trigger(&expression, source.whole()));
    Ok(StepKind::Onbuild(Onbuild { expression: expression.into(), trigger }))
}
