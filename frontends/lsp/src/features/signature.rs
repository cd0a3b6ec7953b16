//! `textDocument/signatureHelp`: the forms that an instruction has, and which part of it is being written.

use rbc_grammar::{Item, Keyword, PieceKind};
use serde_json::{Value, json};

use crate::language::{self, FlagEntry};
use crate::syntax::{Step, Syntax};
use crate::value;

/// A form, and the part of it that is being written.
struct Forms {
    labels: Vec<(String, Vec<String>)>,
    active: usize,
}

/// The forms that fit what is written so far.
pub(crate) fn at(syntax: &Syntax<'_>, offset: usize) -> Value {
    if let Some(directive) = syntax.directives.iter().find(|d| d.range.start <= offset && offset <= d.range.end) {
        let known = language::DIRECTIVES.iter().find(|(name, ..)| *name == directive.name);
        return known.map_or(none(), |(name, example, summary)| {
            let value = if *name == "escape" { "\\" } else { example };
            let form = (format!("{name}={value}"), vec![value.to_owned()]);
            show(&Forms { labels: vec![form], active: 0 }, summary, &[])
        });
    }
    for item in &syntax.document.items {
        let range = item.range();
        if matches!(item, Item::Comment(_)) && range.start < offset && offset <= range.end {
            return none();
        }
    }
    let Some(step) = syntax.step_at(offset).map(|index| &syntax.steps[index]) else { return none() };
    let comment =
        |p: &&rbc_grammar::Piece| p.kind == PieceKind::Comment && p.range.start < offset && offset < p.range.end;
    if step.instruction.pieces.iter().any(|p| comment(&p)) || is_at_comment_end(syntax, step, offset) {
        return none();
    }
    let Some(outer) = step.heads.first().filter(|head| offset > head.keyword.end) else { return none() };
    let trigger = step.heads.get(1);
    if step.onbuild && trigger.is_none_or(|head| offset <= head.keyword.end) {
        return show(&one("ONBUILD INSTRUCTION"), language::entry(Keyword::Onbuild).map_or("", |e| e.summary), &[]);
    }
    let head = trigger.unwrap_or(outer);
    let Some(entry) = step.keyword.and_then(language::entry) else { return none() };
    let flags = step.flags();
    if let Some(flag) =
        flags.iter().find(|f| f.value.as_ref().is_some_and(|v| v.range.start <= offset && offset <= v.range.end))
        && let Some(known) = entry.flag(&flag.name)
        && matches!(entry.keyword, Keyword::Healthcheck | Keyword::Copy)
        && (entry.keyword == Keyword::Healthcheck || known.name == "from")
    {
        return flag_value(entry.keyword, known);
    }
    let start = flags.last().map_or(head.keyword.end, |flag| flag.range.end);
    let (before, whole) = step.written(start, offset);
    let written = Written { before, whole };
    let in_flags = flags.last().is_some_and(|last| offset <= last.range.end);
    forms(entry.keyword, &written, in_flags).map_or(none(), |forms| show(&forms, entry.summary, entry.flags))
}

/// The end of a comment line that the file ends in.
fn is_at_comment_end(syntax: &Syntax<'_>, step: &Step<'_>, offset: usize) -> bool {
    let last = step.instruction.pieces.iter().rfind(|p| p.range.start < offset);
    last.is_some_and(|p| {
        p.kind == PieceKind::Comment && offset == p.range.end && !syntax.document.text[..offset].ends_with('\n')
    })
}

fn none() -> Value {
    json!({"signatures": [], "activeSignature": null, "activeParameter": null})
}

fn show(forms: &Forms, summary: &str, flags: &[FlagEntry]) -> Value {
    let parameter = |label: &String| match label.as_str() {
        "[flags]" => {
            let names: Vec<String> = flags.iter().map(|flag| format!("--{}", flag.name)).collect();
            json!({"label": label, "documentation": names.join(", ")})
        }
        _ => json!({"label": label}),
    };
    let signatures: Vec<Value> = forms
        .labels
        .iter()
        .map(|(label, parameters)| {
            let parameters: Vec<Value> = parameters.iter().map(parameter).collect();
            json!({"label": label, "documentation": summary, "parameters": parameters})
        })
        .collect();
    json!({"signatures": signatures, "activeSignature": 0, "activeParameter": forms.active})
}

fn flag_value(keyword: Keyword, flag: &FlagEntry) -> Value {
    let label = match keyword {
        Keyword::Healthcheck => format!("HEALTHCHECK --{}={} ...", flag.name, flag.example),
        _ => format!("--{}={}", flag.name, flag.example),
    };
    let labels = vec![(label, vec![flag.example.to_owned()])];
    show(&Forms { labels, active: 0 }, flag.summary, &[])
}

