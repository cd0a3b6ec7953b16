//! Putting values in.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::pattern::Pattern;
use crate::template::{Modifier, Op, Use};
use crate::{Mode, Template, WordError, WordErrorKind};

/// The variables there are.
pub trait Env {
    /// The value of a variable, if it is set. It must not change while a word is expanded.
    fn get(&self, name: &str) -> Option<&str>;

    /// The names of all, for suggestions.
    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_>;
}

/// No variable is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEnv;

impl Env for NoEnv {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(std::iter::empty())
    }
}

/// What becomes of a variable that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// It is empty.
    Empty,
    /// Its use stays as it is, with what is nested inside expanded.
    Keep,
}

/// An expanded word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion<'t> {
    /// The text.
    pub text: Cow<'t, str>,
    /// Variables that were looked up and are set, each once, in order of their evaluation (operands before the variable
    /// that they belong to).
    pub matched: Vec<&'t str>,
    /// The same for variables that are not set.
    pub unmatched: Vec<&'t str>,
}

impl<'t> Expansion<'t> {
    pub(crate) fn literal(text: &'t str) -> Self {
        Expansion { text: Cow::Borrowed(text), matched: Vec::new(), unmatched: Vec::new() }
    }
}

/// By how much an expansion may be longer than its word. It is far above what an operating system takes as a variable or
/// argument, and keeps a word that doubles itself again and again from eating the memory.
const MAX_GROWTH: usize = 64 << 20;

impl<'t> Template<'t> {
    /// Puts the values in.
    ///
    /// # Errors
    /// If `?` demands a variable that is not set, a modifier or pattern is not well formed, or the result is longer than the
    /// word by more than 64 MiB.
    pub fn expand(&self, env: &dyn Env, unset: Unset) -> Result<Expansion<'t>, WordError> {
        match &*self.ops {
            [] => return Ok(Expansion::literal("")),
            [Op::Text { range, .. }] => return Ok(Expansion::literal(&self.text[range.clone()])),
            _ => {}
        }
        let mut run = Run::new(self, env, unset, None);
        run.all()?;
        Ok(Expansion { text: Cow::Owned(run.out), matched: run.matched.order, unmatched: run.unmatched.order })
    }

    /// Puts the values in and splits the result at white space that is neither quoted nor escaped. Text directly before a
    /// `${}` with an operand is lost, as in the reference.
    ///
    /// # Errors
    /// As [`Template::expand`].
    pub fn expand_words(&self, env: &dyn Env, unset: Unset) -> Result<Vec<String>, WordError> {
        let mut run = Run::new(self, env, unset, Some(Words::default()));
        run.all()?;
        Ok(run.words.map(Words::finish).unwrap_or_default())
    }
}

/// Variables that are not set and are looked up before a word turns out to be at fault, in order. The reference reads and
/// expands a word at once, so it knows of these.
pub fn unset_before_fault<'t>(text: &'t str, escape: char, mode: Mode, env: &dyn Env) -> Vec<&'t str> {
    let (template, _) = Template::parse_as_far(text, escape, mode);
    let mut run = Run::new(&template, env, Unset::Empty, None);
    // Whether it faults in expanding too is of no interest.
    _ = run.all();
    run.unmatched.order
}

/// Names in order, each once.
#[derive(Default)]
struct Names<'t> {
    order: Vec<&'t str>,
    /// The same to look them up, once they are many.
    seen: HashSet<&'t str>,
}

/// Lists up to this length are searched from end to end, which is faster than an index.
const SHORT: usize = 16;

impl<'t> Names<'t> {
    fn note(&mut self, name: &'t str) {
        let new = match self.order.len() {
            0..SHORT => !self.order.contains(&name),
            SHORT => {
                self.seen.extend(&self.order);
                self.seen.insert(name)
            }
            _ => self.seen.insert(name),
        };
        if new {
            self.order.push(name);
        }
    }
}

/// Words being split.
#[derive(Default)]
struct Words {
    words: Vec<String>,
    word: String,
}

