//! A Dockerfile as an editor sees it: instructions, names and where they are used, also while it is being written.

use std::ops::Range;

use rbc_grammar::{Args, Command, DIRECTIVES, Document, Instruction, Item, Keyword, PieceKind};
use rbc_word::unicode::is_name;

use crate::value;

/// A file.
pub(crate) struct Syntax<'t> {
    pub document: &'t Document<'t>,
    /// The directives, also those whose value is still to be written.
    pub directives: Vec<Directive>,
    pub steps: Vec<Step<'t>>,
    /// Which steps belong together: what stands in front of the first FROM, then each stage.
    pub scopes: Vec<Range<usize>>,
}

/// A directive.
pub(crate) struct Directive {
    /// As the grammar has it, one of the known ones.
    pub name: &'static str,
    pub name_range: Range<usize>,
    /// Empty while it is still to be written.
    pub value: Range<usize>,
    /// From `#` to the line's end.
    pub range: Range<usize>,
}

/// An instruction. All places are offsets of the file.
pub(crate) struct Step<'t> {
    pub instruction: &'t Instruction<'t>,
    /// The instruction, or for ONBUILD the trigger's.
    pub keyword: Option<Keyword>,
    pub onbuild: bool,
    pub heads: Vec<Head>,
    pub words: Vec<Word>,
    /// Where arguments begin in the joined line.
    pub args_start: usize,
    pub variables: Vec<Variable>,
    pub declared: Vec<Declared>,
}

/// Keyword and flags.
pub(crate) struct Head {
    pub keyword: Range<usize>,
    pub flags: Vec<Flag>,
}

/// `--name=value`.
pub(crate) struct Flag {
    pub name: String,
    pub name_range: Range<usize>,
    pub value: Option<Word>,
    pub range: Range<usize>,
}

/// A word.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub text: String,
    pub range: Range<usize>,
}

/// A use of a variable.
pub(crate) struct Variable {
    pub name: String,
    /// Where the name is.
    pub range: Range<usize>,
}

/// A declaration of a variable by ARG or ENV.
pub(crate) struct Declared {
    pub name: Word,
    /// Its value with quotes and escapes resolved and variables left in.
    pub value: Option<String>,
    pub env: bool,
}

impl<'t> Syntax<'t> {
    pub fn new(document: &'t Document<'t>) -> Self {
        let steps: Vec<Step<'t>> = document.instructions().map(|i| Step::new(i, document.escape)).collect();
        let mut scopes = Vec::new();
        let mut start = 0;
        for (index, step) in steps.iter().enumerate() {
            if step.is_from() && index > start {
                scopes.push(start..index);
                start = index;
            }
        }
        scopes.push(start..steps.len());
        Syntax { document, directives: directives(document), steps, scopes }
    }

    /// The index of the instruction that an offset is in, its end included.
    pub fn step_at(&self, offset: usize) -> Option<usize> {
        let index = self.steps.partition_point(|step| step.instruction.range.start <= offset).checked_sub(1)?;
        (offset <= self.steps[index].end()).then_some(index)
    }

    /// The steps that belong together with one.
    pub fn scope_of(&self, index: usize) -> Range<usize> {
        self.scopes.iter().find(|scope| scope.contains(&index)).cloned().unwrap_or(0..0)
    }

    /// The steps in front of the first FROM; none if a FROM comes first, or never.
    pub fn global(&self) -> Range<usize> {
        match self.steps.iter().position(Step::is_from) {
            Some(first) => 0..first,
            None => 0..0,
        }
    }

    /// Where the variables are declared that a step's names mean: FROM sees what stands before the first stage.
    pub fn declaring(&self, index: usize) -> Range<usize> {
        match self.steps.get(index) {
            Some(step) if step.is_from() => self.global(),
            _ => self.scope_of(index),
        }
    }

