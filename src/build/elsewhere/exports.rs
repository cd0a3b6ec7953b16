//! Results of a builder elsewhere, and what it has to know to make them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rbc_buildkit::{self as buildkit, Session, Target};
use rbc_local::Compression;
use rbc_registry::{Descriptor, Layout};
use rbc_source::{Diagnostic, environment, execute, lower};

use super::super::deliver::{draft_of, loader, unloaded};
use super::super::{Export, Form, Job, Place};

/// What is left to do when the builder is done.
#[derive(Default)]
pub struct Deliveries {
    /// Archives, and where they belong if they are whole.
    drafts: Vec<(PathBuf, PathBuf)>,
    /// Programs that take an archive.
    loaders: Vec<Child>,
    /// A directory to which the builder writes an OCI layout.
    layout: Option<PathBuf>,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        for (draft, _) in &self.drafts {
            _ = fs::remove_file(draft);
        }
        for loader in &mut self.loaders {
            _ = loader.kill();
            _ = loader.wait();
        }
    }
}

fn unsupported(message: &str, note: &str) -> Diagnostic {
    Diagnostic::new(lower::OPTION, message).note(note)
}

impl Deliveries {
    /// What the builder is told of an export; none of one that is nothing.
    ///
    /// # Errors
    /// The builder cannot do it, or its place cannot be written.
    pub fn export(
        &mut self,
        export: &Export,
        job: &Job,
        docker: bool,
        session: &mut Session,
    ) -> Result<Option<buildkit::Export>, Diagnostic> {
        let mut attrs = BTreeMap::new();
        let (kind, target) = match &export.form {
            Form::Cache => return Ok(None),
            Form::Image { push, by_digest } => {
                if *push {
                    attrs.insert("push".to_owned(), "true".to_owned());
                }
                if *by_digest {
                    attrs.insert("push-by-digest".to_owned(), "true".to_owned());
                }
                if *push && docker {
                    return Err(unsupported(
                        "the BuildKit within Docker does not push images",
                        "load it by `--load` and write `docker push`, or use another builder",
                    ));
                }
                (if docker { "moby" } else { "image" }, None)
            }
            Form::Directory { path, delete } => {
                if *delete {
                    attrs.insert("mode".to_owned(), "delete".to_owned());
                }
                ("local", Some(Target::Directory { path: path.clone(), delete: *delete }))
            }
            Form::Tar(place) => ("tar", Some(self.archive(place)?)),
            Form::Oci(place) => ("oci", Some(self.archive(place)?)),
            Form::Docker(place) => ("docker", Some(self.archive(place)?)),
            Form::Load if docker => ("moby", None),
            Form::Load => ("docker", Some(Target::Archive(self.loader()?))),
            Form::Layout(path) => {
                if self.layout.replace(path.clone()).is_some() {
                    return Err(unsupported(
                        "a builder elsewhere writes one OCI layout to a directory here, and there are two",
                        "write `type=oci,dest=FILE` for an archive",
                    ));
                }
                session.layout = Some(path.clone());
                attrs.insert("tar".to_owned(), "false".to_owned());
                ("oci", None)
            }
        };
        if let Some(split) = export.split
            && matches!(export.form, Form::Directory { .. } | Form::Tar(_))
        {
            attrs.insert("platform-split".to_owned(), split.to_string());
        }
        if !matches!(export.form, Form::Directory { .. } | Form::Tar(_)) {
            image(export, job, &mut attrs);
        }
        Ok(Some(buildkit::Export { kind: kind.to_owned(), attrs, target }))
    }

