//! Layers and stacks of them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rbc_source::execute;
use rbc_wire::Digest;
use rustix::fs::{AtFlags, Mode};
use rustix::process::{Gid, Uid};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::{Fail, Result, failure};
use crate::fs::{open_dir, open_dir_at};
use crate::mount::{LAYERS_MAX, Overlay};
use crate::sys;

/// The name of a layer in the store: 32 hexadecimal digits, and for a layer that may hide files of what it is put on,
/// wherever that is, a `w`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layer(Arc<str>);

impl Layer {
    /// A new one.
    pub(crate) fn random() -> Layer {
        Layer(sys::random_name().into())
    }

    /// The one that is made of `key`, by whomever.
    pub(crate) fn of(key: &Digest) -> Layer {
        let name = super::hex(key);
        Layer(name[..32].into())
    }

    /// The same, loose.
    pub(crate) fn loosened(&self) -> Layer {
        Layer(format!("{}w", &self.0[..32]).into())
    }

    /// The layer of a name, if it is one.
    pub(crate) fn named(name: &str) -> Option<Layer> {
        let digits = name.strip_suffix('w').unwrap_or(name);
        let ok = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ok.then(|| Layer(name.into()))
    }

    /// Whether it may hold whiteouts of files that what it lies on does not have. The kernel would list those.
    pub(crate) fn is_loose(&self) -> bool {
        self.0.len() > 32
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.0
    }
}

/// A file system: layers over one another, lowest first. Without layers it is the empty one, scratch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Snapshot {
    layers: Arc<[Layer]>,
}

impl Snapshot {
    pub(crate) fn new(layers: Vec<Layer>) -> Snapshot {
        Snapshot { layers: layers.into() }
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// This with another layer on top.
    pub(crate) fn with(&self, layer: Layer) -> Snapshot {
        Snapshot { layers: self.layers.iter().cloned().chain([layer]).collect() }
    }

    /// What tells it from others: equal names mean equal files.
    pub(crate) fn identity(&self) -> Digest {
        let mut text = String::from("layers\n");
        for layer in &*self.layers {
            text.push_str(layer.id());
            text.push('\n');
        }
        Digest::of(text.as_bytes())
    }
}

/// What is known about a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// What made it.
    pub description: String,
    /// The blob that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<super::BlobInfo>,
}

/// A file system that is open, for reading or for writing.
pub(crate) struct View {
    root: OwnedFd,
    /// Its mount, which can be moved into a sandbox; `None` if it is a directory of the store.
    mount: Option<OwnedFd>,
}

impl View {
    fn of_directory(path: &Path) -> io::Result<View> {
        Ok(View { root: open_dir(path)?, mount: None })
    }

    fn of_mount(mount: OwnedFd) -> io::Result<View> {
        // The descriptor of a mount cannot be read from.
        let root = open_dir_at(&mount, c".")?;
        Ok(View { root, mount: Some(mount) })
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The root directory, and the mount if it is one.
    pub(crate) fn into_parts(self) -> (OwnedFd, Option<OwnedFd>) {
        (self.root, self.mount)
    }
}

impl Store {
    pub(crate) fn layer_path(&self, layer: &Layer) -> PathBuf {
        self.root.join("layers").join(layer.id())
    }

    /// The files of a layer.
    pub(crate) fn layer_files(&self, layer: &Layer) -> PathBuf {
        self.layer_path(layer).join("fs")
    }

    /// What is known about a layer.
    pub fn layer_info(&self, layer: &Layer) -> Result<LayerInfo> {
        let path = self.layer_path(layer).join("info.json");
        let json = fs::read(&path).or_fail(execute::STORE, || format!("read {}", path.display()))?;
        serde_json::from_slice(&json)
            .map_err(|e| failure(execute::STORE, format!("{} is damaged: {e}", path.display())))
    }

    /// Opens a snapshot for reading.
    pub(crate) fn view(&self, snapshot: &Snapshot) -> Result<View> {
        let snapshot = self.settled(snapshot)?;
        let opened = match snapshot.layers() {
            [] => View::of_directory(&self.session.join("side")),
            [only] => View::of_directory(&self.layer_files(only)),
            layers => {
                let lower: Vec<PathBuf> = layers.iter().map(|l| self.layer_files(l)).collect();
                Overlay { lower: &lower, upper: None }.mount().and_then(View::of_mount)
            }
        };
        opened.map_err(|e| overlay_failed(&e, snapshot.layers().len()))
    }

    /// Begins a layer on top of a snapshot.
    pub(crate) fn draft(&self, below: Snapshot) -> Result<Draft<'_>> {
        let below = self.settled(&below)?;
        let path = self.scratch();
        let made = (|| {
            fs::create_dir(&path)?;
            let files = path.join("fs");
            fs::create_dir(&files)?;
            fs::create_dir(path.join("work"))?;
            let root = open_dir(&files)?;
            rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755))?;
            if let Some(top) = below.layers().last() {
                like_root(&open_dir(&self.layer_files(top))?, &root)?;
            }
            io::Result::Ok(())
        })();
        made.or_fail(execute::STORE, || format!("begin a layer in {}", self.root.display()))?;
        Ok(Draft { store: self, path, below, done: false })
    }
}

