//! The regular expressions that patterns become: the part of Go's syntax that a pattern can lead to.
//!
//! Groups do not exist, since a pattern's parentheses are escaped, except for [`DIRECTORIES`], which is read as one
//! item. Of the classes of Unicode (`\pL`) none is known.

/// Any number of whole directories; what `**` becomes.
pub const DIRECTORIES: &str = "(.*/)?";

/// No repetition may be counted higher.
const MAX_COUNT: u32 = 1000;

/// The expression breaks the syntax.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Characters as ranges of code points, which are sorted and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set(Vec<(u32, u32)>);

/// A condition on the two characters between which a state stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Start,
    End,
    WordEdge,
    NoWordEdge,
}

/// An expression. It is at most a few levels deep: a repetition is of one character, one place or of [`DIRECTORIES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Char(u32),
    /// The number of one of the sets.
    Set(usize),
    Place(Place),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    /// From so often to so often; the end may be open.
    Repeat(Box<Node>, u32, Option<u32>),
}

/// Reads an expression: its tree, and the sets that the tree refers to.
pub fn parse(text: &str) -> Result<(Node, Vec<Set>), Malformed> {
    let name_end = text.rfind(":]").map(|at| text.len() - at);
    let mut reader = Reader { rest: text, sets: Vec::new(), name_end };
    let mut branches = Vec::new();
    let mut sequence = Vec::new();
    // Is the last item a repetition? It cannot be repeated again.
    let mut repeated = false;
    while !reader.rest.is_empty() {
        if reader.take(DIRECTORIES) {
            let any = Node::Repeat(Box::new(reader.any()), 0, None);
            let directories = Node::Sequence(vec![any, Node::Char(u32::from('/'))]);
            sequence.push(Node::Repeat(Box::new(directories), 0, Some(1)));
            repeated = true;
        } else if let Some((from, to)) = reader.quantifier()? {
            let node = sequence.pop().filter(|_| !repeated).ok_or(Malformed)?;
            sequence.push(Node::Repeat(Box::new(node), from, to));
            repeated = true;
        } else if reader.take("|") {
            branches.push(Node::Sequence(std::mem::take(&mut sequence)));
            repeated = false;
        } else {
            let before = sequence.len();
            reader.item(&mut sequence)?;
            repeated &= sequence.len() == before;
        }
    }
    branches.push(Node::Sequence(sequence));
    Ok((Node::Either(branches), reader.sets))
}

struct Reader<'a> {
    rest: &'a str,
    sets: Vec<Set>,
    /// How far from the end of the text the last `:]` begins.
    name_end: Option<usize>,
}