    fn archive(&mut self, place: &Place) -> Result<Target, Diagnostic> {
        let path = match place {
            Place::Stdout => return Ok(Target::Archive(Box::new(io::stdout()))),
            Place::File(path) => path,
        };
        let failed =
            |e: io::Error| Diagnostic::new(environment::WRITE, format!("`{}` cannot be written: {e}", path.display()));
        // What is no regular file (a device, a pipe) cannot be replaced.
        if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            return Ok(archive(File::create(path).map_err(failed)?));
        }
        let draft = draft_of(path);
        let file = File::create(&draft).map_err(failed)?;
        self.drafts.push((draft, path.clone()));
        Ok(archive(file))
    }

    /// A program that takes an image for Docker.
    fn loader(&mut self) -> Result<Box<dyn Write + Send>, Diagnostic> {
        let mut child = loader()?;
        let pipe: Option<ChildStdin> = child.stdin.take();
        self.loaders.push(child);
        Ok(pipe.map_or_else(|| Box::new(io::sink()) as Box<dyn Write + Send>, |pipe| Box::new(pipe)))
    }

    /// Puts everything where it belongs.
    ///
    /// # Errors
    /// A file cannot be written, or Docker does not take an image.
    pub fn finish(mut self, answer: &BTreeMap<String, String>) -> Result<(), Diagnostic> {
        if let Some(path) = self.layout.take() {
            list(path, answer)?;
        }
        for (draft, path) in std::mem::take(&mut self.drafts) {
            let failed = |e: io::Error| {
                _ = fs::remove_file(&draft);
                Diagnostic::new(environment::WRITE, format!("`{}` cannot be written: {e}", Path::display(&path)))
            };
            fs::rename(&draft, &path).map_err(failed)?;
        }
        for loader in std::mem::take(&mut self.loaders) {
            unloaded(loader)?;
        }
        Ok(())
    }
}

/// Lists the image that the builder wrote to a layout, by its names.
fn list(path: PathBuf, answer: &BTreeMap<String, String>) -> Result<(), Diagnostic> {
    let told = answer.get("containerimage.descriptor").and_then(|text| STANDARD.decode(text).ok());
    let made = told.and_then(|json| serde_json::from_slice::<Descriptor>(&json).ok());
    let made = made.ok_or_else(|| Diagnostic::new(execute::EXPORT, "the builder does not say what image it made"))?;
    let layout = Layout::create(path).map_err(|e| *e)?;
    let names: Vec<&str> = match answer.get("image.name") {
        Some(names) => names.split(',').collect(),
        None => Vec::new(),
    };
    if names.is_empty() {
        return layout.list(made, None).map_err(|e| *e);
    }
    names.into_iter().try_for_each(|name| layout.list(made.clone(), Some(name)).map_err(|e| *e))
}

fn archive(file: File) -> Target {
    Target::Archive(Box::new(BufWriter::with_capacity(1 << 20, file)))
}

/// How an image is made.
fn image(export: &Export, job: &Job, attrs: &mut BTreeMap<String, String>) {
    let mut set = |key: &str, value: String| {
        attrs.insert(key.to_owned(), value);
    };
    let names = if export.names.is_empty() { &job.names } else { &export.names };
    if !names.is_empty() {
        set("name", names.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    }
    let options = &export.image;
    match options.compression {
        Compression::None => set("compression", "uncompressed".to_owned()),
        Compression::Gzip(level) if options.compression != Compression::default() => {
            set("compression", "gzip".to_owned());
            set("compression-level", level.to_string());
        }
        Compression::Gzip(_) => {}
        Compression::Zstd(level) => {
            set("compression", "zstd".to_owned());
            set("compression-level", level.to_string());
        }
    }
    for (key, on) in [
        ("force-compression", options.force_compression),
        ("oci-mediatypes", options.oci_types && !matches!(export.form, Form::Load)),
        ("rewrite-timestamp", options.rewrite_timestamps),
    ] {
        if on {
            set(key, "true".to_owned());
        }
    }
    for annotations in [&job.annotations, &export.annotations] {
        for output in &job.outputs {
            let platform = output.platform.as_ref();
            let place = match platform {
                Some(platform) if job.outputs.len() > 1 => format!("[{}]", platform.format_all()),
                _ => String::new(),
            };
            for (key, value) in annotations.of_manifest(platform) {
                set(&format!("annotation{place}.{key}"), value);
            }
        }
        for (key, value) in annotations.of_index() {
            set(&format!("annotation-index.{key}"), value);
        }
    }
    // What stays as it was written, for daemons that know it.
    for (key, value) in &export.others {
        set(key, value.clone());
    }
}
