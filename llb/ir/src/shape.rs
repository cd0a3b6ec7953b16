//! What is known of a file system that was not built yet: which paths are directories, files or links, and which may be
//! anything.
//!
//! A [`Tree`] describes a set of file systems. `apply` says what becomes of it when a file action runs, and where the
//! action writes; it follows the reference's executor (solver/llbsolver/file/backend.go and the copier of
//! tonistiigi/fsutil). Everything errs on one side: a file system that an action can make is always among those that the
//! tree describes, if the action succeeds. What an action does that fails does not matter, since then there is no result.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use rbc_context::path;

use crate::{Action, ChownOpt, Copy, Mkdir, Mkfile, Rm, Symlink, UserOpt};

/// What is known of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It may be anything, or not be there.
    Unknown,
    /// It is not there.
    Absent,
    /// It is a file: no directory and no link.
    File,
    /// It is a symbolic link.
    Link,
    /// It is no link; there may be a file, a directory or nothing.
    Plain,
    /// It is a directory.
    Dir(Arc<Dir>),
}

impl Shape {
    /// How many paths are known at and below it.
    fn size(&self) -> usize {
        if let Shape::Dir(dir) = self { dir.size } else { 1 }
    }

    fn depth(&self) -> usize {
        if let Shape::Dir(dir) = self { dir.depth } else { 0 }
    }
}

/// What is known of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dir {
    /// The names of which something is known.
    entries: BTreeMap<String, Shape>,
    /// Whether there may be others. If not, they are absent.
    open: bool,
    /// How many paths are known at and below it. Directories that were copied count again, also where they are one here.
    size: usize,
    /// How deep it is at most.
    depth: usize,
}

/// Of a directory with more paths than this, or a deeper one, only is known that it is one.
const MOST_PATHS: usize = 1 << 20;
const MOST_DEPTH: usize = 256;

impl Default for Dir {
    fn default() -> Self {
        Dir::new(false)
    }
}

impl Dir {
    fn new(open: bool) -> Dir {
        Dir { entries: BTreeMap::new(), open, size: 1, depth: 0 }
    }

    fn open() -> Arc<Dir> {
        Arc::new(Dir::new(true))
    }

    fn get(&self, name: &str) -> Shape {
        match self.entries.get(name) {
            Some(shape) => shape.clone(),
            None if self.open => Shape::Unknown,
            None => Shape::Absent,
        }
    }

    fn set(&mut self, name: &str, shape: Shape) {
        let large = shape.size() > MOST_PATHS || shape.depth() >= MOST_DEPTH;
        let shape = if large { Shape::Dir(Dir::open()) } else { shape };
        let rest = if self.open { Shape::Unknown } else { Shape::Absent };
        self.depth = self.depth.max(shape.depth() + 1);
        self.size += shape.size();
        let old = match shape == rest {
            true => self.entries.remove(name).map_or(1, |old| old.size() + 1),
            false => self.entries.insert(name.to_owned(), shape).map_or(0, |old| old.size()),
        };
        self.size -= old;
    }

    /// Takes the entry out of it.
    fn take(&mut self, name: &str) -> Shape {
        match self.entries.remove(name) {
            Some(shape) => {
                self.size -= shape.size();
                shape
            }
            None => self.get(name),
        }
    }

    /// The directory after another was copied into it.
    fn merged(&self, from: &Dir) -> Dir {
        let mut merged = Dir::new(self.open || from.open);
        for name in self.entries.keys().chain(from.entries.keys()) {
            merged.set(name, over(&self.get(name), &from.get(name)));
        }
        merged
    }

    /// The directory after something unknown was copied into it.
    fn smeared(&self) -> Shape {
        Shape::Dir(Arc::new(self.merged(&Dir::new(true))))
    }
}

