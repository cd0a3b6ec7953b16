//! Limits of processes, as flags, attributes and bake files write them.

use rbc_source::closest;
use std::fmt;

/// A limit of the processes of a step; -1 is unlimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// Name as in `ulimit`: `nofile`.
    pub name: String,
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}

/// The names that Linux's limits have in Docker's flags.
const NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Ulimit {
    /// Reads `name=soft[:hard]`; without a hard limit it is the soft one.
    ///
    /// # Errors
    /// If there is no such limit or its values cannot be; a sentence that says why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, limits) =
            text.split_once('=').ok_or_else(|| format!("`{text}` has no value; write `name=soft[:hard]`"))?;
        if !NAMES.contains(&name) {
            let near = closest(name, NAMES).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("there is no limit `{name}`{near}"));
        }
        let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
        let number = |t: &str| t.parse::<i64>().map_err(|_| format!("`{t}` in `{text}` is no whole number"));
        let (soft, hard) = (number(soft)?, number(hard)?);
        if hard != -1 && (soft == -1 || soft > hard) {
            return Err(format!("`{text}` has a soft limit above the hard one"));
        }
        Ok(Ulimit { name: name.to_owned(), soft, hard })
    }
}

impl fmt::Display for Ulimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.name, self.soft, self.hard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let shown = |text: &str| Ulimit::parse(text).map(|limit| limit.to_string());
        assert_eq!(shown("nofile=1024"), Ok("nofile=1024:1024".into()));
        assert_eq!(shown("core=1:-1"), Ok("core=1:-1".into()));
        for (text, why) in [
            ("nofile", "write `name=soft[:hard]`"),
            ("nofil=1", "did you mean `nofile`?"),
            ("nofile=3:2", "above the hard one"),
            ("nofile=-1:2", "above the hard one"),
            ("nofile=1:2:3", "`2:3` in"),
        ] {
            assert!(shown(text).is_err_and(|said| said.contains(why)), "{text}");
        }
    }
}
