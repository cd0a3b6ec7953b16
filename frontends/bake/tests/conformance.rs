//! Cases recorded from the real buildx: `shared/conformance/bake`.
//!
//! `RBC_CONFORMANCE` names another folder of the same form. `RBC_DIFFERENCES` names a file that all differences are
//! written to.
#![allow(clippy::disallowed_methods)] // reads the recorded cases

use rbc_bake::{Environment, Found, Host, Request};
use rbc_source::{Diagnostic, Sources};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The machine as a case sees it: its files, and nothing else.
struct Machine {
    root: PathBuf,
    dirs: Vec<PathBuf>,
}

impl rbc_hcl::Host for Machine {
    fn now(&self) -> i64 {
        1_795_435_200
    }
    fn home(&self) -> String {
        "{{HOME}}".into()
    }
    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

impl Host for Machine {
    fn find(&self, path: &str) -> Found {
        let path = path.strip_prefix("{{CWD}}/").unwrap_or(path);
        if Path::new(path).is_absolute() {
            return Found::Nothing;
        }
        if self.dirs.iter().any(|d| d.starts_with(Path::new(path).components().as_path())) {
            return Found::Directory;
        }
        match std::fs::metadata(self.root.join(path)) {
            Ok(found) if found.is_dir() => Found::Directory,
            Ok(found) => Found::File(found.len()),
            Err(_) => Found::Nothing,
        }
    }
    fn read(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix("{{CWD}}/").unwrap_or(path);
        std::fs::read_to_string(self.root.join(path)).ok()
    }
}

/// What the command line of a case says.
#[derive(Default)]
struct Command {
    files: Vec<String>,
    vars: Vec<String>,
    allow: Vec<String>,
    words: Vec<String>,
    list: Option<String>,
    print: bool,
    request: Request,
}

fn command(args: &[String]) -> Result<Command, String> {
    let mut out = Command::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (flag, inline) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let truth = |v: &Option<String>| v.as_deref().is_none_or(|v| v == "true" || v == "1");
        let mut value = || inline.clone().or_else(|| rest.next().cloned()).ok_or(format!("{flag} needs a value"));
        match flag {
            "-f" | "--file" => out.files.push(value()?),
            "--set" => out.request.set.push(value()?),
            "--var" => out.vars.push(value()?),
            "--allow" => out.allow.push(value()?),
            "--policy" => out.request.policy.push(value()?),
            "--builder" | "--progress" | "--metadata-file" => {
                value()?;
            }
            "--list" => out.list = Some(value()?),
            "--call" => out.request.call = Some(value()?),
            "--sbom" => out.request.sbom = Some(value()?),
            "--provenance" => out.request.provenance = Some(value()?),
            "--print" => out.print = truth(&inline),
            "--load" => out.request.load = truth(&inline),
            "--push" => out.request.push = truth(&inline),
            "--check" => out.request.call = Some("check".into()),
            "--no-cache" => out.request.no_cache = Some(truth(&inline)),
            "--pull" => out.request.pull = Some(truth(&inline)),
            flag if flag.starts_with('-') && flag.len() > 1 => return Err(format!("{flag} is not known")),
            word => out.words.push(word.into()),
        }
    }
    Ok(out)
}

