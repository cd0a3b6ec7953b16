//! Near names, for "did you mean".

/// How many letters must be inserted, removed, replaced or swapped (neighbours) to make `b` of `a`; letters compare
/// without regard to ASCII case.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The name nearest to what was written, if one is near enough to be a slip: within a third of its length, at most 3.
/// Of equally near ones the first in the given order wins. A name that was begun is near, too: `tmpfs` to `tmp`. An exact match
/// is no slip and gives none.
pub fn closest<S: AsRef<str>>(written: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    const LONGEST: usize = 200; // the cost is quadratic, and nobody mistypes more
    if written.len() > LONGEST {
        return None;
    }
    let limit = (written.chars().count().div_ceil(3)).min(3);
    known
        .into_iter()
        // A letter has up to four bytes.
        .filter(|k| k.as_ref().len().abs_diff(written.len()) <= 4 * limit && k.as_ref() != written)
        .filter(|k| k.as_ref().len() <= LONGEST)
        .map(|k| (edit_distance(written, k.as_ref()), k))
        .filter(|(d, k)| *d <= limit || begins(written, k.as_ref()))
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k.as_ref().to_owned())
}

/// Whether more than half of a name is there.
fn begins(written: &str, name: &str) -> bool {
    written.len() * 2 > name.len() && name.starts_with(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness() {
        assert_eq!(edit_distance("platfrom", "platform"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(closest("dockefile", ["context", "dockerfile"]).as_deref(), Some("dockerfile"));
        assert_eq!(closest("zzz", ["context"]), None);
        assert_eq!(closest("tmp", ["cache", "tmpfs"]).as_deref(), Some("tmpfs"));
        assert_eq!(closest("tmp", ["temperature", "tmpfs-like"]), None);
    }
}