/// Makes one directory look as another: the kernel takes the root of an overlay from its upper directory.
fn like_root(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(from)?;
    rustix::fs::fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let access = (stat.st_atime, stat.st_atime_nsec as u32);
    crate::fs::set_times(to, c".", access, (stat.st_mtime, stat.st_mtime_nsec as u32))
}

fn overlay_failed(error: &io::Error, layers: usize) -> Box<rbc_source::Diagnostic> {
    let found = failure(
        execute::STORE,
        format!("cannot lay {layers} layers over one another: {}", crate::error::reason(error)),
    );
    let found = match error.raw_os_error() {
        Some(libc::EINVAL) if layers > LAYERS_MAX => found.note(format!("the kernel allows {LAYERS_MAX}")),
        Some(libc::EINVAL) => found
            .note("the store must be on a file system that overlayfs can write to, such as ext4, xfs, btrfs or tmpfs")
            .note("Linux 6.8 or later is needed"),
        Some(libc::EPERM) => found.note("as root of a container this needs CAP_SYS_ADMIN; as a user, a user namespace"),
        _ => *found,
    };
    Box::new(found)
}

/// A layer that is being made. It is gone unless it is committed.
pub(crate) struct Draft<'s> {
    store: &'s Store,
    path: PathBuf,
    below: Snapshot,
    done: bool,
}

impl Draft<'_> {
    /// The directory that the files of the layer itself are in.
    pub(crate) fn files(&self) -> PathBuf {
        self.path.join("fs")
    }

    /// The file system with the layer on top, to write to.
    pub(crate) fn view(&self) -> Result<View> {
        let files = self.files();
        if self.below.layers().is_empty() {
            return View::of_directory(&files).or_fail(execute::STORE, || format!("open {}", files.display()));
        }
        let lower: Vec<PathBuf> = self.below.layers().iter().map(|l| self.store.layer_files(l)).collect();
        let work = self.path.join("work");
        // A second mount of the same layer must find the place as the first did.
        let _ = crate::fs::remove_tree(&work.join("work"));
        let overlay = Overlay { lower: &lower, upper: Some((&files, &work)) };
        overlay.mount().and_then(View::of_mount).map_err(|e| overlay_failed(&e, lower.len() + 1))
    }

    /// Puts the layer into the store, under a new name. Nobody may write to it any more.
    pub(crate) fn commit(self, description: &str) -> Result<Snapshot> {
        self.commit_as(Layer::random(), LayerInfo { description: description.to_owned(), ..LayerInfo::default() })
    }

    /// Puts the layer into the store under a name that stands for its contents. If it is there already, that one stays.
    pub(crate) fn commit_as(mut self, layer: Layer, info: LayerInfo) -> Result<Snapshot> {
        let created = match info.created {
            0 => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64),
            at => at,
        };
        let committed = (|| {
            crate::fs::remove_tree(&self.path.join("work"))?;
            fs::write(self.path.join("info.json"), serde_json::to_vec(&LayerInfo { created, ..info })?)?;
            let place = self.store.layer_path(&layer);
            match fs::rename(&self.path, &place) {
                Err(_) if place.join("info.json").exists() => Ok(()),
                outcome => {
                    outcome?;
                    self.done = true;
                    io::Result::Ok(())
                }
            }
        })();
        committed.or_fail(execute::STORE, || format!("keep a layer in {}", self.store.root.display()))?;
        Ok(self.below.with(layer))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.done {
            // What remains is removed with the session.
            let _ = crate::fs::remove_tree(&self.path);
        }
    }
}

/// The name of the attribute by which a directory hides what is below it.
pub(crate) fn opaque_attribute() -> &'static std::ffi::CStr {
    if sys::in_user_namespace() { c"user.overlay.opaque" } else { c"trusted.overlay.opaque" }
}

/// Whether an attribute belongs to the overlay and not to the file.
pub(crate) fn is_overlay_attribute(name: &std::ffi::CStr) -> bool {
    let name = name.to_bytes();
    name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.")
}

/// Whether a file of a layer stands for the absence of one.
pub(crate) fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::CharacterDevice && stat.st_rdev == 0
}

/// Makes a whiteout.
pub(crate) fn make_whiteout(dir: impl AsFd, name: &std::ffi::CStr) -> io::Result<()> {
    Ok(rustix::fs::mknodat(dir, name, rustix::fs::FileType::CharacterDevice, Mode::empty(), 0)?)
}

/// Whether there is something at a path of ours.
pub(crate) fn exists_at(dir: impl AsFd, path: &Path) -> bool {
    rustix::fs::statat(dir, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}
