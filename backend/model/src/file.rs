//! File actions, as BuildKit's executor does them (solver/llbsolver/file, and the copy package of fsutil).

use std::sync::Arc;

use rbc_context::{MatchInfo, Matcher};
use rbc_ir::{Action, ChownOpt, Copy, Input, Mkdir, Mkfile, Rm, Symlink, UserOpt};

use crate::tree::{Attr, Draft, Node, ROOT, Try, fail, parts, resolve};

/// A user and a group.
type Owner = Option<(u32, u32)>;

/// What an action reads: file systems, by input, and whether one is a directory of the client.
pub(crate) trait Inputs {
    /// The file system of an input.
    fn tree(&self, input: Input) -> Try<Arc<Node>>;
    /// Whether it is a directory of the client, whose owners mean nothing.
    fn is_clients(&self, input: Input) -> bool;
}

/// Does an action.
pub(crate) fn apply(draft: &mut Draft, action: &Action, from: Input, inputs: &dyn Inputs) -> Try<()> {
    match action {
        Action::Copy(copy) => {
            let owner = owner(copy.owner.as_ref(), inputs)?;
            let source = Copying { from: inputs.tree(from)?, clients: inputs.is_clients(from), copy, owner };
            source.run(draft)
        }
        Action::Mkfile(a) => mkfile(draft, a, owner(a.owner.as_ref(), inputs)?),
        Action::Mkdir(a) => mkdir(draft, a, owner(a.owner.as_ref(), inputs)?),
        Action::Symlink(a) => symlink(draft, a, owner(a.owner.as_ref(), inputs)?),
        Action::Rm(a) => rm(draft, a),
    }
}

fn time(stamp: i64) -> Option<i64> {
    (stamp != -1).then_some(stamp)
}

fn owner(owner: Option<&ChownOpt>, inputs: &dyn Inputs) -> Try<Owner> {
    let Some(owner) = owner else { return Ok(None) };
    let listed = |input: &Input, name: &str| -> Try<Option<u32>> {
        let tree = match input {
            Input::Scratch => return fail(format!("{name} cannot be looked up in nothing")),
            input => inputs.tree(*input)?,
        };
        let path = resolve(&tree, &parts("/etc/passwd"), true)?;
        let Some(Node::File { data, .. }) = tree.get(&path) else { return Ok(None) };
        let line = data.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split(':').nth(1));
        Ok(line.and_then(|id| id.parse().ok()))
    };
    let (mut uid, mut gid) = (0, 0);
    match &owner.user {
        None => {}
        Some(UserOpt::Id(id)) => (uid, gid) = (*id, *id),
        Some(UserOpt::Name { name, input }) => {
            let id = listed(input, name)?.unwrap_or(0);
            (uid, gid) = (id, id);
        }
    }
    match &owner.group {
        None => {}
        Some(UserOpt::Id(id)) => gid = *id,
        Some(UserOpt::Name { name, input }) => gid = listed(input, name)?.unwrap_or(gid),
    }
    Ok(Some((uid, gid)))
}

fn attr(mode: u32, owner: Owner) -> Attr {
    let (uid, gid) = owner.unwrap_or((0, 0));
    Attr { mode, uid, gid }
}

/// Makes the directories of a path that was resolved.
fn make_all(draft: &mut Draft, path: &[String], mode: u32, owner: Owner) -> Try<()> {
    for depth in 1..=path.len() {
        match draft.tree.get(&path[..depth]) {
            Some(Node::Dir(_)) => {}
            Some(_) => return fail(format!("{path:?} leads through what is no directory")),
            None => draft.make_dir(&path[..depth], attr(mode, owner))?,
        }
    }
    Ok(())
}

