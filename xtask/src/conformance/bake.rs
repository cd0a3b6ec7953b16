//! Cases of bake: what `buildx bake --print` and `--list` print, for local and remote definitions and malformed files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rbc_bake::{Environment, Found, Host, Request};
use rbc_source::{Diagnostic, Sources};
use serde_json::Value;

use super::report::{Case, Difference, Report};

/// The suite of cases that differ on purpose; `docs/bake-differences.md` explains each kind.
const ON_PURPOSE: &str = "different on purpose";

/// Runs every case of a folder.
pub fn run(folder: &Path, diff: Option<&str>, only: Option<&str>) -> Result<Report, String> {
    let mut cases = Vec::new();
    let mut take = |suite: &str, id: &str, case: &Value, machine: &Machine| {
        if diff.is_some_and(|wanted| wanted != id) || only.is_some_and(|wanted| wanted != suite) {
            return;
        }
        let have = bake(machine, case);
        let verdict = judge(case, &have);
        if diff.is_some() {
            show(case, &have);
        }
        cases.push(Case {
            id: id.to_owned(),
            suite: if verdict == Verdict::OnPurpose { ON_PURPOSE.to_owned() } else { suite.to_owned() },
            features: texts(case, "tags"),
            differences: match verdict {
                Verdict::Different(what) => vec![Difference { aspect: "output", what }],
                Verdict::Equal | Verdict::OnPurpose => Vec::new(),
            },
        });
    };
    let mut sets: Vec<PathBuf> = entries(&folder.join("cases"))?;
    sets.sort();
    for set in sets {
        let content = read(&set.join("cases.json"))?;
        let machine = Machine {
            files: Files::Folder(set.join("files")),
            dirs: texts(&content, "dirs").into_iter().map(Into::into).collect(),
            remote: None,
        };
        for case in content["cases"].as_array().into_iter().flatten() {
            take(text(case, "tag"), text(case, "id"), case, &machine);
        }
    }
    if let Ok(Value::Array(all)) = read(&folder.join("errors/cases.json")) {
        for case in &all {
            let files = case["files"].as_object().into_iter().flatten();
            let files = files.map(|(name, text)| (name.into(), text.as_str().unwrap_or("").to_owned())).collect();
            let machine = Machine {
                files: Files::Texts(files),
                dirs: texts(case, "dirs").into_iter().map(Into::into).collect(),
                remote: None,
            };
            take("malformed", text(case, "id"), case, &machine);
        }
    }
    if let Ok(Value::Array(all)) = read(&folder.join("remote/cases.json")) {
        for (i, case) in all.iter().enumerate() {
            let case: Value = serde_json::from_str(&case.to_string().replace("{{GIT}}", GIT).replace("{{HTTP}}", HTTP))
                .map_err(|e| format!("{}: {e}", folder.display()))?;
            // The recorded server could not unpack archives.
            if text(&case, "stderr").contains("invalid input type") {
                continue;
            }
            let machine = Machine {
                files: Files::Folder(folder.join("remote/cwd")),
                dirs: Vec::new(),
                remote: Some(folder.join("remote/repo")),
            };
            take("remote", &format!("remote/{i}"), &case, &machine);
        }
    }
    Ok(Report { kind: "bake", cases })
}

const GIT: &str = "https://git.example/repo.git";
const HTTP: &str = "https://http.example/files";

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = dir.read_dir().map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(entries.filter_map(|f| Some(f.ok()?.path())).collect())
}

fn read(path: &Path) -> Result<Value, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
    serde_json::from_str(&text).map_err(|e| wrong(&e))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("")
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    value[key].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// The machine as a case sees it: its files, and nothing else.
struct Machine {
    files: Files,
    dirs: Vec<PathBuf>,
    /// Files of the remote definition.
    remote: Option<PathBuf>,
}

enum Files {
    Folder(PathBuf),
    Texts(BTreeMap<PathBuf, String>),
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

impl Machine {
    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let path = path.strip_prefix("{{CWD}}/").unwrap_or(path);
        match &self.files {
            Files::Folder(root) => std::fs::read(root.join(path)).ok(),
            // What is no UTF-8 was recorded as the replacement character.
            Files::Texts(texts) => texts.get(Path::new(path)).map(|t| {
                let mut bytes = Vec::with_capacity(t.len());
                for part in t.split_inclusive('\u{fffd}') {
                    match part.strip_suffix('\u{fffd}') {
                        Some(part) => bytes.extend([part.as_bytes(), b"\xe9"].concat()),
                        None => bytes.extend(part.as_bytes()),
                    }
                }
                bytes
            }),
        }
    }

