//! OCI image layouts: images in a folder
//! (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>).
//!
//! A layout may come from anywhere, so nothing in it is believed: a path is made of a digest that was checked, never of
//! other text; only regular files are read; and what is read must have the size and the digest by which it was found.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rbc_oci::{Digest, Platform, Reference};
use rbc_source::{Diagnostic, environment, image};

use crate::client::Sink;
use crate::disk::Draft;
use crate::error::{Result, failure, tame};
use crate::hash::Hasher;
use crate::manifest::{Descriptor, Index, media_type_of};
use crate::resolve::{ImageRequest, ImageResolver, Mode, ResolvedImage};
use crate::select::{self, CONFIG_MAX, Image, MANIFEST_MAX};

const MARK: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
/// What the file `oci-layout` says.
const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// The annotation with a tag, or with a whole reference.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation with a whole reference, as containerd writes it.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// A layout in a folder.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout in a folder.
    ///
    /// # Errors
    /// If the folder is not a layout of version 1.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let layout = Layout { root: root.into() };
        let not_one = |why: String| {
            let message = format!("{} is not an OCI image layout: {why}", layout.root.display());
            failure(image::LAYOUT, message)
        };
        let mark = layout.small_file(MARK).map_err(|e| not_one(format!("its file `{MARK}` cannot be read: {e}")))?;
        let mark: serde_json::Value = serde_json::from_slice(&mark).unwrap_or_default();
        match mark.get("imageLayoutVersion").and_then(|version| version.as_str()) {
            Some(version) if version.starts_with("1.") => Ok(layout),
            Some(version) => Err(not_one(format!("it has version {}, not 1", tame(version))).into()),
            None => Err(not_one(format!("its file `{MARK}` does not say a version")).into()),
        }
    }

    /// The layout in a folder, which is made one if it is not.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self> {
        let layout = Layout { root: root.into() };
        let made = (|| {
            fs::create_dir_all(layout.root.join(BLOBS).join("sha256"))?;
            if !layout.root.join(INDEX).exists() {
                layout.replace(INDEX, &to_json(&Index::new(Vec::new()))?)?;
            }
            if !layout.root.join(MARK).exists() {
                layout.replace(MARK, VERSION.as_bytes())?;
            }
            Ok(())
        })();
        made.map_err(|e| layout.write_failed(&e))?;
        Layout::open(layout.root)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The list of images in it.
    pub fn index(&self) -> Result<Index> {
        let wrong = |why: String| {
            let message = format!("the file `{INDEX}` of the layout {} cannot be read: {why}", self.root.display());
            failure(image::LAYOUT, message)
        };
        let bytes = self.small_file(INDEX).map_err(|e| wrong(e.to_string()))?;
        Ok(serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?)
    }

    /// What a tag or a digest stands for. The digest comes first; with neither it is the image with the tag `latest`, or
    /// the only one there is.
    pub fn find(&self, tag: Option<&str>, digest: Option<&Digest>) -> Result<Descriptor> {
        if let Some(digest) = digest {
            return self.by_digest(digest);
        }
        let index = self.index()?;
        let named =
            |name: &str| index.manifests.iter().find(|d| d.annotations.get(REF_NAME).is_some_and(|n| n == name));
        match (named(tag.unwrap_or("latest")), &index.manifests[..]) {
            (Some(found), _) => Ok(found.clone()),
            (None, [only]) if tag.is_none() => Ok(only.clone()),
            _ => Err(self.absent(&format!("the tag `{}`", tag.unwrap_or("latest")), &index).into()),
        }
    }

    /// What a reference stands for: an entry of that name in full, or the manifest of its digest.
    pub fn find_reference(&self, reference: &Reference) -> Result<Descriptor> {
        if let Some(digest) = reference.digest() {
            return self.by_digest(digest);
        }
        let index = self.index()?;
        let name = reference.clone().with_default_tag();
        let names = [name.to_string(), name.familiar()];
        let is_named = |d: &&Descriptor| {
            [IMAGE_NAME, REF_NAME].iter().filter_map(|key| d.annotations.get(*key)).any(|name| names.contains(name))
        };
        match index.manifests.iter().find(is_named) {
            Some(found) => Ok(found.clone()),
            None => Err(self.absent(&format!("`{}`", name.familiar()), &index).into()),
        }
    }

    fn by_digest(&self, digest: &Digest) -> Result<Descriptor> {
        let index = self.index()?;
        if let Some(listed) = index.manifests.iter().find(|d| d.digest == *digest) {
            return Ok(listed.clone());
        }
        // It need not be listed: it may be below what is.
        let Ok(metadata) = fs::metadata(self.blob_path(digest)) else {
            return Err(self.absent(digest.as_str(), &index).into());
        };
        let unknown = Descriptor::new("", digest.clone(), metadata.len());
        let bytes = self.read(&unknown, MANIFEST_MAX)?;
        let media_type = media_type_of(&bytes, None).map_err(|reason| {
            failure(image::CORRUPT, format!("{digest} in the layout {} cannot be used: {reason}", self.root.display()))
        })?;
        Ok(Descriptor { media_type, ..unknown })
    }

    fn absent(&self, what: &str, index: &Index) -> Diagnostic {
        const SHOWN: usize = 10;
        let names =
            index.manifests.iter().filter_map(|d| d.annotations.get(IMAGE_NAME).or(d.annotations.get(REF_NAME)));
        let names: Vec<String> = names.take(SHOWN).map(|name| format!("`{}`", tame(name))).collect();
        let found = failure(image::NOT_FOUND, format!("the layout {} does not have {what}", self.root.display()));
        match names.is_empty() {
            true => found,
            false => found.note(format!("it has {}", names.join(", "))),
        }
    }

    /// The image below a descriptor for a platform: its manifest and its config.
    pub fn image(&self, top: &Descriptor, platform: &Platform) -> Result<Image> {
        let document = self.read(top, MANIFEST_MAX)?;
        let media_type = media_type_of(&document, Some(&top.media_type)).unwrap_or_else(|_| top.media_type.clone());
        select::select(self, &Descriptor { media_type, ..top.clone() }, &document, platform)
    }

    /// Whether a blob is there with its size. Its contents are checked when they are read.
    pub fn has(&self, blob: &Descriptor) -> bool {
        fs::metadata(self.blob_path(&blob.digest))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == blob.size)
    }

    /// A blob of at most `max` bytes.
    pub fn read(&self, blob: &Descriptor, max: u64) -> Result<Vec<u8>> {
        if blob.size > max {
            let message = format!("{} is said to have {} bytes, {max} are allowed", blob.digest, blob.size);
            return Err(failure(image::CORRUPT, message).into());
        }
        let mut bytes = Vec::new();
        self.copy(blob, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies a blob. What has been written counts only when the copy has succeeded.
    pub fn copy(&self, blob: &Descriptor, to: &mut dyn Write) -> Result<()> {
        let path = self.blob_path(&blob.digest);
        let mut file = open_regular(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                failure(image::LAYOUT, format!("the layout {} lacks the blob {}", self.root.display(), blob.digest))
            }
            _ => failure(image::LAYOUT, format!("cannot read {}: {e}", path.display())),
        })?;
        let mut hasher = Hasher::new(&blob.digest);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let len = file
                .read(&mut buffer)
                .map_err(|e| failure(image::LAYOUT, format!("cannot read {}: {e}", path.display())))?;
            let part = buffer.get(..len).unwrap_or_default();
            hasher.update(part);
            if len == 0 || hasher.len() > blob.size {
                break;
            }
            to.write_all(part).map_err(|e| failure(environment::WRITE, format!("cannot write what is read: {e}")))?;
        }
        match hasher.len() == blob.size && hasher.matches() {
            true => Ok(()),
            false => {
                let message = format!("{} does not have the contents that its name says", path.display());
                Err(failure(image::CORRUPT, message).into())
            }
        }
    }

    /// Adds a blob.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        let blob = Descriptor::of(media_type, bytes);
        if !self.has(&blob) {
            let mut writer = self.writer(&blob)?;
            writer.write_all(bytes).map_err(|e| self.write_failed(&e))?;
            writer.finish()?;
        }
        Ok(blob)
    }

    /// Begins a blob whose digest and size are known, such as one that is fetched.
    pub fn writer(&self, blob: &Descriptor) -> Result<BlobWriter<'_>> {
        let path = self.blob_path(&blob.digest);
        let draft = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| Draft::beside(&path));
        let draft = draft.map_err(|e| self.write_failed(&e))?;
        Ok(BlobWriter { layout: self, blob: blob.clone(), hasher: Hasher::new(&blob.digest), draft })
    }

    /// Lists an image, under a name if one is given: a tag, or a reference in full. Another image that had the name loses
    /// it. Several processes may do this at a time.
    pub fn list(&self, mut image: Descriptor, name: Option<&str>) -> Result<()> {
        if let Some(name) = name {
            let reference = Reference::parse_normalized(name).ok().filter(|r| r.to_string() == name);
            image
                .annotations
                .insert(REF_NAME.to_owned(), reference.as_ref().and_then(Reference::tag).unwrap_or(name).to_owned());
            if reference.is_some() {
                image.annotations.insert(IMAGE_NAME.to_owned(), name.to_owned());
            }
        }
        let folder = File::open(&self.root).map_err(|e| self.write_failed(&e))?;
        // Held until the file is closed at the end.
        folder.lock().map_err(|e| self.write_failed(&e))?;
        let mut index = self.index()?;
        let names = |d: &Descriptor| (d.annotations.get(IMAGE_NAME).cloned(), d.annotations.get(REF_NAME).cloned());
        let same_name = |d: &Descriptor| name.is_some() && names(d) == names(&image);
        let nameless_copy = |d: &Descriptor| d.digest == image.digest && names(d) == (None, None);
        if name.is_none() && index.manifests.iter().any(|d| d.digest == image.digest) {
            return Ok(());
        }
        index.manifests.retain(|d| !same_name(d) && !nameless_copy(d));
        index.manifests.push(image);
        to_json(&index).and_then(|json| self.replace(INDEX, &json)).map_err(|e| self.write_failed(&e).into())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(BLOBS).join(digest.algorithm()).join(digest.hex())
    }

    fn small_file(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        open_regular(&self.root.join(name))?.take(MANIFEST_MAX + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > MANIFEST_MAX {
            true => Err(io::Error::other(format!("it has more than {MANIFEST_MAX} bytes"))),
            false => Ok(bytes),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        let mut draft = Draft::beside(&path)?;
        draft.write_all(bytes)?;
        draft.publish(&path)
    }

    fn write_failed(&self, error: &io::Error) -> Diagnostic {
        failure(image::LAYOUT, format!("cannot write the layout {}: {error}", self.root.display()))
    }
}

impl select::Store for Layout {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        self.read(descriptor, MANIFEST_MAX)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        self.read(descriptor, CONFIG_MAX)
    }
}

