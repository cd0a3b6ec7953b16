//! Results to where they belong.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rbc_local::{CacheRecord, Cancel, Event, Executor, Exported, FilesOptions, ImageTarget, Part, Progress, Snapshot};
use rbc_oci::Reference;
use rbc_source::{Diagnostic, environment, execute, image, lower};
use rbc_wire::Digest;

use super::caches::{self, CachePlace};
use super::{Export, Form, Job, Place};

/// The results of a job, to be delivered.
pub struct Delivery<'a> {
    pub job: &'a Job,
    pub executor: &'a Executor,
    pub progress: &'a dyn Progress,
    pub cancel: Option<&'a Cancel>,
    pub snapshots: &'a [Snapshot],
    /// What is known of everything that was solved, if a cache is to be written.
    pub records: &'a [CacheRecord],
}

type Images = Vec<(Exported, Vec<Reference>)>;

impl Delivery<'_> {
    /// Delivers to all destinations, one after the other: each uses all processors where it can.
    pub fn all(&self) -> Result<Images, Diagnostic> {
        let mut images = Vec::new();
        for (number, export) in self.job.exports.iter().enumerate() {
            if let Some(title) = title(&export.form) {
                self.step(number, title, |vertex| self.one(export, vertex, &mut images))?;
            }
        }
        Ok(images)
    }

    /// Writes the caches that have a place of their own.
    pub fn caches(&self) -> Result<(), Diagnostic> {
        let own = self.job.cache_to.iter().filter(|export| export.place != CachePlace::Inline);
        for (number, export) in own.enumerate() {
            let title = format!("exporting cache to {}", export.place);
            self.step(self.job.exports.len() + number, &title, |vertex| {
                let records = caches::chosen(self.records, export.max, self.snapshots);
                match caches::write(export, &records, self.executor) {
                    Err(e) if export.ignore_error => {
                        self.progress.event(Event::Warning { vertex, message: &e.message });
                        Ok(())
                    }
                    outcome => outcome,
                }
            })?;
        }
        Ok(())
    }

    /// Does something that is shown as a step.
    fn step(
        &self,
        number: usize,
        title: &str,
        work: impl FnOnce(Digest) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let name = if self.job.name.is_empty() { title.to_owned() } else { format!("[{}] {title}", self.job.name) };
        let vertex = Digest::of(format!("export\n{}\n{number}", self.job.name).as_bytes());
        self.progress.event(Event::Planned { vertex, name: &name, inputs: &[], group: None });
        self.progress.event(Event::Started { vertex, name: &name });
        let outcome = work(vertex);
        let failure = outcome.as_ref().err().map(|e| e.message.as_str());
        self.progress.event(Event::Finished { vertex, failure });
        outcome
    }

    fn one(&self, export: &Export, vertex: Digest, images: &mut Images) -> Result<(), Diagnostic> {
        if self.cancel.is_some_and(Cancel::is_cancelled) {
            return Err(Diagnostic::new(execute::CANCELLED, "the build was cancelled"));
        }
        let store = self.executor.store();
        match &export.form {
            Form::Cache => Ok(()),
            Form::Directory { path, delete } => {
                for (folder, snapshot) in self.folders(export) {
                    let options = FilesOptions { epoch: self.epoch(), delete: *delete };
                    let to = if folder.is_empty() { path.clone() } else { path.join(folder) };
                    store.export_directory(&snapshot, &to, &options).map_err(|e| *e)?;
                }
                Ok(())
            }
            Form::Tar(place) => {
                let options = FilesOptions { epoch: self.epoch(), delete: false };
                to_place(place, &mut |out| store.export_tar(&self.folders(export), out, &options).map_err(|e| *e))
            }
            Form::Image { push, by_digest } => {
                let (made, names) = self.image(export, vertex)?;
                if *push {
                    self.push(&made, &names, *by_digest, vertex)?;
                }
                images.push((made, names));
                Ok(())
            }
            Form::Layout(path) => {
                let (made, names) = self.image(export, vertex)?;
                store.export_image(&made, &names, ImageTarget::Layout(path)).map_err(|e| *e)?;
                images.push((made, names));
                Ok(())
            }
            Form::Oci(place) => {
                let (made, names) = self.image(export, vertex)?;
                to_place(place, &mut |out| {
                    store.export_image(&made, &names, ImageTarget::OciArchive(out)).map_err(|e| *e)
                })?;
                images.push((made, names));
                Ok(())
            }
            Form::Docker(place) => {
                let (made, names) = self.image(export, vertex)?;
                to_place(place, &mut |out| {
                    store.export_image(&made, &names, ImageTarget::DockerArchive(out)).map_err(|e| *e)
                })?;
                images.push((made, names));
                Ok(())
            }
            Form::Load => {
                let (made, names) = self.image(export, vertex)?;
                load(&mut |out| store.export_image(&made, &names, ImageTarget::DockerArchive(out)).map_err(|e| *e))?;
                images.push((made, names));
                Ok(())
            }
        }
    }

    fn epoch(&self) -> Option<i64> {
        self.job.outputs.iter().find_map(|output| output.product.epoch)
    }

    /// The files of each platform, and the folder that they go to.
    fn folders(&self, export: &Export) -> Vec<(String, Snapshot)> {
        let split = export.split.unwrap_or(self.snapshots.len() > 1);
        let folder = |at: usize| match self.job.outputs.get(at).and_then(|output| output.platform.as_ref()) {
            Some(platform) if split => platform.format_all().replace('/', "_"),
            _ => String::new(),
        };
        self.snapshots.iter().enumerate().map(|(at, snapshot)| (folder(at), snapshot.clone())).collect()
    }

    /// Makes an image of the results.
    fn image(&self, export: &Export, vertex: Digest) -> Result<(Exported, Vec<Reference>), Diagnostic> {
        let several = export.split.unwrap_or(self.snapshots.len() > 1);
        let mut options = export.image.clone();
        options.epoch = self.epoch();
        options.index_annotations = self.job.annotations.of_index();
        options.index_annotations.extend(export.annotations.of_index());
        if !several && !options.index_annotations.is_empty() {
            let found = Diagnostic::new(lower::OPTION, "an image for one platform has no index to annotate");
            return Err(found.note("annotate its manifest: `--annotation manifest:KEY=VALUE`"));
        }
        let inline = self.job.cache_to.iter().any(|export| export.place == CachePlace::Inline);
        let parts: Vec<Part> = self
            .snapshots
            .iter()
            .zip(&self.job.outputs)
            .map(|(snapshot, output)| {
                let platform = output.platform.as_ref();
                let mut annotations = self.job.annotations.of_manifest(platform);
                annotations.extend(export.annotations.of_manifest(platform));
                Part {
                    platform: platform.filter(|_| several).cloned(),
                    snapshot: snapshot.clone(),
                    config: Some(output.image().into_bytes()),
                    base_history: output.product.base_image.as_ref().map(|i| i.history.clone()).unwrap_or_default(),
                    annotations,
                    cache: if inline { caches::chosen(self.records, false, self.snapshots) } else { Vec::new() },
                }
            })
            .collect();
        self.status(vertex, "exporting layers", 0);
        let made = self.executor.store().make_image(&parts, &options).map_err(|e| *e)?;
        self.status(vertex, "exporting layers", 1);
        for (manifest, _) in &made.manifests {
            self.status(vertex, &format!("exporting manifest {}", manifest.digest), 1);
        }
        if several {
            self.status(vertex, &format!("exporting manifest list {}", made.top.digest), 1);
        }
        let names = if export.names.is_empty() { self.job.names.clone() } else { export.names.clone() };
        for name in &names {
            self.status(vertex, &format!("naming to {name}"), 1);
        }
        Ok((made, names))
    }

    fn status(&self, vertex: Digest, what: &str, current: u64) {
        self.progress.event(Event::Status { vertex, what, current, total: 1 });
    }

    fn push(&self, made: &Exported, names: &[Reference], by_digest: bool, vertex: Digest) -> Result<(), Diagnostic> {
        if names.is_empty() {
            let found = Diagnostic::new(lower::OPTION, "an image without a name cannot be pushed");
            return Err(found.note("name it with `--tag REGISTRY/REPOSITORY:TAG`"));
        }
        let Some(client) = &self.executor.config().registry else {
            return Err(Diagnostic::new(image::OFFLINE, "an image cannot be pushed offline"));
        };
        for name in names {
            let to = if by_digest { name.clone().without_tag_and_digest() } else { name.clone() };
            let what = format!("pushing {}", to.familiar());
            self.status(vertex, &what, 0);
            let done = |blob: &rbc_registry::Descriptor| {
                self.progress.event(Event::Status {
                    vertex,
                    what: &format!("pushing {}", blob.digest),
                    current: blob.size,
                    total: blob.size,
                });
            };
            self.executor.store().push_image(made, &to, client, self.cancel, &done).map_err(|e| *e)?;
            self.status(vertex, &what, 1);
        }
        Ok(())
    }
}