    /// The value that a variable has when a step is run: what ENV said last before it, else ARG. `Some(None)` if it is
    /// declared without a value.
    pub fn value(&self, name: &str, index: usize) -> Option<Option<&str>> {
        let scope = self.declaring(index);
        let before = |env: bool| {
            let steps = self.steps.get(scope.start..scope.end.min(index)).unwrap_or_default();
            let mut declared = steps.iter().flat_map(|step| &step.declared);
            declared.rfind(|d| d.env == env && d.name.text == name)
        };
        let from = self.steps.get(index).is_some_and(Step::is_from);
        let found = before(true).filter(|_| !from).or_else(|| before(false))?;
        if found.value.is_none() && !found.env && scope != self.global() {
            let globals = &self.steps[self.global()];
            let global = globals.iter().flat_map(|step| &step.declared).rfind(|d| d.name.text == name);
            return Some(global.and_then(|d| d.value.as_deref()));
        }
        Some(found.value.as_deref())
    }

    /// The stages: index of the step, and name.
    pub fn stages(&self) -> impl Iterator<Item = (usize, Option<&Word>)> {
        self.steps.iter().enumerate().filter(|(_, step)| step.is_from()).map(|(index, step)| (index, step.stage_name()))
    }
}

fn directives(document: &Document<'_>) -> Vec<Directive> {
    let mut found = Vec::new();
    for item in &document.items {
        let item_range = item.range();
        let line = document.text[item_range.clone()].trim();
        let start =
            item_range.start + (document.text[item_range.clone()].len() - document.text[item_range].trim_start().len());
        let range = start..start + line.len();
        match item {
            Item::Directive { directive, .. } => found.push(Directive {
                name: directive.name,
                name_range: directive.name_range.clone(),
                value: directive.value.clone(),
                range,
            }),
            Item::Comment(_) => {
                let draft = line.strip_suffix('=').and_then(|rest| rest.strip_prefix('#')).map(str::trim);
                let known =
                    draft.and_then(|draft| DIRECTIVES.into_iter().find(|name| name.eq_ignore_ascii_case(draft)));
                let Some(name) = known else { break };
                let at = range.end - line[1..].trim_start().len();
                found.push(Directive { name, name_range: at..at + name.len(), value: range.end..range.end, range });
            }
            _ => break,
        }
    }
    found
}

impl<'t> Step<'t> {
    fn new(instruction: &'t Instruction<'t>, escape: char) -> Self {
        let line = instruction.line.text();
        let command = Command::parse(line, escape);
        let place = |range: &Range<usize>| instruction.line.in_file(range.clone());
        let word = |text: &rbc_grammar::Text<'_>| Word { text: text.text.to_string(), range: place(&text.range) };
        let heads = command.heads.iter().map(|head| Head {
            keyword: place(&head.keyword.range),
            flags: head.flags.iter().map(|flag| Flag::new(flag, &place)).collect(),
        });
        let keyword = command.heads.last().and_then(|head| Keyword::find(&head.keyword.text));
        let words = match &command.args {
            Ok(Args::Words { words, .. }) => words.iter().map(word).collect(),
            _ => Vec::new(),
        };
        let pairs = match keyword {
            Some(Keyword::Arg) => value::pairs(line, command.args_start, escape, false),
            Some(Keyword::Env) => value::pairs(line, command.args_start, escape, true),
            _ => Vec::new(),
        };
        let env = keyword == Some(Keyword::Env);
        let declared = pairs.into_iter().map(|pair| Declared {
            name: Word { text: line[pair.name.clone()].to_owned(), range: place(&pair.name) },
            value: pair.value,
            env,
        });
        let first = command.head().keyword.range.end;
        Step {
            instruction,
            keyword,
            onbuild: command.heads.len() > 1 || command.keyword() == Some(Keyword::Onbuild),
            heads: heads.collect(),
            words,
            args_start: command.args_start,
            variables: variables(line, first, escape, keyword == Some(Keyword::Run), &place),
            declared: declared.collect(),
        }
    }

    pub fn is_from(&self) -> bool {
        self.keyword == Some(Keyword::From) && !self.onbuild
    }

    /// The end of its last line, without the line's end.
    pub fn end(&self) -> usize {
        let instruction = self.instruction;
        let content = instruction.pieces.iter().rfind(|p| p.kind != PieceKind::LineEnd).map_or(0, |p| p.range.end);
        instruction.span.end.max(content)
    }