/// What a path is after something was copied to it, directories into directories.
fn over(below: &Shape, copied: &Shape) -> Shape {
    match (below, copied) {
        (below, Shape::Absent) => below.clone(),
        (Shape::Dir(below), Shape::Dir(copied)) => Shape::Dir(Arc::new(below.merged(copied))),
        // A directory is only replaced by a directory.
        (Shape::Dir(below), Shape::Plain | Shape::Unknown) => below.smeared(),
        (Shape::Dir(_), Shape::File | Shape::Link) => Shape::Unknown,
        (_, Shape::File) => Shape::File,
        (_, Shape::Link) => Shape::Link,
        (Shape::Absent, copied) => copied.clone(),
        (_, Shape::Dir(_)) => Shape::Dir(Dir::open()),
        (Shape::File | Shape::Plain, Shape::Plain) => Shape::Plain,
        (_, Shape::Plain | Shape::Unknown) => Shape::Unknown,
    }
}

/// What is known of a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(Arc<Dir>);

/// What stands at a path in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// Anything else.
    File,
}

impl Tree {
    /// The empty file system.
    pub fn empty() -> Self {
        Tree(Arc::default())
    }

    /// A file system of which nothing is known.
    pub fn unknown() -> Self {
        Tree(Dir::open())
    }

    /// A file system that has exactly these paths and the directories above them.
    pub fn listed<'p>(paths: impl IntoIterator<Item = (&'p str, Kind)>) -> Self {
        let mut tree = Tree::empty();
        for (path, kind) in paths {
            let shape = |old: Shape| match (kind, old) {
                (Kind::Dir, Shape::Dir(dir)) => Shape::Dir(dir),
                (Kind::Dir, _) => Shape::Dir(Arc::default()),
                (Kind::Link, _) => Shape::Link,
                (Kind::File, _) => Shape::File,
            };
            match tree.edit(&Place::of(path).parts, true, &mut |old| Some(shape(old))) {
                Some(more) => tree = more,
                None => return Tree::unknown(),
            }
        }
        tree
    }

    /// A file system of which only some paths are known, those that are not there among them. A path counts only if what is
    /// above it is known to be a directory, which comes first; of a directory, only is known that it is one.
    pub fn glimpsed<'p>(paths: impl IntoIterator<Item = (&'p str, Option<Kind>)>) -> Self {
        let mut tree = Tree::unknown();
        for (path, kind) in paths {
            let shape = match kind {
                Some(Kind::Dir) => Shape::Dir(Dir::open()),
                Some(Kind::Link) => Shape::Link,
                Some(Kind::File) => Shape::File,
                None => Shape::Absent,
            };
            let parts = Place::of(path).parts;
            let new = |old: Shape| Some(if old == Shape::Unknown { shape.clone() } else { old });
            if let Some(more) = tree.clone().edit(&parts, false, &mut { new }) {
                tree = more;
            }
        }
        tree
    }

    /// What is known of a path that is reached without links; `None` if a link may be on the way.
    pub(crate) fn find(&self, parts: &[String]) -> Option<Shape> {
        let mut at = Shape::Dir(self.0.clone());
        for name in parts {
            at = match at {
                Shape::Dir(dir) => dir.get(name),
                Shape::Absent | Shape::File => Shape::Absent,
                Shape::Plain | Shape::Link | Shape::Unknown => return None,
            };
        }
        Some(at)
    }

    /// What is known of a path, links on the way or not; [`Shape::Unknown`] if there may be one.
    pub fn get(&self, path: &str) -> Shape {
        self.find(&Place::of(path).parts).unwrap_or(Shape::Unknown)
    }

    /// What a file system is after another was laid over it, one that was made from nothing by adding to it.
    pub(crate) fn under(&self, upper: &Tree) -> Tree {
        fn lay(below: &Dir, upper: &Dir) -> Dir {
            let mut laid = Dir::new(below.open || upper.open);
            for name in below.entries.keys().chain(upper.entries.keys()) {
                let shape = match (below.get(name), upper.get(name)) {
                    (below, Shape::Absent) => below,
                    (Shape::Dir(below), Shape::Dir(upper)) => Shape::Dir(Arc::new(lay(&below, &upper))),
                    (Shape::Unknown | Shape::Plain, Shape::Dir(_)) => Shape::Dir(Dir::open()),
                    (_, Shape::Unknown) => Shape::Unknown,
                    (Shape::Link | Shape::Unknown, Shape::Plain) => Shape::Unknown,
                    (Shape::Absent, Shape::Plain) => Shape::Plain,
                    (_, Shape::Plain) => Shape::Plain,
                    (_, upper) => upper,
                };
                laid.set(name, shape);
            }
            laid
        }
        Tree(Arc::new(lay(&self.0, &upper.0)))
    }

    /// Changes what is known of the path `parts`, reached without links. `change` is given what was known of it. A missing
    /// directory on the way is made if `make` says so.
    fn edit(self, parts: &[String], make: bool, change: &mut dyn FnMut(Shape) -> Option<Shape>) -> Option<Tree> {
        fn at(
            shape: Shape,
            parts: &[String],
            make: bool,
            change: &mut dyn FnMut(Shape) -> Option<Shape>,
        ) -> Option<Shape> {
            let Some((name, rest)) = parts.split_first() else { return change(shape) };
            if parts.len() > MOST_DEPTH {
                return None;
            }
            let mut dir = match shape {
                Shape::Dir(dir) => dir,
                Shape::Absent if make => Arc::default(),
                _ => return None,
            };
            let inner = Arc::make_mut(&mut dir);
            let new = at(inner.take(name), rest, make, change)?;
            inner.set(name, new);
            Some(Shape::Dir(dir))
        }
        match at(Shape::Dir(self.0), parts, make, change)? {
            Shape::Dir(root) => Some(Tree(root)),
            _ => None,
        }
    }
}

