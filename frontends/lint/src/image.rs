//! References to images as they are written in FROM, variables included.

/// The parts of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image<'t> {
    /// The host it names, with its port.
    pub registry: Option<&'t str>,
    /// What is behind that, without tag and digest.
    pub name: &'t str,
    /// The tag.
    pub tag: Option<&'t str>,
    /// The digest.
    pub digest: Option<&'t str>,
}

impl<'t> Image<'t> {
    /// Splits a reference. What stands in `${...}` is taken for plain text: `${IMAGE:-alpine:3}` has no tag.
    pub fn parse(text: &'t str) -> Self {
        let (rest, digest) = match find(text, '@') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        // A colon before the last slash is a port's.
        let last = rfind(rest, '/').map_or(0, |slash| slash + 1);
        let (path, tag) = match find(&rest[last..], ':') {
            Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
            None => (rest, None),
        };
        let (registry, name) = match find(path, '/') {
            Some(slash) if is_host(&path[..slash]) => (Some(&path[..slash]), &path[slash + 1..]),
            _ => (None, path),
        };
        Image { registry, name, tag, digest }
    }
}

/// Whether the first component of a path is a registry: by the same signs as everywhere.
fn is_host(component: &str) -> bool {
    component == "localhost" || find(component, '.').is_some() || find(component, ':').is_some()
}

/// Positions of a sign outside of `${...}`.
fn positions(text: &str, sign: char) -> impl Iterator<Item = usize> {
    let mut depth = 0usize;
    let mut before = '\0';
    text.char_indices().filter_map(move |(at, c)| {
        match c {
            '{' if before == '$' || depth > 0 => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = c;
        (depth == 0 && c == sign).then_some(at)
    })
}

fn find(text: &str, sign: char) -> Option<usize> {
    positions(text, sign).next()
}

fn rfind(text: &str, sign: char) -> Option<usize> {
    positions(text, sign).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let parts = |text| {
            let Image { registry, name, tag, digest } = Image::parse(text);
            (registry, name, tag, digest)
        };
        assert_eq!(parts("a"), (None, "a", None, None));
        assert_eq!(parts("a/b:1"), (None, "a/b", Some("1"), None));
        assert_eq!(parts("r.io/a/b:1@sha256:x"), (Some("r.io"), "a/b", Some("1"), Some("sha256:x")));
        assert_eq!(parts("localhost:5000/a"), (Some("localhost:5000"), "a", None, None));
        assert_eq!(parts("r.io:80/a:b"), (Some("r.io:80"), "a", Some("b"), None));
        assert_eq!(parts("${I:-a:3}"), (None, "${I:-a:3}", None, None));
        assert_eq!(parts("${R:-x.io/a@b}/c:${T:-1}"), (None, "${R:-x.io/a@b}/c", Some("${T:-1}"), None));
        assert_eq!(parts("a:"), (None, "a", Some(""), None));
        assert_eq!(parts(""), (None, "", None, None));
    }
}
