//! Texts.

use super::{Fault, Host, Returned, elements_of, int_of, str_of};
use crate::{Type, Value};
use unicode_segmentation::UnicodeSegmentation;

/// More than this is a slip, or a way to exhaust memory.
const MOST_SPACES: i64 = 1 << 20;

pub(super) fn basename(args: &[Value], _: &dyn Host) -> Returned {
    let path = str_of(args, 0);
    let trimmed = path.trim_end_matches('/');
    Ok(Value::from(match (path.is_empty(), trimmed.is_empty()) {
        (true, _) => ".",
        (false, true) => "/",
        _ => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }))
}

pub(super) fn dirname(args: &[Value], _: &dyn Host) -> Returned {
    let path = str_of(args, 0);
    let dir = path.rfind('/').map_or("", |at| &path[..=at]);
    Ok(Value::string(clean(dir)))
}

/// The shortest path of the same meaning: without `.`, `..`, doubled and trailing slashes, as Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".into(),
        (false, joined) => joined,
    }
}

pub(super) fn bytes(_: &[Value], _: &dyn Host) -> Returned {
    Err(Fault::Argument(0, "a byte buffer is required, and no expression makes one".into()))
}

pub(super) fn chomp(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::from(str_of(args, 0).trim_end_matches(['\r', '\n'])))
}

pub(super) fn indent(args: &[Value], _: &dyn Host) -> Returned {
    let spaces = int_of(args, 0)?;
    if !(0..=MOST_SPACES).contains(&spaces) {
        return Err(Fault::Argument(0, format!("the number of spaces must be between 0 and {MOST_SPACES}")));
    }
    let pad = format!("\n{}", " ".repeat(spaces as usize));
    Ok(Value::string(str_of(args, 1).replace('\n', &pad)))
}

pub(super) fn join(args: &[Value], _: &dyn Host) -> Returned {
    if args.len() < 2 {
        return Err("at least one list is required".into());
    }
    let mut parts = Vec::new();
    for i in 1..args.len() {
        for (n, element) in elements_of(args, i).iter().enumerate() {
            match element.as_str() {
                Some(text) => parts.push(text),
                None => return Err(Fault::Argument(i, format!("element {n} is null"))),
            }
        }
    }
    Ok(Value::string(parts.join(str_of(args, 0))))
}

/// Case mapping letter by letter: what would become several letters stays.
fn mapped<I: Iterator<Item = char>>(text: &str, f: fn(char) -> I) -> Value {
    let one = |c: char| {
        let mut all = f(c);
        match (all.next(), all.next()) {
            (Some(only), None) => only,
            _ => c,
        }
    };
    Value::string(text.chars().map(one).collect::<String>())
}

pub(super) fn lower(args: &[Value], _: &dyn Host) -> Returned {
    Ok(mapped(str_of(args, 0), char::to_lowercase))
}

pub(super) fn upper(args: &[Value], _: &dyn Host) -> Returned {
    Ok(mapped(str_of(args, 0), char::to_uppercase))
}

pub(super) fn title(args: &[Value], _: &dyn Host) -> Returned {
    let separates = |c: char| if c.is_ascii() { !(c.is_ascii_alphanumeric() || c == '_') } else { c.is_whitespace() };
    let mut before = ' ';
    let mut out = String::new();
    for c in str_of(args, 0).chars() {
        if separates(before) {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(only), None) => out.push(only),
                _ => out.push(c),
            }
        } else {
            out.push(c);
        }
        before = c;
    }
    Ok(Value::string(out))
}

pub(super) fn replace(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::string(str_of(args, 0).replace(str_of(args, 1), str_of(args, 2))))
}

pub(super) fn reverse(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::string(str_of(args, 0).graphemes(true).rev().collect::<String>()))
}

pub(super) fn sanitize(args: &[Value], _: &dyn Host) -> Returned {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    Ok(Value::string(str_of(args, 0).chars().map(allowed).collect::<String>()))
}

pub(super) fn split(args: &[Value], _: &dyn Host) -> Returned {
    let (separator, text) = (str_of(args, 0), str_of(args, 1));
    if !separator.is_empty() {
        return Ok(Value::strings(text.split(separator)));
    }
    let chars: Vec<Value> = text.chars().map(|c| Value::string(c.encode_utf8(&mut [0; 4]))).collect();
    Ok(Value::list(Type::String, chars))
}

pub(super) fn strlen(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::number(str_of(args, 0).graphemes(true).count()))
}

pub(super) fn substr(args: &[Value], _: &dyn Host) -> Returned {
    let text = str_of(args, 0);
    let (mut offset, length) = (int_of(args, 1)?, int_of(args, 2)?);
    if offset < 0 {
        offset = offset.saturating_add(text.graphemes(true).count() as i64);
    } else if length == 0 {
        return Ok(Value::from(""));
    }
    let skipped = text.graphemes(true).skip(offset.max(0) as usize);
    // A length of 0 from a negative offset takes all, as in the reference.
    let take = if length <= 0 { usize::MAX } else { length as usize };
    Ok(Value::string(skipped.take(take).collect::<String>()))
}

pub(super) fn trim(args: &[Value], _: &dyn Host) -> Returned {
    let set = str_of(args, 1);
    Ok(Value::from(str_of(args, 0).trim_matches(|c| set.contains(c))))
}

pub(super) fn trimprefix(args: &[Value], _: &dyn Host) -> Returned {
    let text = str_of(args, 0);
    Ok(Value::from(text.strip_prefix(str_of(args, 1)).unwrap_or(text)))
}

pub(super) fn trimsuffix(args: &[Value], _: &dyn Host) -> Returned {
    let text = str_of(args, 0);
    Ok(Value::from(text.strip_suffix(str_of(args, 1)).unwrap_or(text)))
}

pub(super) fn trimspace(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::from(str_of(args, 0).trim()))
}
