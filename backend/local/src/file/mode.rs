//! Modes in symbols, as `chmod` takes them: `u+x`, `a=rX,g-w`, `go=u`.

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
/// What `a` stands for.
const ALL: u32 = SET_UID | SET_GID | 0o777;

/// One change of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Add(u32),
    Remove(u32),
    /// Added to directories and to what somebody can execute already.
    AddExecute(u32),
    /// The bits of one class (by how far they are shifted) go to others.
    Copy {
        from: u32,
        to: u32,
        op: u8,
    },
}

/// Changes of a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbolic(Vec<Change>);

impl Symbolic {
    /// Reads them; `None` if that is not what the text is. An octal number is one change.
    pub(crate) fn parse(text: &str) -> Option<Symbolic> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777)?;
            return Some(Symbolic(vec![Change::Remove(ALL | STICKY), Change::Add(mode)]));
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            let begin = clause.find(|c| !matches!(c, 'u' | 'g' | 'o' | 'a'))?;
            let (who, mut rest) = clause.split_at(begin);
            let who = who.bytes().fold(0, |bits, class| {
                bits | match class {
                    b'u' => SET_UID | 0o700,
                    b'g' => SET_GID | 0o070,
                    b'o' => 0o007,
                    _ => ALL,
                }
            });
            while let Some(op) = rest.bytes().next() {
                if !matches!(op, b'+' | b'-' | b'=') {
                    return None;
                }
                let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
                action(op, who, &rest[1..end], &mut changes)?;
                rest = &rest[end..];
            }
        }
        Some(Symbolic(changes))
    }

    /// The mode after the changes.
    pub(crate) fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        let before = mode & 0o7777;
        let mut mode = before;
        for change in &self.0 {
            match *change {
                Change::Add(bits) => mode |= bits,
                Change::Remove(bits) => mode &= !bits,
                Change::AddExecute(bits) if is_dir || before & 0o111 != 0 => mode |= bits,
                Change::AddExecute(_) => {}
                Change::Copy { from, to, op } => {
                    let bits = mode >> from & 0o7;
                    let spread = (bits | bits << 3 | bits << 6) & to;
                    match op {
                        b'+' => mode |= spread,
                        b'-' => mode &= !spread,
                        _ => mode = mode & !(0o777 & to) | spread,
                    }
                }
            }
        }
        mode
    }
}

fn action(op: u8, who: u32, perms: &str, changes: &mut Vec<Change>) -> Option<()> {
    let only_other = who != 0 && who & !0o007 == 0;
    let (mut bits, mut execute, mut sticky) = (0, false, false);
    let mut copies = Vec::new();
    for perm in perms.bytes() {
        match perm {
            b'r' => bits |= 0o444,
            b'w' => bits |= 0o222,
            b'x' => bits |= 0o111,
            b'X' if op == b'-' => bits |= 0o111,
            b'X' => execute = true,
            b's' if !only_other => bits |= SET_UID | SET_GID,
            b't' if !only_other => sticky = true,
            b's' | b't' => {}
            b'u' => copies.push(6),
            b'g' => copies.push(3),
            b'o' => copies.push(0),
            _ => return None,
        }
    }
    let mask = if who == 0 { u32::MAX } else { who };
    let mut bits = bits & mask;
    if sticky {
        bits |= STICKY;
    }
    let cleared = (if who == 0 { ALL } else { who }) | if sticky { STICKY } else { 0 };
    match op {
        b'+' if bits != 0 => changes.push(Change::Add(bits)),
        b'-' if bits != 0 => changes.push(Change::Remove(bits)),
        b'=' if copies.is_empty() || bits != 0 => changes.extend([Change::Remove(cleared), Change::Add(bits)]),
        _ => {}
    }
    if execute {
        changes.push(Change::AddExecute(0o111 & mask));
    }
    changes.extend(copies.into_iter().map(|from| Change::Copy { from, to: 0o777 & mask, op }));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        let file = |text: &str, mode| Symbolic::parse(text).map(|s| s.apply(mode, false));
        for (text, mode, expected) in [
            ("u+x", 0o644, 0o744),
            ("+x", 0o644, 0o755),
            ("a=r", 0o4755, 0o444),
            ("=", 0o755, 0),
            ("go-rwx", 0o755, 0o700),
            ("a=rX", 0o755, 0o555),
            ("a=rX", 0o644, 0o444),
            ("go=u", 0o740, 0o777),
            ("go=u-w", 0o640, 0o644),
            ("u+s,g+s", 0o755, 0o6755),
            ("+t", 0o777, 0o1777),
            ("o+s", 0o755, 0o755),
            ("u=rwx,g=rx,o=", 0o000, 0o750),
            ("0640", 0o777, 0o640),
            ("o=g", 0o750, 0o755),
        ] {
            assert_eq!(file(text, mode), Some(expected), "{text} of {mode:o}");
        }
        assert_eq!(Symbolic::parse("a+X").unwrap().apply(0o644, true), 0o755);
        for wrong in ["", "u", "x", "u+q", "u+x,", "99", "17777", "u*x"] {
            assert_eq!(Symbolic::parse(wrong), None, "{wrong}");
        }
    }
}
