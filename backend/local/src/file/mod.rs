//! File ops: copying, making and removing files, exactly as BuildKit does it (solver/llbsolver/file, and the copy package of
//! fsutil).

mod copy;
mod mode;
mod owner;
pub(crate) mod unpack;
mod wildcard;

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rbc_ir::{Action, File as FileOp, FileAction, Input, Mkdir, Mkfile, Ref, Rm, Symlink};
use rbc_source::execute;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::Cancel;
use crate::error::{Fail, Result, failure, show};
use crate::fs::{clean, make_dir, open_beneath, open_dir_at, remove, resolve, set_times};
use crate::session::SolveError;
use crate::source::{Donor, LocalTree};
use crate::store::{Draft, Snapshot, Store, View};

pub(crate) use copy::{copy_all, run as copy};
pub(crate) use wildcard::{is_pattern, wildcards};

/// An input of a file op.
#[derive(Clone)]
pub(crate) enum Content {
    Snapshot(Snapshot),
    /// A directory of the user's, which is read where it is.
    Local(std::sync::Arc<LocalTree>),
}

/// What is read from.
pub(crate) struct Source<'a> {
    pub root: BorrowedFd<'a>,
    /// Of a directory of the user's, what is part of the source.
    pub tree: Option<&'a LocalTree>,
    /// An earlier copy of that directory, from which files that are the same are taken as they are.
    pub donor: Option<&'a Donor>,
}

impl Source<'_> {
    /// Whether a path below the root is part of the source.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.tree.is_none_or(|tree| tree.has(path))
    }
}

/// What a file op runs with.
pub(crate) struct Job<'a> {
    pub store: &'a Store,
    pub cancel: &'a [&'a Cancel],
    pub inputs: &'a HashMap<Ref, Content>,
    /// What made the layers, for people.
    pub description: &'a str,
}

/// What an action made, or will go on with.
enum Made<'a> {
    Draft(Draft<'a>),
    Done(Snapshot),
    Taken,
}

/// Runs a file op, and gives its outputs.
pub(crate) fn run(job: &Job, op: &FileOp) -> std::result::Result<Vec<(u32, Snapshot)>, SolveError> {
    // How often later actions look at what an action made, and whether they change it.
    let mut made: Vec<Made> = Vec::with_capacity(op.actions.len());
    let mut outputs = Vec::new();
    for (at, action) in op.actions.iter().enumerate() {
        if job.cancel.iter().any(|c| c.is_cancelled()) {
            return Err(SolveError::cancelled());
        }
        // What is read must be settled first.
        let mut read = Vec::new();
        action.each_input(&mut |input| {
            if let Input::Action(i) = input {
                read.push(i as usize);
            }
        });
        let base = match action.input {
            Input::Action(i) => Some(i as usize),
            Input::Scratch | Input::Ref(_) => None,
        };
        for i in read.iter().copied().filter(|i| Some(*i) != base) {
            settle(&mut made, i, job.description)?;
        }
        let only_reader = base.is_some_and(|i| only_once(op, i) && read.iter().filter(|r| **r == i).count() == 1);
        let draft = match (action.input, base) {
            (_, Some(i)) if only_reader => match std::mem::replace(&mut made[i], Made::Taken) {
                Made::Draft(draft) => draft,
                Made::Done(snapshot) => job.store.draft(snapshot)?,
                Made::Taken => return Err(lost().into()),
            },
            (_, Some(i)) => job.store.draft(settle(&mut made, i, job.description)?)?,
            (Input::Ref(r), None) => match content(job, r)? {
                Content::Snapshot(snapshot) => job.store.draft(snapshot)?,
                Content::Local(tree) => job.store.draft(tree.snapshot(job.store, job.cancel)?)?,
            },
            _ => job.store.draft(Snapshot::default())?,
        };
        apply(job, action, &draft, &made)?;
        made.push(Made::Draft(draft));
        if let Some(output) = action.output {
            outputs.push((output, settle(&mut made, at, job.description)?));
        }
    }
    outputs.sort_by_key(|(output, _)| *output);
    Ok(outputs)
}

/// Whether what an action made is used by one other action only, and is no output.
fn only_once(op: &FileOp, at: usize) -> bool {
    let mut uses = 0;
    for action in &op.actions {
        action.each_input(&mut |input| uses += usize::from(input == Input::Action(at as u32)));
    }
    uses == 1 && op.actions.get(at).is_some_and(|a| a.output.is_none())
}

