//! Shell scripts in RUN: which commands they run with which arguments, and where they pipe.
//!
//! shuck-parser reads them, as bash. What it cannot read cleanly counts as having no commands at all: of a script that we
//! misunderstand we say nothing. Nothing of its tree leaves this module.

mod walk;

use std::collections::HashMap;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex};

use rbc_grammar::Line;
use rbc_source::{FileId, Span};
use shuck_parser::parser::Parser;

/// A script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script<'d> {
    /// Its text.
    pub text: String,
    /// It is made of a JSON array: what is inserted there would have to be quoted.
    pub exec: bool,
    read: Arc<Read>,
    places: Vec<Place<'d>>,
}

/// What a script's text says.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Its commands, each before those in its arguments.
    pub commands: Vec<Command>,
    /// Its pipe signs.
    pub pipes: Vec<Range<usize>>,
    /// Whether it could be read.
    pub readable: bool,
}

impl Deref for Script<'_> {
    type Target = Read;

    fn deref(&self) -> &Read {
        &self.read
    }
}

/// Scripts that were read: for those who check a text again after each change of it, where most scripts are as before.
///
/// It holds the scripts of the last check only.
#[derive(Debug, Default)]
pub struct ScriptCache {
    /// Those of the check before.
    before: HashMap<Box<str>, Arc<Read>>,
    /// Those of this one.
    now: Mutex<HashMap<Box<str>, Arc<Read>>>,
}

impl ScriptCache {
    /// Begins a check.
    pub(crate) fn begin(&mut self) {
        let now = self.now.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.before = std::mem::take(now);
    }

    fn read(&self, text: &str) -> Arc<Read> {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(read) = now.get(text).or_else(|| self.before.get(text)).cloned() {
            now.entry(text.into()).or_insert_with(|| Arc::clone(&read));
            return read;
        }
        let read = Arc::new(read(text));
        now.insert(text.into(), Arc::clone(&read));
        read
    }
}

/// The most braces that a script may open: the parser's time grows with the square of those it finds unclosed.
const MOST_BRACES: usize = 2000;

fn read(text: &str) -> Read {
    if text.bytes().filter(|b| *b == b'{').count() > MOST_BRACES {
        return Read::default();
    }
    let parsed = Parser::new(text).parse();
    let found = if parsed.is_ok() { walk::commands(&parsed.file, text) } else { None };
    match found {
        // What powershell and cmd are given is theirs, up to the last semicolon.
        Some((commands, pipes)) if !commands.first().is_some_and(|first| is_foreign(&first.name)) => {
            Read { commands, pipes, readable: true }
        }
        _ => Read::default(),
    }
}

/// Where a part of a script comes from: from this offset of it up to the next part.
#[derive(Clone, Debug)]
struct Place<'d> {
    start: usize,
    from: From<'d>,
}

#[derive(Clone, Debug)]
enum From<'d> {
    /// An instruction's joined line, from this offset on.
    Line(&'d Line<'d>, usize),
    /// A range of the line which is not as written: what is in it stands for all of it.
    Whole(&'d Line<'d>, Range<usize>),
    /// The file, from this offset on.
    File(usize),
}

/// A command with a name that is written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its name. For `command x` and its like it is that of what they run.
    pub name: Box<str>,
    /// What follows its first word.
    pub args: Vec<Arg>,
    /// From its first word to its last.
    pub range: Range<usize>,
    /// Its first word.
    pub name_range: Range<usize>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arg {
    /// Its text without quotes; a variable in it is `${name}`, other expansions are `${...}`.
    pub text: Box<str>,
    /// Where it stands in the script.
    pub range: Range<usize>,
}

impl<'d> Script<'d> {
    /// A script that cannot be read.
    pub fn unreadable() -> Self {
        Script::default()
    }

    /// Adds text of a line as it is written.
    pub fn push_line(&mut self, line: &'d Line<'d>, range: Range<usize>) {
        self.places.push(Place { start: self.text.len(), from: From::Line(line, range.start) });
        self.text.push_str(&line.text()[range]);
    }

    /// Adds text that stands for a range of a line.
    pub fn push_whole(&mut self, line: &'d Line<'d>, range: Range<usize>, text: &str) {
        self.places.push(Place { start: self.text.len(), from: From::Whole(line, range) });
        self.text.push_str(text);
    }

    /// Adds text of the file.
    pub fn push_file(&mut self, start: usize, text: &str) {
        self.places.push(Place { start: self.text.len(), from: From::File(start) });
        self.text.push_str(text);
    }

    /// Reads the text.
    pub fn read(mut self, cache: Option<&ScriptCache>) -> Self {
        self.read = match cache {
            Some(cache) => cache.read(&self.text),
            None => Arc::new(read(&self.text)),
        };
        self
    }

