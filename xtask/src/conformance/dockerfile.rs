//! Cases of the Dockerfile frontend: definition, image config, warnings, errors, outline, targets, checks.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rbc::{Compiled, Found, Host, Input, Purpose, compile};
use rbc_ir::CapSet;
use rbc_lower::questions::{self, ImageQuestion, SourceQuestion};
use rbc_oci::{Digest, ImageConfig, Platform};
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, SourceFile, Span, image};
use serde_json::Value;

use super::report::{Case, Difference, Report};

/// Runs every case of a folder.
pub fn run(folder: &Path, diff: Option<&str>, only: Option<&str>) -> Result<Report, String> {
    let features = features(folder);
    let mut files: Vec<_> = folder
        .join("cases")
        .read_dir()
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .filter_map(|f| Some(f.ok()?.path()))
        .filter(|f| f.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let mut images = Images::default();
    for file in &files {
        each_case(file, |case| images.read(&case))?;
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<Case>, String> {
        let mut cases = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            each_case(file, |case| {
                let id = case["id"].as_str().unwrap_or_default().to_owned();
                if diff.is_some_and(|wanted| wanted != id) {
                    return;
                }
                let mut differences = check(&case, &images);
                if let Some(only) = only {
                    differences.retain(|d| d.aspect == only);
                }
                if diff.is_some() {
                    show(&case, &differences, &images);
                }
                cases.push(Case {
                    features: features.get(&id).cloned().unwrap_or_default(),
                    suite: case["suite"].as_str().unwrap_or_default().to_owned(),
                    id,
                    differences,
                });
            })?;
        }
        Ok(cases)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err("a case made rbc panic".to_owned()))).collect()
    });
    let mut cases = Vec::new();
    for result in results {
        cases.extend(result?);
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Report { kind: "dockerfile", cases, bars: Vec::new() })
}

fn each_case(file: &Path, mut f: impl FnMut(Value)) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    for line in text.lines() {
        f(serde_json::from_str(line).map_err(|e| format!("{}: {e}", file.display()))?);
    }
    Ok(())
}

/// Features by case, from the index of the folder.
fn features(folder: &Path) -> HashMap<String, Vec<String>> {
    let text = std::fs::read_to_string(folder.join("index.jsonl")).unwrap_or_default();
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).ok()?;
        let features = entry["features"].as_array()?.iter().filter_map(|f| Some(f.as_str()?.to_owned())).collect();
        Some((entry["id"].as_str()?.to_owned(), features))
    };
    text.lines().filter_map(entry).collect()
}

/// Answers of the recorded image resolver, and of the other services that a client offers.
struct Recorded<'a> {
    options: &'a Value,
    purpose: Purpose,
    all: &'a Images,
    is_input: bool,
}

/// Configs of images by name, from all cases of a folder.
///
/// The recorded resolver makes images up: a config for each name, for whatever platform is asked. A case writes down what
/// its build asked for. Questions about a build (outline, checks) are asked for the default platform and of all stages, so
/// that they may ask for more; those answers are put together from here.
#[derive(Default)]
struct Images {
    configs: HashMap<String, String>,
    /// By reference and platform.
    exact: HashMap<(String, String), Value>,
}

impl Images {
    fn read(&mut self, case: &Value) {
        for image in case["opts"]["images"].as_array().into_iter().flatten() {
            if let (Some(reference), Some(config)) = (image["ref"].as_str(), image["config"].as_str()) {
                for name in Self::names(reference) {
                    self.configs.entry(name).or_insert_with(|| config.to_owned());
                }
                let platform = image["platform"].as_str().unwrap_or_default().to_owned();
                self.exact.entry((reference.to_owned(), platform)).or_insert_with(|| image.clone());
            }
        }
    }

    /// What configs go by: the last two parts of the path, or the last.
    fn names(reference: &str) -> [String; 2] {
        let mut parts = reference.rsplit('/').map(|part| part.split([':', '@']).next().unwrap_or_default());
        let last = parts.next().unwrap_or_default();
        [format!("{}/{last}", parts.next().unwrap_or_default()), last.to_owned()]
    }

