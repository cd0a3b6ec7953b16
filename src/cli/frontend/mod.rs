//! `rbc frontend`: rbc as the image of a `# syntax=` line. BuildKit starts it and is its host.

mod answer;
mod host;
mod question;
mod recipe;
mod sbom;
mod tag;

use std::collections::BTreeMap;
use std::process::ExitCode;

use rbc_gateway::{Built, Environment, Gateway, Status};
use rbc_lower::questions;
use rbc_oci::{ImageConfig, Platform};
use rbc_proto::CacheEntry;
use rbc_proto::details::Detail;
use rbc_proto::gateway::{Attestations, RefEntry, RefMap, Refs};
use rbc_sema::Options;
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, environment};
use serde_json::{Value, json};

use super::Failure;
use super::project::host_platform;
use crate::{Compiled, Frontend, Input, Output, Purpose, compile};
use host::BuildKit;
use recipe::Recipe;
use sbom::Scanner;

/// What a client may ask a frontend for, by the names of the labels on its image.
const CAPS: [&str; 4] = [
    "moby.buildkit.frontend.inputs",
    "moby.buildkit.frontend.subrequests",
    "moby.buildkit.frontend.contexts",
    "moby.buildkit.frontend.gitquerystring",
];

/// How often policies may put one context in the place of another (BuildKit's `dockerui/namedcontext.go`).
const MOST_REPLACEMENTS: usize = 10;

/// Runs the command.
pub fn run() -> Result<(), Failure> {
    let gateway = Gateway::over_stdio().map_err(|e| {
        Diagnostic::new(environment::READ, format!("standard input and output do not lead to BuildKit: {e}"))
            .note("BuildKit runs this command, in the image that a `# syntax=` line names")
    })?;
    let variables = std::env::vars_os();
    let variables = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let outcome = build(&gateway, Environment::read(variables));
    // What is wrong with the build, the daemon tells the user.
    gateway.finish(outcome).map_err(|e| Diagnostic::new(environment::WRITE, e.message).into())
}

/// Runs the command as a program of its own.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for found in &failure.diagnostics {
                eprintln!("rbc: {}", found.message);
            }
            ExitCode::from(failure.code())
        }
    }
}

/// One build.
struct Build<'g> {
    gateway: &'g Gateway,
    options: &'g Options,
    inputs: BTreeMap<String, questions::Input>,
    recipe: Recipe,
}

fn build(gateway: &Gateway, environment: Environment) -> Result<Built, Status> {
    let missing = missing_cap(environment.options.get("frontend.caps").map_or("", String::as_str));
    if let Some((cap, false)) = missing {
        return Err(answer::lacks(cap));
    }
    let missing = missing.map(|(cap, _)| answer::lacks(cap));
    let host = host_platform();
    let surroundings = Surroundings {
        build_platform: environment.platforms.first().cloned().unwrap_or_else(|| host.clone()),
        host_platform: host,
        session: environment.session,
        unique: String::new(),
    };
    let options = Options::from_attrs(environment.options, surroundings).map_err(|e| answer::status(&e, None, None))?;
    let definitions = gateway.inputs()?;
    let inputs = inputs(&definitions, &options)?;
    let question = options.attrs.get("requestid").cloned();
    let mut host = BuildKit::new(gateway, &options);
    let mut recipe = Recipe::read(&mut host, &inputs)?;
    if !options.attrs.contains_key("cmdline")
        && let Some(built) = forward(gateway, &options, &recipe, definitions)
    {
        return built;
    }
    if let Some(missing) = missing {
        return Err(missing);
    }
    if question.as_deref() != Some(question::TARGETS) {
        recipe.read_ignored(&host)?;
    }
    let build = Build { gateway, options: &options, inputs, recipe };
    match question {
        Some(question) => question::answer(&question, &build, &mut host),
        None => build.run(&mut host),
    }
}

/// The first capability of a list that this frontend does not have, and whether another frontend may have it: a `+forward`
/// behind the name says that.
fn missing_cap(list: &str) -> Option<(&str, bool)> {
    let name = |cap: &'_ str| cap.split('+').next().unwrap_or_default().to_owned();
    let wanted = list.split(',').filter(|cap| !cap.is_empty());
    let mut missing = wanted.filter(|cap| !CAPS.contains(&name(cap).as_str())).peekable();
    let first = missing.peek()?.split('+').next().unwrap_or_default();
    Some((first, missing.all(|cap| cap.contains("+forward"))))
}