    /// Where a range of the text stands in the file.
    pub fn span(&self, file: FileId, range: &Range<usize>) -> Span {
        let start = self.in_file(range.start).start;
        let end = if range.is_empty() { start } else { self.in_file(range.end - 1).end };
        Span::new(file, start, end)
    }

    /// Where a byte of the text stands.
    fn in_file(&self, at: usize) -> Range<usize> {
        let index = self.places.partition_point(|place| place.start <= at);
        match index.checked_sub(1).and_then(|i| self.places.get(i)) {
            None => 0..0,
            Some(Place { start, from: From::Line(line, offset) }) => {
                let at = offset + (at - start);
                line.in_file(at..at + 1)
            }
            Some(Place { from: From::Whole(line, range), .. }) => line.in_file(range.clone()),
            Some(Place { start, from: From::File(offset) }) => {
                let at = offset + (at - start);
                at..at + 1
            }
        }
    }

    /// Whether a program of that name is run.
    pub fn runs(&self, name: &str) -> bool {
        self.commands.iter().any(|command| &*command.name == name)
    }
}

/// Whether a shell, given as its program or all of its command line, has a language other than sh's.
pub(crate) fn is_foreign(shell: &str) -> bool {
    let program = shell.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    matches!(name.strip_suffix(".exe").unwrap_or(&name), "pwsh" | "powershell" | "cmd")
}

impl Command {
    /// Whether one of these is among the arguments.
    pub fn has_arg(&self, wanted: &[&str]) -> bool {
        self.args.iter().any(|arg| wanted.contains(&&*arg.text))
    }

    /// Whether it is of one of these names and has one of these arguments.
    pub fn is(&self, names: &[&str], wanted: &[&str]) -> bool {
        names.contains(&&*self.name) && self.has_arg(wanted)
    }

    /// The argument that is one of these.
    pub fn arg(&self, wanted: &[&str]) -> Option<&Arg> {
        self.args.iter().find(|arg| wanted.contains(&&*arg.text))
    }

    /// Whether these arguments follow one another.
    pub fn has_args_in_a_row(&self, wanted: &[&str]) -> bool {
        self.args.windows(wanted.len()).any(|window| window.iter().zip(wanted).all(|(arg, w)| &*arg.text == *w))
    }

    /// The flags: of `--name=value` the name, of `-abc` each letter.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        self.args.iter().flat_map(Arg::flags)
    }

    /// Whether it has one of these flags.
    pub fn has_flag(&self, wanted: &[&str]) -> bool {
        self.flags().any(|flag| wanted.contains(&flag))
    }

    /// How often it has a flag.
    pub fn count_flag(&self, wanted: &str) -> usize {
        self.flags().filter(|flag| *flag == wanted).count()
    }

    /// Values of a flag that stand as arguments of their own.
    pub fn values_of(&self, flag: &str) -> impl Iterator<Item = &Arg> {
        self.args.windows(2).filter(move |pair| pair[0].flags().any(|f| f == flag)).map(|pair| &pair[1])
    }

    /// Arguments that are neither flags nor values of `flags_with_values` (given without dashes).
    pub fn operands(&self, flags_with_values: &[&str]) -> impl Iterator<Item = &Arg> {
        let takes_value =
            |arg: &Arg| !arg.text.contains('=') && arg.flags().any(|flag| flags_with_values.contains(&flag));
        self.args.iter().enumerate().filter_map(move |(i, arg)| {
            let is_value = i.checked_sub(1).and_then(|before| self.args.get(before)).is_some_and(takes_value);
            (!is_value && arg.flags().next().is_none()).then_some(arg)
        })
    }

    /// Whether it installs packages of Python by pip, directly or by `python -m pip`.
    pub fn is_pip_install(&self) -> bool {
        let pip = self.name.starts_with("pip") && !self.name.starts_with("pipenv") && self.has_arg(&["install"]);
        pip || (self.name.starts_with("python") && self.has_args_in_a_row(&["-m", "pip", "install"]))
    }
}

