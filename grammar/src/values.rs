//! The small languages inside a line, by the grammar in `values.pest`: directives and durations. (Comma-separated fields are
//! in `rbc_word::csv`, where those who read options can use them too.)

use std::fmt;
use std::ops::Range;

use pest::Parser;
use pest::iterators::Pair;

/// Holds the generated parser, whose rules stay inside this module.
mod generated {
    #[derive(pest_derive::Parser)]
    #[grammar = "values.pest"]
    pub struct Values;
}

use generated::{Rule, Values};

fn range(pair: &Pair<'_, Rule>) -> Range<usize> {
    let span = pair.as_span();
    span.start()..span.end()
}

/// `name = value`: where the two stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameValue {
    pub name: Range<usize>,
    pub value: Range<usize>,
}

pub(crate) fn name_value(text: &str) -> Option<NameValue> {
    let mut name = None;
    let mut value = None;
    for pair in Values::parse(Rule::directive, text).ok()?.next()?.into_inner() {
        match pair.as_rule() {
            Rule::name => name = Some(range(&pair)),
            Rule::value | Rule::blank => value = Some(range(&pair)),
            _ => {}
        }
    }
    Some(NameValue { name: name?, value: value? })
}

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// It is not numbers with units.
    Malformed,
    /// There is no such unit.
    Unit(String),
    /// It is longer than a duration can be: 292 years.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DurationError::Malformed => f.write_str("a duration is numbers with units, as in `30s` or `1m30s`"),
            DurationError::Unit(unit) => {
                write!(f, "`{unit}` is no unit of time: those are `ns`, `us`, `ms`, `s`, `m` and `h`")
            }
            DurationError::TooLong => f.write_str("a duration cannot be longer than 292 years"),
        }
    }
}

/// Reads a duration like `1h30m` or `-1.5s`, in nanoseconds. Fractions are cut off at the nanosecond.
///
/// # Errors
/// If it is not well formed or too long.
pub fn duration(text: &str) -> Result<i64, DurationError> {
    // The sum is of magnitudes up to 2^63, whose negative is a duration and which itself is not.
    const LIMIT: u64 = 1 << 63;
    let parsed = Values::parse(Rule::duration, text).map_err(|_| DurationError::Malformed)?;
    let mut negative = false;
    let mut total: u64 = 0;
    for pair in parsed.flatten() {
        match pair.as_rule() {
            Rule::sign => negative = pair.as_str() == "-",
            Rule::component => {
                total = total
                    .checked_add(component(pair)?)
                    .filter(|total| *total <= LIMIT)
                    .ok_or(DurationError::TooLong)?;
            }
            _ => {}
        }
    }
    if negative {
        return Ok(0i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_| DurationError::TooLong)
}

fn component(pair: Pair<'_, Rule>) -> Result<u64, DurationError> {
    const LIMIT: u64 = 1 << 63;
    let (mut integer, mut fraction, mut unit) = ("0", "", "");
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::integer => integer = part.as_str(),
            Rule::fraction => fraction = part.as_str(),
            _ => unit = part.as_str(),
        }
    }
    let whole: u64 = integer.parse().ok().filter(|n| *n <= LIMIT).ok_or(DurationError::TooLong)?;
    let nanoseconds: u64 = match unit {
        "ns" => 1,
        // Both letters that look like a micro sign.
        "us" | "\u{B5}s" | "\u{3BC}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(DurationError::Unit(unit.to_owned())),
    };
    let whole = whole.checked_mul(nanoseconds).filter(|n| *n <= LIMIT).ok_or(DurationError::TooLong)?;
    // Digits beyond those that fit a 63-bit integer do not count; the reference computes the rest in floats.
    let (mut digits, mut scale) = (0u64, 1f64);
    for digit in fraction.bytes() {
        let Some(more) = digits.checked_mul(10).and_then(|d| d.checked_add(u64::from(digit - b'0'))) else { break };
        if digits > (LIMIT - 1) / 10 || more > LIMIT {
            break;
        }
        digits = more;
        scale *= 10.0;
    }
    let part = (digits as f64 * (nanoseconds as f64 / scale)) as u64;
    whole.checked_add(part).filter(|n| *n <= LIMIT).ok_or(DurationError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
        let parts = |text: &'static str| name_value(text).map(|d| (&text[d.name], &text[d.value]));
        assert_eq!(parts("syntax = a/b:1 \t"), Some(("syntax", "a/b:1")));
        assert_eq!(parts("a1=b  c"), Some(("a1", "b  c")));
        assert_eq!(parts("escape=  "), Some(("escape", " ")));
        for none in ["", "a", "a=", "1a=b", "a b=c", "=b", " a=b"] {
            assert_eq!(parts(none), None, "{none}");
        }
        let long = format!("a={}x{}", " ".repeat(60_000), " ".repeat(60_000));
        assert_eq!(name_value(&long).unwrap().value.len(), 1);
    }

    #[test]
    fn durations() {
        assert_eq!(duration("0"), Ok(0));
        assert_eq!(duration("+5s"), Ok(5_000_000_000));
        assert_eq!(duration("1h30m.5s"), Ok(5_400_500_000_000));
        assert_eq!(duration("-1.5us2ns"), Ok(-1_502));
        assert_eq!(duration("1µs1μs"), Ok(2_000));
        assert_eq!(duration("9223372036854775807ns"), Ok(i64::MAX));
        assert_eq!(duration("-9223372036854775808ns"), Ok(i64::MIN));
        assert_eq!(duration("0.3333333333333333333h"), Ok(1_200_000_000_000));
        assert_eq!(duration("0.9223372036854775809s"), Ok(922_337_203));
        assert_eq!(duration("9223372036854775808ns"), Err(DurationError::TooLong));
        assert_eq!(duration("99999999999999999999s"), Err(DurationError::TooLong));
        assert_eq!(duration("3000000h"), Err(DurationError::TooLong));
        assert_eq!(duration("1d"), Err(DurationError::Unit("d".into())));
        for bad in ["", "1", "s", ".s", "1.", "--1s", " 1s", "00", "-"] {
            assert_eq!(duration(bad), Err(DurationError::Malformed), "{bad}");
        }
    }
}