/// A path of a file action, as the executor reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its parts from the root on.
    pub parts: Vec<String>,
    /// Whether it must be a directory, since a slash or `/.` stands at its end.
    pub dir: bool,
}

impl Place {
    pub fn of(text: &str) -> Place {
        let clean = path::clean(&format!("/{text}"));
        let parts: Vec<String> = clean.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        Place { dir: parts.is_empty() || text.ends_with('/') || text.ends_with("/."), parts }
    }
}

/// Whether one path is the other or lies below it.
pub(crate) fn overlap(a: &[String], b: &[String]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

/// Whether a path is a pattern, by the rules of Go's `filepath.Match`.
pub(crate) fn is_pattern(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'*' | b'?' | b'[' => return true,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    false
}

/// How missing directories are made on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    mode: i32,
    owner: Option<ChownOpt>,
    timestamp: i64,
}

/// What a file action does to a file system.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    /// What is known of the result.
    pub tree: Tree,
    /// Everything that changes is here or below, but for directories above that are made if they are missing.
    pub at: Vec<String>,
    /// Whether what is here is what was written, whole, and nothing else.
    pub exact: bool,
    /// Whether this is a directory that is made, if it is missing, as those above.
    dir: bool,
    /// Whether nothing is written but directories, this one and those above.
    only_dirs: bool,
    /// How missing directories above are made; `None` if none is, or if that is not known.
    made: Option<Made>,
}

/// What is known of the file system `base` after an action; `from` is what a copy reads. `None` if the action may change
/// anything.
pub(crate) fn apply(action: &Action, base: &Tree, from: &Tree) -> Option<Effect> {
    match action {
        Action::Copy(c) => copy(c, base, from),
        Action::Mkdir(m) => mkdir(m, base),
        Action::Mkfile(m) => mkfile(m, base),
        Action::Rm(r) => rm(r, base),
        Action::Symlink(s) => symlink(s, base),
    }
}