/// Hands the build to the frontend that it names, if it names one. Who was started by such a line is not asked again.
fn forward(
    gateway: &Gateway,
    options: &Options,
    recipe: &Recipe,
    definitions: BTreeMap<String, Vec<u8>>,
) -> Option<Result<Built, Status>> {
    const ARGUMENT: &str = "build-arg:BUILDKIT_SYNTAX";
    let (line, place) = match options.attrs.get(ARGUMENT) {
        Some(line) => (line.clone(), None),
        None => {
            let found = rbc_grammar::detect_syntax(recipe.file.text())?;
            (found.text.clone().into_owned(), Some(recipe.file.span(found.range.start, found.range.end)))
        }
    };
    let image = line.trim().split(' ').next().unwrap_or_default().to_owned();
    let mut attrs = options.attrs.clone();
    attrs.insert("cmdline".to_owned(), line.clone());
    attrs.insert("source".to_owned(), image.clone());
    Some(gateway.forward("gateway.v0", attrs, definitions).map_err(|mut failed| {
        let is_placed = failed.details.iter().any(|d| matches!(Detail::read(d), Some(Detail::Source(..))));
        match place {
            _ if is_placed => {}
            Some(place) => failed.details.push(recipe.place(place).to_any()),
            None => failed.message = format!("the frontend `{image}` of BUILDKIT_SYNTAX failed: {}", failed.message),
        }
        failed
    }))
}

/// Results of other builds that this one may use.
fn inputs(
    definitions: &BTreeMap<String, Vec<u8>>,
    options: &Options,
) -> Result<BTreeMap<String, questions::Input>, Status> {
    let mut all = BTreeMap::new();
    for (name, definition) in definitions {
        if definition.is_empty() {
            let message = format!("the input `{name}` has no definition");
            return Err(answer::status(&Diagnostic::new(rbc_source::lower::OPTION, message), None, None));
        }
        let loaded = rbc_wire::load(definition).map_err(|e| answer::status(&e, None, None))?;
        let result = loaded.graph.roots.first().and_then(|root| root.result);
        let config = options.attrs.get(&format!("input-metadata:{name}")).map(|text| input_config(name, text));
        let config = config.transpose().map_err(|e| answer::status(&e, None, None))?.flatten();
        all.insert(name.clone(), questions::Input { graph: loaded.graph, result, config });
    }
    Ok(all)
}

/// The config of an image among the metadata of a result: an object of bytes, as Go writes it.
fn input_config(name: &str, metadata: &str) -> Result<Option<ImageConfig>, Diagnostic> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let wrong = |why: String| {
        Diagnostic::new(
            rbc_source::lower::OPTION,
            format!("the metadata of the input `{name}` are not well formed: {why}"),
        )
    };
    let metadata: Value = serde_json::from_str(metadata).map_err(|e| wrong(e.to_string()))?;
    let Some(config) = metadata["containerimage.config"].as_str() else { return Ok(None) };
    let config = BASE64_STANDARD.decode(config).map_err(|e| wrong(e.to_string()))?;
    ImageConfig::parse(&config).map(Some).map_err(|e| wrong(e.to_string()))
}

/// Caches to be read, from the attribute with JSON and from the older one with references of images. Compiling has found them
/// well formed.
fn caches(options: &Options) -> Vec<CacheEntry> {
    let text = |key: &str| options.attrs.get(key).map(String::as_str).unwrap_or_default();
    let list: Value = serde_json::from_str(text("cache-imports")).unwrap_or_default();
    let entry = |entry: &Value| {
        let field = |name: &str| {
            entry.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let attrs = field("Attrs").unwrap_or_default();
        let attrs = attrs.as_object().into_iter().flatten();
        CacheEntry {
            kind: field("Type").and_then(|kind| Some(kind.as_str()?.to_owned())).unwrap_or_default(),
            attrs: attrs.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect(),
        }
    };
    let old = text("cache-from").split(',').filter(|image| !image.is_empty()).map(|image| CacheEntry {
        kind: "registry".to_owned(),
        attrs: BTreeMap::from([("ref".to_owned(), image.to_owned())]),
    });
    list.as_array().into_iter().flatten().map(entry).chain(old).collect()
}

impl Build<'_> {
    /// The language of the recipe. What a `# syntax=` line says behind the image is for the frontend: here, which it is.
    fn language(&self) -> &'static Frontend {
        let line = self.options.attrs.get("cmdline").map(String::as_str).unwrap_or_default();
        let named = line.split_whitespace().skip(1).find_map(Frontend::by_name);
        named.unwrap_or_else(|| Frontend::of(&self.recipe.file))
    }

    /// Compiles for a purpose.
    fn compile(&self, purpose: Purpose, host: &mut BuildKit<'_>) -> Compiled {
        let text = |key: &str| self.options.attrs.get(key).map(String::as_str).unwrap_or_default();
        let mut attrs = self.options.attrs.clone();
        let mut replacements = 0;
        loop {
            let compiled = compile(
                Input {
                    file: &self.recipe.file,
                    attrs: attrs.clone(),
                    surroundings: self.options.surroundings.clone(),
                    caps: self.gateway.llb_caps().clone(),
                    ignore: self.recipe.ignore.clone(),
                    inputs: self.inputs.clone(),
                    // A release with experimental features is asked for by its tag.
                    labs: text("source").ends_with("labs"),
                    frontend: Some(self.language()),
                    purpose,
                },
                host,
            );
            let replaced = host.replaced.take().filter(|_| replacements < MOST_REPLACEMENTS);
            let Some((key, value)) = replaced else { return compiled };
            attrs.insert(key, value);
            replacements += 1;
        }
    }

    /// Builds.
    fn run(&self, host: &mut BuildKit<'_>) -> Result<Built, Status> {
        let compiled = self.compile(Purpose::Build, host);
        for warning in &compiled.warnings {
            self.gateway.warn(self.recipe.warning(warning))?;
        }
        if let Some(error) = compiled.errors.first() {
            return Err(answer::status(error, Some(&self.recipe), host.refusal(error)));
        }
        let scanner = Scanner::find(host)?;
        let caches = caches(self.options);
        let mut built = Built::default();
        let mut refs = Vec::new();
        let mut platforms = Vec::new();
        for output in &compiled.outputs {
            let platform = output.platform.clone().unwrap_or_else(host_platform).normalize();
            let id = platform.format_all();
            let mut emitted = output.emit();
            // Groups of two platforms are not one to a progress display.
            for entry in &mut emitted.definition.metadata {
                if let Some(group) = &mut entry.value.progress_group {
                    group.id = format!("{id}:{}", group.id);
                }
            }
            let reference = self.gateway.solve(&emitted, caches.clone(), false)?.unwrap_or_default();
            if let Some(scanner) = &scanner {
                let (graph, scan) = scanner.scan(&output.product, &id, self.gateway.llb_caps());
                let found = self.gateway.solve(&rbc_wire::emit(&graph, Some(scan)), Vec::new(), false)?;
                let all = Attestations { attestation: vec![sbom::attestation(found)] };
                built.attestations.insert(id.clone(), all);
            }
            let suffix = if self.options.multi_platform { format!("/{id}") } else { String::new() };
            for (key, value) in metadata(output) {
                built.metadata.insert(format!("{key}{suffix}"), value.into_bytes());
            }
            platforms.push(export_platform(&id, platform, &output.product.image.platform));
            refs.push(RefEntry { key: id, value: reference });
        }
        built.refs = match self.options.multi_platform {
            true => Some(Refs::Many(RefMap { refs })),
            false => refs.into_iter().next().map(|entry| Refs::One(entry.value)),
        };
        built.metadata.insert("refs.platforms".to_owned(), json!({ "Platforms": platforms }).to_string().into_bytes());
        Ok(built)
    }
}

