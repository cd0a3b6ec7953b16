//! Comparing times that are texts.

use rbc_oci::Time;

/// A moment: seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64, u32);

impl Moment {
    pub(super) fn from_unix(seconds: i64) -> Moment {
        Moment(seconds, 0)
    }

    /// The moment of a time as it was read, so that it is well formed.
    pub(super) fn of(time: &Time) -> Moment {
        let text = time.as_str();
        let number = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<i64>().ok()).unwrap_or(0);
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        // Days since 1970 of a date (H. Hinnant, "chrono-compatible low-level date algorithms").
        let years = if month <= 2 { year - 1 } else { year };
        let era = years.div_euclid(400);
        let of_era = years.rem_euclid(400);
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let seconds = days * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
        let rest = text.get(19..).unwrap_or_default();
        let fraction: String = match rest.strip_prefix('.') {
            Some(rest) => rest.chars().take_while(char::is_ascii_digit).collect(),
            None => String::new(),
        };
        let nanos = format!("{fraction:0<9}").parse().unwrap_or(0);
        let offset = match rest.find(['+', '-']).and_then(|at| rest.get(at..)) {
            Some(zone) => {
                let part = |from: usize, to: usize| zone.get(from..to).and_then(|t| t.parse::<i64>().ok()).unwrap_or(0);
                let seconds = part(1, 3) * 3_600 + part(4, 6) * 60;
                if zone.starts_with('-') { -seconds } else { seconds }
            }
            None => 0,
        };
        Moment(seconds - offset, nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_as_moments() {
        let of = |text: &str| Moment::of(&Time::parse(text).unwrap());
        for seconds in [0, 1, 86_399, 951_782_400, 1_700_000_000, 4_102_444_800] {
            assert_eq!(Time::from_unix(seconds).map(|t| Moment::of(&t)), Some(Moment::from_unix(seconds)));
        }
        assert_eq!(of("2024-02-29T12:00:00+02:00"), of("2024-02-29T10:00:00Z"));
        assert_eq!(of("2024-02-29T12:00:00.5-01:30"), Moment(of("2024-02-29T13:30:00Z").0, 500_000_000));
        assert!(of("2024-02-29T12:00:00.000000001Z") > of("2024-02-29T12:00:00Z"));
    }
}
