//! `format` and `formatlist`.

use super::{Fault, Host, Returned, str_of};
use crate::convert::convert;
use crate::functions::json_encode;
use crate::{Type, Value};
use num_bigint::BigInt;
use std::sync::Arc;
use unicode_segmentation::UnicodeSegmentation;

/// Widths and precisions beyond this are a slip, or a way to exhaust memory.
const WIDEST: usize = 1 << 16;

/// `%[flags][width][.precision][\[index\]]letter`.
#[derive(Default)]
struct Verb {
    zero: bool,
    sharp: bool,
    minus: bool,
    plus: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    index: usize,
    letter: char,
    /// As written, for messages.
    raw: String,
}

fn apply(format: &str, args: &[Value]) -> Result<String, Fault> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = 1;
    let mut highest = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (verb, after) = verb(rest, next)?;
        rest = after;
        highest = highest.max(verb.index);
        next = verb.index + 1;
        let arg = args.get(verb.index.wrapping_sub(1)).ok_or_else(|| {
            Fault::Call(format!("`{}` needs argument {}, but there are {}", verb.raw, verb.index, args.len()))
        })?;
        out.push_str(
            &written(&verb, arg).map_err(|why| Fault::Argument(verb.index, format!("`{}`: {why}", verb.raw)))?,
        );
    }
    out.push_str(rest);
    if highest < args.len() {
        let why = match highest {
            0 => "the format uses no arguments".into(),
            1 => "the format uses only 1 argument".into(),
            used => format!("the format uses only {used} arguments"),
        };
        return Err(Fault::Argument(highest + 1, why));
    }
    Ok(out)
}

fn verb(text: &str, next: usize) -> Result<(Verb, &str), Fault> {
    let mut verb = Verb { index: next, ..Verb::default() };
    let bytes = text.as_bytes();
    let mut i = 0;
    while let Some(flag) = bytes.get(i) {
        match flag {
            b'0' => verb.zero = true,
            b'#' => verb.sharp = true,
            b'-' => verb.minus = true,
            b'+' => verb.plus = true,
            b' ' => verb.space = true,
            _ => break,
        }
        i += 1;
    }
    let number = |from: usize| {
        let digits = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        (from + digits, text[from..from + digits].parse::<usize>().unwrap_or(usize::MAX))
    };
    let limited = |n: usize| {
        if n > WIDEST { Err(Fault::Argument(0, format!("a width of {n} is too large"))) } else { Ok(n) }
    };
    if bytes.get(i).is_some_and(|b| (b'1'..=b'9').contains(b)) {
        let (end, width) = number(i);
        verb.width = Some(limited(width)?);
        i = end;
    }
    if bytes.get(i) == Some(&b'.') {
        let (end, precision) = number(i + 1);
        verb.precision = Some(if end == i + 1 { 0 } else { limited(precision)? });
        i = end;
    }
    if bytes.get(i) == Some(&b'[') {
        let (end, index) = number(i + 1);
        if index == 0 || end == i + 1 || bytes.get(end) != Some(&b']') || bytes[i + 1] == b'0' {
            return Err(Fault::Argument(0, format!("`%{}` has no argument number in its brackets", &text[..i + 1])));
        }
        verb.index = index;
        i = end + 1;
    }
    match text[i..].chars().next() {
        Some(letter) if letter.is_ascii_alphabetic() => {
            verb.letter = letter;
            verb.raw = format!("%{}", &text[..=i]);
            Ok((verb, &text[i + 1..]))
        }
        Some(other) => {
            Err(Fault::Argument(0, format!("`{other}` cannot stand in `%{}`", &text[..i + other.len_utf8()])))
        }
        None => Err(Fault::Argument(0, format!("`%{text}` is not finished"))),
    }
}

fn written(verb: &Verb, arg: &Value) -> Result<String, String> {
    if verb.letter != 'v' && arg.is_null() {
        return Err("null cannot be formatted".into());
    }
    match verb.letter {
        'v' => as_is(verb, arg),
        't' => match convert(arg, &Type::Bool)? {
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err("a bool is required".into()),
        },
        'b' | 'd' | 'o' | 'x' | 'X' => integer(verb, arg),
        'e' | 'E' | 'f' | 'g' | 'G' => float(verb, arg),
        's' => Ok(padded(verb, cut(verb, &text(arg)?))),
        'q' => Ok(padded(verb, json_encode(&Value::string(cut(verb, &text(arg)?)))?)),
        other => Err(format!("there is no `%{other}`; use v, t, d, b, o, x, X, e, f, g, s or q")),
    }
}

fn text(arg: &Value) -> Result<Arc<str>, String> {
    match convert(arg, &Type::String)? {
        Value::String(text) => Ok(text),
        _ => Err("a string is required".into()),
    }
}

