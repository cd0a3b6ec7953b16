//! What BuildKit's checks find.

use std::collections::BTreeMap;

use rbc::{Compiled, Found, Host, Input, Purpose, compile};
use rbc_ir::CapSet;
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::{ImageConfig, Platform};
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, SourceFile};
use serde_json::Value;

use super::{Difference, Labels};

/// A rule, and the line (from 1) where it found something.
type Finding = (String, u64);

/// A case of BuildKit's own tests.
pub fn check_case(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    let mut attrs = BTreeMap::new();
    // Where the checks were run as a library, and not by a build, nothing set arguments: the recorded error is one that the
    // arguments would mend.
    let built = case["verified_by"] == "buildx";
    for (name, value) in case["build_args"].as_object().into_iter().flatten().filter(|_| built) {
        attrs.insert(format!("build-arg:{name}"), value.as_str()?.to_owned());
    }
    let ignore = case["dockerignore"].as_str().map(|text| (".dockerignore".to_owned(), text.to_owned()));
    let finding = |w: &Value| Some((w["rule"].as_str()?.to_owned(), w["line"].as_u64().unwrap_or_default()));
    let expected: Vec<Finding> = case["warnings"].as_array()?.iter().filter_map(finding).collect();
    let experimental = case["experimental"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let experimental: Vec<&str> = experimental.collect();
    if !experimental.is_empty() {
        let value = format!("experimental={}", experimental.join(","));
        attrs.entry("build-arg:BUILDKIT_DOCKERFILE_CHECK".to_owned()).or_insert(value);
    }
    Some(compare(case["dockerfile"].as_str()?, attrs, ignore, expected, !case["check_error"].is_null()))
}

/// A real file. Every file that BuildKit accepts must be accepted, and the other way round.
pub fn corpus_case(case: &Value, _: &Labels) -> Option<Vec<Difference>> {
    let finding = |w: &Value| Some((w[0].as_str()?.to_owned(), w[1].as_u64().unwrap_or_default()));
    let expected: Vec<Finding> = case["buildkit"].as_array()?.iter().filter_map(finding).collect();
    Some(compare(case["text"].as_str()?, BTreeMap::new(), None, expected, !case["buildkit_error"].is_null()))
}

fn compare(
    text: &str,
    attrs: BTreeMap<String, String>,
    ignore: Option<(String, String)>,
    mut expected: Vec<Finding>,
    fails: bool,
) -> Vec<Difference> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let compiled = checked(&file, attrs, ignore);
    let mut found: Vec<Finding> = compiled.warnings.iter().map(|w| (w.code.name.to_owned(), line(&file, w))).collect();
    found.sort();
    expected.sort();
    let mut differences = Vec::new();
    if found != expected {
        differences.push(Difference { aspect: "warnings", what: format!("{found:?}, not {expected:?}") });
    }
    if compiled.errors.is_empty() == fails {
        let what = match compiled.errors.first() {
            Some(error) => format!("refused: {}", error.message),
            None => "accepted".to_owned(),
        };
        differences.push(Difference { aspect: "error", what });
    }
    differences
}

fn line(file: &SourceFile, found: &Diagnostic) -> u64 {
    found.primary.as_ref().map_or(0, |label| file.line_of(label.span.start as usize) as u64 + 1)
}

fn checked(file: &SourceFile, attrs: BTreeMap<String, String>, ignore: Option<(String, String)>) -> Compiled {
    let linux = Platform::new("linux", "amd64");
    let surroundings =
        Surroundings { build_platform: linux.clone(), host_platform: linux, session: None, unique: String::new() };
    let input = Input {
        file,
        attrs,
        surroundings,
        caps: CapSet::all(),
        ignore,
        inputs: BTreeMap::new(),
        labs: true,
        purpose: Purpose::Check,
        frontend: None,
    };
    compile(input, &mut Anything)
}

/// A world in which every image exists, for every platform.
struct Anything;

impl Host for Anything {
    fn image(&mut self, image: &ImageQuestion) -> Result<Found, Diagnostic> {
        let platform = image.platform.clone().unwrap_or_else(|| Platform::new("linux", "amd64"));
        let config = ImageConfig { platform, rootfs_type: "layers".to_owned(), ..ImageConfig::default() };
        Ok(Found { reference: image.reference.clone(), digest: None, config: config.to_json().into_bytes() })
    }

    fn ignore(&mut self, _: &str) -> Result<Option<String>, Diagnostic> {
        Ok(None)
    }

    fn is_archive(&mut self, _: &str) -> Result<bool, Diagnostic> {
        Ok(false)
    }

    fn time(&mut self, _: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        Ok(None)
    }
}
