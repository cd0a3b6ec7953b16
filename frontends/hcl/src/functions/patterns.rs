//! Regular expressions, in the syntax of Go's `regexp`.

use super::{Fault, Host, Returned, str_of};
use crate::value::Entries;
use crate::{Type, Value};
use regex::{Captures, Regex, RegexBuilder};
use std::sync::Arc;

/// Memory that a compiled pattern may take.
const LARGEST: usize = 4 << 20;
/// What Go allows in `{n,m}`.
const MOST_REPEATS: u32 = 1000;

/// A pattern of Go as one of the crate `regex`: classes like `\d` mean ASCII, brackets do not nest in a class, `\Q...\E`
/// quotes, and what Go refuses is refused.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut repeated = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let mut is_repeat = false;
        match c {
            '\\' => {
                rest = escape(after, false, &mut out)?;
                repeated = false;
                continue;
            }
            '[' => {
                rest = class(after, &mut out)?;
                repeated = false;
                continue;
            }
            '*' | '+' | '?' => {
                if repeated {
                    return Err(format!("`{c}` repeats what is repeated already"));
                }
                out.push(c);
                is_repeat = true;
            }
            '{' => match repetition(after) {
                Some((length, most)) => {
                    if most > MOST_REPEATS {
                        return Err(format!("more than {MOST_REPEATS} repetitions"));
                    }
                    if repeated {
                        return Err("`{` repeats what is repeated already".into());
                    }
                    out.push_str(&rest[..=length]);
                    rest = &rest[length + 1..];
                    rest = lazy(rest, &mut out);
                    repeated = true;
                    continue;
                }
                None => out.push_str("\\{"),
            },
            '}' => out.push_str("\\}"),
            '(' if after.starts_with('?') => {
                out.push('(');
                rest = group(after, &mut out)?;
                repeated = false;
                continue;
            }
            other => out.push(other),
        }
        rest = after;
        if is_repeat {
            rest = lazy(rest, &mut out);
        }
        repeated = is_repeat;
    }
    Ok(out)
}

fn lazy<'p>(rest: &'p str, out: &mut String) -> &'p str {
    match rest.strip_prefix('?') {
        Some(after) => {
            out.push('?');
            after
        }
        None => rest,
    }
}

/// `n}`, `n,}` or `n,m}`: the length up to the brace, and the larger number.
fn repetition(rest: &str) -> Option<(usize, u32)> {
    let end = rest.find('}')?;
    let (from, to) = rest[..end].split_once(',').unwrap_or((&rest[..end], ""));
    let number =
        |s: &str| if s.bytes().all(|b| b.is_ascii_digit()) { Some(s.parse().unwrap_or(u32::MAX)) } else { None };
    if from.is_empty() {
        return None;
    }
    let most = number(from)?.max(if to.is_empty() { 0 } else { number(to)? });
    Some((end + 1, most))
}

/// What follows `(`: only the forms that Go knows.
fn group<'p>(rest: &'p str, out: &mut String) -> Result<&'p str, String> {
    let inner = &rest[1..];
    if inner.starts_with("P<") || inner.starts_with('<') && !inner.starts_with("<=") && !inner.starts_with("<!") {
        let end = rest.find('>').ok_or("the name of a group is not closed")?;
        out.push_str(&rest[..=end]);
        return Ok(&rest[end + 1..]);
    }
    let end = inner.find([':', ')']).ok_or("a group is not closed")?;
    if !inner[..end].chars().all(|c| matches!(c, 'i' | 'm' | 's' | 'U' | '-')) {
        return Err(format!("`(?{}` is not known", inner.chars().next().unwrap_or(' ')));
    }
    out.push_str(&rest[..end + 2]);
    Ok(&rest[end + 2..])
}

/// What follows a backslash.
fn escape<'p>(rest: &'p str, in_class: bool, out: &mut String) -> Result<&'p str, String> {
    let Some(c) = rest.chars().next() else { return Err("nothing follows a backslash at the end".into()) };
    let after = &rest[c.len_utf8()..];
    let wrap = |inner: &str| if in_class { inner.to_owned() } else { format!("[{inner}]") };
    match c {
        'd' => out.push_str(&wrap("0-9")),
        'w' => out.push_str(&wrap("0-9A-Za-z_")),
        's' => out.push_str(&wrap("\\t\\n\\x0C\\r ")),
        'D' => out.push_str("[^0-9]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'S' => out.push_str("[^\\t\\n\\x0C\\r ]"),
        'b' | 'B' if !in_class => out.push_str(&format!("(?-u:\\{c})")),
        'Q' if !in_class => {
            let end = after.find("\\E").unwrap_or(after.len());
            out.push_str(&regex::escape(&after[..end]));
            return Ok(after.get(end + 2..).unwrap_or(""));
        }
        'A' | 'z' if !in_class => out.push_str(&format!("\\{c}")),
        'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'p' | 'P' => out.push_str(&format!("\\{c}")),
        '0'..='7' => {
            let digits = after.bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
            if c != '0' && digits == 0 {
                return Err(format!("`\\{c}`: there are no references to groups"));
            }
            let code = u32::from_str_radix(&rest[..=digits], 8).unwrap_or(0);
            out.push_str(&format!("\\x{{{code:x}}}"));
            return Ok(&after[digits..]);
        }
        c if c.is_ascii_punctuation() => out.push_str(&format!("\\x{{{:x}}}", c as u32)),
        c => return Err(format!("`\\{c}` is no escape sequence")),
    }
    Ok(after)
}

