//! Numbers: binary floating point of 512 bits, as HCL's reference has them.
//!
//! A literal or a number read from a string has 512 bits of mantissa, a number made from a machine integer 64, one made
//! from a machine float 53; an operation's result has the larger precision of its operands, rounded to nearest, ties to
//! even. That is what shows in `1/3` and `0.1+0.2`, so it is kept exactly.

use num_bigint::{BigInt, BigUint, Sign};
use std::cmp::Ordering;
use std::fmt;

/// Precision in bits of a literal.
const LITERAL: u32 = 512;
/// Numbers with a binary exponent beyond this (about 1e±120000) are infinite or zero: nobody means them, and their
/// decimal expansion would be a way to exhaust memory.
const LARGEST_EXPONENT: i64 = 400_000;

/// A number, or one of the two infinities.
#[derive(Clone, Debug)]
pub struct Number(Repr);

#[derive(Clone, Debug)]
enum Repr {
    /// `mantissa * 2^exponent`, the mantissa odd or zero.
    Finite {
        negative: bool,
        mantissa: BigUint,
        exponent: i64,
        precision: u32,
    },
    Infinite {
        negative: bool,
    },
}

/// An operation without a meaning: `0/0`, `inf-inf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber;

impl Number {
    /// Zero, with the precision of a machine integer.
    pub fn zero() -> Self {
        Number::from(0i64)
    }

    /// The infinity above or below.
    pub fn infinity(negative: bool) -> Self {
        Number(Repr::Infinite { negative })
    }