fn lost() -> Box<rbc_source::Diagnostic> {
    failure(rbc_source::environment::INTERNAL, "a file operation uses what is not there")
}

/// Turns what an action made into a snapshot.
fn settle(made: &mut [Made], at: usize, description: &str) -> Result<Snapshot> {
    let slot = made.get_mut(at).ok_or_else(lost)?;
    let snapshot = match std::mem::replace(slot, Made::Taken) {
        Made::Draft(draft) => draft.commit(description)?,
        Made::Done(snapshot) => snapshot,
        Made::Taken => return Err(lost()),
    };
    *slot = Made::Done(snapshot.clone());
    Ok(snapshot)
}

fn content(job: &Job, r: Ref) -> Result<Content> {
    job.inputs.get(&r).cloned().ok_or_else(lost)
}

/// Something opened for reading, with what keeps it open.
enum Opened {
    View(View),
    Local(OwnedFd, std::sync::Arc<LocalTree>),
}

impl Opened {
    fn source(&self) -> Source<'_> {
        match self {
            Opened::View(view) => Source { root: view.root(), tree: None, donor: None },
            Opened::Local(root, tree) => Source { root: root.as_fd(), tree: Some(tree), donor: None },
        }
    }
}

fn open(job: &Job, input: Input, made: &[Made]) -> Result<Opened> {
    let snapshot = match input {
        Input::Scratch => Snapshot::default(),
        Input::Action(i) => match made.get(i as usize) {
            Some(Made::Done(snapshot)) => snapshot.clone(),
            _ => return Err(lost()),
        },
        Input::Ref(r) => match content(job, r)? {
            Content::Snapshot(snapshot) => snapshot,
            Content::Local(tree) => return Ok(Opened::Local(tree.open()?, tree)),
        },
    };
    Ok(Opened::View(job.store.view(&snapshot)?))
}

fn apply(job: &Job, action: &FileAction, draft: &Draft, made: &[Made]) -> std::result::Result<(), SolveError> {
    let names = |input: Input| open(job, input, made);
    let view = draft.view()?;
    let root = view.root();
    match &action.action {
        Action::Copy(copy) => {
            let owner = owner::find(copy.owner.as_ref(), &names)?;
            let from = open(job, action.secondary, made)?;
            copy::run(&from.source(), root, copy, owner, job.cancel)?;
        }
        Action::Mkfile(a) => mkfile(root, a, owner::find(a.owner.as_ref(), &names)?)
            .or_fail(execute::FILES, || format!("make the file `{}`", show(&a.path)))?,
        Action::Mkdir(a) => mkdir(root, a, owner::find(a.owner.as_ref(), &names)?)
            .or_fail(execute::FILES, || format!("make the directory `{}`", show(&a.path)))?,
        Action::Symlink(a) => symlink(root, a, owner::find(a.owner.as_ref(), &names)?)
            .or_fail(execute::FILES, || format!("make the link `{}`", show(&a.newpath)))?,
        Action::Rm(a) => rm(root, a)?,
    }
    Ok(())
}

/// An owner: user and group.
pub(crate) type Owner = Option<(u32, u32)>;

/// The time stamp of an action as seconds and nanoseconds; `None` for -1.
pub(crate) fn time(nanoseconds: i64) -> Option<(i64, u32)> {
    (nanoseconds != -1).then(|| (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000) as u32))
}

/// The directory of a path that was resolved, and its last name.
fn split(root: BorrowedFd, path: &Path) -> io::Result<(OwnedFd, CString)> {
    let name = path.file_name().ok_or(Errno::EXIST)?;
    let above = path.parent().unwrap_or(Path::new(""));
    let dir = open_beneath(root, above, OFlags::RDONLY | OFlags::DIRECTORY)?;
    Ok((dir, CString::new(name.as_bytes())?))
}

fn set_owner(dir: impl AsFd, name: &std::ffi::CStr, owner: Owner) -> io::Result<()> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    crate::fs::chown_at(dir, name, uid, gid)
}

