//! DL3053: a label of type `rfc3339` is a time.

use rbc_source::{Diagnostic, hadolint};

use super::labels::labels;
use super::{Rule, RuleScope};
use crate::config::LabelType;
use crate::sheet::Flow;

pub(super) const RULE: Rule = Rule { code: hadolint::DL3053, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    labels(flow, RULE.code, Some(LabelType::Rfc3339), "is no time by RFC 3339", is_time)
}

/// Whether a text is a time as in `2024-05-01T12:30:00.5+02:00`.
fn is_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else { return false };
    let Some(offset) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (time, offset) = time.split_at(offset);
    let (clock, fraction) = time.split_once('.').map_or((time, None), |(clock, fraction)| (clock, Some(fraction)));
    let fraction = fraction.is_none_or(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()));
    let zone = matches!(offset, "Z" | "z") || numbers(&offset[1..], ':', &[(2, 23), (2, 59)]).is_some();
    let clock = numbers(clock, ':', &[(2, 23), (2, 59), (2, 60)]).is_some();
    let date = numbers(date, '-', &[(4, 9999), (2, 12), (2, 31)]);
    fraction && zone && clock && date.is_some_and(|date| is_day(&date))
}

/// Numbers of so many digits, up to so much, between separators.
fn numbers(text: &str, separator: char, parts: &[(usize, u32)]) -> Option<Vec<u32>> {
    let written: Vec<&str> = text.split(separator).collect();
    let number = |(text, (digits, most)): (&&str, &(usize, u32))| {
        let number = text.parse::<u32>().ok().filter(|n| n <= most)?;
        (text.len() == *digits && text.bytes().all(|b| b.is_ascii_digit())).then_some(number)
    };
    (written.len() == parts.len()).then(|| written.iter().zip(parts).map(number).collect())?
}

fn is_day(date: &[u32]) -> bool {
    let [year, month, day] = *date else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    month > 0 && day > 0 && day <= days
}

#[cfg(test)]
mod tests {
    use super::is_time;

    #[test]
    fn times() {
        assert!(
            ["2024-02-29T12:30:00Z", "2021-03-10t10:26:33.564595127+01:00", "1990-12-31T23:59:60z"]
                .into_iter()
                .all(is_time)
        );
        let wrong = [
            "",
            "not-a-date",
            "2024-05-01",
            "2023-02-29T00:00:00Z",
            "2024-05-01T24:00:00Z",
            "2024-05-01T12:00:00",
            "2024-5-1T1:0:0Z",
        ];
        assert!(!wrong.into_iter().any(is_time));
    }
}