impl Words {
    /// Adds text that splits at white space.
    fn add(&mut self, text: &str) {
        let mut from = 0;
        for (at, space) in text.match_indices(char::is_whitespace) {
            self.word.push_str(&text[from..at]);
            from = at + space.len();
            if !self.word.is_empty() {
                self.words.push(std::mem::take(&mut self.word));
            }
        }
        self.word.push_str(&text[from..]);
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

/// An operand being expanded.
struct Pending {
    /// Where it begins in the output.
    start: usize,
    /// Where its second half begins.
    middle: usize,
    /// Its variable is not set and the whole stays.
    kept: bool,
}

struct Run<'a, 't> {
    template: &'a Template<'t>,
    env: &'a dyn Env,
    unset: Unset,
    /// Operands are expanded in place: what is nested is never copied, so nesting costs no more than length.
    out: String,
    pending: Vec<Pending>,
    /// Where the quotes opened that we are in.
    quote: Option<usize>,
    matched: Names<'t>,
    unmatched: Names<'t>,
    words: Option<Words>,
}

impl<'a, 't> Run<'a, 't> {
    fn new(template: &'a Template<'t>, env: &'a dyn Env, unset: Unset, words: Option<Words>) -> Self {
        Run {
            template,
            env,
            unset,
            out: String::with_capacity(template.text.len()),
            pending: Vec::new(),
            quote: None,
            matched: Names::default(),
            unmatched: Names::default(),
            words,
        }
    }

    fn all(&mut self) -> Result<(), WordError> {
        let template = self.template;
        for op in &template.ops {
            match op {
                Op::Text { range, quoted } => {
                    let start = self.out.len();
                    self.out.push_str(&template.text[range.clone()]);
                    self.feed_words(start, *quoted);
                }
                Op::QuoteOpen => self.quote = Some(self.out.len()),
                Op::QuoteClose => {
                    if let Some(start) = self.quote.take() {
                        self.feed_words(start, true);
                    }
                }
                Op::Value(i) => {
                    let used = &template.uses[*i];
                    let start = self.out.len();
                    match self.look_up(used) {
                        Some(value) => self.out.push_str(value),
                        None if self.unset == Unset::Keep => self.keep_value(used),
                        None => {}
                    }
                    self.feed_words(start, false);
                    self.check_length(used)?;
                }
                Op::Open(i) => self.open(&template.uses[*i]),
                Op::Middle(_) => {
                    if let Some(pending) = self.pending.last_mut() {
                        if pending.kept {
                            self.out.push('/');
                        }
                        pending.middle = self.out.len();
                    }
                }
                Op::Close(i) => {
                    let used = &template.uses[*i];
                    let Some(pending) = self.pending.pop() else { continue };
                    let start = pending.start;
                    self.close(used, pending)?;
                    if let Some(words) = &mut self.words {
                        words.word.clear();
                    }
                    self.feed_words(start, false);
                    self.check_length(used)?;
                }
            }
        }
        Ok(())
    }

    /// Hands the output from `start` on to the splitting of words, unless it is part of something that will be handed on as
    /// a whole.
    fn feed_words(&mut self, start: usize, quoted: bool) {
        let Some(words) = &mut self.words else { return };
        if !self.pending.is_empty() || self.quote.is_some() {
            return;
        }
        if quoted {
            words.word.push_str(&self.out[start..]);
        } else {
            words.add(&self.out[start..]);
        }
    }

    fn check_length(&self, used: &Use) -> Result<(), WordError> {
        if self.out.len() > self.template.text.len() + MAX_GROWTH {
            return Err(WordError { kind: WordErrorKind::TooLong, at: used.range.clone() });
        }
        Ok(())
    }

    fn name(&self, used: &Use) -> &'t str {
        &self.template.text[used.name.clone()]
    }

    fn look_up(&mut self, used: &Use) -> Option<&'a str> {
        let name = self.name(used);
        let value = self.env.get(name);
        let names = if value.is_some() { &mut self.matched } else { &mut self.unmatched };
        names.note(name);
        value
    }