fn mkfile(draft: &mut Draft, a: &Mkfile, owner: Owner) -> Try<()> {
    let path = resolve(&draft.tree, &parts(&a.path), true)?;
    let attr = match draft.tree.get(&path) {
        None => attr(a.mode as u32 & 0o777, owner),
        Some(Node::File { attr: old, .. }) => match owner {
            Some((uid, gid)) => Attr { mode: old.mode, uid, gid },
            None => *old,
        },
        Some(_) => return fail("a file cannot be there"),
    };
    let data = String::from_utf8_lossy(&a.data).into();
    draft.put(&path, Node::File { attr, data, time: time(a.timestamp) })
}

fn mkdir(draft: &mut Draft, a: &Mkdir, owner: Owner) -> Try<()> {
    let path = resolve(&draft.tree, &parts(&a.path), true)?;
    let mode = a.mode as u32 & 0o777;
    if a.make_parents {
        return make_all(draft, &path, mode, owner);
    }
    match draft.tree.get(&path) {
        Some(_) => Ok(()),
        None => draft.make_dir(&path, attr(mode, owner)),
    }
}

fn symlink(draft: &mut Draft, a: &Symlink, owner: Owner) -> Try<()> {
    let path = resolve(&draft.tree, &parts(&a.newpath), true)?;
    if draft.tree.get(&path).is_some() {
        return fail("something is where the link should be");
    }
    draft.put(&path, Node::Link { attr: attr(0, owner), target: a.oldpath.as_str().into(), time: time(a.timestamp) })
}

fn rm(draft: &mut Draft, a: &Rm) -> Try<()> {
    let paths = if a.allow_wildcard { wildcards(&draft.tree, &a.path, false)? } else { vec![parts(&a.path)] };
    for path in paths {
        let Some((name, above)) = path.split_last() else { return fail("the root cannot be removed") };
        let mut path = resolve(&draft.tree, above, true)?;
        let there = match draft.tree.get(&path) {
            None => false,
            Some(Node::Dir(dir)) => dir.entries.contains_key(name),
            Some(_) => return fail("a file is on the way"),
        };
        path.push(name.clone());
        if there {
            draft.remove(&path)?;
        } else if !a.allow_not_found {
            return fail("it is not there");
        }
    }
    Ok(())
}

fn is_pattern(name: &str) -> bool {
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// The paths that a pattern matches; a path that is no pattern is itself.
fn wildcards(tree: &Node, pattern: &str, follow: bool) -> Try<Vec<Vec<String>>> {
    let all = parts(pattern);
    let Some(first) = all.iter().position(|part| is_pattern(part)) else { return Ok(vec![all]) };
    let (fixed, variable) = all.split_at(first);
    let base = resolve(tree, fixed, follow)?;
    let mut found = vec![base];
    for part in variable {
        let mut next = Vec::new();
        for path in found {
            let Some(Node::Dir(dir)) = tree.get(&path) else { continue };
            for name in dir.entries.keys().filter(|name| rbc_context::path::matches(part, name).unwrap_or(false)) {
                next.push([&path[..], std::slice::from_ref(name)].concat());
            }
        }
        found = next;
    }
    Ok(found)
}

struct Copying<'a> {
    from: Arc<Node>,
    clients: bool,
    copy: &'a Copy,
    owner: Owner,
}

struct Patterns {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
}

/// Where a copy is: in the source, below what is copied, and in the target; and the directories that lead there.
struct At {
    from: Vec<String>,
    inside: Vec<String>,
    to: Vec<String>,
    above: Vec<Above>,
}

/// A directory that is being copied. It is made when something in it is.
struct Above {
    made: bool,
    fresh: bool,
}

