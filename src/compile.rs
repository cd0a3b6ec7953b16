//! The whole way: text to definition.

use std::collections::BTreeMap;

use rbc_ast::check::CheckConfig;
use rbc_ast::recipe::{Recipe, Trigger};
use rbc_ir::{CapSet, caps};
use rbc_lower::questions::{Answers, Image, ImageQuestion, Question, SourceQuestion};
use rbc_lower::{Lowerer, Outcome, Product, Request};
use rbc_oci::{Digest, ImageConfig, Platform};
use rbc_sema::Options;
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, Parsed, SourceFile, environment};
use rbc_wire::Emitted;
use serde_json::Value;

use crate::Frontend;

/// What to compile.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The Dockerfile.
    pub file: &'a SourceFile,
    /// Attributes, as a client sends them to a frontend.
    pub attrs: BTreeMap<String, String>,
    /// Who compiles, and for whom.
    pub surroundings: Surroundings,
    /// What the backend can do.
    pub caps: CapSet,
    /// Name and text of the ignore file of the context, if there is one.
    pub ignore: Option<(String, String)>,
    /// Results of other builds that this one may use, by name.
    pub inputs: BTreeMap<String, rbc_lower::questions::Input>,
    /// Allow experimental features.
    pub labs: bool,
    /// The language of the file, unless the file tells it.
    pub frontend: Option<&'static Frontend>,
    /// What for.
    pub purpose: Purpose,
}

/// What something is compiled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be built, for each platform asked for.
    #[default]
    Build,
    /// To see what a target takes; for the default platform.
    Outline,
    /// To be checked, all stages if no target is given; for the default platform.
    Check,
}

/// An image as found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The reference it was found under.
    pub reference: String,
    /// The digest of its manifest or index.
    pub digest: Option<Digest>,
    /// The bytes of its config.
    pub config: Vec<u8>,
}

/// The world, as far as compiling must know it.
pub trait Host {
    /// Finds an image.
    ///
    /// # Errors
    /// There is none, or it cannot be reached.
    fn image(&mut self, image: &ImageQuestion) -> Result<Found, Diagnostic>;

    /// Finds several images; the answers stand in the order of the questions.
    fn images(&mut self, images: &[ImageQuestion]) -> Vec<Result<Found, Diagnostic>> {
        images.iter().map(|image| self.image(image)).collect()
    }

    /// The `.dockerignore` of a local directory that is a named context, if it has one.
    ///
    /// # Errors
    /// It cannot be read.
    fn ignore(&mut self, local: &str) -> Result<Option<String>, Diagnostic>;

    /// Whether the file behind a URL is an archive.
    ///
    /// # Errors
    /// It cannot be reached.
    fn is_archive(&mut self, url: &str) -> Result<bool, Diagnostic>;

    /// The time of a git commit or download in seconds since 1970, if it has one.
    ///
    /// # Errors
    /// It cannot be reached.
    fn time(&mut self, source: &SourceQuestion) -> Result<Option<i64>, Diagnostic>;
}

/// What compiling came to.
#[derive(Debug)]
pub struct Compiled {
    /// The tree, for those who want to look at it.
    pub recipe: Parsed<Recipe>,
    /// The options as understood, unless they are at fault.
    pub options: Option<Options>,
    /// A result for each platform; empty if there are errors.
    pub outputs: Vec<Output>,
    /// Findings that do not stop a build.
    pub warnings: Vec<Diagnostic>,
    /// Findings that do; the first is the one that the reference would report.
    pub errors: Vec<Diagnostic>,
}

/// The result for one platform.
#[derive(Debug)]
pub struct Output {
    /// The platform, if one was asked for.
    pub platform: Option<Platform>,
    /// The graph, and what belongs to it.
    pub product: Product,
}

impl Output {
    /// The definition.
    pub fn emit(&self) -> Emitted {
        let mut emitted = rbc_wire::emit(&self.product.graph, self.product.result);
        emitted.number_progress_groups();
        emitted
    }

    /// The config of the image as JSON.
    pub fn image(&self) -> String {
        self.product.image.to_json()
    }

    /// The config of the base image as JSON, if there is one.
    pub fn base_image(&self) -> Option<String> {
        self.product.base_image.as_ref().map(ImageConfig::to_json)
    }
}

/// A question is never asked twice and a build has finitely many, but a fault in lowering must not hang the program.
const MOST_ROUNDS: usize = 1_000;