/// Whether two actions on the same file system can be done in any order, or each on its own and the changes of the second
/// laid over those of the first, without a difference in the result.
///
/// Their places must not overlap, and a missing directory that both make must come out the same. Times of directories do
/// not count, which change whenever something is put into them.
pub(crate) fn independent(base: &Tree, a: &Effect, b: &Effect) -> bool {
    let shared = a.at.iter().zip(&b.at).take_while(|(a, b)| a == b).count();
    if shared == a.at.len().min(b.at.len()) {
        // One place is the other or below it. That does no harm if what is above is only made a directory.
        let harmless = match a.at.len().cmp(&b.at.len()) {
            Ordering::Less => a.only_dirs,
            Ordering::Greater => b.only_dirs,
            Ordering::Equal => (a.only_dirs && b.dir) || (b.only_dirs && a.dir),
        };
        if !harmless {
            return false;
        }
    }
    let both_make = (1..=shared).any(|n| base.find(&a.at[..n]) == Some(Shape::Absent));
    !both_make || (a.made.is_some() && a.made == b.made)
}

fn by_id(owner: &Option<ChownOpt>) -> bool {
    owner.iter().flat_map(|o| [&o.user, &o.group]).flatten().all(|u| matches!(u, UserOpt::Id(_)))
}

fn mkdir(m: &Mkdir, base: &Tree) -> Option<Effect> {
    let at = Place::of(&m.path).parts;
    let tree = base.clone().edit(&at, m.make_parents, &mut |found| match found {
        Shape::Absent => Some(Shape::Dir(Arc::default())),
        Shape::Dir(dir) => Some(Shape::Dir(dir)),
        Shape::Plain if m.make_parents => Some(Shape::Dir(Dir::open())),
        // Without parents, it does not matter what is in the way.
        Shape::Plain | Shape::File if !m.make_parents => Some(found),
        _ => None,
    })?;
    let made = m.make_parents && by_id(&m.owner);
    let made = made.then(|| Made { mode: m.mode & 0o777, owner: m.owner.clone(), timestamp: m.timestamp });
    Some(Effect { tree, at, exact: false, dir: true, only_dirs: true, made })
}

fn mkfile(m: &Mkfile, base: &Tree) -> Option<Effect> {
    let at = Place::of(&m.path).parts;
    let tree = base.clone().edit(&at, false, &mut |found| match found {
        Shape::Absent | Shape::File | Shape::Plain => Some(Shape::File),
        _ => None,
    })?;
    Some(Effect { tree, at, exact: true, dir: false, only_dirs: false, made: None })
}

fn symlink(s: &Symlink, base: &Tree) -> Option<Effect> {
    let at = Place::of(&s.newpath).parts;
    let tree = base.clone().edit(&at, false, &mut |found| match found {
        Shape::Absent | Shape::Plain => Some(Shape::Link),
        _ => None,
    })?;
    Some(Effect { tree, at, exact: true, dir: false, only_dirs: false, made: None })
}

fn rm(r: &Rm, base: &Tree) -> Option<Effect> {
    if r.allow_wildcard && is_pattern(&r.path) {
        return None;
    }
    let at = Place::of(&r.path).parts;
    at.last()?;
    let tree = base.clone().edit(&at, false, &mut |_| Some(Shape::Absent))?;
    Some(Effect { tree, at, exact: false, dir: false, only_dirs: false, made: None })
}

/// What a copy takes from where.
pub(crate) enum Taken {
    /// Whatever matches a pattern.
    Many,
    /// One thing, of which this is known.
    One(Shape),
}

/// What is known of what a copy takes. Archives are not unpacked here.
pub(crate) fn taken(c: &Copy, from: &Tree) -> Taken {
    if c.allow_wildcard && is_pattern(&c.src) {
        return Taken::Many;
    }
    let found = from.find(&Place::of(&c.src).parts).unwrap_or(Shape::Unknown);
    Taken::One(match found {
        Shape::Link | Shape::Unknown if c.follow_symlink => Shape::Plain,
        // It fails.
        Shape::Absent => Shape::Plain,
        Shape::Dir(_) if !takes_all(c) => Shape::Dir(Dir::open()),
        found => found,
    })
}

/// Whether a copy takes everything in a directory.
pub(crate) fn takes_all(c: &Copy) -> bool {
    c.include_patterns.is_empty() && c.exclude_patterns.is_empty() && c.required_paths.is_empty()
}