impl Reader<'_> {
    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn set(&mut self, set: Set) -> Node {
        self.sets.push(set);
        Node::Set(self.sets.len() - 1)
    }

    fn any(&mut self) -> Node {
        self.set(Set::new(vec![(u32::from('\n'), u32::from('\n'))]).complement())
    }

    /// `*`, `{n}`, `{n,}` or `{n,m}`. Other braces are characters.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, Malformed> {
        if self.take("*") {
            return Ok(Some((0, None)));
        }
        let Some(inner) = self.rest.strip_prefix('{') else { return Ok(None) };
        let end = inner.find(|char: char| !char.is_ascii_digit() && char != ',').unwrap_or(inner.len());
        let (counts, rest) = inner.split_at(end);
        let Some(rest) = rest.strip_prefix('}') else { return Ok(None) };
        let (from, to) = match counts.split_once(',') {
            None => (count(counts), Some(count(counts))),
            Some((from, "")) => (count(from), None),
            Some((from, to)) => (count(from), Some(count(to))),
        };
        let (Some(from), None | Some(Some(_))) = (from, to) else { return Ok(None) };
        let to = to.flatten();
        self.rest = rest;
        if from > MAX_COUNT || to.is_some_and(|to| to > MAX_COUNT || to < from) {
            return Err(Malformed);
        }
        Ok(Some((from, to)))
    }

    fn item(&mut self, sequence: &mut Vec<Node>) -> Result<(), Malformed> {
        let node = match self.next().ok_or(Malformed)? {
            '^' => Node::Place(Place::Start),
            '$' => Node::Place(Place::End),
            '.' => self.any(),
            '[' => {
                let class = self.class()?;
                self.set(class)
            }
            '\\' if self.take("A") => Node::Place(Place::Start),
            '\\' if self.take("z") => Node::Place(Place::End),
            '\\' if self.take("b") => Node::Place(Place::WordEdge),
            '\\' if self.take("B") => Node::Place(Place::NoWordEdge),
            '\\' if self.take("Q") => {
                let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                sequence.extend(literal.chars().map(|char| Node::Char(char.into())));
                self.rest = rest;
                return Ok(());
            }
            '\\' => match self.letter_class() {
                Some(class) => self.set(class),
                None => Node::Char(self.escape()?),
            },
            other => Node::Char(other.into()),
        };
        sequence.push(node);
        Ok(())
    }

    /// A class, after its `[`.
    fn class(&mut self) -> Result<Set, Malformed> {
        let negated = self.take("^");
        let mut ranges = Vec::new();
        let mut first = true;
        while first || !self.take("]") {
            first = false;
            if self.rest.starts_with("[:") && self.name_end.is_some_and(|end| end + 2 <= self.rest.len()) {
                ranges.extend(self.named_class()?.0);
                continue;
            }
            let escaped = self.take("\\");
            if let Some(class) = if escaped { self.letter_class() } else { None } {
                ranges.extend(class.0);
                continue;
            }
            let low = if escaped { self.escape()? } else { self.next().ok_or(Malformed)?.into() };
            let mut high = low;
            // A dash before the end stands for itself.
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
                self.next();
                high = if self.take("\\") { self.escape()? } else { self.next().ok_or(Malformed)?.into() };
            }
            if high < low {
                return Err(Malformed);
            }
            ranges.push((low, high));
        }
        let set = Set::new(ranges);
        Ok(if negated { set.complement() } else { set })
    }

    /// `[:alpha:]` or `[:^alpha:]`, within a class.
    fn named_class(&mut self) -> Result<Set, Malformed> {
        let (name, rest) = self.rest.get(2..).and_then(|rest| rest.split_once(":]")).ok_or(Malformed)?;
        self.rest = rest;
        let (plain, negated) = match name.strip_prefix('^') {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let ranges: &[(char, char)] = match plain {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\x7f')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "digit" => &[('0', '9')],
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err(Malformed),
        };
        let set = Set::of(ranges);
        Ok(if negated { set.complement() } else { set })
    }

    /// The class that a letter after a `\` stands for: digits, blanks, characters of words, and in upper case all others.
    fn letter_class(&mut self) -> Option<Set> {
        let letter = self.rest.chars().next()?;
        let set = match letter.to_ascii_lowercase() {
            'd' => Set::of(&[('0', '9')]),
            's' => Set::of(&[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')]),
            'w' => Set::of(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
            _ => return None,
        };
        self.next();
        Some(if letter.is_ascii_uppercase() { set.complement() } else { set })
    }

    /// The character that stands after a `\`, or that a code there names.
    fn escape(&mut self) -> Result<u32, Malformed> {
        match self.next().ok_or(Malformed)? {
            'a' => Ok(7),
            'f' => Ok(12),
            't' => Ok(9),
            'n' => Ok(10),
            'r' => Ok(13),
            'v' => Ok(11),
            'x' if self.take("{") => {
                let (digits, rest) = self.rest.split_once('}').ok_or(Malformed)?;
                self.rest = rest;
                let significant = digits.trim_start_matches('0');
                let code = match (digits.bytes().all(|digit| digit.is_ascii_hexdigit()), significant) {
                    (false, _) => return Err(Malformed),
                    (true, "") if digits.is_empty() => return Err(Malformed),
                    (true, "") => 0,
                    (true, _) => u32::from_str_radix(significant, 16).map_err(|_| Malformed)?,
                };
                if code <= u32::from(char::MAX) { Ok(code) } else { Err(Malformed) }
            }
            'x' => {
                let mut digit = || self.next().and_then(|digit| digit.to_digit(16)).ok_or(Malformed);
                Ok(digit()? * 16 + digit()?)
            }
            // One digit would refer back to a group, unless it is 0; more are an octal code.
            digit @ '0'..='7' if digit == '0' || self.rest.starts_with(|next| ('0'..='7').contains(&next)) => {
                let mut code = u32::from(digit) - u32::from('0');
                for _ in 0..2 {
                    let Some(next) = self.rest.chars().next().and_then(|next| next.to_digit(8)) else { break };
                    self.next();
                    code = code * 8 + next;
                }
                Ok(code)
            }
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other.into()),
            _ => Err(Malformed),
        }
    }
}

/// A count without zeros in front. One too large for its type is only larger than allowed.
fn count(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| text.parse().unwrap_or(u32::MAX))
}

impl Set {
    fn of(ranges: &[(char, char)]) -> Self {
        Self::new(ranges.iter().map(|(low, high)| (u32::from(*low), u32::from(*high))).collect())
    }

    fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some((_, end)) if low <= *end + 1 => *end = high.max(*end),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    fn complement(&self) -> Self {
        let mut next = 0;
        let mut others = Vec::with_capacity(self.0.len() + 1);
        for (low, high) in &self.0 {
            if *low > next {
                others.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= u32::from(char::MAX) {
            others.push((next, u32::from(char::MAX)));
        }
        Self(others)
    }

    /// Is the character one of them?
    pub fn contains(&self, char: char) -> bool {
        let code = u32::from(char);
        let after = self.0.partition_point(|(low, _)| *low <= code);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, high)| code <= *high)
    }
}