/// What is to be known of a result beside its files.
fn metadata(output: &Output) -> Vec<(&'static str, String)> {
    let mut all = vec![("containerimage.config", output.image())];
    all.extend(output.base_image().map(|base| ("containerimage.base.config", base)));
    all.extend(output.product.epoch.map(|epoch| ("source.date.epoch", epoch.to_string())));
    all
}

/// A platform as exporters read it. For Windows, the base image says which version it is (BuildKit's `dockerui/build.go`).
fn export_platform(id: &str, mut platform: Platform, image: &Platform) -> Value {
    if platform.os == "windows" && image.os == platform.os {
        if platform.os_version.is_empty() {
            platform.os_version.clone_from(&image.os_version);
        }
        if platform.os_features.is_empty() {
            platform.os_features.clone_from(&image.os_features);
        }
    }
    let mut fields = json!({ "architecture": platform.architecture, "os": platform.os });
    for (key, value) in [("variant", &platform.variant), ("os.version", &platform.os_version)] {
        if !value.is_empty() {
            fields[key] = value.as_str().into();
        }
    }
    if !platform.os_features.is_empty() {
        fields["os.features"] = platform.os_features.clone().into();
    }
    json!({ "ID": id, "Platform": fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_that_are_missing() {
        assert_eq!(missing_cap(""), None);
        assert_eq!(missing_cap("moby.buildkit.frontend.inputs,moby.buildkit.frontend.contexts+forward"), None);
        assert_eq!(missing_cap("moby.buildkit.frontend.inputs,a,b+forward"), Some(("a", false)));
        assert_eq!(missing_cap("a+forward"), Some(("a", true)));
    }

    #[test]
    fn windows_is_of_the_version_of_its_base() {
        let windows = Platform::new("windows", "amd64");
        let image = Platform { os_version: "10.0.1".to_owned(), ..windows.clone() };
        let shown = export_platform("windows/amd64", windows, &image);
        assert_eq!(shown["Platform"]["os.version"], "10.0.1");
        let arm = Platform { variant: "v7".to_owned(), ..Platform::new("linux", "arm") };
        let shown = export_platform("linux/arm/v7", arm, &image);
        assert_eq!(
            shown.to_string(),
            r#"{"ID":"linux/arm/v7","Platform":{"architecture":"arm","os":"linux","variant":"v7"}}"#
        );
    }

    #[test]
    fn configs_of_inputs() {
        // {"architecture":"arm64","os":"linux"}
        let metadata = r#"{"containerimage.config":"eyJhcmNoaXRlY3R1cmUiOiJhcm02NCIsIm9zIjoibGludXgifQ=="}"#;
        assert_eq!(input_config("a", metadata).unwrap().unwrap().platform.architecture, "arm64");
        assert_eq!(input_config("a", "{}"), Ok(None));
        assert!(input_config("a", "{").is_err());
        assert!(input_config("a", r#"{"containerimage.config":"!"}"#).is_err());
    }
}
