//! Timestamps and durations.

use super::{Fault, Host, Returned, str_of};
use crate::value::Entries;
use crate::{Number, Value};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A point in time as a clock with an offset from UTC shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time {
    /// Seconds since 1970 in UTC.
    seconds: i64,
    nanos: u32,
    /// Seconds that the clock is ahead of UTC.
    offset: i64,
}

/// Year, month (from 1), day of month, as a calendar shows them.
fn civil(days: i64) -> (i64, u32, u32) {
    // Days from 0000-03-01, in eras of 400 years.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a date.
fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Time {
    fn local(self) -> i64 {
        self.seconds.saturating_add(self.offset)
    }

    fn date(self) -> (i64, u32, u32) {
        civil(self.local().div_euclid(86_400))
    }

    fn clock(self) -> (i64, i64, i64) {
        let second = self.local().rem_euclid(86_400);
        (second / 3600, second / 60 % 60, second % 60)
    }

    fn weekday(self) -> usize {
        (self.local().div_euclid(86_400) + 4).rem_euclid(7) as usize
    }

    fn year_day(self) -> i64 {
        let (year, ..) = self.date();
        self.local().div_euclid(86_400) - days_of(year, 1, 1) + 1
    }

    /// Year and week after ISO 8601.
    fn iso_week(self) -> (i64, i64) {
        let day = self.local().div_euclid(86_400);
        let monday_based = (self.weekday() as i64 + 6) % 7;
        let (year, ..) = civil(day - monday_based + 3);
        let week = (day - monday_based + 3 - days_of(year, 1, 1)) / 7 + 1;
        (year, week)
    }

    /// `+07:00`, or `Z` for none when `zulu`.
    fn zone(self, colon: bool, zulu: bool) -> String {
        if zulu && self.offset == 0 {
            return "Z".into();
        }
        let minutes = self.offset.abs() / 60;
        let sign = if self.offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
    }

    fn rfc3339(self) -> String {
        let ((year, month, day), (h, m, s)) = (self.date(), self.clock());
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}{}", self.zone(true, true))
    }
}