    /// A file of the remote definition. The branch `dev` has one target more.
    fn remote_bytes(&self, url: &str, path: &str) -> Option<Vec<u8>> {
        let root = self.remote.as_ref()?;
        if url.starts_with(HTTP) {
            return std::fs::read(root.join(url.rsplit('/').next()?)).ok().filter(|_| path.is_empty());
        }
        let (_, rest) = url.split_once(['#', '?']).unwrap_or((url, ""));
        let (reference, subdir) = match rest.strip_prefix("subdir=") {
            Some(subdir) => ("", subdir),
            None => rest.trim_start_matches("ref=").split_once(':').unwrap_or((rest.trim_start_matches("ref="), "")),
        };
        let mut bytes = std::fs::read(root.join(subdir).join(path)).ok()?;
        match reference {
            "" | "main" | "v1" => {}
            "dev" => bytes.extend(b"target \"devonly\" {}\n"),
            _ => return None,
        }
        Some(bytes)
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
        match &self.files {
            Files::Folder(root) => match std::fs::metadata(root.join(path)) {
                Ok(found) if found.is_dir() => Found::Directory,
                Ok(found) => Found::File(found.len()),
                Err(_) => Found::Nothing,
            },
            Files::Texts(texts) => match texts.get(Path::new(path)) {
                Some(text) => Found::File(text.len() as u64),
                None if texts.keys().any(|p| p.starts_with(path)) => Found::Directory,
                None => Found::Nothing,
            },
        }
    }
    fn read(&self, path: &str) -> Option<String> {
        String::from_utf8(self.bytes(path)?).ok()
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
fn bake(machine: &Machine, case: &Value) -> Result<String, Vec<String>> {
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
    let command = command(&texts(case, "args")).map_err(|why| vec![why])?;
    if command.print && command.list.is_some() {
        return Err(vec!["--print and --list exclude one another".into()]);
    }
    rbc_bake::Rights::parse(&command.allow).map_err(one)?;
    let mut env = Environment::new(process, "linux/amd64").map_err(one)?;
    env.set_vars(&command.vars).map_err(one)?;
    if let Some(text) = machine.read(".env") {
        env.set_dot_env(&text).map_err(one)?;
    }
    let words = rbc_bake::split_arguments(&command.words);
    let from = words.remote.as_deref();
    // A single file has no directory that paths could lie in.
    env.remote = words.remote.clone().filter(|url| !url.starts_with(HTTP));
    if let Some(url) = words.context {
        env.command_context = url;
    }

    let mut names = command.files.clone();
    if names.is_empty()
        && let Some(value) = env.process.get("BUILDX_BAKE_FILE")
    {
        let separator = env.process.get("BUILDX_BAKE_PATH_SEPARATOR").map_or("", String::as_str);
        names = rbc_bake::files_of_variable(value, separator);
    }
    let here = names.iter().all(|n| n.starts_with("cwd://"));
    let defaults = names.is_empty() || here && from.is_some();
    if defaults {
        let single = from.filter(|url| url.starts_with(HTTP));
        let standard: Vec<&str> = single.map_or(rbc_bake::DEFAULT_FILES.to_vec(), |_| vec![""]);
        names.splice(0..0, standard.into_iter().map(str::to_owned));
    }
    let mut sources = Sources::new();
    for name in &names {
        let bytes = match (name.strip_prefix("cwd://"), from) {
            (Some(local), _) => machine.bytes(local),
            (None, _) if name == "-" => Some(text(case, "stdin").as_bytes().to_vec()),
            (None, None) => machine.bytes(name),
            (None, Some(url)) => machine.remote_bytes(url, name),
        };
        let name = match (name.as_str(), from) {
            ("", Some(url)) => url,
            (name, _) => name.strip_prefix("cwd://").unwrap_or(name),
        };
        let standard = rbc_bake::DEFAULT_FILES.contains(&name);
        match bytes {
            // Nothing at all is as if it were not there.
            Some(bytes) if bytes.is_empty() => {}
            Some(bytes) => {
                sources.add_bytes(name, bytes);
            }
            None if defaults && standard => {}
            None => return Err(vec![format!("there is no {name}")]),
        }
    }
    if sources.iter().next().is_none() {
        return Err(vec!["there is no bake file".into()]);
    }
    let files: Vec<_> = sources.iter().map(|f| &**f).collect();
    let definitions = rbc_bake::evaluate(&files, &env, machine);
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
    request.targets = words.targets;
    let planned = definitions.plan(&request, &env);
    errors(planned.diagnostics)?;
    errors(planned.elsewhere)?;
    errors(rbc_bake::check_host(&planned.plan, &env, machine))?;
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

/// Whether two outputs say the same: JSON as values, anything else as text.
///
/// Of a list, a target and a group of one name come in an order that depends on the reference's way of sorting.
fn same(have: &str, want: &str) -> bool {
    match (serde_json::from_str::<Value>(have), serde_json::from_str::<Value>(want)) {
        (Ok(Value::Array(mut have)), Ok(Value::Array(mut want))) => {
            let key = |v: &Value| (text(v, "name").to_owned(), v["group"].is_boolean());
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
    OnPurpose,
    Different(String),
}

fn judge(case: &Value, have: &Result<String, Vec<String>>) -> Verdict {
    let tags = texts(case, "tags");
    let expect = if case["expect"].is_object() { &case["expect"] } else { case };
    let wanted = [expect].into_iter().chain(expect["alternatives"].as_array().into_iter().flatten());
    let fits = |want: &Value| match (want["exit"].as_i64(), have) {
        (Some(0), Ok(text)) => tags.iter().any(|t| t == "volatile") || same(text, self::text(want, "stdout")),
        (Some(0), Err(_)) => false,
        (_, have) => have.is_err(),
    };
    if wanted.into_iter().any(fits) {
        return Verdict::Equal;
    }
    if tags.iter().any(|t| t.starts_with("bug:")) || is_on_purpose(case, expect, have) {
        return Verdict::OnPurpose;
    }
    Verdict::Different(match have {
        Ok(_) if expect["exit"] != 0 => {
            format!("it passes, and the reference says {:?}", text(expect, "stderr").trim())
        }
        Ok(_) => "the output differs".to_owned(),
        Err(messages) => format!("it fails: {}", messages.join("; ")),
    })
}

/// Faults of the reference that have no tag, but show in what it prints.
fn is_on_purpose(case: &Value, expect: &Value, have: &Result<String, Vec<String>>) -> bool {
    let have = match have {
        Ok(have) => have,
        // It has no limits.
        Err(messages) => return messages.iter().all(|m| m.starts_with("E0512")),
    };
    if text(expect, "stderr").contains("failed to parse  as CSV: EOF") {
        return true;
    }
    let want = text(expect, "stdout");
    // It escapes `${` in some arguments only, and what it prints for others cannot be read again.
    let plain = |text: &str| text.replace("$${", "${").replace("%%{", "%{");
    if same(&plain(have), &plain(want)) {
        return true;
    }
    // It loses the value of `--set target.network=...`.
    let sets_network =
        texts(case, "args").iter().any(|a| a.split_once('=').is_some_and(|(path, _)| path.contains(".network")));
    let without_network = |text: &str| {
        let mut json: Value = serde_json::from_str(text).unwrap_or_default();
        for target in json["target"].as_object_mut().into_iter().flat_map(|t| t.values_mut()) {
            target.as_object_mut().map(|t| t.remove("network"));
        }
        json
    };
    sets_network && without_network(have) == without_network(want)
}

/// Prints what a case asks for, gives and should give.
fn show(case: &Value, have: &Result<String, Vec<String>>) {
    let expect = if case["expect"].is_object() { &case["expect"] } else { case };
    println!("args {}\nenv {}", case["args"], case["env"]);
    match have {
        Ok(text) => println!("have exit 0\n{text}"),
        Err(messages) => println!("have exit 1\n{}", messages.join("\n")),
    }
    println!("want exit {}\n{}{}", expect["exit"], text(expect, "stdout"), text(expect, "stderr"));
}