/// What stands behind the flags: up to the offset, and all of it.
struct Written {
    before: String,
    whole: String,
}

impl Written {
    fn words(&self) -> Vec<std::ops::Range<usize>> {
        value::words(&self.whole, 0, '\\')
    }

    /// The number of the word that the offset touches, or of the one that would be written there.
    fn index(&self) -> usize {
        self.words().iter().take_while(|word| word.end < self.before.len()).count()
    }
}

/// A label is a form whose parts are parameters; what the parts are is said by white space, and `:`, `@` and `=` in them.
fn form(label: &str) -> (String, Vec<String>) {
    let rest = label.split_once(' ').map_or("", |(_, rest)| rest);
    let mut parameters = Vec::new();
    for word in rest.split(' ') {
        match word.strip_suffix(',') {
            _ if word.starts_with('[') => parameters.push(word.to_owned()),
            Some(item) => parameters.push(item.to_owned()),
            None => parameters.extend(word.split([':', '@', '=']).map(str::to_owned)),
        }
    }
    (label.to_owned(), parameters)
}

fn one(label: &str) -> Forms {
    some(&[label], 0)
}

fn some(labels: &[&str], active: usize) -> Forms {
    Forms { labels: labels.iter().map(|label| form(label)).collect(), active }
}

fn forms(keyword: Keyword, written: &Written, in_flags: bool) -> Option<Forms> {
    use Keyword::*;
    Some(match keyword {
        Add => list(
            &["ADD [flags] source ... dest"],
            &["ADD [flags] [ \"source\", ..., \"dest\" ]"],
            false,
            written,
            in_flags,
        ),
        Copy => list(
            &["COPY [flags] source ... dest"],
            &["COPY [flags] [ \"source\", ..., \"dest\" ]"],
            false,
            written,
            in_flags,
        ),
        Cmd => list(
            &["CMD executable parameter ..."],
            &["CMD [ \"executable\", \"parameter\", ... ]", "CMD [ \"parameter\", \"parameter2\", ... ]"],
            true,
            written,
            false,
        ),
        Entrypoint => list(
            &["ENTRYPOINT executable parameter ..."],
            &["ENTRYPOINT [ \"executable\", \"parameter\", ... ]"],
            true,
            written,
            false,
        ),
        Run => {
            list(&["RUN command parameter ..."], &["RUN [ \"command\", \"parameter\", ... ]"], false, written, false)
        }
        Shell => list(&[], &["SHELL [ \"executable\", \"parameter\", ... ]"], true, written, false),
        Volume => list(&["VOLUME /vol ..."], &["VOLUME [ \"/vol\", ... ]"], true, written, false),
        Expose => list(&["EXPOSE port ..."], &[], false, written, false),
        Arg => match written.whole.find('=') {
            Some(equals) => some(&["ARG name=defaultValue"], usize::from(equals < written.before.len())),
            None => some(&["ARG name", "ARG name=defaultValue"], 0),
        },
        Env => pairs("ENV", written),
        Label => pairs("LABEL", written),
        From => from(written),
        Healthcheck => return healthcheck(written, in_flags),
        Maintainer => one("MAINTAINER name"),
        Onbuild => one("ONBUILD INSTRUCTION"),
        StopSignal => one("STOPSIGNAL signal"),
        User => match written.whole.find(':') {
            Some(colon) => some(&["USER user:group", "USER uid:gid"], usize::from(colon < written.before.len())),
            None => some(&["USER user", "USER user:group", "USER uid", "USER uid:gid"], 0),
        },
        Workdir => one("WORKDIR /the/workdir/path"),
    })
}

/// A list, in shell form or as a JSON array.
fn list(shell: &[&str], json: &[&str], json_first: bool, written: &Written, in_flags: bool) -> Forms {
    let both = match json_first {
        true => [json, shell].concat(),
        false => [shell, json].concat(),
    };
    let labels: Vec<(String, Vec<String>)> = both.iter().map(|label| form(label)).collect();
    let first = |labels: &[&str]| labels.first().map_or(Vec::new(), |label| form(label).1);
    let flags = usize::from(labels.iter().any(|(_, parameters)| parameters.iter().any(|p| p == "[flags]")));
    let before = written.before.trim_start();
    let whole = written.whole.trim();
    if whole.is_empty() || (whole.starts_with('[') && before.is_empty()) {
        return Forms { labels, active: if in_flags { 0 } else { flags } };
    }
    // The part of so many that is being written; only the last one is the destination.
    let part = |index: usize, last: bool, parameters: &[String], from: usize, to: usize| {
        let is_dest = parameters.get(to - 1).is_some_and(|p| p.contains("dest"));
        match (is_dest, index) {
            (_, 0) => from,
            (true, _) if last => to - 1,
            (true, _) => to - 2,
            (false, _) => (from + index).min(to - 1),
        }
    };
    let closed = before.starts_with('[').then(|| json_end(before)).flatten();
    // What follows the array is not in it.
    if before.starts_with('[') && !json.is_empty() && closed.is_none_or(|end| end == before.len()) {
        let parameters = first(json);
        let to = parameters.len() - 1;
        let active = match closed {
            Some(_) => to,
            None => {
                let index = commas(before);
                part(index, index + 1 >= elements(whole), &parameters, flags + 1, to)
            }
        };
        return Forms { labels: json.iter().map(|label| form(label)).collect(), active };
    }
    if shell.is_empty() {
        return Forms { labels, active: 0 };
    }
    let parameters = first(shell);
    let index = written.index();
    let active = match in_flags {
        true => 0,
        false => part(index, index + 1 >= written.words().len(), &parameters, flags, parameters.len()),
    };
    Forms { labels: shell.iter().map(|label| form(label)).collect(), active }
}