    /// Reads a decimal number: sign, digits, fraction, exponent, `_` between digits not allowed; also `inf`, as Go does.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "Inf" || rest == "inf" {
            return Some(Number::infinity(negative));
        }
        let (digits, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let all = [whole, fraction].concat();
        let mantissa = BigUint::parse_bytes(all.as_bytes(), 10)?;
        Some(Number::from_decimal(negative, mantissa, exponent - fraction.len() as i64))
    }

    /// `mantissa * 10^exponent` at the precision of a literal.
    fn from_decimal(negative: bool, mantissa: BigUint, exponent: i64) -> Self {
        let plain = Number::rounded(negative, mantissa, 0, LITERAL, false);
        let Repr::Finite { mantissa, exponent: shift, .. } = plain.0 else { return plain };
        if mantissa == BigUint::ZERO || exponent == 0 {
            return Number::rounded(negative, mantissa, shift, LITERAL, false);
        }
        if exponent.abs() > LARGEST_EXPONENT {
            return if exponent > 0 { Number::infinity(negative) } else { Number::zero() };
        }
        let (five_mantissa, five_shift) = power_of_five(exponent.unsigned_abs(), LITERAL + 64);
        if exponent > 0 {
            Number::rounded(negative, mantissa * five_mantissa, shift + five_shift + exponent, LITERAL, false)
        } else {
            quotient(negative, &mantissa, &five_mantissa, shift - five_shift + exponent, LITERAL)
        }
    }

    /// The number of a machine float; none for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Number::infinity(value < 0.0));
        }
        let bits = value.to_bits();
        let raw_exponent = ((bits >> 52) & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) =
            if raw_exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, raw_exponent - 1075) };
        Some(Number::rounded(value.is_sign_negative(), BigUint::from(mantissa), exponent, 53, false))
    }

    /// The number of a whole number of any size, with the precision that holds it (at least a machine integer's).
    pub fn from_big(value: &BigInt) -> Self {
        let bits = value.bits().max(64) as u32;
        Number::rounded(value.sign() == Sign::Minus, value.magnitude().clone(), 0, bits, false)
    }

    /// Rounds to `precision` and brings into the normal form. `sticky` says that something nonzero lies behind the last bit.
    fn rounded(negative: bool, mut mantissa: BigUint, mut exponent: i64, precision: u32, sticky: bool) -> Self {
        let bits = mantissa.bits();
        if bits > u64::from(precision) {
            let drop = bits - u64::from(precision);
            let half = mantissa.bit(drop - 1);
            let below = sticky || mantissa.trailing_zeros().is_some_and(|z| z < drop - 1);
            mantissa >>= drop;
            exponent += drop as i64;
            if half && (below || mantissa.bit(0)) {
                mantissa += 1u32;
            }
        }
        match mantissa.trailing_zeros() {
            None => {
                return Number(Repr::Finite { negative, mantissa, exponent: 0, precision });
            }
            Some(zeros) => {
                mantissa >>= zeros;
                exponent += zeros as i64;
            }
        }
        let magnitude = exponent + mantissa.bits() as i64;
        if magnitude > LARGEST_EXPONENT {
            return Number::infinity(negative);
        }
        if magnitude < -LARGEST_EXPONENT {
            return Number(Repr::Finite { negative, mantissa: BigUint::ZERO, exponent: 0, precision });
        }
        Number(Repr::Finite { negative, mantissa, exponent, precision })
    }

    /// Whether it is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinite { .. })
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        matches!(&self.0, Repr::Finite { mantissa, .. } if *mantissa == BigUint::ZERO)
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.has_minus() && !self.is_zero()
    }

    /// Whether it has a minus sign, which zero may have too.
    fn has_minus(&self) -> bool {
        match &self.0 {
            Repr::Finite { negative, .. } | Repr::Infinite { negative } => *negative,
        }
    }

    /// Whether it is whole.
    pub fn is_integer(&self) -> bool {
        matches!(&self.0, Repr::Finite { exponent, .. } if *exponent >= 0)
    }

    /// The whole part, towards zero; none for an infinity.
    pub fn truncated(&self) -> Option<BigInt> {
        let Repr::Finite { negative, mantissa, exponent, .. } = &self.0 else { return None };
        let whole = if *exponent >= 0 { mantissa << *exponent as u64 } else { mantissa >> exponent.unsigned_abs() };
        Some(BigInt::from_biguint(if *negative { Sign::Minus } else { Sign::Plus }, whole))
    }

    /// The machine integer, if it is whole and fits.
    pub fn to_i64(&self) -> Option<i64> {
        let Repr::Finite { negative, mantissa, exponent, .. } = &self.0 else { return None };
        if *exponent < 0 || *exponent > 64 {
            return None;
        }
        let value = i128::try_from(mantissa << *exponent as u64).ok()?;
        i64::try_from(if *negative { -value } else { value }).ok()
    }

    /// The nearest machine float; infinite when it is out of range.
    pub fn to_f64(&self) -> f64 {
        let Repr::Finite { negative, mantissa, exponent, .. } = &self.0 else {
            return if self.is_negative() { f64::NEG_INFINITY } else { f64::INFINITY };
        };
        let magnitude = exponent + mantissa.bits() as i64;
        // Below the normal range fewer bits are left.
        let bits = if magnitude < -1021 { (53 - (-1021 - magnitude)).max(0) as u32 } else { 53 };
        if *mantissa == BigUint::ZERO || bits == 0 && magnitude < -1074 {
            return 0.0;
        }
        let Repr::Finite { mantissa, exponent, .. } =
            Number::rounded(false, mantissa.clone(), *exponent, bits.max(1), false).0
        else {
            return f64::INFINITY;
        };
        let whole = u64::try_from(&mantissa).unwrap_or(u64::MAX) as f64;
        let value = scale(whole, exponent);
        if *negative { -value } else { value }
    }

    fn precision(&self) -> u32 {
        match &self.0 {
            Repr::Finite { precision, .. } => *precision,
            Repr::Infinite { .. } => 0,
        }
    }

    /// `-self`.
    #[must_use]
    pub fn negated(&self) -> Self {
        match &self.0 {
            Repr::Infinite { negative } => Number::infinity(!negative),
            Repr::Finite { negative, mantissa, exponent, precision } => Number(Repr::Finite {
                negative: !negative,
                mantissa: mantissa.clone(),
                exponent: *exponent,
                precision: *precision,
            }),
        }
    }

    /// `|self|`.
    #[must_use]
    pub fn absolute(&self) -> Self {
        if self.has_minus() { self.negated() } else { self.clone() }
    }

    /// `self + other`.
    ///
    /// # Errors
    /// For infinities of opposite sign.
    pub fn plus(&self, other: &Number) -> Result<Number, NotANumber> {
        match (&self.0, &other.0) {
            (Repr::Infinite { negative: a }, Repr::Infinite { negative: b }) if a != b => Err(NotANumber),
            (Repr::Infinite { .. }, _) => Ok(self.clone()),
            (_, Repr::Infinite { .. }) => Ok(other.clone()),
            (
                Repr::Finite { negative: an, mantissa: am, exponent: ae, .. },
                Repr::Finite { negative: bn, mantissa: bm, exponent: be, .. },
            ) => {
                let precision = self.precision().max(other.precision());
                let exponent = *ae.min(be);
                let sign = |n: bool| if n { Sign::Minus } else { Sign::Plus };
                let a = BigInt::from_biguint(sign(*an), am << (ae - exponent) as u64);
                let b = BigInt::from_biguint(sign(*bn), bm << (be - exponent) as u64);
                let sum = a + b;
                let negative = if sum.sign() == Sign::NoSign { *an && *bn } else { sum.sign() == Sign::Minus };
                Ok(Number::rounded(negative, sum.magnitude().clone(), exponent, precision, false))
            }
        }
    }

    /// `self - other`.
    ///
    /// # Errors
    /// For an infinity and itself.
    pub fn minus(&self, other: &Number) -> Result<Number, NotANumber> {
        self.plus(&other.negated())
    }

    /// `self * other`.
    ///
    /// # Errors
    /// For zero and an infinity.
    pub fn times(&self, other: &Number) -> Result<Number, NotANumber> {
        let negative = self.has_minus() != other.has_minus();
        match (&self.0, &other.0) {
            (Repr::Finite { mantissa: a, exponent: ae, .. }, Repr::Finite { mantissa: b, exponent: be, .. }) => {
                Ok(Number::rounded(negative, a * b, ae + be, self.precision().max(other.precision()), false))
            }
            _ if self.is_zero() || other.is_zero() => Err(NotANumber),
            _ => Ok(Number::infinity(negative)),
        }
    }

    /// `self / other`; a number by zero is infinite.
    ///
    /// # Errors
    /// For zero by zero and infinity by infinity.
    pub fn divided_by(&self, other: &Number) -> Result<Number, NotANumber> {
        let negative = self.has_minus() != other.has_minus();
        match (&self.0, &other.0) {
            (Repr::Infinite { .. }, Repr::Infinite { .. }) => Err(NotANumber),
            (Repr::Infinite { .. }, _) => Ok(Number::infinity(negative)),
            (_, Repr::Infinite { .. }) => Ok(Number::zero()),
            _ if other.is_zero() => {
                if self.is_zero() {
                    Err(NotANumber)
                } else {
                    Ok(Number::infinity(negative))
                }
            }
            (Repr::Finite { mantissa: a, exponent: ae, .. }, Repr::Finite { mantissa: b, exponent: be, .. }) => {
                Ok(quotient(negative, a, b, ae - be, self.precision().max(other.precision())))
            }
        }
    }

    /// `self % other`: what is left after taking `other` a whole number of times, with the sign of `self`. Modulo zero is
    /// `self`.
    ///
    /// # Errors
    /// For zero and an infinity.
    pub fn modulo(&self, other: &Number) -> Result<Number, NotANumber> {
        if self.is_infinite() || other.is_infinite() {
            return self.times(other);
        }
        if other.is_zero() {
            return Ok(self.clone());
        }
        let ratio = self.divided_by(other)?;
        let Some(times) = ratio.truncated() else { return Err(NotANumber) };
        let Repr::Finite { mantissa, exponent, negative, .. } = Number::from_big(&times).0 else {
            return Err(NotANumber);
        };
        let times = Number::rounded(negative, mantissa, exponent, self.precision(), false);
        self.minus(&other.times(&times)?)
    }

    /// All decimal digits and the place of the point: `0.d1d2d3... * 10^point`, without leading or trailing zeros.
    fn decimal(mantissa: &BigUint, exponent: i64) -> (Vec<u8>, i64) {
        let (digits, point) = if exponent >= 0 {
            let text = (mantissa << exponent as u64).to_string();
            let point = text.len() as i64;
            (text, point)
        } else {
            let text = (mantissa * BigUint::from(5u32).pow(exponent.unsigned_abs() as u32)).to_string();
            let point = text.len() as i64 + exponent;
            (text, point)
        };
        let mut digits = digits.into_bytes();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() { (digits, 0) } else { (digits, point) }
    }

    /// The fewest digits that read back as the same number at its precision.
    fn shortest(&self) -> (Vec<u8>, i64) {
        let Repr::Finite { mantissa, exponent, precision, .. } = &self.0 else { return (Vec::new(), 0) };
        if *mantissa == BigUint::ZERO {
            return (Vec::new(), 0);
        }
        let (digits, point) = Number::decimal(mantissa, *exponent);
        if *exponent >= 0 && mantissa.bits() as i64 + exponent <= i64::from(*precision) {
            return (digits, point);
        }
        // The neighbours half a unit in the last place away bound what still reads back as this number. All three are
        // written with the same number of fraction digits, so that digits compare position by position.
        let shift = u64::from(*precision) + 1 - mantissa.bits();
        let wide = mantissa << shift;
        let unit = exponent - shift as i64;
        let inclusive = !wide.bit(1);
        let text = |m: BigUint| {
            if unit >= 0 {
                (m << unit as u64).to_string()
            } else {
                (m * BigUint::from(5u32).pow(unit.unsigned_abs() as u32)).to_string()
            }
        };
        let upper = text(&wide + 1u32);
        let width = upper.len();
        let pad = |s: String| format!("{s:0>width$}").into_bytes();
        let (lower, value, upper) = (pad(text(&wide - 1u32)), pad(text(wide)), upper.into_bytes());
        let point = width as i64 + unit.min(0);
        let ends = |s: &[u8], i: usize| s[i + 1..].iter().all(|b| *b == b'0');
        for i in 0..width {
            if i == 0 && value[0] == b'0' && upper[0] == value[0] {
                continue;
            }
            let (l, m, u) = (lower[i], value[i], upper[i]);
            let down = l != m || inclusive && ends(&lower, i);
            let up = m != u && (inclusive || m + 1 < u || !ends(&upper, i));
            let kept = match (down, up) {
                (false, false) => continue,
                (true, true) => round_half_even(&value, i + 1),
                (true, false) => (value[..=i].to_vec(), 0),
                (false, true) => round_up(&value[..=i]),
            };
            return trim(kept.0, point + kept.1);
        }
        trim(value, point)
    }

    /// Decimal notation without an exponent and with the fewest digits: how a number becomes a string.
    pub fn to_plain(&self) -> String {
        if self.is_infinite() {
            return if self.is_negative() { "-Inf".into() } else { "+Inf".into() };
        }
        let (digits, point) = self.shortest();
        let places = (digits.len() as i64 - point).max(0) as usize;
        self.signed(fixed(&digits, point, places))
    }

    fn signed(&self, text: String) -> String {
        if self.has_minus() { format!("-{text}") } else { text }
    }

    /// `%e`, `%f` or `%g` (upper case too) with an optional number of places, as Go formats: the shortest form without one.
    pub fn format(&self, verb: char, places: Option<usize>) -> String {
        if self.is_infinite() {
            return if self.is_negative() { "-Inf".into() } else { "+Inf".into() };
        }
        let Repr::Finite { mantissa, exponent, .. } = &self.0 else { return String::new() };
        let lower = verb.to_ascii_lowercase();
        let (mut digits, mut point) = match places {
            None => self.shortest(),
            Some(_) => Number::decimal(mantissa, *exponent),
        };
        let mut places_now = places.unwrap_or(match lower {
            'e' => digits.len().saturating_sub(1),
            'f' => (digits.len() as i64 - point).max(0) as usize,
            _ => digits.len(),
        });
        if let Some(wanted) = places {
            let keep = match lower {
                'e' => wanted as i64 + 1,
                'f' => point + wanted as i64,
                _ => {
                    places_now = wanted.max(1);
                    places_now as i64
                }
            };
            (digits, point) = keep_digits(&digits, point, keep);
        }
        let text = match lower {
            'e' => scientific(&digits, point, places_now, verb),
            'f' => fixed(&digits, point, places_now),
            _ => {
                let threshold = match places {
                    None => 6,
                    Some(_) if places_now > digits.len() && digits.len() as i64 >= point => digits.len() as i64,
                    Some(_) => places_now as i64,
                };
                let exponent = point - 1;
                if !digits.is_empty() && (exponent < -4 || exponent >= threshold) {
                    scientific(&digits, point, digits.len().saturating_sub(1), if verb == 'G' { 'E' } else { 'e' })
                } else {
                    fixed(&digits, point, (digits.len() as i64 - point).max(0) as usize)
                }
            }
        };
        self.signed(text)
    }
}

