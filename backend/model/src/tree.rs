//! File systems as values, and what a layer does to one.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a step cannot be done; the text is for whoever looks into a failing test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fail(pub String);

/// What may fail.
pub type Try<T> = Result<T, Fail>;

pub(crate) fn fail<T>(why: impl Into<String>) -> Try<T> {
    Err(Fail(why.into()))
}

/// Mode and owner. Links have no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attr {
    /// Permission bits.
    pub mode: u32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What a new directory has unless somebody says otherwise.
pub const ROOT: Attr = Attr { mode: 0o755, uid: 0, gid: 0 };

/// Something in a file system. Times are those that something fixed; of directories they are not modelled, since every change in
/// one sets them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A file.
    File {
        /// Mode and owner.
        attr: Attr,
        /// What is in it.
        data: Arc<str>,
        /// When it was changed.
        time: Option<i64>,
    },
    /// A symbolic link.
    Link {
        /// The owner; the mode is 0.
        attr: Attr,
        /// Where it leads.
        target: Arc<str>,
        /// When it was changed.
        time: Option<i64>,
    },
    /// A directory.
    Dir(Dir),
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dir {
    /// Mode and owner.
    pub attr: Attr,
    /// What is in it.
    pub entries: BTreeMap<String, Arc<Node>>,
}

impl Dir {
    /// An empty one.
    pub fn new(attr: Attr) -> Dir {
        Dir { attr, entries: BTreeMap::new() }
    }
}

impl Node {
    /// An empty file system.
    pub fn root() -> Node {
        Node::Dir(Dir::new(ROOT))
    }

    /// The directory that it is.
    pub fn dir(&self) -> Option<&Dir> {
        if let Node::Dir(dir) = self { Some(dir) } else { None }
    }

    /// What is at a path that has no links in it.
    pub fn get(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.dir()?.entries.get(name).map(|entry| &**entry))
    }

    fn dir_mut(&mut self, path: &[String]) -> Option<&mut Dir> {
        let mut at = self;
        for name in path {
            let Node::Dir(dir) = at else { return None };
            at = Arc::make_mut(dir.entries.get_mut(name)?);
        }
        if let Node::Dir(dir) = at { Some(dir) } else { None }
    }

    /// Puts something at a path whose directory is there.
    pub fn put(&mut self, path: &[String], node: Node) -> Try<()> {
        let Some((name, above)) = path.split_last() else { return fail("the root is no entry") };
        let Some(dir) = self.dir_mut(above) else { return fail(format!("no directory {above:?}")) };
        dir.entries.insert(name.clone(), Arc::new(node));
        Ok(())
    }

    fn take(&mut self, path: &[String]) {
        if let Some((name, above)) = path.split_last()
            && let Some(dir) = self.dir_mut(above)
        {
            dir.entries.remove(name);
        }
    }
}

/// What a layer does to a path, as the upper directory of an overlay says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing is there any more.
    Gone,
    /// This is there instead.
    Put(Arc<Node>),
    /// A directory is there, with these changes in it.
    Dir {
        /// Mode and owner that it has then.
        attr: Attr,
        /// What was there before counts no more.
        opaque: bool,
        /// The changes in it.
        entries: BTreeMap<String, Change>,
    },
}

impl Change {
    /// No change.
    pub fn none() -> Change {
        Change::Dir { attr: ROOT, opaque: false, entries: BTreeMap::new() }
    }

    /// All of a file system, as the layer of an image has it.
    pub fn all(node: &Node) -> Change {
        match node {
            Node::Dir(dir) => Change::Dir {
                attr: dir.attr,
                opaque: false,
                entries: dir.entries.iter().map(|(name, entry)| (name.clone(), Change::all(entry))).collect(),
            },
            other => Change::Put(Arc::new(other.clone())),
        }
    }

    /// What makes `to` of `from`, by looking at the files alone.
    pub fn between(from: Option<&Node>, to: &Node) -> Option<Change> {
        let Node::Dir(to_dir) = to else {
            return (from != Some(to)).then(|| Change::Put(Arc::new(to.clone())));
        };
        let old = from.and_then(Node::dir);
        let mut entries = BTreeMap::new();
        for (name, entry) in &to_dir.entries {
            let before = old.and_then(|dir| dir.entries.get(name)).map(|entry| &**entry);
            entries.extend(Change::between(before, entry).map(|change| (name.clone(), change)));
        }
        for name in old.into_iter().flat_map(|dir| dir.entries.keys()).filter(|n| !to_dir.entries.contains_key(*n)) {
            entries.insert(name.clone(), Change::Gone);
        }
        let same = old.is_some_and(|dir| dir.attr == to_dir.attr);
        // A directory in the place of something else hides it without being opaque.
        (!same || !entries.is_empty()).then_some(Change::Dir { attr: to_dir.attr, opaque: false, entries })
    }

    /// What is at the path after the change, if something is.
    pub fn lay(&self, below: Option<&Node>) -> Option<Node> {
        match self {
            Change::Gone => None,
            Change::Put(node) => Some((**node).clone()),
            Change::Dir { attr, opaque, entries } => {
                let mut dir = match below.and_then(Node::dir).filter(|_| !opaque) {
                    Some(below) => Dir { attr: *attr, entries: below.entries.clone() },
                    None => Dir::new(*attr),
                };
                for (name, change) in entries {
                    let below = dir.entries.get(name).cloned();
                    match change.lay(below.as_deref()) {
                        Some(node) => dir.entries.insert(name.clone(), Arc::new(node)),
                        None => dir.entries.remove(name),
                    };
                }
                Some(Node::Dir(dir))
            }
        }
    }