impl Arg {
    /// The flags that it is: none, a name, or letters.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        let text = &*self.text;
        let (long, letters) = match (text.strip_prefix("--"), text.strip_prefix('-')) {
            (Some(""), _) | (_, Some("")) => (None, ""),
            (Some(long), _) => (Some(long.split('=').next().unwrap_or(long)), ""),
            (None, Some(letters)) => (None, letters),
            (None, None) => (None, ""),
        };
        long.into_iter().chain(letters.char_indices().map(|(i, c)| &letters[i..i + c.len_utf8()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script<'static> {
        let mut script = Script::unreadable();
        script.push_file(0, text);
        script.read(None)
    }

    fn commands(text: &str) -> Vec<String> {
        let script = script(text);
        assert!(script.readable, "{text}");
        let words = |c: &Command| {
            std::iter::once(&*c.name).chain(c.args.iter().map(|a| &*a.text)).collect::<Vec<_>>().join("|")
        };
        script.commands.iter().map(words).collect()
    }

    #[test]
    fn simple_commands() {
        assert_eq!(commands("a b 'c d' \"e $f\" ${g} h\\ i"), ["a|b|c d|e ${f}|${g}|h i"]);
        assert_eq!(commands("X=1 a $(b c) `d` $((1+2))"), ["a|${b c}|${VAR}|${VAR}", "b|c", "d"]);
        assert_eq!(commands("X=1"), [""; 0]);
        assert_eq!(commands("X=$(a b)"), ["a|b"]);
        assert_eq!(commands("$a b; c*d e"), [""; 0]);
        assert_eq!(commands("\"a\"'b' c"), ["ab|c"]);
        assert_eq!(commands("command apt-get install"), ["apt-get|apt-get|install"]);
        assert_eq!(commands("exec a; command -v b"), ["a|a", "command|-v|b"]);
        assert_eq!(commands("export A=b c; exit 1"), ["export|A=b|c", "exit|1"]);
    }

    #[test]
    fn lists_and_blocks() {
        assert_eq!(commands("a && b || c; d & e | f"), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(commands("set -e; (a; b) && { c; } > x"), ["set|-e", "a", "b", "c"]);
        assert_eq!(commands("if a; then b; elif c; then d; else e; fi"), ["a", "b", "c", "d", "e"]);
        assert_eq!(commands("for i in $(a) b; do c $i; done; while d; do e; done"), ["a", "c|${i}", "d", "e"]);
        assert_eq!(commands("case $(a) in b|c) d;; *) e;; esac"), ["a", "d", "e"]);
        assert_eq!(commands("f() { a; }; [ x = y ] && [[ -n $(b) ]] && test c"), ["a", "b", "test|c"]);
        assert_eq!(commands("cat <<E > x\n$(a)\nE\nb"), ["cat", "a", "b"]);
        assert_eq!(commands("a\n (b); (c) & (d)\n{ e; }\ncat <<E\nE\n(f)"), ["a", "b", "c", "d", "e", "cat", "f"]);
        assert_eq!(commands("! a; time b; c > $(d); e < <(f)"), ["a", "time", "b", "c", "d", "e", "f"]);
        assert_eq!(commands("a ${x:-$(b)} \"${y#$(c)}\""), ["a|${x:-$(b)}|${y#$(c)}", "b", "c"]);
    }

    #[test]
    fn pipes() {
        assert_eq!(script("a | b |& c || d").pipes, [2..3, 6..8]);
        assert_eq!(script("x=$(a | b)").pipes.first(), Some(&(6..7)));
        assert!(script("echo 'a | b'").pipes.is_empty());
    }

    #[test]
    fn unreadable_scripts_have_nothing() {
        for text in [
            "a && ",
            "if a; then b",
            "a 'b",
            "for do",
            "a | | b",
            "(a",
            "a(b)",
            "a && b (c d)",
            "powershell -c a; wget b",
        ] {
            let script = script(text);
            assert!(!script.readable && script.commands.is_empty() && script.pipes.is_empty(), "{text}");
        }
        for deep in
            ["{a,".repeat(5000), "(".repeat(5000), "$(".repeat(5000), "a && ".repeat(5000) + "a", "{ ".repeat(5000)]
        {
            assert!(!script(&deep).readable);
        }
    }

    #[test]
    fn cached_scripts() {
        let mut cache = ScriptCache::default();
        let first = cache.read("a b");
        cache.begin();
        assert!(Arc::ptr_eq(&first, &cache.read("a b")));
        cache.begin();
        cache.begin();
        assert!(!Arc::ptr_eq(&first, &cache.read("a b")));
    }

    #[test]
    fn flags_and_operands() {
        let script = script("x -ab --long=v --other -- - o -t v p --t=w q -t");
        let command = &script.commands[0];
        assert_eq!(command.flags().collect::<Vec<_>>(), ["a", "b", "long", "other", "t", "t", "t"]);
        let operands: Vec<_> = command.operands(&["t"]).map(|a| &*a.text).collect();
        assert_eq!(operands, ["--", "-", "o", "p", "q"]);
        assert_eq!(command.values_of("t").map(|a| &*a.text).collect::<Vec<_>>(), ["v", "q"]);
        assert_eq!(command.count_flag("t"), 3);
        assert!(command.has_args_in_a_row(&["-", "o"]) && !command.has_args_in_a_row(&["o", "-"]));
    }
}