/// Rounds to `keep` digits, to nearest, ties to even; `keep` may be below 1.
fn keep_digits(digits: &[u8], point: i64, keep: i64) -> (Vec<u8>, i64) {
    if keep < 0 {
        return (Vec::new(), 0);
    }
    let keep = keep as usize;
    if keep >= digits.len() {
        return (digits.to_vec(), point);
    }
    let (kept, carry) = round_half_even(digits, keep);
    trim(kept, point + carry)
}

fn round_half_even(digits: &[u8], keep: usize) -> (Vec<u8>, i64) {
    let Some(next) = digits.get(keep) else { return (digits.to_vec(), 0) };
    let exactly_half = *next == b'5' && digits[keep + 1..].iter().all(|d| *d == b'0');
    let odd = keep > 0 && (digits[keep - 1] - b'0') % 2 == 1;
    if *next > b'5' || *next == b'5' && (!exactly_half || odd) {
        round_up(&digits[..keep])
    } else {
        (digits[..keep].to_vec(), 0)
    }
}

/// Adds one in the last place; the second part says how far the point moves.
fn round_up(digits: &[u8]) -> (Vec<u8>, i64) {
    let mut kept = digits.to_vec();
    for d in kept.iter_mut().rev() {
        if *d < b'9' {
            *d += 1;
            return (kept, 0);
        }
        *d = b'0';
    }
    kept.insert(0, b'1');
    (kept, 1)
}