/// What an export is called; none for one that does nothing.
fn title(form: &Form) -> Option<&'static str> {
    match form {
        Form::Cache => None,
        Form::Image { push: true, .. } => Some("exporting and pushing image"),
        Form::Image { .. } => Some("exporting to image"),
        Form::Directory { .. } => Some("exporting to directory"),
        Form::Tar(_) => Some("exporting to tar archive"),
        Form::Layout(_) => Some("exporting to OCI layout"),
        Form::Oci(_) => Some("exporting to OCI archive"),
        Form::Docker(_) => Some("exporting to docker archive"),
        Form::Load => Some("loading into docker"),
    }
}

type Write1<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<(), Diagnostic>;

/// Writes an archive. A file is replaced as a whole or not at all.
fn to_place(place: &Place, write: Write1) -> Result<(), Diagnostic> {
    let path = match place {
        Place::Stdout => return write(&mut io::stdout().lock()),
        Place::File(path) => path,
    };
    let failed =
        |e: io::Error| Diagnostic::new(environment::WRITE, format!("`{}` cannot be written: {e}", path.display()));
    // What is no regular file (a device, a pipe) cannot be replaced.
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return write(&mut BufWriter::new(File::create(path).map_err(failed)?));
    }
    let draft = draft_of(path);
    let outcome = File::create(&draft).map_err(failed).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)?;
        out.into_inner().map_err(|e| failed(e.into_error()))?;
        fs::rename(&draft, path).map_err(failed)
    });
    if outcome.is_err() {
        _ = fs::remove_file(&draft);
    }
    outcome
}

