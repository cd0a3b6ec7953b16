//! Suggestions as BuildKit's checks word them. They are part of a check's text, so the measure is theirs, where
//! [`rbc_source::closest`] is ours.

/// How much is compared in one compile. It is more than any file takes that a person wrote; names that are not known beyond
/// it get no suggestion, so that a file full of them costs no more than its length.
const EFFORT: usize = 32 << 20;

/// Looks for near names.
#[derive(Clone, Debug)]
pub struct Near {
    /// What may still be compared.
    left: usize,
}

impl Default for Near {
    fn default() -> Self {
        Near { left: EFFORT }
    }
}

impl Near {
    /// The first of the nearest options at a Levenshtein distance below 3; none if the name itself is among them.
    pub fn find<S: AsRef<str>>(&mut self, name: &str, options: impl IntoIterator<Item = S>) -> Option<String> {
        let letters: Vec<char> = name.chars().collect();
        let mut best = None;
        let mut limit = 3;
        for option in options {
            let option = option.as_ref();
            if option == name {
                return None;
            }
            let mut cost = 4;
            // Else they are more letters apart than the limit, whatever their width.
            if option.len().abs_diff(name.len()) <= 4 * limit {
                cost += option.len();
                if let Some(distance) = distance_below(&letters, option, limit) {
                    limit = distance;
                    best = Some(option.to_owned());
                }
            }
            self.left = self.left.checked_sub(cost)?;
        }
        // Nothing is no suggestion, but what is further away is none either.
        best.filter(|name| !name.is_empty())
    }
}

/// The Levenshtein distance, if it is below the limit. Only that band of the table is computed where it can be.
fn distance_below(a: &[char], b: &str, limit: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) >= limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let (from, to) = ((i + 1).saturating_sub(limit), (i + 1 + limit).min(b.len()));
        let mut diagonal = row[from];
        // What lies left of the band is at or above the limit.
        row[from] = if from == 0 { i + 1 } else { limit };
        let mut least = row[from];
        for j in from..to {
            let above = if j + 1 > i + limit { limit } else { row[j + 1] };
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(*x != b[j]));
            diagonal = above;
            least = least.min(row[j + 1]);
        }
        if least >= limit {
            return None;
        }
    }
    Some(row[b.len()]).filter(|distance| *distance < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(name: &str, options: impl IntoIterator<Item = &'static str>) -> Option<String> {
        Near::default().find(name, options)
    }

    #[test]
    fn nearest() {
        assert_eq!(near("PAHT", ["HOME", "PATH"]).as_deref(), Some("PATH"));
        assert_eq!(near("PATH", ["PATHS", "PATH"]), None);
        assert_eq!(near("abc", ["abd", "abe"]).as_deref(), Some("abd"));
        assert_eq!(near("A", ["", "BA"]).as_deref(), None);
        assert_eq!(near("long_name", ["other"]), None);
    }

    #[test]
    fn the_band_is_the_table() {
        fn whole(a: &[char], b: &[char]) -> usize {
            let mut row: Vec<usize> = (0..=b.len()).collect();
            for (i, x) in a.iter().enumerate() {
                let mut diagonal = std::mem::replace(&mut row[0], i + 1);
                for (j, y) in b.iter().enumerate() {
                    let above = row[j + 1];
                    row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(x != y));
                    diagonal = above;
                }
            }
            row[b.len()]
        }
        let mut random = 1_u32;
        let mut word = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (length, mut bits) = (random >> 29, random >> 8);
            let mut letter = || {
                bits /= 3;
                char::from(b'a' + (bits % 3) as u8)
            };
            (0..length).map(|_| letter()).collect::<String>()
        };
        for _ in 0..20_000 {
            let (a, b) = (word(), word());
            let (letters, others): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let distance = whole(&letters, &others);
            for limit in 1..=3 {
                assert_eq!(
                    distance_below(&letters, &b, limit),
                    Some(distance).filter(|d| *d < limit),
                    "{a} {b} {limit}"
                );
            }
        }
    }

    #[test]
    fn effort_ends() {
        let options: Vec<String> = (0..1_000).map(|i| format!("name{i}")).collect();
        let mut near = Near { left: 20_000 };
        let found = (0..100).filter(|_| near.find("nome1", &options).is_some()).count();
        assert!((1..10).contains(&found), "{found}");
    }
}