fn trim(mut digits: Vec<u8>, mut point: i64) -> (Vec<u8>, i64) {
    while digits.last() == Some(&b'0') {
        digits.pop();
    }
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    digits.drain(..zeros);
    point -= zeros as i64;
    if digits.is_empty() { (digits, 0) } else { (digits, point) }
}

fn fixed(digits: &[u8], point: i64, places: usize) -> String {
    let digit = |i: i64| usize::try_from(i).ok().and_then(|i| digits.get(i)).copied().unwrap_or(b'0') as char;
    let mut out = String::new();
    if point <= 0 {
        out.push('0');
    }
    out.extend((0..point).map(digit));
    if places > 0 {
        out.push('.');
        out.extend((0..places as i64).map(|i| digit(point + i)));
    }
    out
}

fn scientific(digits: &[u8], point: i64, places: usize, verb: char) -> String {
    let mut out = String::new();
    out.push(digits.first().map_or('0', |d| *d as char));
    if places > 0 {
        out.push('.');
        out.extend((1..=places).map(|i| digits.get(i).map_or('0', |d| *d as char)));
    }
    let exponent = if digits.is_empty() { 0 } else { point - 1 };
    let sign = if exponent < 0 { '-' } else { '+' };
    out.push_str(&format!("{verb}{sign}{:02}", exponent.abs()));
    out
}

