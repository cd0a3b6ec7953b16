//! What a build has come to at some point: a file system, and how the next command would run in it.

use std::rc::Rc;

use rbc_ir::{NetMode, Ref};
use rbc_oci::Platform;

/// The counterpart of the reference client's `llb.State`.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The file system; none is empty.
    pub out: Option<Ref>,
    /// Working directory; absolute, with forward slashes.
    pub dir: Rc<str>,
    /// User; empty for root.
    pub user: String,
    /// Host name; empty for the default.
    pub hostname: String,
    /// Network of commands that do not choose one.
    pub network: NetMode,
    /// Platform, normalised; none for that of the build.
    pub platform: Option<Rc<Platform>>,
}

impl State {
    /// A file system with nothing else known.
    pub fn of(out: Option<Ref>) -> State {
        State {
            out,
            dir: "/".into(),
            user: String::new(),
            hostname: String::new(),
            network: NetMode::Unset,
            platform: None,
        }
    }

    /// The empty file system.
    pub fn scratch() -> State {
        State::of(None)
    }

    /// With another working directory, resolved against the present one.
    pub fn set_dir(&mut self, dir: &str) {
        self.dir = if dir.starts_with('/') { dir.into() } else { rbc_context::path::join(&[&self.dir, dir]).into() };
    }

    /// Takes working directory and platform from an image's config.
    pub fn apply(&mut self, image: &rbc_oci::ImageConfig) {
        self.set_dir(&image.config.working_dir);
        if !image.platform.architecture.is_empty() && !image.platform.os.is_empty() {
            self.platform = Some(image.platform.normalize().into());
        }
    }
}

impl Default for State {
    fn default() -> Self {
        State::scratch()
    }
}