/// A precision above 0 cuts a text, in characters as people see them.
fn cut(verb: &Verb, text: &str) -> String {
    match verb.precision {
        Some(precision @ 1..) => text.graphemes(true).take(precision).collect(),
        _ => text.to_owned(),
    }
}

fn as_is(verb: &Verb, arg: &Value) -> Result<String, String> {
    match arg {
        Value::String(text) if !verb.sharp => Ok(padded(verb, text.to_string())),
        Value::Number(number) if !verb.sharp => Ok(padded(verb, number.format('g', None))),
        other => Ok(padded(verb, json_encode(other)?)),
    }
}

fn padded(verb: &Verb, text: String) -> String {
    let have = text.graphemes(true).count();
    let Some(missing) = verb.width.and_then(|w| w.checked_sub(have)) else { return text };
    let pad = if verb.zero { "0" } else { " " }.repeat(missing);
    if verb.minus { text + &pad } else { pad + &text }
}

fn signed(verb: &Verb, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (.., true) => " ",
        _ => "",
    }
}

/// Sign, padding and digits in the order that Go has.
fn numeric(verb: &Verb, sign: &str, prefix: &str, digits: &str, zeros: bool) -> String {
    let have = sign.len() + prefix.len() + digits.len();
    let missing = verb.width.unwrap_or(0).saturating_sub(have);
    if verb.minus {
        format!("{sign}{prefix}{digits}{}", " ".repeat(missing))
    } else if verb.zero && zeros {
        format!("{sign}{prefix}{}{digits}", "0".repeat(missing))
    } else {
        format!("{}{sign}{prefix}{digits}", " ".repeat(missing))
    }
}

fn integer(verb: &Verb, arg: &Value) -> Result<String, String> {
    let Value::Number(number) = convert(arg, &Type::Number)? else { return Err("a number is required".into()) };
    if !number.is_integer() {
        return Err("a whole number is required".into());
    }
    let value: BigInt = number.truncated().ok_or("a whole number is required")?;
    let negative = value.sign() == num_bigint::Sign::Minus;
    let magnitude = value.magnitude();
    let (digits, prefix) = match verb.letter {
        'b' => (magnitude.to_str_radix(2), "0b"),
        'o' => (magnitude.to_str_radix(8), "0"),
        'x' => (magnitude.to_str_radix(16), "0x"),
        'X' => (magnitude.to_str_radix(16).to_uppercase(), "0X"),
        _ => (magnitude.to_str_radix(10), ""),
    };
    let digits = match verb.precision {
        Some(0) if digits == "0" => String::new(),
        Some(precision) => format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len()))),
        None => digits,
    };
    let prefix = if verb.sharp { prefix } else { "" };
    Ok(numeric(verb, signed(verb, negative), prefix, &digits, verb.precision.is_none()))
}

fn float(verb: &Verb, arg: &Value) -> Result<String, String> {
    let Value::Number(number) = convert(arg, &Type::Number)? else { return Err("a number is required".into()) };
    let places = match (verb.precision, verb.letter) {
        (Some(precision), _) => Some(precision),
        (None, 'e' | 'E' | 'f') => Some(6),
        _ => None,
    };
    let infinite = number.is_infinite();
    let digits = number.absolute().format(verb.letter, places);
    let digits = digits.trim_start_matches('+');
    let sign = if infinite && !verb.space && !number.is_negative() { "+" } else { signed(verb, number.is_negative()) };
    Ok(numeric(verb, sign, "", digits, !infinite))
}

pub(super) fn format(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::string(apply(str_of(args, 0), args.get(1..).unwrap_or_default())?))
}

pub(super) fn formatlist(args: &[Value], _: &dyn Host) -> Returned {
    let format = str_of(args, 0);
    let args = args.get(1..).unwrap_or_default();
    let mut length: Option<(usize, usize)> = None;
    for (i, arg) in args.iter().enumerate() {
        let Some(elements) = arg.elements() else { continue };
        match length {
            None => length = Some((i, elements.len())),
            Some((first, count)) if count != elements.len() => {
                let why = format!("it has {} elements, but argument {} has {count}", elements.len(), first + 1);
                return Err(Fault::Argument(i + 1, why));
            }
            _ => {}
        }
    }
    let count = length.map_or(1, |(_, count)| count);
    let mut out = Vec::with_capacity(count);
    for n in 0..count {
        let row: Vec<Value> = args.iter().map(|a| a.elements().and_then(|e| e.get(n)).unwrap_or(a).clone()).collect();
        out.push(Value::string(apply(format, &row)?));
    }
    Ok(Value::list(Type::String, out))
}