fn copy(c: &Copy, base: &Tree, from: &Tree) -> Option<Effect> {
    let dest = Place::of(&c.dest);
    // Where the directory to copy to must be there and is not, the action fails here, and elsewhere it may not.
    let above = &dest.parts[..dest.parts.len().saturating_sub(1)];
    if !c.create_dest_path && base.find(above) == Some(Shape::Absent) {
        return None;
    }
    let taken = taken(c, from);
    let mode = if c.mode_str.is_empty() && c.mode != -1 { c.mode } else { 0o755 };
    let made = by_id(&c.owner).then(|| Made { mode, owner: c.owner.clone(), timestamp: c.timestamp });
    let mut at = dest.parts.clone();
    let mut exact = false;

    let Taken::One(taken) = taken else {
        // Nothing may match, and then nothing is made.
        let missing = (1..=at.len()).find(|n| base.find(&at[..*n]) == Some(Shape::Absent));
        at.truncate(missing.unwrap_or(at.len()));
        let tree = base.clone().edit(&at, false, &mut |found| match found {
            Shape::Dir(dir) if !c.always_replace_existing_dest_paths && !c.attempt_unpack => Some(dir.smeared()),
            Shape::Dir(_) => Some(Shape::Dir(Dir::open())),
            Shape::Absent | Shape::File | Shape::Plain if c.follow_symlink => Some(Shape::Plain),
            Shape::Absent | Shape::File | Shape::Plain => Some(Shape::Unknown),
            _ => None,
        })?;
        return Some(Effect { tree, at, exact, dir: false, only_dirs: false, made });
    };

    let mut below = None;
    let tree = base.clone().edit(&dest.parts, true, &mut |found| {
        let found = match found {
            Shape::Absent if dest.dir => Shape::Dir(Arc::default()),
            found => found,
        };
        if matches!(found, Shape::Unknown | Shape::Link) {
            return None;
        }
        if c.always_replace_existing_dest_paths || c.attempt_unpack {
            return Some(match found {
                Shape::Dir(_) => Shape::Dir(Dir::open()),
                _ if matches!(taken, Shape::Unknown | Shape::Link) => Shape::Unknown,
                _ => Shape::Plain,
            });
        }
        let name = || Place::of(&c.src).parts.pop();
        let inside = match (&found, &taken) {
            (Shape::Dir(_), Shape::File | Shape::Link) => true,
            (Shape::Dir(_), Shape::Dir(_)) => !c.dir_copy_contents,
            _ => false,
        };
        if inside && let (Shape::Dir(dir), Some(name)) = (&found, name()) {
            let old = dir.get(&name);
            exact =
                matches!((&old, &taken), (Shape::Absent, _) | (Shape::File | Shape::Link, Shape::File | Shape::Link));
            let mut dir = (**dir).clone();
            dir.set(&name, over(&old, &taken));
            below = Some(name);
            return Some(Shape::Dir(Arc::new(dir)));
        }
        Some(match (&found, &taken) {
            (Shape::Dir(dir), Shape::Dir(copied)) => {
                exact = is_new(base, &dest);
                Shape::Dir(Arc::new(dir.merged(copied)))
            }
            (Shape::Dir(dir), _) => dir.smeared(),
            // It may be a directory, into which a file or link is put.
            (Shape::Plain, Shape::File | Shape::Dir(_) | Shape::Plain) => Shape::Plain,
            (Shape::Plain, Shape::Link | Shape::Unknown) => Shape::Unknown,
            (found, taken) => {
                exact = matches!((found, taken), (Shape::Absent, _) | (Shape::File, Shape::File | Shape::Link));
                match taken {
                    // No directory takes the place of a file.
                    Shape::Plain if *found == Shape::File => Shape::File,
                    taken => over(found, taken),
                }
            }
        })
    })?;
    let dir = dest.dir && below.is_none();
    at.extend(below);
    Some(Effect { tree, at, exact, dir, only_dirs: false, made })
}

fn is_new(base: &Tree, dest: &Place) -> bool {
    base.find(&dest.parts) == Some(Shape::Absent)
}
