//! Suggestions as BuildKit's checks word them. They are part of a check's text, so the measure is theirs, where
//! [`rbc_source::closest`] is ours.

/// The first of the nearest options at a Levenshtein distance below 3; none if the name itself is among them.
pub fn near<S: AsRef<str>>(name: &str, options: impl IntoIterator<Item = S>) -> Option<String> {
    let mut best = None;
    let mut limit = 3;
    for option in options {
        let option = option.as_ref();
        if option == name {
            return None;
        }
        if option.len().abs_diff(name.len()) > 4 * limit {
            continue; // more letters apart than the limit, whatever their width
        }
        let distance = levenshtein(name, option);
        if distance < limit {
            limit = distance;
            best = Some(option.to_owned());
        }
    }
    // Nothing is no suggestion, but what is further away is none either.
    best.filter(|name| !name.is_empty())
}

fn levenshtein(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest() {
        assert_eq!(near("PAHT", ["HOME", "PATH"]).as_deref(), Some("PATH"));
        assert_eq!(near("PATH", ["PATHS", "PATH"]), None);
        assert_eq!(near("abc", ["abd", "abe"]).as_deref(), Some("abd"));
        assert_eq!(near("A", ["", "BA"]).as_deref(), None);
        assert_eq!(near("long_name", ["other"]), None);
    }
}