    fn keep_value(&mut self, used: &Use) {
        let name = self.name(used);
        if used.modifier == Modifier::Braced {
            self.out.push_str("${");
            self.out.push_str(name);
            self.out.push('}');
        } else {
            self.out.push('$');
            self.out.push_str(name);
        }
    }

    fn open(&mut self, used: &Use) {
        let name = self.name(used);
        let start = self.out.len();
        let kept = self.unset == Unset::Keep && self.env.get(name).is_none();
        if kept {
            self.out.push_str("${");
            self.out.push_str(name);
            let (colon, c) = match used.modifier {
                Modifier::Default { colon } => (colon, '-'),
                Modifier::Alternative { colon } => (colon, '+'),
                Modifier::Required { colon } => (colon, '?'),
                Modifier::TrimPrefix => (false, '#'),
                Modifier::TrimSuffix => (false, '%'),
                // `//` comes back as `/`, as in the reference.
                Modifier::Replace { .. } => (false, '/'),
                Modifier::Unknown(c) => (true, c),
                Modifier::Bare | Modifier::Braced => return,
            };
            if colon {
                self.out.push(':');
            }
            self.out.push(c);
        }
        self.pending.push(Pending { start, middle: start, kept });
    }

    fn close(&mut self, used: &Use, pending: Pending) -> Result<(), WordError> {
        let value = self.look_up(used);
        if pending.kept {
            self.out.push('}');
            return Ok(());
        }
        let fail = |kind| WordError { kind, at: used.range.clone() };
        let start = pending.start;
        let usable = |colon: bool| value.filter(|v| !(colon && v.is_empty()));
        match used.modifier {
            Modifier::Default { colon } => {
                if let Some(value) = usable(colon) {
                    self.out.truncate(start);
                    self.out.push_str(value);
                }
            }
            Modifier::Alternative { colon } => {
                if usable(colon).is_none() {
                    self.out.truncate(start);
                }
            }
            Modifier::Required { colon } => {
                let message = self.out.split_off(start);
                match usable(colon) {
                    Some(value) => self.out.push_str(value),
                    None => {
                        let name = self.name(used).to_owned();
                        return Err(fail(WordErrorKind::Required { name, message, empty: value.is_some() }));
                    }
                }
            }
            Modifier::TrimPrefix => {
                let operand = self.out.split_off(start);
                let (pattern, longest) = operand.strip_prefix('#').map_or((&*operand, false), |p| (p, true));
                let pattern = Pattern::parse(pattern).map_err(fail)?;
                let value = value.unwrap_or_default();
                let cut = pattern.prefix(value, longest).unwrap_or(0);
                self.out.push_str(&value[cut..]);
            }
            Modifier::TrimSuffix => {
                let operand = self.out.split_off(start);
                let (pattern, longest) = operand.strip_prefix('%').map_or((&*operand, false), |p| (p, true));
                let pattern = Pattern::parse_reversed(pattern).map_err(fail)?;
                let value = value.unwrap_or_default();
                let cut = pattern.suffix(value, longest).unwrap_or(0);
                self.out.push_str(&value[..value.len() - cut]);
            }
            Modifier::Replace { all } => {
                let replacement = self.out.split_off(pending.middle);
                let pattern = self.out.split_off(start);
                let pattern = Pattern::parse(&pattern).map_err(fail)?;
                let value = value.unwrap_or_default();
                let room = (self.template.text.len() + MAX_GROWTH).saturating_sub(start);
                if !pattern.replace(value, &replacement, all, room, &mut self.out) {
                    return Err(fail(WordErrorKind::TooLong));
                }
            }
            Modifier::Unknown(c) => return Err(fail(WordErrorKind::Modifier(format!(":{c}")))),
            Modifier::Bare | Modifier::Braced => {}
        }
        Ok(())
    }
}