/// The exponent of a literal, cut off at what is far beyond any number we keep.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX).min(LARGEST_EXPONENT * 2);
    Some(if text.starts_with('-') { -value } else { value })
}

/// `5^n` as mantissa and binary exponent, rounded to `bits` after every step.
fn power_of_five(n: u64, bits: u32) -> (BigUint, i64) {
    let shrink = |m: BigUint, e: i64| match Number::rounded(false, m, e, bits, false).0 {
        Repr::Finite { mantissa, exponent, .. } => (mantissa, exponent),
        Repr::Infinite { .. } => (BigUint::from(1u32), LARGEST_EXPONENT),
    };
    let (mut result, mut result_shift) = (BigUint::from(1u32), 0);
    let (mut base, mut base_shift) = (BigUint::from(5u32), 0);
    let mut n = n;
    while n > 0 {
        if n & 1 == 1 {
            (result, result_shift) = shrink(result * &base, result_shift + base_shift);
        }
        (base, base_shift) = shrink(&base * &base, base_shift * 2);
        n >>= 1;
    }
    (result, result_shift)
}

/// `a / b * 2^exponent`, rounded once.
fn quotient(negative: bool, a: &BigUint, b: &BigUint, exponent: i64, precision: u32) -> Number {
    let wanted = u64::from(precision) + 2 + b.bits();
    let shift = wanted.saturating_sub(a.bits());
    let wide = a << shift;
    let whole = &wide / b;
    let sticky = &whole * b != wide;
    Number::rounded(negative, whole, exponent - shift as i64, precision, sticky)
}