/// Compiles a Dockerfile.
pub fn compile(input: Input<'_>, host: &mut dyn Host) -> Compiled {
    let frontend = input.frontend.unwrap_or_else(|| Frontend::of(input.file));
    let parse = |checks: &CheckConfig| (frontend.parse)(input.file, checks);
    let failed = |recipe, error: Box<Diagnostic>| Compiled {
        recipe,
        options: None,
        outputs: Vec::new(),
        warnings: Vec::new(),
        errors: vec![*error],
    };
    let options = match Options::from_attrs(input.attrs, input.surroundings) {
        Ok(options) => options,
        Err(error) => return failed(parse(&CheckConfig::default()), error),
    };
    if let Err(error) = check_cache_imports(options.attrs.get("cache-imports").map_or("", String::as_str)) {
        return failed(rbc_dockerfile::parse(input.file), error);
    }
    if !input.caps.supports(caps::FILE_BASE) {
        let found = Diagnostic::new(environment::OLD_BACKEND, "the backend cannot copy files");
        let found = found.note("BuildKit can from version 0.5 on");
        return failed(parse(&CheckConfig::default()), Box::new(found));
    }
    let checks = match &options.check {
        Some(checks) => Ok(checks.clone()),
        None => rbc_dockerfile::check_config(input.file),
    };
    let checks = match checks {
        Ok(checks) => checks,
        Err(error) => return failed(parse(&CheckConfig::default()), error),
    };
    let mut compiled = Compiled {
        recipe: parse(&checks),
        options: None,
        outputs: Vec::new(),
        warnings: Vec::new(),
        errors: Vec::new(),
    };
    let platforms: Vec<Option<&Platform>> = match &options.platforms[..] {
        platforms if input.purpose == Purpose::Build && !platforms.is_empty() => platforms.iter().map(Some).collect(),
        _ => vec![None],
    };
    let mut answers = Answers { inputs: input.inputs, ..Answers::default() };
    for (i, platform) in platforms.into_iter().enumerate() {
        let request = Request {
            file: input.file,
            recipe: &compiled.recipe,
            checks: &checks,
            options: &options,
            platform,
            caps: &input.caps,
            ignore: input.ignore.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
            labs: input.labs,
            all_stages: input.purpose == Purpose::Check && options.target.is_none(),
            quiet: i > 0 || input.purpose == Purpose::Outline,
        };
        match lower_with(&request, &mut answers, host) {
            (Ok(mut product), mut warnings) => {
                compiled.warnings.append(&mut warnings);
                if let Some(error) = product.unbuildable.take().filter(|_| input.purpose == Purpose::Build) {
                    compiled.errors.push(*error);
                    compiled.outputs.clear();
                    break;
                }
                compiled.outputs.push(Output { platform: platform.cloned(), product: *product });
            }
            (Err(mut errors), mut warnings) => {
                compiled.warnings.append(&mut warnings);
                compiled.errors.append(&mut errors);
                compiled.outputs.clear();
                break;
            }
        }
    }
    compiled.options = Some(options);
    compiled
}

/// Checks the attribute `cache-imports`: a list of caches, each an object with a `Type` and an object of `Attrs`. The solver
/// uses them; a frontend refuses those that it cannot read (BuildKit's `dockerui/config.go`).
fn check_cache_imports(text: &str) -> Result<(), Box<Diagnostic>> {
    let wrong = |why: String| {
        let found = Diagnostic::new(rbc_source::lower::OPTION, format!("`cache-imports` is no list of caches: {why}"));
        Box::new(found.note(r#"write JSON such as `[{"Type":"registry","Attrs":{"ref":"example.com/cache"}}]`"#))
    };
    if text.is_empty() {
        return Ok(());
    }
    let caches = match serde_json::from_str(text).map_err(|e| wrong(format!("it is not JSON: {e}")))? {
        Value::Array(caches) => caches,
        Value::Null => return Ok(()),
        _ => return Err(wrong("it is no array".to_owned())),
    };
    for (i, cache) in caches.iter().enumerate() {
        let Value::Object(fields) = cache else { return Err(wrong(format!("entry {i} is no object"))) };
        for (key, value) in fields {
            let is_text = |v: &Value| v.is_string() || v.is_null();
            let good = match key.to_ascii_lowercase().as_str() {
                "type" => is_text(value),
                "attrs" => value.is_null() || value.as_object().is_some_and(|attrs| attrs.values().all(is_text)),
                _ => true,
            };
            if !good {
                return Err(wrong(format!("in entry {i}, `{key}` is of another kind")));
            }
        }
    }
    Ok(())
}

/// Lowers for one platform, answering what it asks.
fn lower_with(
    request: &Request<'_>,
    answers: &mut Answers,
    host: &mut dyn Host,
) -> (Result<Box<Product>, Vec<Diagnostic>>, Vec<Diagnostic>) {
    let mut lowerer = Lowerer::new(request);
    for _ in 0..MOST_ROUNDS {
        let lowered = lowerer.lower(answers);
        match lowered.outcome {
            Outcome::Done(product) => return (Ok(product), lowered.warnings),
            Outcome::Failed(errors) => return (Err(errors), lowered.warnings),
            Outcome::Need(questions) => {
                if let Err(error) = answer(questions, answers, host, request.file) {
                    return (Err(vec![error]), lowered.warnings);
                }
            }
        }
    }
    let fault = Diagnostic::new(environment::INTERNAL, "lowering never stops asking");
    (Err(vec![fault.note("please report this with the Dockerfile")]), Vec::new())
}

fn answer(
    questions: Vec<Question>,
    answers: &mut Answers,
    host: &mut dyn Host,
    file: &SourceFile,
) -> Result<(), Diagnostic> {
    let mut images = Vec::new();
    for question in questions {
        match question {
            Question::Image(image) => images.push(image),
            Question::Ignore(local) => {
                let text = host.ignore(&local)?;
                answers.ignores.insert(local, text);
            }
            Question::Archive(url) => {
                let answer = host.is_archive(&url);
                answers.archives.insert(url, answer);
            }
            Question::Time(source) => {
                let answer = host.time(&source);
                answers.times.insert(source, answer);
            }
        }
    }
    let found = host.images(&images).into_iter().map(|found| found.and_then(|found| read_image(found, file)));
    answers.images.extend(images.iter().cloned().zip(found));
    Ok(())
}

fn read_image(found: Found, file: &SourceFile) -> Result<Image, Diagnostic> {
    let config = ImageConfig::parse(&found.config).map_err(|e| {
        let message = format!("the config of the image `{}` is not well formed: {e}", found.reference);
        Diagnostic::new(rbc_source::image::CORRUPT, message)
    })?;
    // Triggers are written in another file, which is not here: who uses one points at what brings it in.
    let nowhere = file.span(0, 0);
    let triggers = config.config.on_build.iter();
    let triggers = triggers.map(|text| Trigger(rbc_dockerfile::parse_trigger(text, nowhere))).collect();
    Ok(Image { reference: found.reference, digest: found.digest, config, triggers })
}

#[cfg(test)]
mod tests;