fn mkfile(root: BorrowedFd, a: &Mkfile, owner: Owner) -> io::Result<()> {
    let found = resolve(root, &clean(&a.path), true)?;
    let (dir, name) = split(root, &found.path)?;
    let is_new = found.stat.is_none();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mode = Mode::from_raw_mode(a.mode as u32 & 0o777);
    let mut file = File::from(rustix::fs::openat(&dir, &name, flags, mode)?);
    file.write_all(&a.data)?;
    set_owner(&dir, &name, owner)?;
    if is_new {
        rustix::fs::fchmod(&file, mode)?;
    }
    drop(file);
    match time(a.timestamp) {
        Some(time) => set_times(&dir, &name, time, time),
        None => Ok(()),
    }
}

fn mkdir(root: BorrowedFd, a: &Mkdir, owner: Owner) -> io::Result<()> {
    let found = resolve(root, Path::new(&a.path), true)?;
    let mode = a.mode as u32 & 0o777;
    if a.make_parents {
        return make_all(root, &found.path, mode, owner, time(a.timestamp)).map(|_| ());
    }
    if found.stat.is_some() {
        return Ok(());
    }
    let (dir, name) = split(root, &found.path)?;
    let (_, made) = make_dir(&dir, &name, mode)?;
    if made {
        set_owner(&dir, &name, owner)?;
        rustix::fs::chmodat(&dir, &name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        if let Some(time) = time(a.timestamp) {
            set_times(&dir, &name, time, time)?;
        }
    }
    Ok(())
}

/// Makes the directories of a path that was resolved. Gives those that were not there.
fn make_all(
    root: BorrowedFd,
    path: &Path,
    mode: u32,
    owner: Owner,
    time: Option<(i64, u32)>,
) -> io::Result<Vec<PathBuf>> {
    let mut dir = root.try_clone_to_owned()?;
    let mut made = Vec::new();
    let mut so_far = PathBuf::new();
    for part in path.components() {
        so_far.push(part);
        let name = CString::new(part.as_os_str().as_bytes())?;
        let (inner, is_new) = make_dir(&dir, &name, mode)?;
        if is_new {
            rustix::fs::fchmod(&inner, Mode::from_raw_mode(mode))?;
            set_owner(&dir, &name, owner)?;
            if let Some(time) = time {
                set_times(&dir, &name, time, time)?;
            }
            made.push(so_far.clone());
        }
        dir = inner;
    }
    Ok(made)
}

fn symlink(root: BorrowedFd, a: &Symlink, owner: Owner) -> io::Result<()> {
    let found = resolve(root, &clean(&a.newpath), true)?;
    let (dir, name) = split(root, &found.path)?;
    rustix::fs::symlinkat(a.oldpath.as_str(), &dir, &name)?;
    set_owner(&dir, &name, owner)?;
    match time(a.timestamp) {
        Some(time) => set_times(&dir, &name, time, time),
        None => Ok(()),
    }
}

fn rm(root: BorrowedFd, a: &Rm) -> Result<()> {
    let paths = if a.allow_wildcard {
        let source = Source { root, tree: None, donor: None };
        wildcards(&source, &a.path, false).or_fail(execute::FILES, || format!("find `{}`", show(&a.path)))?
    } else {
        vec![clean(&a.path)]
    };
    for path in paths {
        let Some(name) = path.file_name() else {
            return Err(failure(execute::FILES, "the root of a file system cannot be removed"));
        };
        let gone = || -> io::Result<bool> {
            let above = resolve(root, path.parent().unwrap_or(Path::new("")), true)?;
            if above.stat.is_none() {
                return Ok(false);
            }
            let dir = open_beneath(root, &above.path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let name = CString::new(name.as_bytes())?;
            let there = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
            if there {
                remove(&dir, &name)?;
            }
            Ok(there)
        };
        let there = gone().or_fail(execute::FILES, || format!("remove `/{}`", show(&path)))?;
        if !there && !a.allow_not_found {
            return Err(failure(execute::FILES, format!("cannot remove `/{}`: there is no such file", show(&path))));
        }
    }
    Ok(())
}

/// The kind of what `stat` is about.
fn kind(stat: &rustix::fs::Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Opens a directory whose path was resolved.
fn open_resolved(root: BorrowedFd, path: &Path) -> io::Result<OwnedFd> {
    match path.file_name() {
        None => root.try_clone_to_owned(),
        Some(_) => {
            let (dir, name) = split(root, path)?;
            open_dir_at(&dir, &name)
        }
    }
}