/// `value * 2^exponent` in steps that neither overflow nor lose bits early.
fn scale(value: f64, exponent: i64) -> f64 {
    let mut value = value;
    let mut left = exponent.clamp(-2200, 2200);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        value *= 2f64.powi(step as i32);
        left -= step;
    }
    value
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number::rounded(value < 0, BigUint::from(value.unsigned_abs()), 0, 64, false)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Number::rounded(false, BigUint::from(value), 0, 64, false)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |n: &Number| match &n.0 {
            Repr::Infinite { negative: true } => -1,
            Repr::Infinite { negative: false } => 1,
            Repr::Finite { .. } => 0,
        };
        match (&self.0, &other.0) {
            (
                Repr::Finite { negative: an, mantissa: am, exponent: ae, .. },
                Repr::Finite { mantissa: bm, exponent: be, .. },
            ) => {
                if *am == BigUint::ZERO && *bm == BigUint::ZERO {
                    return Ordering::Equal;
                }
                let sign = |n: &Number| i8::from(!n.is_zero()) * if n.has_minus() { -1 } else { 1 };
                if sign(self) != sign(other) {
                    return sign(self).cmp(&sign(other));
                }
                let magnitude = |m: &BigUint, e: &i64| if *m == BigUint::ZERO { i64::MIN } else { m.bits() as i64 + e };
                let order = magnitude(am, ae).cmp(&magnitude(bm, be)).then_with(|| {
                    let low = *ae.min(be);
                    (am << (ae - low) as u64).cmp(&(bm << (be - low) as u64))
                });
                if *an { order.reverse() } else { order }
            }
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_plain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).expect("a number")
    }

    #[test]
    fn reading_and_writing() {
        for text in ["0", "1", "-1", "10", "1.5", "0.1", "123456789.123456789", "100000000000000000000000", "0.001"] {
            assert_eq!(n(text).to_plain(), text);
        }
        assert_eq!(n("1e3").to_plain(), "1000");
        assert_eq!(n("1e400").to_plain().len(), 401);
        assert_eq!(n("1e-3").to_plain(), "0.001");
        assert!(Number::parse("").is_none() && Number::parse("0x10").is_none() && Number::parse("1e").is_none());
    }

    #[test]
    fn arithmetic_at_512_bits() {
        assert_eq!(n("0.1").plus(&n("0.2")).map(|v| v.to_plain()), Ok("0.3".into()));
        let third = n("1").divided_by(&n("3")).map(|v| v.to_plain()).unwrap_or_default();
        assert!(third.starts_with("0.33333333333333333333333333333333") && third.len() > 150, "{third}");
        assert_eq!(n("5").modulo(&n("0")).map(|v| v.to_plain()), Ok("5".into()));
        assert_eq!(n("-7").modulo(&n("3")).map(|v| v.to_plain()), Ok("-1".into()));
        assert_eq!(n("0").divided_by(&n("0")), Err(NotANumber));
        assert!(n("1").divided_by(&n("0")).is_ok_and(|v| v.is_infinite()));
    }

    #[test]
    fn machine_numbers() {
        assert_eq!(n("1.5").to_f64(), 1.5);
        assert_eq!(n("1e-320").to_f64(), 1e-320);
        assert_eq!(n("1e400").to_f64(), f64::INFINITY);
        assert_eq!(Number::from_f64(0.1).map(|v| v.to_plain()).as_deref(), Some("0.1"));
        assert_eq!(n("12").to_i64(), Some(12));
        assert_eq!(n("1.5").to_i64(), None);
    }

    #[test]
    fn formats() {
        assert_eq!(n("1000000").format('g', None), "1e+06");
        assert_eq!(n("123456").format('g', None), "123456");
        assert_eq!(n("2.5").format('f', Some(0)), "2");
        assert_eq!(n("3.14159").format('f', Some(2)), "3.14");
        assert_eq!(n("0.5").format('f', Some(6)), "0.500000");
        assert_eq!(n("1234.5").format('e', Some(2)), "1.23e+03");
    }
}