    /// The change of a directory that is there before and after, made if need be; the attributes are for that.
    fn dir_at(&mut self, path: &[String], tree: &Node) -> Option<&mut BTreeMap<String, Change>> {
        let mut at = self;
        for (depth, name) in path.iter().enumerate() {
            let attr = tree.get(&path[..=depth])?.dir()?.attr;
            let Change::Dir { entries, .. } = at else { return None };
            at = entries.entry(name.clone()).or_insert(Change::Dir { attr, opaque: false, entries: BTreeMap::new() });
        }
        if let Change::Dir { entries, .. } = at { Some(entries) } else { None }
    }
}

/// A file system that is being changed, and the layer that this makes.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Before.
    base: Arc<Node>,
    /// Now.
    pub tree: Node,
    /// The difference.
    pub change: Change,
}

impl Draft {
    /// Begins to change a file system.
    pub fn new(base: Arc<Node>) -> Draft {
        Draft { tree: (*base).clone(), base, change: Change::none() }
    }

    fn note(&mut self, path: &[String], change: Change) -> Try<()> {
        let Some((name, above)) = path.split_last() else { return fail("the root is no entry") };
        match self.change.dir_at(above, &self.tree) {
            Some(entries) => _ = entries.insert(name.clone(), change),
            None => return fail(format!("no directory {above:?}")),
        }
        Ok(())
    }

    /// Puts a file or link at a path whose directory is there.
    pub fn put(&mut self, path: &[String], node: Node) -> Try<()> {
        self.tree.put(path, node.clone())?;
        self.note(path, Change::Put(Arc::new(node)))
    }

    /// Makes a directory where nothing is.
    pub fn make_dir(&mut self, path: &[String], attr: Attr) -> Try<()> {
        self.tree.put(path, Node::Dir(Dir::new(attr)))?;
        let opaque = self.is_below(path);
        self.note(path, Change::Dir { attr, opaque, entries: BTreeMap::new() })
    }

    /// Removes what is at a path.
    pub fn remove(&mut self, path: &[String]) -> Try<()> {
        self.tree.take(path);
        let Some((name, above)) = path.split_last() else { return fail("the root cannot be removed") };
        let below = self.is_below(path);
        let Some(entries) = self.change.dir_at(above, &self.tree) else { return fail("no directory") };
        match below {
            true => _ = entries.insert(name.clone(), Change::Gone),
            false => _ = entries.remove(name),
        }
        Ok(())
    }

    /// Whether the layers below have something at a path, seen through the changes above it.
    fn is_below(&self, path: &[String]) -> bool {
        let mut at = &self.change;
        for name in &path[..path.len().saturating_sub(1)] {
            match at {
                Change::Dir { opaque: true, .. } => return false,
                Change::Dir { entries, .. } => match entries.get(name) {
                    Some(next) => at = next,
                    None => break,
                },
                Change::Gone | Change::Put(_) => return false,
            }
        }
        !matches!(at, Change::Dir { opaque: true, .. }) && self.base.get(path).is_some()
    }

    /// Sets mode and owner of what is at a path.
    pub fn set_attr(&mut self, path: &[String], attr: Attr) -> Try<()> {
        match self.tree.get(path).cloned() {
            Some(Node::File { data, time, .. }) => self.put(path, Node::File { attr, data, time }),
            Some(Node::Link { target, time, .. }) => {
                self.put(path, Node::Link { attr: Attr { mode: 0, ..attr }, target, time })
            }
            Some(Node::Dir(dir)) if !path.is_empty() => {
                self.tree.put(path, Node::Dir(Dir { attr, entries: dir.entries }))?;
                // The directory itself is in the layer, too.
                self.change.dir_at(path, &self.tree);
                let Some((name, above)) = path.split_last() else { return Ok(()) };
                if let Some(Change::Dir { attr: noted, .. }) =
                    self.change.dir_at(above, &self.tree).and_then(|entries| entries.get_mut(name))
                {
                    *noted = attr;
                }
                Ok(())
            }
            _ => fail(format!("nothing at {path:?}")),
        }
    }
}

/// The names of a path that counts from the root: without `.`, `..` and empty ones.
pub(crate) fn parts(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => _ = parts.pop(),
            name => parts.push(name.to_owned()),
        }
    }
    parts
}

/// Where a path leads, links followed (the last one if `last` says so), and whether something is there. What does not exist is
/// taken by its letters.
pub(crate) fn resolve(root: &Node, path: &[String], last: bool) -> Try<Vec<String>> {
    let mut queue: Vec<String> = path.iter().rev().cloned().collect();
    let mut found: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(name) = queue.pop() {
        if name == ".." {
            found.pop();
            continue;
        }
        found.push(name);
        if let Some(Node::Link { target, .. }) = root.get(&found)
            && (last || !queue.is_empty())
        {
            links += 1;
            if links > 255 {
                return fail("too many links");
            }
            if target.starts_with('/') {
                found.clear();
            } else {
                found.pop();
            }
            queue.extend(target.split('/').rev().filter(|n| !n.is_empty() && *n != ".").map(str::to_owned));
        }
    }
    Ok(found)
}
