//! What the store can tell the optimizer of the images that a build begins with.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use rbc_ir::shape::{Kind, Tree};
use rbc_ir::{Action, Graph, Known, Op};
use rbc_wire::Digest;
use rustix::fs::{AtFlags, FileType};

use crate::fs::clean;
use crate::session::Reporter;
use crate::source::{Job, Pin, at_hand, pin};
use crate::{Config, Executor, Session, Silent, Snapshot};

impl Executor {
    /// What is at the paths that the file operations of a graph name, in those of its images that are in the store. Nothing
    /// is fetched and nobody is asked: of an image that is not there, nothing is known.
    pub fn known(&self, graph: &Graph, session: &Session) -> Known {
        let mut known = Known::default();
        let offline = Config { registry: None, ..self.config().clone() };
        let report = Reporter { vertex: Digest::of(b"known"), progress: &Silent };
        let job = Job { store: self.store(), config: &offline, session, cancel: &[], report };
        let named = named(graph);
        for (_, node) in graph.iter() {
            let Op::Source(source) = &node.op else { continue };
            if !["docker-image://", "oci-layout://"].iter().any(|scheme| source.identifier.starts_with(scheme)) {
                continue;
            }
            let Ok(Pin::Image(image)) = pin(&job, source, node.platform.as_deref()) else { continue };
            let Some(files) = at_hand(self.store(), &image) else { continue };
            if let Some(tree) = self.glimpse(&files, &named) {
                known.insert(source.identifier.clone(), node.platform.as_deref().cloned(), tree);
            }
        }
        known
    }

    fn glimpse(&self, files: &Snapshot, named: &BTreeSet<String>) -> Option<Tree> {
        let view = self.store().view(files).ok()?;
        let mut seen: Vec<(String, Option<Kind>)> = Vec::new();
        for path in named {
            // What lies below something that is no directory is not there, or elsewhere.
            let above = Path::new(path).parent().and_then(Path::to_str).unwrap_or_default();
            let looked = above.is_empty() || seen.iter().any(|(dir, kind)| dir == above && *kind == Some(Kind::Dir));
            if !looked {
                continue;
            }
            let kind = match rustix::fs::statat(view.root(), path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Some(match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => Kind::Dir,
                    FileType::Symlink => Kind::Link,
                    _ => Kind::File,
                }),
                Err(rustix::io::Errno::NOENT) => None,
                Err(_) => continue,
            };
            seen.push((path.clone(), kind));
        }
        Some(Tree::glimpsed(seen.iter().map(|(path, kind)| (path.as_str(), *kind))))
    }
}

/// The paths that file operations name, with all that is above them: a path stands behind those above it.
fn named(graph: &Graph) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut name = |path: &str| {
        let mut whole = String::new();
        for part in clean(path).components() {
            let Component::Normal(part) = part else { continue };
            let Some(part) = part.to_str() else { return };
            if !whole.is_empty() {
                whole.push('/');
            }
            whole.push_str(part);
            named.insert(whole.clone());
        }
    };
    for (_, node) in graph.iter() {
        let Op::File(file) = &node.op else { continue };
        for action in file.actions.iter().map(|step| &step.action) {
            match action {
                Action::Copy(copy) => {
                    name(&copy.src);
                    name(&copy.dest);
                }
                Action::Mkfile(made) => name(&made.path),
                Action::Mkdir(made) => name(&made.path),
                Action::Rm(removed) => name(&removed.path),
                Action::Symlink(made) => name(&made.newpath),
            }
        }
    }
    named
}
