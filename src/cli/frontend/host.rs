//! BuildKit as the compiler's host.

use std::collections::BTreeMap;

use rbc_context::NamedContext;
use rbc_gateway::{Gateway, ImageAnswer, ImageRequest, Status, code};
use rbc_ir::{Graph, Meta, Op, Source};
use rbc_lower::entry::{IGNORE_FILE, ignore_directory};
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::{Digest, Reference};
use rbc_proto::gateway::Ref;
use rbc_sema::Options;
use rbc_source::{Diagnostic, environment, image};

use super::super::remote;
use crate::{Found, Host};

/// The attribute of a download that says what its file is called.
const FILENAME: &str = "http.filename";

/// The daemon that builds.
pub struct BuildKit<'g> {
    /// The way to it.
    pub gateway: &'g Gateway,
    /// What it was told.
    pub options: &'g Options,
    /// A context, as an attribute, that a policy has put in the place of an image: compiling has to begin anew with it.
    pub replaced: Option<(String, String)>,
    /// What the daemon said of what it refused, by the message that the compiler knows.
    refusals: BTreeMap<String, Status>,
    archives: BTreeMap<String, bool>,
}

impl<'g> BuildKit<'g> {
    /// The daemon of a build.
    pub fn new(gateway: &'g Gateway, options: &'g Options) -> Self {
        BuildKit { gateway, options, replaced: None, refusals: BTreeMap::new(), archives: BTreeMap::new() }
    }

    /// What the daemon said, if an error comes from it.
    pub fn refusal(&self, error: &Diagnostic) -> Option<&Status> {
        self.refusals.get(&error.message)
    }

    fn refused(&mut self, failed: Status) -> Diagnostic {
        let kind = if failed.code == code::NOT_FOUND { image::NOT_FOUND } else { environment::FETCH };
        let found = Diagnostic::new(kind, failed.message.clone());
        self.refusals.insert(failed.message.clone(), failed);
        found
    }

    /// Contexts with names, by their attribute and with what is behind it.
    fn contexts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.attrs.iter().filter_map(|(key, value)| Some((key.strip_prefix("context:")?, value.as_str())))
    }

    /// The context that is an image of this reference.
    fn context_of(&self, reference: &str) -> Option<&str> {
        let is_it = |value: &str| match NamedContext::parse(value) {
            Ok(NamedContext::Image(image)) => {
                Reference::parse_normalized(&image).is_ok_and(|image| image.with_default_tag().to_string() == reference)
            }
            _ => false,
        };
        self.contexts().find(|(_, value)| is_it(value)).map(|(key, _)| key)
    }

    fn request(&self, question: &ImageQuestion) -> ImageRequest {
        let reference = &question.reference;
        let title = match (self.context_of(reference), &question.platform) {
            (Some(key), _) => format!("context {key}"),
            (None, Some(platform)) if self.options.multi_platform => format!("{} internal", platform.format_all()),
            _ => "internal".to_owned(),
        };
        let session = self.options.surroundings.session.clone().unwrap_or_default();
        ImageRequest {
            reference: reference.clone(),
            platform: question.platform.clone(),
            mode: question.mode.as_str(),
            log_name: format!("[{title}] load metadata for {reference}"),
            layout: question.layout.clone().map(|store| (session, store)),
        }
    }

    fn found(&mut self, question: &ImageQuestion, answer: Result<ImageAnswer, Status>) -> Result<Found, Diagnostic> {
        match answer.map_err(|failed| self.refused(failed))? {
            ImageAnswer::Image { reference, digest, config } => {
                Ok(Found { reference, digest: Digest::parse(&digest).ok(), config })
            }
            ImageAnswer::Other(source) => {
                if let (Some(key), Some((kind, rest))) =
                    (self.context_of(&question.reference), source.split_once("://"))
                {
                    self.replaced = Some((format!("context:{key}"), format!("{kind}:{rest}")));
                }
                let message =
                    format!("a policy puts `{source}`, which is no image, in the place of `{}`", question.reference);
                Err(Diagnostic::new(image::NOT_FOUND, message))
            }
        }
    }

    /// The file system with a download.
    fn download(&self, source: &SourceQuestion) -> Result<Option<Ref>, Status> {
        let mut graph = Graph::new();
        let op = Op::Source(Source { identifier: source.identifier.clone(), attrs: source.attrs.clone() });
        let mut meta = Meta::default();
        meta.description.insert("llb.customname".into(), "[internal] load remote build context".to_owned());
        rbc_ir::caps::require(&op, &mut meta, self.gateway.llb_caps());
        let out = graph.add(op, None, meta).out();
        self.gateway.solve(&rbc_wire::emit(&graph, Some(out)), Vec::new(), false)
    }

    /// When the newest file of an archive was changed; none if the download is no archive.
    fn newest(&self, source: &SourceQuestion) -> Result<Option<i64>, Status> {
        let Some(name) = source.attrs.get(FILENAME) else { return Ok(None) };
        let file = self.download(source)?;
        let bytes = self.gateway.read_file(file.as_ref(), name, None)?;
        Ok(rbc_local::newest_in_archive(&bytes))
    }
}

impl Host for BuildKit<'_> {
    fn image(&mut self, question: &ImageQuestion) -> Result<Found, Diagnostic> {
        self.images(std::slice::from_ref(question)).pop().unwrap_or_else(|| {
            Err(Diagnostic::new(environment::INTERNAL, "an image was asked for and nobody answered"))
        })
    }

    fn images(&mut self, questions: &[ImageQuestion]) -> Vec<Result<Found, Diagnostic>> {
        let requests: Vec<ImageRequest> = questions.iter().map(|question| self.request(question)).collect();
        let answers = self.gateway.images(&requests);
        questions.iter().zip(answers).map(|(question, answer)| self.found(question, answer)).collect()
    }

    fn ignore(&mut self, local: &str) -> Result<Option<String>, Diagnostic> {
        let key = self.contexts().find(|(_, value)| value.strip_prefix("local:") == Some(local)).map(|(key, _)| key);
        let (graph, at) = ignore_directory(self.options, self.gateway.llb_caps(), Some((local, key.unwrap_or(local))));
        // A directory that cannot be had fails the build here and not with the first step that needs it.
        let directory = self.gateway.solve(&rbc_wire::emit(&graph, Some(at)), Vec::new(), true);
        let directory = directory.map_err(|failed| self.refused(failed))?;
        let text = self.gateway.read_file(directory.as_ref(), IGNORE_FILE, None).ok();
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    fn is_archive(&mut self, url: &str) -> Result<bool, Diagnostic> {
        if let Some(known) = self.archives.get(url) {
            return Ok(*known);
        }
        let name = "context".to_owned();
        let attrs = BTreeMap::from([(FILENAME.to_owned(), name.clone())]);
        let file = self.download(&SourceQuestion { identifier: url.to_owned(), attrs });
        let head = file.and_then(|file| self.gateway.read_file(file.as_ref(), &name, Some(remote::HEAD as i64)));
        let is_archive = remote::begins_archive(&head.map_err(|failed| self.refused(failed))?);
        self.archives.insert(url.to_owned(), is_archive);
        Ok(is_archive)
    }

    fn time(&mut self, source: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        let title = "[internal] resolve time of SOURCE_DATE_EPOCH";
        let time =
            self.gateway.time(&source.identifier, &source.attrs, title).map_err(|failed| self.refused(failed))?;
        if time.is_some() || source.identifier.starts_with("git://") {
            return Ok(time);
        }
        self.newest(source).map_err(|failed| self.refused(failed))
    }
}