    fn make_up(&self, wanted: &ImageQuestion, recorded: Option<&Value>) -> Found {
        let names = Self::names(&wanted.reference);
        let known = recorded
            .and_then(|i| i["config"].as_str())
            .or_else(|| names.iter().find_map(|n| self.configs.get(n)).map(String::as_str));
        let mut config = known
            .unwrap_or(
                r#"{"rootfs":{"type":"layers","diff_ids":["sha256:00"]},
            "config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}}"#,
            )
            .to_owned();
        // Images of Windows with a version, and those made to be odd, are of their own platform whatever is asked.
        let fixed = config.contains("os.version") || names[1] == "cfgimg";
        if let (false, Ok(mut parsed), Some(platform)) =
            (fixed, ImageConfig::parse(config.as_bytes()), &wanted.platform)
        {
            parsed.platform = platform.clone();
            config = parsed.to_json();
        }
        Found { reference: wanted.reference.clone(), digest: None, config: config.into_bytes() }
    }
}

impl Host for Recorded<'_> {
    fn image(&mut self, wanted: &ImageQuestion) -> Result<Found, Diagnostic> {
        let platform = match &wanted.platform {
            Some(platform) => platform.format_all(),
            None => "linux/amd64".to_owned(),
        };
        let images = self.options["images"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_name = || images.iter().filter(|i| i["ref"] == *wanted.reference);
        // A build whose result another takes in was recorded without its images.
        let elsewhere = || self.all.exact.get(&(wanted.reference.clone(), platform.clone())).filter(|_| self.is_input);
        let Some(found) = of_name().find(|i| i["platform"] == *platform).or_else(elsewhere) else {
            let recorded = of_name().next();
            if self.purpose != Purpose::Build && recorded.is_none_or(|i| i["error"].is_null()) {
                return Ok(self.all.make_up(wanted, recorded));
            }
            let message = format!("`{}` was not recorded for {platform}", wanted.reference);
            return Err(Diagnostic::new(image::NOT_FOUND, message));
        };
        if let Some(error) = found["error"].as_str() {
            return Err(Diagnostic::new(image::NOT_FOUND, format!("`{}` is not there: {error}", wanted.reference)));
        }
        Ok(Found {
            reference: wanted.reference.clone(),
            digest: found["digest"].as_str().and_then(|d| Digest::parse(d).ok()),
            config: found["config"].as_str().unwrap_or_default().as_bytes().to_vec(),
        })
    }

    fn ignore(&mut self, local: &str) -> Result<Option<String>, Diagnostic> {
        Ok(self.options["localIgnore"][local].as_str().map(str::to_owned))
    }

    fn is_archive(&mut self, _url: &str) -> Result<bool, Diagnostic> {
        Ok(self.options["httpContext"] == "archive")
    }

    fn time(&mut self, source: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        Ok(Some(if source.identifier.starts_with("git://") { 1_700_000_000 } else { 1_700_000_001 }))
    }
}

