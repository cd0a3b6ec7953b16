//! `textDocument/completion`.

use std::ops::Range;

use rbc_grammar::{Item, Keyword, PieceKind};
use serde_json::{Value, json};

use crate::language::{
    self, DIRECTIVES, Entry, INSTRUCTIONS, MOUNT_OPTIONS, PLATFORM_ARGS, PROXIES, entry, mount_values, plain,
};
use crate::syntax::{Step, Syntax};
use crate::text::Text;

/// Kinds of the protocol.
const FIELD: u8 = 5;
const VARIABLE: u8 = 6;
const VALUE: u8 = 12;
const KEYWORD: u8 = 14;
const FOLDER: u8 = 19;
const REFERENCE: u8 = 18;

/// What can stand at an offset.
pub(crate) fn items(syntax: &Syntax<'_>, text: &Text, offset: usize, snippets: bool) -> Value {
    let line = text.line(text.line_of(offset));
    let before = &text.as_str()[line.start..offset];
    let token = before.len()
        - before
            .rfind(|c: char| c.is_whitespace())
            .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let place = Place { syntax, text, offset, token: offset - token, snippets };
    match context(syntax, text, offset) {
        Context::Directive(start) => place.directives(start),
        Context::Comment => json!([]),
        Context::Start(start, typed) => {
            let none = syntax.document.instructions().all(|i| start <= i.span.start);
            let at = Place { token: start, ..place };
            at.instructions(&typed, |entry| !none || matches!(entry.keyword, Keyword::From | Keyword::Arg))
        }
        Context::Trigger(start, typed) => {
            let at = Place { token: start, ..place };
            at.instructions(&typed, |e| !matches!(e.keyword, Keyword::From | Keyword::Maintainer | Keyword::Onbuild))
        }
        Context::Arguments(index) => place.arguments(index),
    }
}

/// Where an offset is.
enum Context {
    /// In a comment in the head of the file, whose content begins there.
    Directive(usize),
    Comment,
    /// In an instruction's keyword, which begins there, and what of it is in front of the offset.
    Start(usize, String),
    /// The same for the keyword behind ONBUILD.
    Trigger(usize, String),
    /// Behind the keyword of a step.
    Arguments(usize),
}

fn context(syntax: &Syntax<'_>, text: &Text, offset: usize) -> Context {
    let mut in_head = true;
    for item in &syntax.document.items {
        let range = item.range();
        if range.start > offset {
            break;
        }
        let line_end = range.start + text.as_str()[range.clone()].trim_end_matches(['\r', '\n']).len();
        let inside = offset > range.start && offset <= line_end;
        match item {
            Item::Comment(_) | Item::Directive { .. } if inside => {
                let line = &text.as_str()[range.start..line_end];
                let sign = range.start + line.find('#').unwrap_or(0);
                let content = line_end - text.as_str()[(sign + 1).min(line_end)..line_end].trim_start().len();
                if offset <= sign {
                    return Context::Start(offset, String::new());
                }
                return if in_head { Context::Directive(content.min(offset)) } else { Context::Comment };
            }
            Item::Directive { .. } => {}
            _ if range.end <= offset => in_head = false,
            _ => {}
        }
    }
    let open = syntax.steps.last().and_then(|step| step.instruction.heredocs.last()).filter(|h| h.end.is_empty());
    if open.is_some_and(|heredoc| heredoc.body.start <= offset) {
        return Context::Comment;
    }
    let start = Context::Start(offset, String::new());
    let Some(index) = syntax.step_at(offset) else { return start };
    let step = &syntax.steps[index];
    if step.instruction.heredocs.iter().any(|h| h.body.start <= offset && offset < h.end.end.max(h.body.end)) {
        return Context::Comment;
    }
    for piece in &step.instruction.pieces {
        if piece.kind == PieceKind::Comment && piece.range.start < offset && offset < piece.range.end {
            return Context::Comment;
        }
    }
    // A keyword may go on behind a continuation.
    let typed = |from: usize| {
        let (before, _) = step.written(from, offset);
        (!before.contains(char::is_whitespace)).then_some(before)
    };
    let Some(first) = step.heads.first() else { return start };
    match typed(first.keyword.start) {
        Some(typed) if typed.is_empty() => return start,
        Some(typed) => return Context::Start(first.keyword.start, typed),
        None => {}
    }
    if step.onbuild {
        let Some(trigger) = step.heads.get(1) else { return Context::Trigger(offset, String::new()) };
        match typed(trigger.keyword.start) {
            Some(typed) if typed.is_empty() => return Context::Trigger(offset, typed),
            Some(typed) => return Context::Trigger(trigger.keyword.start, typed),
            None => {}
        }
    }
    Context::Arguments(index)
}

/// A place to complete at.
struct Place<'a> {
    syntax: &'a Syntax<'a>,
    text: &'a Text,
    offset: usize,
    /// Where the word at the offset begins.
    token: usize,
    snippets: bool,
}