/// What a run of a case gives: output or messages.
fn run(root: &Path, dirs: &[String], case: &Value) -> Result<String, Vec<String>> {
    let machine = Machine { root: root.to_owned(), dirs: dirs.iter().map(PathBuf::from).collect() };
    let texts = |key: &str| -> Vec<String> {
        case[key].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let mut process: BTreeMap<String, String> = case["env"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned()))
        .collect();
    process.insert("PATH".into(), "/usr/bin:/bin".into());
    process.insert("HOME".into(), "{{HOME}}".into());
    process.insert("DOCKER_CONFIG".into(), "{{HOME}}/.docker".into());
    process.insert("BUILDX_CONFIG".into(), "{{HOME}}/.buildx".into());
    process.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
    let one = |d: Box<Diagnostic>| vec![d.message.clone()];
    let command = command(&texts("args")).map_err(|why| vec![why])?;
    if command.print && command.list.is_some() {
        return Err(vec!["--print and --list exclude one another".into()]);
    }
    rbc_bake::Rights::parse(&command.allow).map_err(one)?;
    let mut env = Environment::new(process, "linux/amd64").map_err(one)?;
    env.set_vars(&command.vars).map_err(one)?;
    if let Some(text) = machine.read(".env") {
        env.set_dot_env(&text).map_err(one)?;
    }

    let mut names = command.files.clone();
    if names.is_empty()
        && let Some(value) = env.process.get("BUILDX_BAKE_FILE")
    {
        let separator = env.process.get("BUILDX_BAKE_PATH_SEPARATOR").map_or("", String::as_str);
        names = rbc_bake::files_of_variable(value, separator);
    }
    let defaults = names.is_empty();
    if defaults {
        names = rbc_bake::DEFAULT_FILES.iter().map(|n| (*n).to_owned()).collect();
    }
    let mut sources = Sources::new();
    for name in &names {
        let name = name.strip_prefix("cwd://").unwrap_or(name);
        let text = match name {
            "-" => Some(case["stdin"].as_str().unwrap_or("").to_owned()),
            name => {
                let path = name.strip_prefix("{{CWD}}/").unwrap_or(name);
                std::fs::read(root.join(path)).ok().map(|b| String::from_utf8_lossy(&b).into_owned())
            }
        };
        match text {
            Some(text) if defaults && text.is_empty() => {}
            Some(text) => {
                sources.add(name, text);
            }
            None if defaults => {}
            None => return Err(vec![format!("there is no {name}")]),
        }
    }
    if sources.iter().next().is_none() {
        return Err(vec!["there is no bake file".into()]);
    }
    let files: Vec<_> = sources.iter().map(|f| &**f).collect();
    let definitions = rbc_bake::evaluate(&files, &env, &machine);
    let errors = |all: Vec<Diagnostic>| -> Result<(), Vec<String>> {
        let errors: Vec<String> = all.iter().filter(|d| d.is_error()).map(|d| shown(d, &sources)).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    };
    if let Some(list) = &command.list {
        errors(definitions.diagnostics())?;
        let (list, format) = rbc_bake::parse_list(list).map_err(one)?;
        return Ok(rbc_bake::list(&definitions, list, format));
    }
    let mut request = command.request;
    request.targets = command.words;
    let planned = definitions.plan(&request, &env);
    errors(planned.diagnostics)?;
    errors(planned.elsewhere)?;
    errors(rbc_bake::check_host(&planned.plan, &env, &machine))?;
    Ok(rbc_bake::print(&planned.plan))
}

fn shown(d: &Diagnostic, sources: &Sources) -> String {
    let place = d.primary.as_ref().map(|l| {
        let file = sources.get(l.span.file);
        let at = file.line_col(l.span.start as usize);
        format!(" at {}:{}:{} ({})", file.name(), at.line + 1, at.col + 1, l.message)
    });
    format!("{} {}{}", d.code.id, d.message, place.unwrap_or_default())
}

fn recorded() -> Option<PathBuf> {
    if let Ok(root) = std::env::var("RBC_CONFORMANCE") {
        return Some(PathBuf::from(root).join("bake")).filter(|p| p.exists());
    }
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|a| a.join("shared/conformance/bake")).find(|p| p.exists())
}

/// Whether two outputs say the same: JSON as values, anything else as text.
///
/// Of a list, a target and a group of one name come in an order that depends on the reference's way of sorting.
fn same(have: &str, want: &str) -> bool {
    match (serde_json::from_str::<Value>(have), serde_json::from_str::<Value>(want)) {
        (Ok(Value::Array(mut have)), Ok(Value::Array(mut want))) => {
            let key = |v: &Value| (v["name"].as_str().unwrap_or("").to_owned(), v["group"].is_boolean());
            have.sort_by_key(key);
            want.sort_by_key(key);
            have == want
        }
        (Ok(have), Ok(want)) => have == want,
        _ => {
            let lines = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            have == want || have.starts_with("TARGET\t") && lines(have) == lines(want)
        }
    }
}

#[derive(PartialEq)]
enum Verdict {
    Equal,
    /// Different on purpose: `docs/bake-differences.md`.
    Documented,
    Different(String),
}