/// Compiles what a case describes.
fn compile_case(
    file: &SourceFile,
    options: &Value,
    purpose: Purpose,
    inputs: BTreeMap<String, questions::Input>,
    all: &Images,
) -> Compiled {
    let text = |key: &str| options[key].as_str().map(str::to_owned);
    let attrs: BTreeMap<String, String> = options["attrs"]
        .as_object()
        .map(|attrs| attrs.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect())
        .unwrap_or_default();
    let linux = Platform::new("linux", "amd64");
    let build_platform = text("buildPlatform").and_then(|p| Platform::parse(&p, &linux).ok()).unwrap_or(linux.clone());
    let disabled: Vec<&str> =
        options["disabledCaps"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let named = |name: &str, key: &str| text(key).map(|t| (name.to_owned(), t));
    let input = Input {
        file,
        attrs,
        surroundings: Surroundings {
            build_platform,
            host_platform: linux,
            session: text("sessionID"),
            unique: text("uniqueID").unwrap_or_default(),
        },
        caps: CapSet::all().without(disabled),
        labs: options["labs"] == true,
        ignore: named("Dockerfile.dockerignore", "dockerfileIgnore").or_else(|| named(".dockerignore", "dockerignore")),
        inputs,
        purpose,
        frontend: None,
    };
    let is_input = options["images"].is_null();
    compile(input, &mut Recorded { options, purpose, all, is_input })
}

/// Results of other builds that a case takes in.
fn inputs(case: &Value, all: &Images) -> BTreeMap<String, questions::Input> {
    let mut found = BTreeMap::new();
    let Some(inputs) = case["opts"]["inputs"].as_object() else { return found };
    for (name, input) in inputs {
        let file = SourceFile::new(FileId(0), "Dockerfile", input["dockerfile"].as_str().unwrap_or_default());
        let compiled = compile_case(&file, &input["opts"], Purpose::Build, BTreeMap::new(), all);
        if let Some(output) = compiled.outputs.into_iter().next() {
            // The config goes through JSON, as it does between client and frontend.
            let config = output.image();
            let config = ImageConfig::parse(config.as_bytes()).ok().filter(|_| input["noMetadata"] != true);
            found.insert(
                name.clone(),
                questions::Input { graph: output.product.graph, result: output.product.result, config },
            );
        }
    }
    found
}

fn check(case: &Value, all: &Images) -> Vec<Difference> {
    let mut out = Differences(Vec::new());
    let options = &case["opts"];
    let volatile =
        |field: &str| case["nondeterministic"].as_array().is_some_and(|fields| fields.iter().any(|f| f == field));
    let file = SourceFile::new(FileId(0), "Dockerfile", case["dockerfile"].as_str().unwrap_or_default());
    let inputs = inputs(case, all);
    let compiled = compile_case(&file, options, Purpose::Build, inputs.clone(), all);
    match (case["status"] == "ok", compiled.errors.first()) {
        (true, Some(error)) => out.push("refused", format!("{} at {:?}", error.message, lines(&file, error))),
        (true, None) => results(case, &compiled, &mut out),
        (false, None) => out.push("accepted", format!("should fail: {}", case["error"]["message"])),
        (false, Some(error)) => {
            let recorded = std::iter::once(&case["error"]).chain(case["altErrors"].as_array().into_iter().flatten());
            let mut places: Vec<Vec<Vec<u64>>> = recorded.map(|e| recorded_lines(&e["ranges"])).collect();
            if error.code == rbc_source::dockerfile::DIRECTIVE {
                // The reference counts these lines, and no others, from 0.
                places.iter_mut().flatten().flatten().for_each(|line| *line += 1);
            }
            let ours = error_lines(&file, error);
            // The reference may know less than rbc: where it gives no place, any is right.
            // And it names a place once for each function that an error passes through.
            let distinct = |places: &Vec<Vec<u64>>| {
                let mut places = places.clone();
                places.sort();
                places.dedup();
                places
            };
            if !places.iter().any(|p| p.is_empty() || distinct(p) == distinct(&ours)) {
                out.push(
                    "error",
                    format!("{} at {ours:?}, not {:?}: {}", error.message, places[0], case["error"]["message"]),
                );
            }
        }
    }
    warnings("warnings", &file, &compiled.warnings, &case["warnings"], volatile("warnings"), &mut out);
    if let Some(recorded) = case.get("targets").filter(|t| !t.is_null() && t["panic"] != true) {
        same_json("targets", without_sources(rbc::call::targets(&file, &compiled.recipe.value)), recorded, &mut out);
    }
    if let Some(recorded) = case.get("outline").filter(|o| !o.is_null()) {
        let outlined = compile_case(&file, options, Purpose::Outline, inputs.clone(), all);
        match outlined.outputs.first() {
            Some(output) => {
                let mut ours = without_sources(rbc::call::outline(&file, &output.product.outline));
                let mut recorded = recorded.clone();
                if volatile("outline") {
                    only_names(&mut ours);
                    only_names(&mut recorded);
                }
                same_json("outline", ours, &recorded, &mut out);
            }
            None => out.push("outline", "there is none".to_owned()),
        }
    }
    if let Some(lint) = case.get("lint") {
        let checked = compile_case(&file, options, Purpose::Check, inputs, all);
        // "same" speaks of warnings.
        let (recorded, failed) = match lint.as_str() {
            Some(_) => (&case["warnings"], None),
            None => (&lint["warnings"], Some(lint.get("error").is_some_and(|e| !e.is_null()))),
        };
        warnings("lint", &file, &checked.warnings, recorded, volatile("lint") || volatile("warnings"), &mut out);
        if failed.is_some_and(|failed| failed == checked.errors.is_empty()) {
            out.push("lint", format!("error: {:?}", checked.errors.first().map(|e| &e.message)));
        }
    }
    let syntax = syntax(&file);
    let recorded = case.get("syntax").filter(|s| !s.is_null());
    let recorded_cmdline =
        recorded.map(|s| (text_of(s, "ref"), text_of(s, "cmdline"), recorded_lines_of_one(&s["ranges"])));
    if syntax != recorded_cmdline {
        out.push("syntax", format!("{syntax:?}, not {recorded_cmdline:?}"));
    }
    out.0
}

/// The image that the file names as its frontend, all that it says of it, and the lines.
fn syntax(file: &SourceFile) -> Option<(String, String, Vec<u64>)> {
    let found = rbc_grammar::detect_syntax(file.text())?;
    let image = found.text.split(' ').next().unwrap_or_default().to_owned();
    Some((image, found.text.into_owned(), span_lines(file, file.span(found.range.start, found.range.end))))
}

/// The bytes of base64; none where it is not that.
fn decode(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}

fn text_of(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

struct Differences(Vec<Difference>);

impl Differences {
    fn push(&mut self, aspect: &'static str, what: String) {
        self.0.push(Difference { aspect, what });
    }
}

fn results(case: &Value, compiled: &Compiled, out: &mut Differences) {
    let recorded = case["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    if recorded.len() != compiled.outputs.len() {
        out.push("platforms", format!("{} instead of {}", compiled.outputs.len(), recorded.len()));
        return;
    }
    for (expected, output) in recorded.iter().zip(&compiled.outputs) {
        let emitted = output.emit();
        let pb = decode(&expected["pb"]);
        if emitted.to_bytes() != pb {
            out.push("definition", first_difference(&pb, &emitted.to_bytes()));
        }
        let image = output.image();
        if expected["image"] != *image {
            out.push("image", text_difference(expected["image"].as_str().unwrap_or_default(), &image));
        }
        let base = output.base_image();
        if expected["baseImage"].as_str() != base.as_deref() {
            let ours = base.unwrap_or_default();
            out.push("base image", text_difference(expected["baseImage"].as_str().unwrap_or_default(), &ours));
        }
        let epoch = expected["epoch"].as_i64();
        if epoch != output.product.epoch {
            out.push("epoch", format!("{:?}, not {epoch:?}", output.product.epoch));
        }
        if (expected["ignoreCache"] == true) != output.product.ignore_cache {
            out.push("ignore cache", format!("{}", output.product.ignore_cache));
        }
        scan(expected, output, out);
    }
}

/// What a scanner is to look at: recorded as the digest of each definition's last vertex.
fn scan(expected: &Value, output: &rbc::Output, out: &mut Differences) {
    let names = |v: &Value| -> Vec<String> { v.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default() };
    let mut ours: Vec<String> = output.product.scan.iter().map(|(name, _)| name.clone()).collect();
    ours.sort();
    if names(&expected["sbomExtras"]) != ours {
        out.push("scan", format!("{ours:?}, not {}", expected["sbomExtras"]));
    }
}

/// Where the first vertex differs, as text.
fn first_difference(expected: &[u8], ours: &[u8]) -> String {
    let load = |bytes: &[u8]| rbc_wire::load(bytes).ok().map(|loaded| rbc_wire::to_text(&loaded));
    match (load(expected), load(ours)) {
        (Some(expected), Some(ours)) => text_difference(&expected, &ours),
        _ => "it cannot be read".to_owned(),
    }
}

/// The first line that differs.
fn text_difference(expected: &str, ours: &str) -> String {
    let (mut a, mut b) = (expected.lines(), ours.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (a.next(), b.next()) {
            (None, None) => return "only bytes that the text form does not show".to_owned(),
            (x, y) if x == y => {}
            (x, y) => {
                let (x, y) = (x.unwrap_or_default(), y.unwrap_or_default());
                let at = x.bytes().zip(y.bytes()).position(|(x, y)| x != y).unwrap_or(x.len().min(y.len()));
                let from =
                    x.floor_char_boundary(at.saturating_sub(60)).min(y.floor_char_boundary(at.saturating_sub(60)));
                let cut = |s: &str| s[from.min(s.len())..].chars().take(160).collect::<String>();
                return format!("line {number}: expected {:?}, got {:?}", cut(x), cut(y));
            }
        }
    }
}

fn same_json(aspect: &'static str, ours: Value, recorded: &Value, out: &mut Differences) {
    if ours != *recorded {
        out.push(aspect, text_difference(&format!("{recorded:#}"), &format!("{ours:#}")));
    }
}

fn without_sources(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.remove("sources");
    }
    value
}

/// Which of several declarations of a name counts is decided by chance in the reference, and where it stands with it.
fn only_names(outline: &mut Value) {
    for list in outline.as_object_mut().into_iter().flat_map(|m| m.values_mut()) {
        if let Some(list) = list.as_array_mut() {
            for entry in list.iter_mut() {
                *entry = entry["name"].clone();
            }
            list.sort_by_key(ToString::to_string);
        }
    }
}

/// Compares warnings in order, but those of one rule at one place, and those about platforms of bases, as sets.
fn warnings(
    aspect: &'static str,
    file: &SourceFile,
    ours: &[Diagnostic],
    recorded: &Value,
    volatile: bool,
    out: &mut Differences,
) {
    type Warning = (String, String, Vec<u64>);
    let plain = |detail: &str| match detail.split_once(" (did you mean ") {
        Some((plain, _)) if volatile => plain.to_owned(),
        _ => detail.to_owned(),
    };
    let mut ours: Vec<Warning> =
        ours.iter().map(|d| (d.code.name.to_owned(), plain(&d.message), lines(file, d))).collect();
    let list = recorded.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut recorded: Vec<Warning> = list
        .iter()
        .map(|w| {
            (text_of(w, "rule"), plain(w["detail"].as_str().unwrap_or_default()), recorded_lines_of_one(&w["ranges"]))
        })
        .collect();
    let settle = |list: &mut Vec<Warning>| {
        if volatile {
            list.sort();
        }
        let together = |a: &Warning, b: &Warning| a.0 == b.0 && (a.2 == b.2 || a.0 == "InvalidBaseImagePlatform");
        for group in list.chunk_by_mut(together) {
            group.sort_by(|a, b| (&a.2, &a.1).cmp(&(&b.2, &b.1)));
        }
    };
    settle(&mut ours);
    settle(&mut recorded);
    if ours != recorded {
        let missing: Vec<_> = recorded.iter().filter(|w| !ours.contains(w)).collect();
        let extra: Vec<_> = ours.iter().filter(|w| !recorded.contains(w)).collect();
        let what = match (missing.is_empty(), extra.is_empty()) {
            (true, true) => format!("order: {recorded:?}, not {ours:?}"),
            _ => format!("missing {missing:?}, too many {extra:?}"),
        };
        out.push(aspect, what.chars().take(600).collect());
    }
}

fn span_lines(file: &SourceFile, span: Span) -> Vec<u64> {
    let (first, last) = file.lines_of(span);
    (first as u64 + 1..=last as u64 + 1).collect()
}

/// Lines of a finding, from 1.
fn lines(file: &SourceFile, found: &Diagnostic) -> Vec<u64> {
    rbc::call::place(found).map_or_else(Vec::new, |span| span_lines(file, span))
}

/// Lines of an error, a list for each of its places.
fn error_lines(file: &SourceFile, error: &Diagnostic) -> Vec<Vec<u64>> {
    let mut all = vec![lines(file, error)];
    if error.code == rbc_source::lower::CYCLE {
        all.extend(error.secondary.iter().map(|l| span_lines(file, l.span)));
    }
    all
}

fn recorded_lines_of_one(ranges: &Value) -> Vec<u64> {
    ranges.as_array().into_iter().flatten().filter_map(|r| r[0].as_u64()).collect()
}

fn recorded_lines(ranges: &Value) -> Vec<Vec<u64>> {
    ranges.as_array().into_iter().flatten().map(recorded_lines_of_one).collect()
}

/// Shows a case with both definitions as text.
fn show(case: &Value, differences: &[Difference], all: &Images) {
    println!("--- Dockerfile\n{}", case["dockerfile"].as_str().unwrap_or_default());
    println!("--- attributes {}", case["opts"]["attrs"]);
    let file = SourceFile::new(FileId(0), "Dockerfile", case["dockerfile"].as_str().unwrap_or_default());
    let compiled = compile_case(&file, &case["opts"], Purpose::Build, inputs(case, all), all);
    for error in &compiled.errors {
        println!("--- our error: {} {:?}", error.message, lines(&file, error));
    }
    println!("--- recorded error: {}", case["error"]);
    let recorded = case["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (expected, output) in recorded.iter().zip(&compiled.outputs) {
        let pb = decode(&expected["pb"]);
        let text = |bytes: &[u8]| rbc_wire::load(bytes).map(|l| rbc_wire::to_text(&l)).unwrap_or_default();
        let (a, b) = (text(&pb), text(&output.emit().to_bytes()));
        if a != b {
            println!("--- expected\n{a}\n--- got\n{b}");
        }
        let image = output.image();
        if expected["image"] != *image {
            println!("--- expected image\n{}\n--- got\n{image}", expected["image"].as_str().unwrap_or_default());
        }
    }
    for difference in differences {
        println!("{}: {}", difference.aspect, difference.what);
    }
}