impl Copying<'_> {
    fn run(&self, draft: &mut Draft) -> Try<()> {
        let copy = self.copy;
        if !copy.create_dest_path {
            let dest = resolve(&draft.tree, &parts(&copy.dest), true)?;
            if dest.split_last().is_some_and(|(_, above)| draft.tree.get(above).is_none()) {
                return fail("there is no directory to copy to");
            }
        }
        for path in &copy.required_paths {
            if self.from.get(&resolve(&self.from, &parts(path), true)?).is_none() {
                return fail("a required path is not there");
            }
        }
        let paths = match copy.allow_wildcard {
            true => wildcards(&self.from, &copy.src, copy.follow_symlink)?,
            false => vec![parts(&copy.src)],
        };
        if paths.is_empty() && !copy.allow_empty_wildcard {
            return fail("nothing matches");
        }
        if copy.attempt_unpack {
            return fail("archives are not modelled");
        }
        paths.iter().try_for_each(|path| self.one(draft, path))
    }

    fn mode(&self, mode: u32) -> Try<u32> {
        match (&*self.copy.mode_str, self.copy.mode) {
            ("", -1) => Ok(mode),
            ("", set) => Ok(set as u32 & 0o7777),
            ("u+x", _) => Ok(mode | 0o100),
            (other, _) => fail(format!("the mode {other} is not modelled")),
        }
    }

    fn one(&self, draft: &mut Draft, path: &[String]) -> Try<()> {
        let copy = self.copy;
        let folder_mode = if copy.mode_str.is_empty() && copy.mode != -1 { copy.mode as u32 & 0o777 } else { 0o755 };
        let ends_open = copy.dest.ends_with('/') || copy.dest.ends_with("/.");
        let dest = parts(&copy.dest);
        let needed = if ends_open { &dest[..] } else { &dest[..dest.len().saturating_sub(1)] };
        let needed = resolve(&draft.tree, needed, true)?;
        make_all(draft, &needed, folder_mode, self.owner)?;
        let mut to = resolve(&draft.tree, &dest, true)?;
        let from = resolve(&self.from, path, copy.follow_symlink)?;
        let Some(node) = self.from.get(&from) else { return fail(format!("there is no {from:?} to copy")) };
        let is_dir = node.dir().is_some();
        let there = draft.tree.get(&to).map(|node| node.dir().is_some());
        if ((is_dir && !copy.dir_copy_contents && there.is_some()) || (!is_dir && there == Some(true)))
            && let Some(name) = path.last()
        {
            to.push(name.clone());
        }
        let target = match is_dir && copy.dir_copy_contents && there.is_none() {
            true => &to[..],
            false => &to[..to.len().saturating_sub(1)],
        };
        make_all(draft, target, folder_mode, self.owner)?;
        let matcher = |patterns: &[String]| match patterns.is_empty() {
            true => Ok(None),
            false => Matcher::new(patterns).map(Some).or_else(|e| fail(e.to_string())),
        };
        let patterns =
            Patterns { include: matcher(&copy.include_patterns)?, exclude: matcher(&copy.exclude_patterns)? };
        if !is_dir {
            return self.file(draft, node, &to, false);
        }
        let fresh = match draft.tree.get(&to) {
            Some(Node::Dir(_)) => false,
            Some(_) if !copy.always_replace_existing_dest_paths => return fail("no directory can be there"),
            other => {
                if other.is_some() {
                    draft.remove(&to)?;
                }
                draft.make_dir(&to, ROOT)?;
                true
            }
        };
        let mut at =
            At { from: from.clone(), inside: Vec::new(), to: to.clone(), above: vec![Above { made: true, fresh }] };
        self.dir(draft, &patterns, &mut at, &MatchInfo::default(), &MatchInfo::default())?;
        if fresh { self.attributes(draft, node, &to) } else { Ok(()) }
    }

    fn dir(
        &self,
        draft: &mut Draft,
        patterns: &Patterns,
        at: &mut At,
        include: &MatchInfo,
        exclude: &MatchInfo,
    ) -> Try<()> {
        let Some(Node::Dir(dir)) = self.from.get(&at.from) else { return fail("no directory") };
        for (name, node) in &dir.entries {
            for path in [&mut at.from, &mut at.inside, &mut at.to] {
                path.push(name.clone());
            }
            self.entry(draft, patterns, at, node, include, exclude)?;
            for path in [&mut at.from, &mut at.inside, &mut at.to] {
                path.pop();
            }
        }
        Ok(())
    }

    fn entry(
        &self,
        draft: &mut Draft,
        patterns: &Patterns,
        at: &mut At,
        node: &Node,
        include: &MatchInfo,
        exclude: &MatchInfo,
    ) -> Try<()> {
        let text = at.inside.join("/");
        let matches = |matcher: &Option<Matcher>, above: &MatchInfo, none: bool| match matcher {
            None => Ok((none, MatchInfo::default())),
            Some(matcher) => matcher.matches_using_parent_results(&text, above).or_else(|e| fail(e.to_string())),
        };
        let (included, include) = matches(&patterns.include, include, true)?;
        let (excluded, exclude) = matches(&patterns.exclude, exclude, false)?;
        let wanted = included && !excluded;
        if node.dir().is_none() {
            if !wanted {
                return Ok(());
            }
            self.make_above(draft, at)?;
            let fresh = at.above.last().is_some_and(|above| above.fresh);
            return self.file(draft, node, &at.to, fresh);
        }
        if excluded && !patterns.exclude.as_ref().is_some_and(Matcher::exclusions) {
            return Ok(());
        }
        at.above.push(Above { made: false, fresh: false });
        if wanted {
            self.make_above(draft, at)?;
        }
        self.dir(draft, patterns, at, &include, &exclude)?;
        match at.above.pop() {
            Some(above) if above.made && (above.fresh || wanted) => self.attributes(draft, node, &at.to),
            _ => Ok(()),
        }
    }

    fn make_above(&self, draft: &mut Draft, at: &mut At) -> Try<()> {
        let count = at.above.len();
        // The path of the innermost directory: where we are, or what holds it if we are at a file.
        let deep = at.to.len() - (at.inside.len() - (count - 1));
        for index in 1..count {
            if at.above[index].made {
                continue;
            }
            let path = &at.to[..deep - (count - 1 - index)];
            let fresh = match draft.tree.get(path) {
                Some(Node::Dir(_)) => false,
                Some(_) if !self.copy.always_replace_existing_dest_paths => return fail("no directory can be there"),
                other => {
                    if other.is_some() {
                        draft.remove(path)?;
                    }
                    draft.make_dir(path, ROOT)?;
                    true
                }
            };
            at.above[index] = Above { made: true, fresh };
        }
        Ok(())
    }

    fn file(&self, draft: &mut Draft, node: &Node, to: &[String], fresh: bool) -> Try<()> {
        if !fresh {
            match draft.tree.get(to) {
                Some(Node::Dir(_)) if to.is_empty() || !self.copy.always_replace_existing_dest_paths => {
                    return fail("no file can be there");
                }
                Some(_) => draft.remove(to)?,
                None => {}
            }
        }
        let (uid, gid) = self.owner_of(node);
        let stamp = |own: &Option<i64>| time(self.copy.timestamp).or(*own);
        let copied = match node {
            Node::File { attr, data, time } => {
                let attr = Attr { mode: self.mode(attr.mode)?, uid, gid };
                Node::File { attr, data: Arc::clone(data), time: stamp(time) }
            }
            Node::Link { target, time, .. } => {
                Node::Link { attr: Attr { mode: 0, uid, gid }, target: Arc::clone(target), time: stamp(time) }
            }
            Node::Dir(_) => return fail("no file"),
        };
        draft.put(to, copied)
    }

    fn owner_of(&self, node: &Node) -> (u32, u32) {
        let attr = match node {
            Node::File { attr, .. } | Node::Link { attr, .. } => *attr,
            Node::Dir(dir) => dir.attr,
        };
        self.owner.unwrap_or(if self.clients { (0, 0) } else { (attr.uid, attr.gid) })
    }

    fn attributes(&self, draft: &mut Draft, node: &Node, to: &[String]) -> Try<()> {
        let Node::Dir(dir) = node else { return Ok(()) };
        let (uid, gid) = self.owner_of(node);
        draft.set_attr(to, Attr { mode: self.mode(dir.attr.mode)?, uid, gid })
    }
}