/// Reads `2006-01-02T15:04:05.999Z` or with an offset, strictly as RFC 3339 has it.
fn parse(text: &str) -> Result<Time, String> {
    let wrong =
        |what: &str| Err(format!("{text:?} is not an RFC 3339 timestamp like \"2006-01-02T15:04:05Z\": {what}"));
    let bytes = text.as_bytes();
    let field = |from: usize, length: usize| {
        let digits = bytes.get(from..from + length)?;
        digits.iter().try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
    };
    let mark = |at: usize, c: u8| bytes.get(at) == Some(&c);
    if !(mark(4, b'-') && mark(7, b'-') && mark(10, b'T') && mark(13, b':') && mark(16, b':')) {
        return wrong("date and time are written with `-`, `T` and `:`");
    }
    let (Some(year), Some(month), Some(day)) = (field(0, 4), field(5, 2), field(8, 2)) else {
        return wrong("the date is not in digits");
    };
    let (Some(hour), Some(minute), Some(second)) = (field(11, 2), field(14, 2), field(17, 2)) else {
        return wrong("the time is not in digits");
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in(i64::from(year), month) {
        return wrong("there is no such day");
    }
    if hour > 23 || minute > 59 || second > 59 {
        return wrong("there is no such time of day");
    }
    let mut at = 19;
    let mut nanos = 0u32;
    if mark(19, b'.') {
        let digits = bytes[20..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return wrong("digits are expected behind the point");
        }
        for i in 0..9 {
            nanos = nanos * 10 + if i < digits { u32::from(bytes[20 + i] - b'0') } else { 0 };
        }
        at += 1 + digits;
    }
    let offset = match &bytes[at.min(bytes.len())..] {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (Some(hours @ 0..=23), Some(minutes @ 0..=59)) = (field(at + 1, 2), field(at + 4, 2)) else {
                return wrong("there is no such offset");
            };
            let offset = i64::from(hours * 3600 + minutes * 60);
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return wrong("`Z` or an offset like `+01:00` is expected at its end"),
    };
    let days = days_of(i64::from(year), month, day);
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset;
    Ok(Time { seconds, nanos, offset })
}

/// Reads `1h30m`, `-1.5s`, `100ms` into nanoseconds.
fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (whole, fraction) = rest[..end].split_once('.').unwrap_or((&rest[..end], ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit: i128 = match &rest[..end] {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        rest = &rest[end..];
        total += if whole.is_empty() { 0 } else { whole.parse::<u64>().ok().map(i128::from)? * unit };
        let mut scale = unit;
        for digit in fraction.bytes() {
            scale /= 10;
            total += i128::from(digit - b'0') * scale;
        }
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

pub(super) fn timestamp(_: &[Value], host: &dyn Host) -> Returned {
    Ok(Value::string(Time { seconds: host.now(), nanos: 0, offset: 0 }.rfc3339()))
}

pub(super) fn homedir(_: &[Value], host: &dyn Host) -> Returned {
    Ok(Value::string(host.home()))
}

pub(super) fn timeadd(args: &[Value], _: &dyn Host) -> Returned {
    let time = parse(str_of(args, 0)).map_err(|why| Fault::Argument(0, why))?;
    let duration = str_of(args, 1);
    let nanos = parse_duration(duration).ok_or_else(|| {
        Fault::Argument(
            1,
            format!("{duration:?} is not a duration like \"1h30m\": its units are ns, us, ms, s, m and h"),
        )
    })?;
    let total = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos) + i128::from(nanos);
    let seconds = i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| "the result is out of range")?;
    Ok(Value::string(Time { seconds, ..time }.rfc3339()))
}

pub(super) fn formatdate(args: &[Value], _: &dyn Host) -> Returned {
    let time = parse(str_of(args, 1)).map_err(|why| Fault::Argument(1, why))?;
    written(str_of(args, 0), time)
}

pub(super) fn formattimestamp(args: &[Value], _: &dyn Host) -> Returned {
    let time = match &args[1] {
        Value::String(text) => parse(text).map_err(|why| Fault::Argument(1, why))?,
        Value::Number(number) => unix(number).map_err(|why| Fault::Argument(1, why))?,
        other => {
            let why = format!("a timestamp or a number of seconds since 1970 is required, not {}", other.describe());
            return Err(Fault::Argument(1, why));
        }
    };
    if str_of(args, 0) == "X" {
        return Ok(Value::string(time.seconds.to_string()));
    }
    written(str_of(args, 0), time)
}

fn unix(number: &Number) -> Result<Time, String> {
    match number.to_i64() {
        // Beyond this no calendar that we write reaches.
        Some(seconds @ -62_167_219_200..=253_402_300_799) => Ok(Time { seconds, nanos: 0, offset: 0 }),
        Some(_) => Err("the time is out of range: years from 0 to 9999 can be written".into()),
        None => Err("a whole number of seconds is required".into()),
    }
}

/// Writes a time in a format of letters: `YYYY-MM-DD'T'hh:mm:ssZ`.
fn written(format: &str, time: Time) -> Returned {
    let ((year, month, day), (hour, minute, second)) = (time.date(), time.clock());
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(&rest[1..], &mut out)?;
            continue;
        }
        if !first.is_ascii_alphabetic() {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let count = rest.chars().take_while(|c| *c == first).count();
        let verb = &rest[..count];
        rest = &rest[count..];
        let wrong = |forms: &str| Err(Fault::Argument(0, format!("`{verb}` is no part of a date format: {forms}")));
        let short = |n: i64| if count == 1 { n.to_string() } else { format!("{n:02}") };
        let month_name = MONTHS[(month as usize - 1) % 12];
        match (first, count) {
            ('Y', 2) => out.push_str(&format!("{:02}", year % 100)),
            ('Y', 4) => out.push_str(&format!("{year:04}")),
            ('Y', _) => return wrong("a year is `YY` or `YYYY`"),
            ('M', 1 | 2) => out.push_str(&short(i64::from(month))),
            ('M', 3) => out.push_str(&month_name[..3]),
            ('M', 4) => out.push_str(month_name),
            ('M', _) => return wrong("a month is `M`, `MM`, `MMM` or `MMMM`"),
            ('D', 1 | 2) => out.push_str(&short(i64::from(day))),
            ('D', _) => return wrong("a day is `D` or `DD`"),
            ('E', 3) => out.push_str(&DAYS[time.weekday()][..3]),
            ('E', 4) => out.push_str(DAYS[time.weekday()]),
            ('E', _) => return wrong("a weekday is `EEE` or `EEEE`"),
            ('h', 1 | 2) => out.push_str(&short(hour)),
            ('h', _) => return wrong("an hour of 24 is `h` or `hh`"),
            ('H', 1 | 2) => out.push_str(&short(if hour % 12 == 0 { 12 } else { hour % 12 })),
            ('H', _) => return wrong("an hour of 12 is `H` or `HH`"),
            ('A', 2) => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            ('a', 2) => out.push_str(if hour < 12 { "am" } else { "pm" }),
            ('A' | 'a', _) => return wrong("the half of the day is `AA` or `aa`"),
            ('m', 1 | 2) => out.push_str(&short(minute)),
            ('m', _) => return wrong("a minute is `m` or `mm`"),
            ('s', 1 | 2) => out.push_str(&short(second)),
            ('s', _) => return wrong("a second is `s` or `ss`"),
            ('Z', 1) => out.push_str(&time.zone(true, true)),
            ('Z', 3) => out.push_str(&if time.offset == 0 { "UTC".into() } else { time.zone(false, false) }),
            ('Z', 4) => out.push_str(&time.zone(false, false)),
            ('Z', 5) => out.push_str(&time.zone(true, false)),
            ('Z', _) => return wrong("an offset is `Z`, `ZZZ`, `ZZZZ` or `ZZZZZ`"),
            _ => return wrong("put text in single quotes"),
        }
    }
    Ok(Value::string(out))
}

/// A text in single quotes, in which two stand for one; two alone are one as well.
fn quoted<'f>(mut rest: &'f str, out: &mut String) -> Result<&'f str, Fault> {
    if let Some(after) = rest.strip_prefix('\'') {
        out.push('\'');
        return Ok(after);
    }
    loop {
        let Some(at) = rest.find('\'') else {
            return Err(Fault::Argument(0, "a text in single quotes is not closed".into()));
        };
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                out.push('\'');
                rest = after;
            }
            None => return Ok(rest),
        }
    }
}

