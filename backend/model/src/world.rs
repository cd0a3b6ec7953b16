//! What sources hold: made up, from a number and the name of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rbc_context::{MatchInfo, Matcher};
use rbc_ir::random::{NAMES, Rng};
use rbc_ir::shape::Kind;
use rbc_ir::{Platform, Source};
use rbc_oci::read_json_strings;

use crate::tree::{Attr, Dir, Node, ROOT, Try, fail, parts};

/// A world: what images, directories and servers hold.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Different numbers make different worlds.
    pub seed: u64,
    /// Images of which the listing is fixed, by identifier.
    pub listed: BTreeMap<String, Vec<(String, Kind)>>,
}

/// The same for the same values.
pub(crate) fn number(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl World {
    /// What a source holds.
    pub(crate) fn source(&self, source: &Source, platform: Option<&Platform>) -> Try<Node> {
        let id = &source.identifier;
        let attr = |name: &str| source.attrs.get(name).map(String::as_str).unwrap_or_default();
        if let Some(image) = id.strip_prefix("docker-image://") {
            if let Some(listing) = self.listed.get(id) {
                return Ok(self.of_listing(id, listing));
            }
            // An image with a digest is that image, whatever it is called.
            let name = image.rsplit_once('@').map_or(image, |(_, digest)| digest);
            let platform = platform.map(|p| (&p.os, &p.architecture, &p.variant));
            return Ok(self.made_up(number((name, platform)), true));
        }
        if let Some(name) = id.strip_prefix("local://") {
            let all = self.made_up(number(("local", name)), false);
            return filtered(
                &all,
                attr("local.includepattern"),
                attr("local.excludepatterns"),
                attr("local.followpaths"),
            );
        }
        if id.starts_with("https://") || id.starts_with("http://") {
            let name = match attr("http.filename") {
                "" => id.rsplit('/').next().unwrap_or("download"),
                name => name,
            };
            let mut root = Node::root();
            let attr = Attr { mode: 0o600, ..ROOT };
            root.put(&parts(name), Node::File { attr, data: format!("{id} {}", self.seed).into(), time: Some(1) })?;
            return Ok(root);
        }
        fail(format!("no model of the source {id}"))
    }

    fn of_listing(&self, id: &str, listing: &[(String, Kind)]) -> Node {
        let mut root = Node::root();
        for (path, kind) in listing {
            let path = parts(path);
            for depth in 1..path.len() {
                if root.get(&path[..depth]).is_none() {
                    let _ = root.put(&path[..depth], Node::Dir(Dir::new(ROOT)));
                }
            }
            let mut rng = Rng::new(number((self.seed, id, &path)));
            let node = match kind {
                Kind::Dir if root.get(&path).is_some() => continue,
                Kind::Dir => Node::Dir(Dir::new(ROOT)),
                Kind::Link => Node::Link { attr: Attr { mode: 0, ..ROOT }, target: target(&mut rng), time: Some(2) },
                Kind::File if path.last().is_some_and(|n| n == "passwd") => passwd(),
                Kind::File => file(&mut rng, false),
            };
            let _ = root.put(&path, node);
        }
        root
    }

    fn made_up(&self, name: u64, owned: bool) -> Node {
        let mut rng = Rng::new(number((self.seed, name)));
        let mut root = Dir::new(ROOT);
        fill(&mut root, &mut rng, 3, owned);
        let etc = Dir { attr: ROOT, entries: [("passwd".to_owned(), Arc::new(passwd()))].into() };
        root.entries.insert("etc".to_owned(), Arc::new(Node::Dir(etc)));
        Node::Dir(root)
    }
}

fn passwd() -> Node {
    Node::File { attr: Attr { mode: 0o644, ..ROOT }, data: "user:x:1234:1234::/:/bin/sh".into(), time: Some(3) }
}

fn owner(rng: &mut Rng, mode: u32, owned: bool) -> Attr {
    let id = if owned && rng.one_in(4) { 5 } else { 0 };
    Attr { mode, uid: id, gid: id }
}

fn file(rng: &mut Rng, owned: bool) -> Node {
    let mode = if rng.one_in(3) { 0o755 } else { 0o644 };
    Node::File {
        attr: owner(rng, mode, owned),
        data: rng.below(1000).to_string().into(),
        time: Some(rng.below(9) as i64),
    }
}

fn target(rng: &mut Rng) -> Arc<str> {
    let name = |rng: &mut Rng| NAMES[rng.below(NAMES.len())];
    match rng.below(4) {
        0 => format!("/{}", name(rng)).into(),
        1 => format!("/{}/{}", name(rng), name(rng)).into(),
        2 => format!("../{}", name(rng)).into(),
        _ => name(rng).into(),
    }
}

fn fill(dir: &mut Dir, rng: &mut Rng, depth: usize, owned: bool) {
    for name in NAMES {
        let node = match rng.below(20) {
            0 => continue,
            1..=2 => Node::Link { attr: owner(rng, 0, owned), target: target(rng), time: Some(4) },
            n if n < 15 && depth > 1 => {
                let mode = if rng.one_in(5) { 0o700 } else { 0o755 };
                let mut inner = Dir::new(owner(rng, mode, owned));
                fill(&mut inner, rng, depth - 1, owned);
                Node::Dir(inner)
            }
            _ => file(rng, owned),
        };
        dir.entries.insert((*name).to_owned(), Arc::new(node));
    }
}

/// What filters leave of a directory of the client. Its owner is root.
fn filtered(all: &Node, include: &str, exclude: &str, follow: &str) -> Try<Node> {
    let list = |text: &str| match text {
        "" => Some(Vec::new()),
        text => read_json_strings(text),
    };
    let (Some(mut include), Some(exclude), Some(paths)) = (list(include), list(exclude), list(follow)) else {
        return fail("a filter is no list");
    };
    if !paths.is_empty() {
        let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
        for path in &paths {
            followed(all, parts(path), &mut seen, &mut found, 0);
        }
        match found.contains(&Vec::new()) {
            true => include.clear(),
            false => include.extend(found.iter().map(|path| path.join("/"))),
        }
    }
    let matcher = |patterns: &[String]| match patterns.is_empty() {
        true => Ok(None),
        false => Matcher::new(patterns).map(Some).or_else(|e| fail(e.to_string())),
    };
    let (include, exclude) = (matcher(&include)?, matcher(&exclude)?);
    let filter = Filter { include, exclude };
    let root = filter.dir(all, &mut Vec::new(), &MatchInfo::default(), &MatchInfo::default())?;
    Ok(root.map_or_else(Node::root, |(node, _)| node))
}

struct Filter {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
}

impl Filter {
    /// What is left of a directory, and whether anything is.
    fn dir(
        &self,
        node: &Node,
        path: &mut Vec<String>,
        include: &MatchInfo,
        exclude: &MatchInfo,
    ) -> Try<Option<(Node, bool)>> {
        let Node::Dir(dir) = node else { return Ok(Some((node.clone(), true))) };
        let mut kept = Dir::new(dir.attr);
        for (name, entry) in &dir.entries {
            path.push(name.clone());
            let text = path.join("/");
            let matches = |matcher: &Option<Matcher>, above: &MatchInfo, none: bool| match matcher {
                None => Ok((none, MatchInfo::default())),
                Some(matcher) => matcher.matches_using_parent_results(&text, above).or_else(|e| fail(e.to_string())),
            };
            let (included, inside_include) = matches(&self.include, include, true)?;
            let (excluded, inside_exclude) = matches(&self.exclude, exclude, false)?;
            let wanted = included && !excluded;
            match &**entry {
                Node::Dir(_) => {
                    let closed = excluded && !self.exclude.as_ref().is_some_and(Matcher::exclusions);
                    if wanted || !closed {
                        let inner = self.dir(entry, path, &inside_include, &inside_exclude)?;
                        if let Some((node, any)) = inner.filter(|(_, any)| wanted || *any) {
                            let _ = any;
                            kept.entries.insert(name.clone(), Arc::new(node));
                        }
                    }
                }
                other if wanted => _ = kept.entries.insert(name.clone(), Arc::new(other.clone())),
                _ => {}
            }
            path.pop();
        }
        let any = !kept.entries.is_empty();
        Ok(Some((Node::Dir(kept), any)))
    }
}

/// The path, and what the links lead to by which it goes; a pattern in a component means the links that it matches.
fn followed(
    root: &Node,
    path: Vec<String>,
    seen: &mut BTreeSet<Vec<String>>,
    found: &mut BTreeSet<Vec<String>>,
    depth: usize,
) {
    if depth > 255 || !seen.insert(path.clone()) {
        return;
    }
    for end in 1..=path.len() {
        let (current, rest) = path.split_at(end);
        let targets = targets(root, current);
        if !targets.is_empty() {
            found.insert(current.to_vec());
            for target in targets {
                followed(root, [&target, rest].concat(), seen, found, depth + 1);
            }
            return;
        }
    }
    found.insert(path);
}

fn targets(root: &Node, path: &[String]) -> Vec<Vec<String>> {
    let Some((last, above)) = path.split_last() else { return Vec::new() };
    let Some(dir) = root.get(above).and_then(Node::dir) else { return Vec::new() };
    let is_pattern = last.contains(['*', '?', '[']);
    let named =
        |name: &str| if is_pattern { rbc_context::path::matches(last, name).unwrap_or(false) } else { name == last };
    let links = dir.entries.iter().filter(|(name, _)| named(name)).filter_map(|(_, entry)| match &**entry {
        Node::Link { target, .. } if target.starts_with('/') => Some(parts(target)),
        Node::Link { target, .. } => Some(parts(&format!("{}/{target}", above.join("/")))),
        _ => None,
    });
    links.collect()
}
