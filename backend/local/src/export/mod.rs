//! What becomes of a result: files in a directory, archives, images.

mod image;
mod layer;
mod push;
mod rootfs;
mod time;

pub use image::{Exported, ImageOptions, ImageTarget, Part};
pub use rootfs::FilesOptions;
