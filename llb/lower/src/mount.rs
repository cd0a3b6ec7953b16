//! Mounts of RUN steps: options expanded, checked and typed (BuildKit's `instructions/commands_runmount.go`).

use rbc_ast::recipe;
use rbc_source::{Diagnostic, Span, lower as codes};

/// What kind of mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

const KINDS: [(&str, Kind); 5] = [
    ("bind", Kind::Bind),
    ("cache", Kind::Cache),
    ("tmpfs", Kind::Tmpfs),
    ("secret", Kind::Secret),
    ("ssh", Kind::Ssh),
];

impl Kind {
    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    Shared,
    Private,
    Locked,
}

const SHARINGS: [(&str, Sharing); 3] =
    [("shared", Sharing::Shared), ("private", Sharing::Private), ("locked", Sharing::Locked)];

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

/// A mount, its options known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mount {
    pub kind: Kind,
    pub from: String,
    pub source: String,
    pub target: String,
    pub readonly: bool,
    pub size: i64,
    pub id: String,
    pub sharing: Option<Sharing>,
    pub required: bool,
    pub env: Option<String>,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Where it is written.
    pub span: Option<Span>,
}

impl Mount {
    /// Expands and checks the options of a mount. `expand` puts the values of variables in.
    pub fn read(
        written: &recipe::Mount,
        mut expand: impl FnMut(&recipe::Word) -> Result<String, Box<Diagnostic>>,
    ) -> Result<Mount, Box<Diagnostic>> {
        let mut mount = Mount { span: Some(written.span), ..Mount::default() };
        let mut readonly = None;
        for option in &written.options {
            let wrong = |message: String| Box::new(Diagnostic::new(codes::MOUNT, message).at(option.span));
            let key = &*option.key;
            let misplaced = |kind: Kind| wrong(format!("a {} mount has no `{key}`", kind.name()));
            let Some(word) = &option.value else {
                match key {
                    "readonly" | "ro" => readonly = Some(true),
                    "readwrite" | "rw" => readonly = Some(false),
                    "required" if matches!(mount.kind, Kind::Secret | Kind::Ssh) => mount.required = true,
                    "required" => return Err(misplaced(mount.kind)),
                    _ if KEYS.contains(&key) => {
                        return Err(wrong(format!("`{key}` has no value; write `{key}=value`")));
                    }
                    _ => {
                        let found = wrong(format!("`{key}` is no option of a mount"));
                        return Err(Box::new(found.suggest(key, KEYS)));
                    }
                }
                continue;
            };
            let value = expand(word)?;
            let no = |expected: &str| wrong(format!("`{key}` is `{value}`, but must be {expected}"));
            let flag = || rbc_source::go_bool(&value).ok_or_else(|| no("`true` or `false`"));
            let number = |radix: u32| {
                let plain = value.bytes().all(|b| b.is_ascii_digit());
                plain.then(|| u32::from_str_radix(&value, radix).ok()).flatten()
            };
            match key {
                "type" => {
                    mount.kind = pick(&KINDS, &value).ok_or_else(|| {
                        Box::new(
                            wrong(format!("there is no mount type `{value}`")).suggest(&value, KINDS.map(|(n, _)| n)),
                        )
                    })?;
                }
                "from" => mount.from = value,
                "source" | "src" => mount.source = value,
                "target" | "dst" | "destination" => mount.target = value,
                "readonly" | "ro" => readonly = Some(flag()?),
                "readwrite" | "rw" => readonly = Some(!flag()?),
                "required" if matches!(mount.kind, Kind::Secret | Kind::Ssh) => mount.required = flag()?,
                "size" if mount.kind == Kind::Tmpfs => {
                    mount.size = bytes(&value).ok_or_else(|| no("a size such as `512m`"))?;
                }
                "required" | "size" => return Err(misplaced(mount.kind)),
                "id" => mount.id = value,
                "sharing" => {
                    mount.sharing = Some(pick(&SHARINGS, &value).ok_or_else(|| {
                        Box::new(no("`shared`, `private` or `locked`").suggest(&value, SHARINGS.map(|(n, _)| n)))
                    })?);
                }
                "mode" => mount.mode = Some(number(8).ok_or_else(|| no("an octal number"))?),
                "uid" => mount.uid = Some(number(10).ok_or_else(|| no("a number"))?),
                "gid" => mount.gid = Some(number(10).ok_or_else(|| no("a number"))?),
                "env" => mount.env = Some(value),
                _ => {
                    let found = wrong(format!("`{key}` is no option of a mount"));
                    return Err(Box::new(found.suggest(key, KEYS)));
                }
            }
        }
        mount.readonly = readonly.unwrap_or(!matches!(mount.kind, Kind::Cache | Kind::Tmpfs));
        match mount.contradiction() {
            Some(why) => Err(Box::new(Diagnostic::new(codes::MOUNT, why).at(written.span))),
            None => Ok(mount),
        }
    }

    fn contradiction(&self) -> Option<String> {
        let kind = self.kind.name();
        if !matches!(self.kind, Kind::Secret | Kind::Ssh | Kind::Cache) {
            for (key, given) in [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)] {
                if given.is_some() {
                    return Some(format!("a {kind} mount has no `{key}`"));
                }
            }
        }
        if self.kind == Kind::Secret {
            if !self.from.is_empty() {
                return Some("a secret mount has no `from`: secrets come with the build".to_owned());
            }
            if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() {
                return Some("a secret mount needs an `id` or a `target`".to_owned());
            }
            if !self.source.is_empty() && !self.id.is_empty() {
                return Some("a secret mount has either `id` or `source`, which mean the same".to_owned());
            }
        }
        (self.sharing.is_some() && self.kind != Kind::Cache)
            .then(|| format!("a {kind} mount has no `sharing`: only caches are shared"))
    }
}

fn pick<T: std::marker::Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    let name = name.to_lowercase();
    table.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
}

/// Reads a number of bytes with a unit, powers of 1024: `512`, `1.5k`, `2 MiB` (docker/go-units, `RAMInBytes`). None if it is
/// not one.
pub fn bytes(text: &str) -> Option<i64> {
    let split = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let number = if text.as_bytes()[split] == b' ' { &text[..split] } else { &text[..=split] };
    let unit = text[split + 1..].to_lowercase();
    // Go's grammar of floats, without the spellings that only Rust or only Go has.
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number = number.parse::<f64>().ok().filter(|n| plain && *n >= 0.0)?;
    let (first, rest) = match unit.as_bytes() {
        [] => return Some(number as i64),
        [first, rest @ ..] => (first, rest),
    };
    let power = match first {
        b'b' => return rest.is_empty().then_some(number as i64),
        b'k' => 1,
        b'm' => 2,
        b'g' => 3,
        b't' => 4,
        b'p' => 5,
        _ => return None,
    };
    matches!(rest, b"" | b"b" | b"ib").then(|| (number * 1024f64.powi(power)) as i64)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        assert_eq!(bytes("10"), Some(10));
        assert_eq!(bytes("1.5k"), Some(1536));
        assert_eq!(bytes("2 MiB"), Some(2 << 20));
        assert_eq!(bytes("3GB"), Some(3 << 30));
        for bad in ["", "k", "-1", "1x", "1kbb", "1bb", "inf"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