pub(super) fn unixtimestampparse(args: &[Value], _: &dyn Host) -> Returned {
    let Some(number) = args.first().and_then(Value::as_number) else { return Err("a number is required".into()) };
    let time = unix(number).map_err(|why| Fault::Argument(0, why))?;
    let ((year, month, day), (hour, minute, second)) = (time.date(), time.clock());
    let (iso_year, iso_week) = time.iso_week();
    let entries: Entries = [
        ("year", Value::number(year)),
        ("year_day", Value::number(time.year_day())),
        ("day", Value::number(i64::from(day))),
        ("month", Value::number(i64::from(month))),
        ("month_name", Value::from(MONTHS[(month as usize - 1) % 12])),
        ("weekday", Value::number(time.weekday())),
        ("weekday_name", Value::from(DAYS[time.weekday()])),
        ("hour", Value::number(hour)),
        ("minute", Value::number(minute)),
        ("second", Value::number(second)),
        ("rfc3339", Value::string(time.rfc3339())),
        ("iso_year", Value::number(iso_year)),
        ("iso_week", Value::number(iso_week)),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect();
    Ok(Value::object(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar() {
        for days in [-719_528, -1, 0, 59, 11_016, 19_723, 2_932_896] {
            let (year, month, day) = civil(days);
            assert_eq!(days_of(year, month, day), days);
        }
        assert_eq!(civil(0), (1970, 1, 1));
        let time = parse("2024-12-30T23:59:59+01:00").expect("a timestamp");
        assert_eq!(time.iso_week(), (2025, 1));
        assert_eq!(time.rfc3339(), "2024-12-30T23:59:59+01:00");
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse_duration("-1.5s"), Some(-1_500_000_000));
        assert_eq!(parse_duration("1"), None);
        assert_eq!(parse_duration(""), None);
    }
}
