//! Numbers and truth values.

use super::{Fault, Host, Returned, int_of, str_of};
use crate::number::NotANumber;
use crate::{Number, Value};
use num_bigint::BigInt;

fn num(args: &[Value], i: usize) -> Result<&Number, Fault> {
    args.get(i).and_then(Value::as_number).ok_or_else(|| Fault::Argument(i, "a number is required".into()))
}

fn truth(args: &[Value], i: usize) -> bool {
    args.get(i).and_then(Value::as_bool).unwrap_or(false)
}

fn two(args: &[Value], f: fn(&Number, &Number) -> Result<Number, NotANumber>, why: &str) -> Returned {
    f(num(args, 0)?, num(args, 1)?).map(Value::number).map_err(|NotANumber| why.into())
}

fn float(value: f64) -> Returned {
    Number::from_f64(value).map(Value::number).ok_or_else(|| "the result is not a number".into())
}

/// A number as a machine float; one beyond its range is refused.
fn to_float(args: &[Value], i: usize) -> Result<f64, Fault> {
    let number = num(args, i)?;
    let value = number.to_f64();
    if value.is_infinite() && !number.is_infinite() {
        return Err(Fault::Argument(i, "the number is too large".into()));
    }
    Ok(value)
}

pub(super) fn absolute(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::number(num(args, 0)?.absolute()))
}

pub(super) fn add(args: &[Value], _: &dyn Host) -> Returned {
    two(args, Number::plus, "opposite infinities have no sum")
}

pub(super) fn subtract(args: &[Value], _: &dyn Host) -> Returned {
    two(args, Number::minus, "an infinity cannot be subtracted from itself")
}

pub(super) fn multiply(args: &[Value], _: &dyn Host) -> Returned {
    two(args, Number::times, "zero and infinity have no product")
}

pub(super) fn divide(args: &[Value], _: &dyn Host) -> Returned {
    two(args, Number::divided_by, "zero by zero and infinity by infinity have no quotient")
}

pub(super) fn modulo(args: &[Value], _: &dyn Host) -> Returned {
    two(args, Number::modulo, "zero and infinity have no modulus")
}

pub(super) fn negate(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::number(num(args, 0)?.negated()))
}

pub(super) fn greaterthan(args: &[Value], _: &dyn Host) -> Returned {
    Ok((num(args, 0)? > num(args, 1)?).into())
}

pub(super) fn greaterthanorequalto(args: &[Value], _: &dyn Host) -> Returned {
    Ok((num(args, 0)? >= num(args, 1)?).into())
}

pub(super) fn lessthan(args: &[Value], _: &dyn Host) -> Returned {
    Ok((num(args, 0)? < num(args, 1)?).into())
}

pub(super) fn lessthanorequalto(args: &[Value], _: &dyn Host) -> Returned {
    Ok((num(args, 0)? <= num(args, 1)?).into())
}

pub(super) fn and(args: &[Value], _: &dyn Host) -> Returned {
    Ok((truth(args, 0) && truth(args, 1)).into())
}

pub(super) fn or(args: &[Value], _: &dyn Host) -> Returned {
    Ok((truth(args, 0) || truth(args, 1)).into())
}

pub(super) fn not(args: &[Value], _: &dyn Host) -> Returned {
    Ok((!truth(args, 0)).into())
}

pub(super) fn min(args: &[Value], _: &dyn Host) -> Returned {
    let least = args.iter().filter_map(Value::as_number).min();
    least.map(|n| Value::number(n.clone())).ok_or_else(|| "at least one number is required".into())
}

pub(super) fn max(args: &[Value], _: &dyn Host) -> Returned {
    let most = args.iter().filter_map(Value::as_number).reduce(|a, b| if b > a { b } else { a });
    most.map(|n| Value::number(n.clone())).ok_or_else(|| "at least one number is required".into())
}

pub(super) fn int(args: &[Value], _: &dyn Host) -> Returned {
    let number = num(args, 0)?;
    if number.is_integer() {
        return Ok(Value::number(number.clone()));
    }
    match number.truncated() {
        Some(whole) => Ok(Value::number(Number::from_big(&whole))),
        None => Err("infinity has no whole part".into()),
    }
}

fn rounded(args: &[Value], up: bool) -> Returned {
    let number = num(args, 0)?;
    let Some(whole) = number.truncated() else { return Ok(Value::number(number.clone())) };
    if number.is_integer() {
        return Ok(Value::number(number.clone()));
    }
    let step = match (up, number.is_negative()) {
        (true, false) => 1,
        (false, true) => -1,
        _ => 0,
    };
    Ok(Value::number(Number::from_big(&(whole + BigInt::from(step)))))
}

pub(super) fn ceil(args: &[Value], _: &dyn Host) -> Returned {
    rounded(args, true)
}

pub(super) fn floor(args: &[Value], _: &dyn Host) -> Returned {
    rounded(args, false)
}

pub(super) fn log(args: &[Value], _: &dyn Host) -> Returned {
    float(to_float(args, 0)?.ln() / to_float(args, 1)?.ln())
}

pub(super) fn pow(args: &[Value], _: &dyn Host) -> Returned {
    float(to_float(args, 0)?.powf(to_float(args, 1)?))
}

pub(super) fn signum(args: &[Value], _: &dyn Host) -> Returned {
    Ok(Value::number(int_of(args, 0)?.signum()))
}

pub(super) fn parseint(args: &[Value], _: &dyn Host) -> Returned {
    if args.first().is_none_or(|v| v.as_str().is_none()) {
        return Err(Fault::Argument(0, "a text is required".into()));
    }
    let base = int_of(args, 1)?;
    let Ok(base @ 2..=62) = u32::try_from(base) else {
        return Err(Fault::Argument(1, "the base must be between 2 and 62".into()));
    };
    let text = str_of(args, 0);
    let wrong = || Fault::Argument(0, format!("{text:?} is no whole number in base {base}"));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err(wrong());
    }
    let mut value = BigInt::ZERO;
    for c in digits.bytes() {
        // Up to base 36 case does not matter; beyond, capitals follow the small letters.
        let digit = match c {
            b'0'..=b'9' => u32::from(c - b'0'),
            b'a'..=b'z' => u32::from(c - b'a') + 10,
            b'A'..=b'Z' if base <= 36 => u32::from(c - b'A') + 10,
            b'A'..=b'Z' => u32::from(c - b'A') + 36,
            _ => return Err(wrong()),
        };
        if digit >= base {
            return Err(wrong());
        }
        value = value * base + digit;
    }
    Ok(Value::number(Number::from_big(&if negative { -value } else { value })))
}
