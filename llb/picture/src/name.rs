//! What the names and instructions that people wrote say.

/// The parts of a name such as `[linux/amd64 build 2/5] RUN make`, which frontends give to vertices for progress output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name<'t> {
    /// The platform; empty if the name has none.
    pub platform: &'t str,
    /// The stage, if the name has the number of a step; it is empty in a file of one stage without a name.
    pub stage: Option<&'t str>,
    /// A word in place of stage and step: `internal`, `context NAME`.
    pub about: &'t str,
    /// What stands behind the prefix.
    pub text: &'t str,
}

impl<'t> Name<'t> {
    pub fn parse(name: &'t str) -> Self {
        let whole = Name { text: name, ..Name::default() };
        let Some((prefix, text)) = name.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
            return whole;
        };
        let text = text.trim_start();
        let (before, last) = match prefix.rsplit_once(char::is_whitespace) {
            Some((before, last)) => (before.trim(), last),
            None => ("", prefix.trim()),
        };
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !last.split_once('/').is_some_and(|(n, of)| number(n) && number(of)) {
            return if text.is_empty() { whole } else { Name { about: prefix.trim(), text, ..Name::default() } };
        }
        let (platform, stage) = match before.split_once(char::is_whitespace) {
            Some((platform, stage)) => (platform, stage.trim()),
            None if before.contains('/') => (before, ""),
            None => ("", before),
        };
        Name { platform, stage: Some(stage), about: "", text }
    }
}

/// An instruction on one line: its word, its flags, and the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// `RUN`, `COPY`; empty if the text begins with no word in capitals.
    pub keyword: String,
    /// The flags, without their dashes.
    pub flags: Vec<String>,
    /// The rest.
    pub rest: String,
}

impl Instruction {
    /// Reads what stands in `text`. Blanks are joined, so a continued line reads as one.
    pub fn parse(text: &str) -> Self {
        let mut words = text.split_whitespace().peekable();
        let keyword = words.next_if(|word| word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase()));
        let mut flags = Vec::new();
        if matches!(keyword, Some("RUN" | "COPY" | "ADD")) {
            while let Some(flag) = words.next_if(|word| word.starts_with("--")) {
                flags.push(flag.trim_start_matches('-').to_owned());
            }
        }
        let rest = words.collect::<Vec<_>>().join(" ");
        Instruction { keyword: keyword.unwrap_or_default().to_owned(), flags, rest }
    }
}

/// An image reference as people say it: without Docker Hub's host and without a digest, unless there is no tag.
pub(crate) fn short_reference(reference: &str) -> String {
    let name = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let name = name.strip_prefix("library/").unwrap_or(name);
    match name.split_once('@') {
        Some((name, _)) if name.rsplit('/').next().is_some_and(|last| last.contains(':')) => name.to_owned(),
        Some((name, digest)) => format!("{name}@{}", short_digest(digest)),
        None => name.to_owned(),
    }
}

/// The first digits of a digest, which nearly always tell it from others.
fn short_digest(digest: &str) -> &str {
    let digits = digest.find(':').map_or(0, |at| at + 1) + 12;
    digest.get(..digits).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |platform, stage, about, text| Name { platform, stage, about, text };
        for (given, wanted) in [
            ("[build 2/5] RUN make", name("", Some("build"), "", "RUN make")),
            ("[ 2/30] RUN make", name("", Some(""), "", "RUN make")),
            ("[2/3] RUN [ x ]", name("", Some(""), "", "RUN [ x ]")),
            ("[linux/amd64  1/16] FROM a", name("linux/amd64", Some(""), "", "FROM a")),
            ("[linux/amd64->arm64 build  2/12] RUN a", name("linux/amd64->arm64", Some("build"), "", "RUN a")),
            ("[internal] load build context", name("", None, "internal", "load build context")),
            ("[context a::linux/arm64] b", name("", None, "context a::linux/arm64", "b")),
            ("FROM docker.io/library/a:1@sha256:0", name("", None, "", "FROM docker.io/library/a:1@sha256:0")),
            ("[]", name("", None, "", "[]")),
            ("[x", name("", None, "", "[x")),
            ("[a /] b", name("", None, "a /", "b")),
        ] {
            assert_eq!(Name::parse(given), wanted, "{given}");
        }
    }

    #[test]
    fn instructions() {
        let parsed = Instruction::parse("RUN --mount=type=cache,target=/x --network=none   make     all -- --x");
        assert_eq!(parsed.keyword, "RUN");
        assert_eq!(parsed.flags, ["mount=type=cache,target=/x", "network=none"]);
        assert_eq!(parsed.rest, "make all -- --x");
        assert_eq!(Instruction::parse("load build context").keyword, "");
        assert_eq!(Instruction::parse(""), Instruction::default());
    }

    #[test]
    fn references() {
        for (given, wanted) in [
            ("docker.io/library/alpine:3.20@sha256:0123456789abcdef", "alpine:3.20"),
            ("docker.io/tonistiigi/xx:latest", "tonistiigi/xx:latest"),
            ("localhost:5000/a@sha256:0123456789abcdef", "localhost:5000/a@sha256:0123456789ab"),
            ("a@é:é", "a@é:é"),
        ] {
            assert_eq!(short_reference(given), wanted);
        }
    }
}
