//! Versions and constraints on them, as the Go package Masterminds/semver has them.

use super::{Fault, Host, Returned, str_of};
use crate::Value;
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    pre: String,
}

impl Version {
    /// Reads `v1.2.3-pre+meta`, in which all but the first number may be missing.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (rest, meta) = text.split_once('+').map_or((text, None), |(r, m)| (r, Some(m)));
        let (numbers, pre) = rest.split_once('-').map_or((rest, None), |(n, p)| (n, Some(p)));
        let valid = |part: &str| {
            part.split('.').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        };
        if !meta.is_none_or(valid) || !pre.is_none_or(valid) {
            return None;
        }
        let number = |p: &str| p.len() > 1 && p.starts_with('0') && p.bytes().all(|b| b.is_ascii_digit());
        if pre.is_some_and(|p| p.split('.').any(number)) {
            return None;
        }
        let mut out = [0; 3];
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        for (slot, part) in out.iter_mut().zip(parts) {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *slot = part.parse().ok()?;
        }
        Some(Version { numbers: out, pre: pre.unwrap_or("").to_owned() })
    }

    fn order(&self, other: &Version) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => order_pre(&self.pre, &other.pre),
        })
    }
}

/// Parts compare one by one: numbers by size and below texts, a missing part below any.
fn order_pre(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(m), Ok(n)) => m.cmp(&n),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                _ => x.cmp(y),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// One comparison. A part that is missing or `x` makes it loose from there on.
struct Comparison {
    operator: String,
    version: Version,
    /// Some part is open.
    open: bool,
    minor_open: bool,
    patch_open: bool,
}

const OPERATORS: [&str; 11] = ["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"];

impl Comparison {
    fn parse(operator: &str, text: &str) -> Option<Self> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let numbers_end = bare.find(['-', '+']).unwrap_or(bare.len());
        let (numbers, suffix) = bare.split_at(numbers_end);
        let pre = suffix.split('+').next().unwrap_or("");
        let parts: Vec<&str> = numbers.split('.').collect();
        let wild = |p: Option<&&str>| p.is_none_or(|p| matches!(*p, "x" | "X" | "*"));
        let part = |i: usize| parts.get(i).copied().unwrap_or("0");
        if parts.len() > 3 {
            return None;
        }
        let (written, open, minor_open, patch_open) = if wild(parts.first()) {
            (format!("0.0.0{pre}"), true, false, false)
        } else if wild(parts.get(1)) {
            (format!("{}.0.0{pre}", part(0)), true, true, false)
        } else if wild(parts.get(2)) {
            (format!("{}.{}.0{pre}", part(0), part(1)), true, false, true)
        } else {
            (bare.to_owned(), false, false, false)
        };
        let version = Version::parse(&written)?;
        Some(Comparison { operator: operator.to_owned(), version, open, minor_open, patch_open })
    }

    fn holds(&self, v: &Version, with_pre: bool) -> bool {
        if !v.pre.is_empty() && !with_pre {
            return false;
        }
        let c = &self.version;
        let [major, minor, patch] = v.numbers;
        let [c_major, c_minor, c_patch] = c.numbers;
        match self.operator.as_str() {
            "!=" if self.open => {
                if c_major != major {
                    return true;
                }
                if c_minor != minor && !self.minor_open {
                    return true;
                }
                if self.minor_open {
                    return false;
                }
                if c_patch != patch && !self.patch_open {
                    return true;
                }
                if self.patch_open {
                    return (!v.pre.is_empty() || !c.pre.is_empty()) && order_pre(&v.pre, &c.pre).is_ne();
                }
                v.order(c).is_ne()
            }
            "!=" => v.order(c).is_ne(),
            ">" if self.open => {
                if major != c_major {
                    major > c_major
                } else if self.minor_open {
                    false
                } else if self.patch_open {
                    minor > c_minor
                } else {
                    v.order(c).is_gt()
                }
            }
            ">" => v.order(c).is_gt(),
            "<" => v.order(c).is_lt(),
            ">=" | "=>" => v.order(c).is_ge(),
            "<=" | "=<" if self.open => !(major > c_major || major == c_major && minor > c_minor && !self.minor_open),
            "<=" | "=<" => v.order(c).is_le(),
            "~" | "~>" => self.tilde(v),
            "^" => self.caret(v),
            _ if self.open => self.tilde(v),
            _ => v.order(c).is_eq(),
        }
    }

    fn tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.order(c).is_lt() {
            return false;
        }
        if c.numbers == [0, 0, 0] && !self.minor_open && !self.patch_open {
            return true;
        }
        v.numbers[0] == c.numbers[0] && (v.numbers[1] == c.numbers[1] || self.minor_open)
    }

    fn caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.order(c).is_lt() {
            return false;
        }
        let ([major, minor, patch], [c_major, c_minor, c_patch]) = (v.numbers, c.numbers);
        if c_major > 0 || self.minor_open {
            return major == c_major;
        }
        if major > 0 {
            return false;
        }
        if c_minor > 0 || self.patch_open {
            return minor == c_minor;
        }
        minor == 0 && patch == c_patch
    }
}