impl Place<'_> {
    fn typed(&self) -> &str {
        &self.text.as_str()[self.token..self.offset]
    }

    /// An item that replaces what stands from `from` on; `snippet` may have placeholders.
    fn item(&self, from: usize, kind: u8, snippet: &str, summary: &str) -> Value {
        let is_snippet = snippet.contains("${") && kind != VARIABLE;
        let new = if is_snippet && !self.snippets { plain(snippet) } else { snippet.to_owned() };
        let mut item = json!({
            "label": if is_snippet { plain(snippet) } else { snippet.to_owned() },
            "kind": kind,
            "insertTextFormat": if is_snippet && self.snippets { 2 } else { 1 },
            "textEdit": self.text.edit(from..self.offset, &new),
        });
        if !summary.is_empty() {
            item["documentation"] = summary.into();
        }
        item
    }

    fn directives(&self, start: usize) -> Value {
        let typed = self.text.as_str()[start..self.offset].to_ascii_lowercase();
        let known = DIRECTIVES.iter().filter(|(name, ..)| name.starts_with(&typed));
        let item = |(name, value, summary): &(&str, &str, &str)| {
            let snippet = match self.snippets {
                true => format!("{name}=${{1:{value}}}"),
                false => format!("{name}="),
            };
            self.item(start, KEYWORD, &snippet, summary)
        };
        known.map(item).collect()
    }

    fn instructions(&self, typed: &str, fits: impl Fn(&Entry) -> bool) -> Value {
        let typed = typed.to_ascii_uppercase();
        if !typed.is_empty() && Keyword::find(&typed).is_some() {
            return json!([]);
        }
        let mut items = Vec::new();
        for entry in INSTRUCTIONS.iter().filter(|entry| fits(entry) && entry.name().starts_with(&typed)) {
            if self.snippets {
                items.extend(entry.snippets.iter().map(|s| self.item(self.token, KEYWORD, s, entry.summary)));
            } else {
                items.push(self.item(self.token, KEYWORD, &entry.name(), entry.summary));
            }
            if entry.keyword == Keyword::Maintainer
                && let Some(last) = items.last_mut()
            {
                last["tags"] = json!([1]);
            }
        }
        items.into()
    }

    fn arguments(&self, index: usize) -> Value {
        let step = &self.syntax.steps[index];
        let typed = self.typed();
        if let Some(dollar) = typed.rfind('$')
            && !typed[..dollar].ends_with(self.syntax.document.escape)
            && typed[dollar + 1..].trim_start_matches('{').chars().all(rbc_word::unicode::is_name)
        {
            return self.variables(index, self.token + dollar);
        }
        if typed.starts_with("--")
            && let Some((name, value)) = typed[2..].split_once('=')
        {
            return self.flag_values(index, name, value);
        }
        let Some(entry) = step.keyword.and_then(entry) else { return json!([]) };
        let mut items = Vec::new();
        // Flags come before the arguments.
        let first = step.words.first().map(|word| word.range.start);
        let is_first = first.is_none_or(|first| self.offset <= first || self.token == first);
        if step.keyword == Some(Keyword::Healthcheck) && is_first {
            let cmd = if self.snippets { "CMD [ \"${1:executable}\" ]" } else { "CMD" };
            for snippet in [cmd, "NONE"] {
                let typed = typed.to_ascii_uppercase();
                if snippet.starts_with(&typed) && snippet != typed {
                    items.push(self.item(self.token, KEYWORD, snippet, ""));
                }
            }
        }
        if is_first && "--".starts_with(typed.get(..2).unwrap_or(typed)) {
            items.extend(self.flags(step, entry));
        }
        if step.keyword == Some(Keyword::From) && first.is_none_or(|first| self.offset <= first || self.token == first)
        {
            items.extend(self.stages(index, self.token, typed, false));
        }
        if matches!(step.keyword, Some(Keyword::Add | Keyword::Copy)) && !is_first {
            items.extend(
                self.workdir(index)
                    .into_iter()
                    .filter(|path| path.starts_with(typed))
                    .map(|path| self.item(self.token, FOLDER, &path, "")),
            );
        }
        if step.keyword == Some(Keyword::Arg) {
            let typed = typed.to_ascii_uppercase();
            let known = PLATFORM_ARGS.iter().filter(|name| !typed.is_empty() && name.starts_with(&typed));
            items.extend(known.map(|name| self.item(self.token, VARIABLE, name, "")));
        }
        items.into()
    }

    /// The directory that the stage is in, if that can be told from the file.
    fn workdir(&self, index: usize) -> Option<String> {
        let scope = self.syntax.scope_of(index);
        let before = self.syntax.steps.get(scope.start..scope.end.min(index))?;
        let last = before.iter().rfind(|step| step.keyword == Some(Keyword::Workdir) && !step.onbuild)?;
        let path = last.words.first().map(|word| word.text.trim_end_matches('/'))?;
        (path.starts_with('/') && !path.contains(['$', '"', '\''])).then(|| format!("{path}/"))
    }

    /// The flags that are not there yet.
    fn flags(&self, step: &Step<'_>, entry: &Entry) -> Vec<Value> {
        let typed = self.typed();
        let repeated = |name: &str| matches!(name, "mount" | "exclude" | "device");
        let there = |name: &str| step.flags().iter().any(|f| f.name == name && f.range.start != self.token);
        let missing = entry.flags.iter().filter(|flag| repeated(flag.name) || !there(flag.name));
        let matching = missing.filter(|flag| format!("--{}", flag.name).starts_with(typed));
        let item = |flag: &language::FlagEntry| {
            let snippet = match (flag.example, self.snippets) {
                ("", _) => format!("--{}", flag.name),
                (example, true) => format!("--{}=${{1:{example}}}", flag.name),
                (_, false) => format!("--{}=", flag.name),
            };
            self.item(self.token, FIELD, &snippet, flag.summary)
        };
        matching.map(item).collect()
    }

    fn flag_values(&self, index: usize, name: &str, value: &str) -> Value {
        let step = &self.syntax.steps[index];
        let from = self.offset - value.len();
        if name == "mount" && step.keyword == Some(Keyword::Run) {
            return self.mount(index, value);
        }
        if name == "from" && step.keyword == Some(Keyword::Copy) {
            return self.stages(index, from, value, true).into();
        }
        let flag = step.keyword.and_then(entry).and_then(|entry| entry.flag(name));
        let values = flag.map_or(&[][..], |flag| flag.values);
        values.iter().filter(|v| v.starts_with(value)).map(|v| self.item(from, VALUE, v, "")).collect()
    }

    /// Keys and values of the options of a mount.
    fn mount(&self, index: usize, value: &str) -> Value {
        let (done, field) = value.rsplit_once(',').unwrap_or(("", value));
        let from = self.offset - field.len();
        if let Some((key, value)) = field.split_once('=') {
            let from = self.offset - value.len();
            if key.eq_ignore_ascii_case("from") {
                return self.stages(index, from, value, true).into();
            }
            let values = mount_values(&key.to_ascii_lowercase()).iter().filter(|v| v.starts_with(value));
            return values.map(|v| self.item(from, VALUE, v, "")).collect();
        }
        let kind = done.split(',').find_map(|field| field.strip_prefix("type=")).unwrap_or("bind");
        let there = |name: &str| done.split(',').any(|field| field.split('=').next() == Some(name));
        let fits = |types: &str| types.is_empty() || types.split(' ').any(|t| t == kind);
        let options =
            MOUNT_OPTIONS.iter().filter(|(name, types, _)| name.starts_with(field) && fits(types) && !there(name));
        let item = |(name, _, summary): &(&str, &str, &str)| self.item(from, FIELD, &format!("{name}="), summary);
        options.map(item).collect()
    }

    /// The stages before a step, those without a name by number if `numbers`.
    fn stages(&self, index: usize, from: usize, typed: &str, numbers: bool) -> Vec<Value> {
        let scope = self.syntax.scope_of(index).start;
        let before = self.syntax.stages().enumerate().filter(|(_, (step, _))| *step < scope);
        let names = before.filter_map(|(number, (step, name))| {
            let base = self.syntax.steps[step].instruction.line.text().trim();
            match name {
                Some(name) => Some((name.text.clone(), base)),
                None => numbers.then(|| (number.to_string(), base)),
            }
        });
        let typed = typed.to_ascii_lowercase();
        let fitting = names.filter(|(name, _)| name.to_ascii_lowercase().starts_with(&typed));
        fitting.map(|(name, base)| self.item(from, REFERENCE, &name, base)).collect()
    }

    /// The variables that a step knows; the item replaces what stands from `dollar` on.
    fn variables(&self, index: usize, dollar: usize) -> Value {
        let typed = &self.text.as_str()[dollar + 1..self.offset];
        let brace = typed.is_empty() || typed.starts_with('{');
        let typed = typed.trim_start_matches('{').to_ascii_lowercase();
        let scope = self.syntax.declaring(index);
        let before: Range<usize> = scope.start..scope.end.min(index);
        let declared = self.syntax.steps[before].iter().flat_map(|step| &step.declared);
        let mut names: Vec<&str> = declared.map(|declared| &*declared.name.text).collect();
        names.extend(PROXIES);
        if self.syntax.steps[index].is_from() {
            names.extend(PLATFORM_ARGS);
        }
        names.retain(|name| name.to_ascii_lowercase().starts_with(&typed));
        names.sort_unstable_by_key(|name| (name.to_ascii_lowercase(), *name));
        names.dedup();
        let item = |name: &&str| {
            let written = if brace { format!("${{{name}}}") } else { format!("${name}") };
            let value = self.syntax.value(name, index).flatten();
            self.item(dollar, VARIABLE, &written, value.unwrap_or_default())
        };
        names.iter().map(item).collect()
    }
}