/// What follows `[`.
fn class<'p>(rest: &'p str, out: &mut String) -> Result<&'p str, String> {
    out.push('[');
    let mut rest = rest;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    loop {
        let Some(c) = rest.chars().next() else { return Err("a `[` is not closed".into()) };
        let after = &rest[c.len_utf8()..];
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(after);
            }
            '[' if after.starts_with(':') => {
                let end = rest.find(":]").ok_or("a class name is not closed")?;
                out.push_str(&rest[..end + 2]);
                rest = &rest[end + 2..];
            }
            '\\' => rest = escape(after, true, out)?,
            ']' | '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                rest = after;
            }
            '-' if first || after.starts_with(']') => {
                out.push_str("\\-");
                rest = after;
            }
            c => {
                out.push(c);
                rest = after;
            }
        }
        first = false;
    }
}

fn compile(args: &[Value], i: usize) -> Result<Regex, Fault> {
    let wrong = |why: String| Fault::Argument(i, format!("this is no regular expression: {why}"));
    let translated = translate(str_of(args, i)).map_err(wrong)?;
    RegexBuilder::new(&translated).size_limit(LARGEST).build().map_err(|error| {
        let text = error.to_string();
        wrong(text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned())
    })
}

/// What a match gives, by the groups of the pattern: the text, a tuple of the groups, or an object of the named ones.
enum Shape {
    Text,
    Tuple(usize),
    Object(Vec<Arc<str>>),
}

fn shape(pattern: &Regex) -> Result<Shape, Fault> {
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    let named: Vec<Arc<str>> = names.iter().flatten().map(|n| (*n).into()).collect();
    match (names.len(), named.len()) {
        (0, _) => Ok(Shape::Text),
        (all, 0) => Ok(Shape::Tuple(all)),
        (all, some) if all == some => Ok(Shape::Object(named)),
        _ => Err(Fault::Argument(0, "named and unnamed groups cannot be mixed".into())),
    }
}

impl Shape {
    fn ty(&self) -> Type {
        match self {
            Shape::Text => Type::String,
            Shape::Tuple(count) => Type::tuple(std::iter::repeat_n(Type::String, *count)),
            Shape::Object(names) => Type::object(names.iter().map(|n| (n.clone(), Type::String))),
        }
    }

    fn value(&self, captures: &Captures<'_>) -> Value {
        let group = |i: usize| captures.get(i).map_or(Value::Null(Type::String), |m| Value::from(m.as_str()));
        match self {
            Shape::Text => group(0),
            Shape::Tuple(count) => Value::tuple((1..=*count).map(group).collect::<Vec<_>>()),
            Shape::Object(names) => {
                let entries: Entries = names.iter().enumerate().map(|(i, n)| (n.clone(), group(i + 1))).collect();
                Value::object(entries)
            }
        }
    }
}

pub(super) fn regex(args: &[Value], _: &dyn Host) -> Returned {
    let pattern = compile(args, 0)?;
    let shape = shape(&pattern)?;
    match pattern.captures(str_of(args, 1)) {
        Some(captures) => Ok(shape.value(&captures)),
        None => Err("the pattern matches no part of the text".into()),
    }
}

pub(super) fn regexall(args: &[Value], _: &dyn Host) -> Returned {
    let pattern = compile(args, 0)?;
    let shape = shape(&pattern)?;
    let all: Vec<Value> = pattern.captures_iter(str_of(args, 1)).map(|c| shape.value(&c)).collect();
    Ok(Value::list(shape.ty(), all))
}

pub(super) fn regex_replace(args: &[Value], _: &dyn Host) -> Returned {
    let pattern = compile(args, 1)?;
    Ok(Value::string(pattern.replace_all(str_of(args, 0), str_of(args, 2))))
}