/// The operator at the start of a text, if there is one, and the rest.
fn operator(text: &str) -> (&str, &str) {
    let found = OPERATORS.iter().find(|o| text.starts_with(**o)).map_or(0, |o| o.len());
    text.split_at(found)
}

/// Splits the version at the start off: up to white space, a comma or an operator.
fn version(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || ",=!<>~^|".contains(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// `1.2 - 3.4` becomes `>= 1.2, <= 3.4`.
fn expand_ranges(text: &str) -> String {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let mut i = 1;
    while i + 1 < words.len() {
        let is_version = |w: &str| w.starts_with(|c: char| c.is_ascii_digit() || "vxX*".contains(c));
        if words[i] == "-" && is_version(&words[i - 1]) && is_version(&words[i + 1]) {
            let range = format!(">={},<={}", words[i - 1], words[i + 1]);
            words.splice(i - 1..=i + 1, [range]);
        } else {
            i += 1;
        }
    }
    words.join(" ")
}

/// All comparisons of one alternative.
fn alternative(text: &str) -> Option<Vec<Comparison>> {
    let mut rest = text.trim();
    let mut out = Vec::new();
    loop {
        let (op, after) = operator(rest);
        let (written, after) = version(after.trim_start());
        if written.is_empty() {
            return None;
        }
        out.push(Comparison::parse(op, written)?);
        let separated = after.trim_start();
        if separated.is_empty() {
            return Some(out);
        }
        rest = match separated.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if separated.len() < after.len() => separated,
            None => return None,
        };
    }
}

fn satisfies(v: &Version, constraint: &str) -> Option<bool> {
    let alternatives: Option<Vec<Vec<Comparison>>> = expand_ranges(constraint).split("||").map(alternative).collect();
    Some(alternatives?.iter().any(|all| {
        let with_pre = all.iter().any(|c| !c.version.pre.is_empty());
        all.iter().all(|c| c.holds(v, with_pre))
    }))
}

pub(super) fn semvercmp(args: &[Value], _: &dyn Host) -> Returned {
    let (version, constraint) = (str_of(args, 0), str_of(args, 1));
    let parsed = Version::parse(version)
        .ok_or_else(|| Fault::Argument(0, format!("{version:?} is no version like \"1.2.3\"")))?;
    match satisfies(&parsed, constraint) {
        Some(result) => Ok(result.into()),
        None => Err(Fault::Argument(1, format!("{constraint:?} is no constraint like \">=1.2, <2\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (version, constraint, expected) in [
            ("1.2.3", "1.2.x", true),
            ("1.2.3", ">=1.2 <1.3", true),
            ("1.2.3", "1.0 - 1.2", true),
            ("1.3.0", "~1.2.0", false),
            ("1.9.0", "^1.2", true),
            ("0.3.0", "^0.2.3", false),
            ("1.2.3-rc1", ">=1.0", false),
            ("1.2.3-rc1", ">=1.2.3-alpha", true),
            ("2.0.0", "!=1.x", true),
            ("1.5.0", "<1.0 || >=1.5", true),
            ("1.5.0", "*", true),
        ] {
            let parsed = Version::parse(version).expect("a version");
            assert_eq!(satisfies(&parsed, constraint), Some(expected), "{version} {constraint}");
        }
        assert_eq!(satisfies(&Version::parse("1").expect("a version"), "foo"), None);
    }
}