    /// What is written from `start` on as one line: up to an offset, and all of it. A blank line in front of the offset, in
    /// which more may be written, counts as a space.
    pub fn written(&self, start: usize, offset: usize) -> (String, String) {
        let (mut before, mut whole) = (String::new(), String::new());
        let mut joined = 0;
        for piece in &self.instruction.pieces {
            let text = match piece.kind {
                PieceKind::Text => {
                    joined += piece.range.len();
                    self.instruction.line.text().get(joined - piece.range.len()..joined).unwrap_or_default()
                }
                PieceKind::Blank if piece.range.start < offset => " ",
                _ => continue,
            };
            let cut = |at: usize| text.floor_char_boundary(at.saturating_sub(piece.range.start).min(text.len()));
            let from = cut(start);
            whole.push_str(&text[from..]);
            before.push_str(&text[from..cut(offset).max(from)]);
        }
        (before, whole)
    }

    pub fn flags(&self) -> &[Flag] {
        self.heads.last().map_or(&[], |head| &head.flags)
    }

    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags().iter().find(|flag| flag.name == name)
    }

    /// The name that FROM gives its stage.
    pub fn stage_name(&self) -> Option<&Word> {
        match self.words.as_slice() {
            [_, r#as, name, ..] if self.is_from() && r#as.text.eq_ignore_ascii_case("as") => Some(name),
            _ => None,
        }
    }

    /// Where stages are named: FROM's base, `--from`, `from=` of mounts.
    pub fn stage_uses(&self) -> Vec<Word> {
        let mut uses = Vec::new();
        match self.keyword {
            Some(Keyword::From) if !self.onbuild => uses.extend(self.words.first().cloned()),
            Some(Keyword::Copy) => uses.extend(self.flag("from").and_then(|flag| flag.value.clone())),
            Some(Keyword::Run) => {
                for mount in self.flags().iter().filter(|flag| flag.name == "mount") {
                    uses.extend(mount.value.as_ref().and_then(|value| value.option("from")));
                }
            }
            _ => {}
        }
        uses
    }
}

impl Flag {
    fn new(flag: &rbc_grammar::Text<'_>, place: &impl Fn(&Range<usize>) -> Range<usize>) -> Self {
        let text = flag.text.strip_prefix("--").unwrap_or(&flag.text);
        let range = place(&flag.range);
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let behind = 2 + name.len();
        let part = |from: usize, to: usize| place(&flag.part(from..to));
        Flag {
            name: name.to_owned(),
            name_range: part(2.min(behind), behind),
            value: value.map(|value| Word {
                text: value.to_owned(),
                range: match value {
                    "" => range.end..range.end,
                    _ => part(behind + 1, flag.text.len()),
                },
            }),
            range,
        }
    }
}

impl Word {
    /// The value of an option `name=value` in a list that commas separate. Only where the word stands on one line.
    fn option(&self, name: &str) -> Option<Word> {
        let mut at = self.range.start;
        for field in self.text.split(',') {
            if let Some((key, value)) = field.split_once('=')
                && key.eq_ignore_ascii_case(name)
                && self.range.len() == self.text.len()
            {
                let start = at + key.len() + 1;
                return Some(Word { text: value.to_owned(), range: start..start + value.len() });
            }
            at += field.len() + 1;
        }
        None
    }
}

/// The uses of variables from `at` of a joined line on. In single quotes there are none, unless a shell reads the line:
/// there quotes may be nested in any way, and what looks like a use is taken for one.
fn variables(
    line: &str,
    at: usize,
    escape: char,
    shell: bool,
    place: &impl Fn(&Range<usize>) -> Range<usize>,
) -> Vec<Variable> {
    let mut found = Vec::new();
    let mut chars = line[at..].char_indices().peekable();
    let mut single = false;
    let mut double = false;
    while let Some((index, c)) = chars.next() {
        match c {
            _ if c == escape && !single => {
                chars.next();
            }
            '\'' if !double && !shell => single = !single,
            '"' if !single => double = !double,
            '$' if !single => {
                let brace = chars.next_if(|(_, c)| *c == '{').is_some();
                let start = at + index + 1 + usize::from(brace);
                let length = line[start..].find(|c| !is_name(c)).unwrap_or(line.len() - start);
                // Without its closing brace it is not one yet.
                if length > 0 && (!brace || line[start + length..].contains('}')) {
                    let range = start..start + length;
                    found.push(Variable { name: line[range.clone()].to_owned(), range: place(&range) });
                    while chars.next_if(|(index, _)| at + index < start + length).is_some() {}
                }
            }
            _ => {}
        }
    }
    found
}