fn judge(case: &Value, have: &Result<String, Vec<String>>) -> Verdict {
    let tags: Vec<&str> = case["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let expect = &case["expect"];
    let wanted: Vec<&Value> =
        [expect].into_iter().chain(expect["alternatives"].as_array().into_iter().flatten()).collect();
    let fits = |want: &Value| match (want["exit"].as_i64(), have) {
        (Some(0), Ok(text)) => tags.contains(&"volatile") || same(text, want["stdout"].as_str().unwrap_or("")),
        (Some(0), Err(_)) => false,
        (_, have) => have.is_err(),
    };
    if wanted.iter().any(|w| fits(w)) {
        return Verdict::Equal;
    }
    let stderr = expect["stderr"].as_str().unwrap_or("");
    if tags.iter().any(|t| t.starts_with("bug:")) || is_documented(case, stderr, have) {
        return Verdict::Documented;
    }
    let have = match have {
        Ok(text) => format!("exit 0\n{text}"),
        Err(messages) => format!("exit 1\n{}", messages.join("\n")),
    };
    let want = format!("exit {}\n{}{stderr}", expect["exit"], expect["stdout"].as_str().unwrap_or(""));
    Verdict::Different(format!("have {have}\nwant {want}"))
}

/// Faults of the reference that have no tag, but show in what it prints.
fn is_documented(case: &Value, stderr: &str, have: &Result<String, Vec<String>>) -> bool {
    let Ok(have) = have else { return false };
    if stderr.contains("failed to parse  as CSV: EOF") {
        return true;
    }
    let want = case["expect"]["stdout"].as_str().unwrap_or("");
    // It escapes `${` in some arguments only, and what it prints for others cannot be read again.
    let plain = |text: &str| text.replace("$${", "${").replace("%%{", "%{");
    if same(&plain(have), &plain(want)) {
        return true;
    }
    // It loses the value of `--set target.network=...`.
    let sets_network = case["args"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|a| a.as_str().and_then(|a| a.split_once('=')).is_some_and(|(path, _)| path.contains(".network")));
    let without_network = |text: &str| {
        let mut json: Value = serde_json::from_str(text).unwrap_or_default();
        for target in json["target"].as_object_mut().into_iter().flat_map(|t| t.values_mut()) {
            target.as_object_mut().map(|t| t.remove("network"));
        }
        json
    };
    sets_network && without_network(have) == without_network(want)
}

#[test]
fn recorded_cases() {
    let Some(root) = recorded() else {
        println!("the recorded cases are not there");
        return;
    };
    let mut table: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut different = Vec::new();
    let mut sets: Vec<PathBuf> =
        std::fs::read_dir(root.join("cases")).expect("cases").filter_map(|e| e.ok().map(|e| e.path())).collect();
    sets.sort();
    for set in sets {
        let text = std::fs::read_to_string(set.join("cases.json")).expect("readable");
        let content: Value = serde_json::from_str(&text).expect("JSON");
        let dirs: Vec<String> =
            content["dirs"].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
        for case in content["cases"].as_array().into_iter().flatten() {
            let have = run(&set.join("files"), &dirs, case);
            let verdict = judge(case, &have);
            let row = table.entry(case["tag"].as_str().unwrap_or("").to_owned()).or_default();
            match verdict {
                Verdict::Equal => row[0] += 1,
                Verdict::Documented => row[1] += 1,
                Verdict::Different(what) => {
                    row[2] += 1;
                    different.push(format!("=== {} {} {}\n{what}\n", case["id"], case["args"], case["env"]));
                }
            }
        }
    }
    println!("{:20} {:>6} {:>10} {:>9}", "", "equal", "documented", "different");
    let mut sum = [0; 3];
    for (tag, row) in &table {
        println!("{tag:20} {:>6} {:>10} {:>9}", row[0], row[1], row[2]);
        sum.iter_mut().zip(row).for_each(|(s, r)| *s += r);
    }
    println!("{:20} {:>6} {:>10} {:>9}", "all", sum[0], sum[1], sum[2]);
    if let Ok(path) = std::env::var("RBC_DIFFERENCES") {
        std::fs::write(path, different.join("\n")).expect("writable");
    }
    assert!(different.is_empty(), "{} cases differ; the first:\n{}", different.len(), different[0]);
}