impl ImageResolver for Layout {
    /// Knows an image by its reference in full; see [`Layout::find_reference`].
    fn resolve(&self, request: &ImageRequest) -> Result<ResolvedImage> {
        if request.mode == Mode::Pull {
            let message = format!("`{}` shall come from its registry", request.reference.familiar());
            return Err(failure(image::NOT_FOUND, message).into());
        }
        let top = self.find_reference(&request.reference)?;
        let found = self.image(&top, &request.platform)?;
        Ok(ResolvedImage::new(request, top.digest, found.config))
    }
}

/// A blob on its way into a layout. It is there when it is finished, and not before.
pub struct BlobWriter<'a> {
    layout: &'a Layout,
    blob: Descriptor,
    hasher: Hasher,
    draft: Draft,
}

impl BlobWriter<'_> {
    /// Puts the blob to its place.
    ///
    /// # Errors
    /// If what was written has not the size and the digest that were announced.
    pub fn finish(self) -> Result<()> {
        if self.hasher.len() != self.blob.size || !self.hasher.matches() {
            let message = format!("what was written is not the blob {}", self.blob.digest);
            return Err(failure(image::CORRUPT, message).into());
        }
        let path = self.layout.blob_path(&self.blob.digest);
        self.draft.publish(&path).map_err(|e| self.layout.write_failed(&e).into())
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.draft.write(bytes)?;
        self.hasher.update(bytes.get(..len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

impl Sink for BlobWriter<'_> {
    fn restart(&mut self) -> io::Result<()> {
        self.hasher = Hasher::new(&self.blob.digest);
        self.draft.restart()
    }
}

/// Opens a file, which must be one: a pipe would wait for ever, a device might never end.
fn open_regular(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

fn to_json(index: &Index) -> io::Result<Vec<u8>> {
    serde_json::to_vec(index).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, media};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("rbc-layout-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn add_image(layout: &Layout, architecture: &str) -> Descriptor {
        let config = format!(r#"{{"architecture":"{architecture}","os":"linux"}}"#);
        let config = layout.put(media::OCI_CONFIG, config.as_bytes()).unwrap();
        let manifest = serde_json::to_vec(&Manifest::new(config, vec![])).unwrap();
        layout.put(media::OCI_MANIFEST, &manifest).unwrap()
    }

    fn request(name: &str, architecture: &str) -> ImageRequest {
        let reference = Reference::parse_normalized(name).unwrap();
        ImageRequest { reference, platform: Platform::new("linux", architecture), mode: Mode::Default }
    }

    #[test]
    fn writes_what_it_reads() {
        let folder = Folder::new("round");
        let layout = Layout::create(folder.0.join("a/b")).unwrap();
        let (amd64, arm64) = (add_image(&layout, "amd64"), add_image(&layout, "arm64"));
        let listed = [(&amd64, "amd64"), (&arm64, "arm64")]
            .map(|(d, a)| Descriptor { platform: Some(Platform::new("linux", a)), ..d.clone() });
        let index = serde_json::to_vec(&Index::new(listed.to_vec())).unwrap();
        let index = layout.put(media::OCI_INDEX, &index).unwrap();
        layout.list(index.clone(), Some("docker.io/library/base:1")).unwrap();
        layout.list(amd64.clone(), Some("old")).unwrap();

        let again = Layout::open(layout.root()).unwrap();
        let answer = again.resolve(&request("base:1", "arm64")).unwrap();
        assert_eq!(answer.config, br#"{"architecture":"arm64","os":"linux"}"#);
        assert_eq!(answer.reference.to_string(), format!("docker.io/library/base:1@{}", index.digest));
        assert_eq!(again.find(Some("1"), None).unwrap().digest, index.digest);
        assert_eq!(again.find(Some("old"), None).unwrap().digest, amd64.digest);
        // By digest also what is not listed.
        assert_eq!(again.find(None, Some(&arm64.digest)).unwrap(), arm64);
        assert_eq!(again.find(None, None).unwrap_err().code, image::NOT_FOUND);
        let found = again.resolve(&request("base:2", "arm64")).unwrap_err();
        assert_eq!(
            (found.code, found.notes[0].as_str()),
            (image::NOT_FOUND, "it has `docker.io/library/base:1`, `old`")
        );
        assert_eq!(again.resolve(&request("base:1", "s390x")).unwrap_err().code, image::NO_PLATFORM);
        let pull = ImageRequest { mode: Mode::Pull, ..request("base:1", "arm64") };
        assert_eq!(again.resolve(&pull).unwrap_err().code, image::NOT_FOUND);

        // A name moves; a second image of another name stays.
        layout.list(arm64.clone(), Some("old")).unwrap();
        assert_eq!(again.find(Some("old"), None).unwrap().digest, arm64.digest);
        assert_eq!(again.index().unwrap().manifests.len(), 2);
        // Nothing is left over.
        let blobs = fs::read_dir(layout.root().join("blobs/sha256")).unwrap();
        assert!(blobs.map(|entry| entry.unwrap().file_name()).all(|name| name.len() == 64));
    }

    #[test]
    fn the_only_image_needs_no_name() {
        let folder = Folder::new("only");
        let layout = Layout::create(&folder.0).unwrap();
        let image = add_image(&layout, "amd64");
        layout.list(image.clone(), None).unwrap();
        layout.list(image.clone(), None).unwrap();
        assert_eq!(layout.find(None, None).unwrap(), image);
        layout.list(image.clone(), Some("latest")).unwrap();
        assert_eq!(layout.index().unwrap().manifests.len(), 1);
        assert_eq!(layout.find(None, None).unwrap().digest, image.digest);
    }

    #[test]
    fn many_may_list_at_a_time() {
        let folder = Folder::new("many");
        let layout = Layout::create(&folder.0).unwrap();
        let image = add_image(&layout, "amd64");
        std::thread::scope(|scope| {
            for at in 0..8 {
                let (root, image) = (&folder.0, &image);
                scope.spawn(move || Layout::open(root).unwrap().list(image.clone(), Some(&format!("t{at}"))).unwrap());
            }
        });
        assert_eq!(layout.index().unwrap().manifests.len(), 8);
    }

    #[test]
    fn not_a_layout() {
        let folder = Folder::new("not");
        let why = |root: &Path| {
            let found = Layout::open(root).unwrap_err();
            assert_eq!(found.code, image::LAYOUT);
            found.message
        };
        assert!(why(&folder.0).contains("cannot be read"));
        fs::write(folder.0.join(MARK), "{}").unwrap();
        assert!(why(&folder.0).contains("does not say a version"));
        fs::write(folder.0.join(MARK), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
        assert!(why(&folder.0).contains("version 2.0.0"));
        fs::write(folder.0.join(MARK), VERSION).unwrap();
        assert_eq!(Layout::open(&folder.0).unwrap().index().unwrap_err().code, image::LAYOUT);
    }

    #[test]
    fn hostile_contents() {
        let folder = Folder::new("hostile");
        let layout = Layout::create(folder.0.join("layout")).unwrap();
        fs::write(folder.0.join("secret"), "secret").unwrap();
        let set_index = |json: &str| fs::write(layout.root().join(INDEX), json).unwrap();
        let resolve = || layout.find(None, None).and_then(|top| layout.image(&top, &Platform::new("linux", "amd64")));

        // A path in place of a digest.
        set_index(r#"{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"sha256:../../../secret","size":6}]}"#);
        assert_eq!(resolve().unwrap_err().code, image::LAYOUT);

        // A blob that is a link to other contents, a pipe, or a folder.
        let image = add_image(&layout, "amd64");
        let blob = layout.blob_path(&image.digest);
        layout.list(image.clone(), None).unwrap_err();
        set_index(&serde_json::to_string(&Index::new(vec![image.clone()])).unwrap());
        assert!(resolve().is_ok());
        fs::remove_file(&blob).unwrap();
        std::os::unix::fs::symlink(folder.0.join("secret"), &blob).unwrap();
        assert_eq!(resolve().unwrap_err().code, image::CORRUPT);
        fs::remove_file(&blob).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&blob).status().unwrap().success());
        assert!(resolve().unwrap_err().message.contains("not a regular file"));
        fs::remove_file(&blob).unwrap();
        fs::create_dir(&blob).unwrap();
        assert!(resolve().unwrap_err().message.contains("not a regular file"));
        fs::remove_dir(&blob).unwrap();
        assert!(resolve().unwrap_err().message.contains("lacks the blob"));

        // Other bytes of the same size, more bytes, and a size that would fill the memory.
        fs::write(&blob, vec![b' '; image.size as usize]).unwrap();
        assert_eq!(resolve().unwrap_err().code, image::CORRUPT);
        fs::write(&blob, vec![b' '; image.size as usize + 1]).unwrap();
        assert_eq!(resolve().unwrap_err().code, image::CORRUPT);
        set_index(&serde_json::to_string(&Index::new(vec![Descriptor { size: 1 << 40, ..image }])).unwrap());
        assert!(resolve().unwrap_err().message.contains("are allowed"));
        set_index(&" ".repeat(5 << 20));
        assert!(layout.index().unwrap_err().message.contains("more than"));
    }

    #[test]
    fn blobs_that_are_not_what_was_announced_do_not_appear() {
        let folder = Folder::new("writer");
        let layout = Layout::create(&folder.0).unwrap();
        let blob = Descriptor::of("x", b"good");
        let mut writer = layout.writer(&blob).unwrap();
        writer.write_all(b"evil").unwrap();
        assert_eq!(writer.finish().unwrap_err().code, image::CORRUPT);
        let mut writer = layout.writer(&blob).unwrap();
        writer.write_all(b"evil").unwrap();
        writer.restart().unwrap();
        writer.write_all(b"good").unwrap();
        assert!(!layout.has(&blob));
        writer.finish().unwrap();
        assert_eq!(layout.read(&blob, 10).unwrap(), b"good");
        assert_eq!(fs::read_dir(folder.0.join("blobs/sha256")).unwrap().count(), 1);
    }
}