/// What a JSON array has outside of strings, with the places.
fn marks(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut string = false;
    let mut escaped = false;
    text.char_indices().filter(move |(_, c)| {
        let was = string;
        match c {
            _ if escaped => escaped = false,
            '\\' if string => escaped = true,
            '"' => string = !string,
            _ => {}
        }
        !was && *c != '"'
    })
}

fn commas(text: &str) -> usize {
    marks(text).filter(|(_, c)| *c == ',').count()
}

/// Behind the bracket that closes an array.
fn json_end(text: &str) -> Option<usize> {
    marks(text).find(|(_, c)| *c == ']').map(|(at, _)| at + 1)
}

/// How many elements an array has; an empty last one does not count.
fn elements(text: &str) -> usize {
    let body = text.trim_start_matches('[').trim_end_matches(']').trim_end();
    commas(text) + usize::from(!body.is_empty() && !body.ends_with(','))
}

fn pairs(keyword: &str, written: &Written) -> Forms {
    let label = |rest: &str| form(&format!("{keyword} {rest}"));
    let (legacy, single, many) = (label("key value"), label("key=value"), label("key=value key2=value2"));
    let words = written.words();
    let Some(first) = words.first() else { return Forms { labels: vec![legacy, single, many], active: 0 } };
    let index = written.index();
    if !written.whole[first.clone()].contains('=') {
        let labels = if words.len() == 1 && index == 0 { vec![legacy, single, many] } else { vec![legacy] };
        return Forms { labels, active: index.min(1) };
    }
    let value = words.get(index).is_some_and(|word| {
        let equals = written.whole[word.clone()].find('=');
        equals.is_some_and(|equals| word.start + equals < written.before.len())
    });
    let active = 2 * index.min(1) + usize::from(value);
    let labels = if words.len() == 1 && index == 0 { vec![single, many] } else { vec![many] };
    Forms { labels, active }
}

fn from(written: &Written) -> Forms {
    let words = written.words();
    let index = written.index();
    let image = words.first().map_or("", |word| &written.whole[word.clone()]);
    let kinds = match image {
        image if image.contains('@') => &["baseImage@digest"][..],
        image if image.contains(':') => &["baseImage:tag"],
        "" => &["baseImage", "baseImage:tag", "baseImage@digest"],
        _ if words.len() > 1 || index > 0 => &["baseImage"],
        _ => &["baseImage", "baseImage:tag", "baseImage@digest"],
    };
    let split = image.find('@').or_else(|| image.find(':')).map(|at| words.first().map_or(0, |w| w.start) + at);
    let parts = 1 + usize::from(split.is_some());
    let active = match index {
        0 => usize::from(split.is_some_and(|split| split < written.before.len())),
        1 => parts,
        _ => parts + 1,
    };
    let named = kinds.iter().map(|kind| form(&format!("FROM {kind} AS stage")));
    let labels = match words.len() > 1 || index > 0 {
        true => named.collect(),
        false => kinds.iter().map(|kind| form(&format!("FROM {kind}"))).chain(named).collect(),
    };
    Forms { labels, active }
}

fn healthcheck(written: &Written, in_flags: bool) -> Option<Forms> {
    let (check, drop) = ("HEALTHCHECK [flags] CMD ...", "HEALTHCHECK NONE");
    let words = written.words();
    let index = written.index();
    let Some(first) = words.first() else {
        return Some(if in_flags { some(&[check], 0) } else { some(&[check, drop], 0) });
    };
    let kind = written.whole[first.clone()].to_ascii_uppercase();
    if "NONE".starts_with(&kind) {
        return (index == 0).then(|| one(drop));
    }
    Some(match index {
        0 if in_flags || written.before.len() < first.start => some(&[check], 0),
        0 => some(&[check], 1),
        _ => some(&[check], 2),
    })
}