/// A name beside a file, under which it is written until it is whole.
pub fn draft_of(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn not_loaded(why: &str) -> Diagnostic {
    Diagnostic::new(execute::EXPORT, format!("docker does not take the image: {why}"))
}

/// Starts `docker load`, which takes an archive on its standard input.
pub fn loader() -> Result<Child, Diagnostic> {
    Command::new("docker")
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => not_loaded("there is no program `docker`")
                .note("to get an archive for it instead, write `--output type=docker,dest=image.tar`"),
            _ => not_loaded(&e.to_string()),
        })
}

/// Waits for `docker load`, which has been given everything.
pub fn unloaded(child: Child) -> Result<(), Diagnostic> {
    let output = child.wait_with_output().map_err(|e| not_loaded(&e.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(not_loaded(said.trim().lines().last().unwrap_or("it failed")));
    }
    Ok(())
}

/// Gives an archive to `docker load`.
fn load(write: Write1) -> Result<(), Diagnostic> {
    let mut child = loader()?;
    let written = match child.stdin.take() {
        Some(pipe) => {
            let mut out = BufWriter::with_capacity(1 << 20, pipe);
            write(&mut out)
        }
        None => Ok(()),
    };
    unloaded(child)?;
    written
}

/// What `--metadata-file` says of an image, by BuildKit's keys.
pub fn metadata(made: &Exported, names: &[Reference]) -> serde_json::Map<String, serde_json::Value> {
    let mut out = serde_json::Map::new();
    if let [(_, manifest)] = &made.manifests[..] {
        out.insert("containerimage.config.digest".to_owned(), manifest.config.digest.as_str().into());
    }
    let descriptor = serde_json::json!({
        "mediaType": made.top.media_type,
        "digest": made.top.digest.as_str(),
        "size": made.top.size,
    });
    out.insert("containerimage.descriptor".to_owned(), descriptor);
    out.insert("containerimage.digest".to_owned(), made.top.digest.as_str().into());
    if !names.is_empty() {
        let names: Vec<String> = names.iter().map(Reference::to_string).collect();
        out.insert("image.name".to_owned(), names.join(",").into());
    }
    out
}
