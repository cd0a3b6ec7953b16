//! Cases of bake: what `buildx bake --print` and `--list` print, for local and remote definitions and malformed files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use rbc::cli::Failure;
use rbc::cli::args::{Cli, Command};
use rbc::cli::bake::load::{Remote, World, load};
use rbc::cli::bake::show as show_plan;
use rbc_bake::{Found, Host};
use rbc_source::{Diagnostic, Sources, environment};
use serde_json::Value;

use super::report::{Case, Difference, Report};

/// The suite of cases that differ on purpose; `docs/bake-differences.md` explains each kind.
const ON_PURPOSE: &str = "different on purpose";

/// Runs every case of a folder.
pub fn run(folder: &Path, diff: Option<&str>, only: Option<&str>) -> Result<Report, String> {
    let mut cases = Vec::new();
    let mut take = |suite: &str, id: &str, machine: &Machine<'_>| {
        let case = machine.case;
        if diff.is_some_and(|wanted| wanted != id) || only.is_some_and(|wanted| wanted != suite) {
            return;
        }
        let have = bake(machine);
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
        let files = Files::Folder(set.join("files"));
        let dirs: Vec<PathBuf> = texts(&content, "dirs").into_iter().map(Into::into).collect();
        for case in content["cases"].as_array().into_iter().flatten() {
            let machine = Machine { case, files: &files, dirs: &dirs, remote: None };
            take(text(case, "tag"), text(case, "id"), &machine);
        }
    }
    if let Ok(Value::Array(all)) = read(&folder.join("errors/cases.json")) {
        for case in &all {
            let files = case["files"].as_object().into_iter().flatten();
            let files = files.map(|(name, text)| (name.into(), text.as_str().unwrap_or("").to_owned())).collect();
            let dirs: Vec<PathBuf> = texts(case, "dirs").into_iter().map(Into::into).collect();
            let machine = Machine { case, files: &Files::Texts(files), dirs: &dirs, remote: None };
            take("malformed", text(case, "id"), &machine);
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
            let (files, repository) = (Files::Folder(folder.join("remote/cwd")), folder.join("remote/repo"));
            let machine = Machine { case: &case, files: &files, dirs: &[], remote: Some(&repository) };
            take("remote", &format!("remote/{i}"), &machine);
        }
    }
    Ok(Report { kind: "bake", cases, bars: Vec::new() })
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
struct Machine<'c> {
    case: &'c Value,
    files: &'c Files,
    dirs: &'c [PathBuf],
    /// Files of the remote definition.
    remote: Option<&'c Path>,
}

enum Files {
    Folder(PathBuf),
    Texts(BTreeMap<PathBuf, String>),
}

impl rbc_hcl::Host for Machine<'_> {
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

impl Machine<'_> {
    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let path = path.strip_prefix("{{CWD}}/").unwrap_or(path);
        match self.files {
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
        let root = self.remote?;
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

impl World for Machine<'_> {
    fn variables(&self) -> BTreeMap<String, String> {
        let given = self.case["env"].as_object().into_iter().flatten();
        let mut process: BTreeMap<String, String> =
            given.map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned())).collect();
        for (name, value) in [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "{{HOME}}"),
            ("DOCKER_CONFIG", "{{HOME}}/.docker"),
            ("BUILDX_CONFIG", "{{HOME}}/.buildx"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            process.insert(name.into(), value.into());
        }
        process
    }

    fn platform(&self) -> String {
        "linux/amd64".into()
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        self.bytes(path).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn standard_input(&self) -> Result<Vec<u8>, Diagnostic> {
        Ok(text(self.case, "stdin").as_bytes().to_vec())
    }

    fn remote(&self, url: &str, paths: &[&str]) -> Result<Remote, Diagnostic> {
        if url.starts_with(HTTP) {
            let bytes = self.remote_bytes(url, "");
            let absent = || Diagnostic::new(environment::FETCH, format!("there is nothing at {url}"));
            return bytes.map(Remote::File).ok_or_else(absent);
        }
        Ok(Remote::Files(paths.iter().map(|path| self.remote_bytes(url, path)).collect()))
    }
}

impl Host for Machine<'_> {
    fn find(&self, path: &str) -> Found {
        let path = path.strip_prefix("{{CWD}}/").unwrap_or(path);
        if Path::new(path).is_absolute() {
            return Found::Nothing;
        }
        if self.dirs.iter().any(|d| d.starts_with(Path::new(path).components().as_path())) {
            return Found::Directory;
        }
        match self.files {
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

/// What a run of a case gives: output or messages.
fn bake(machine: &Machine<'_>) -> Result<String, Vec<String>> {
    let args = texts(machine.case, "args");
    let words = ["rbc", "bake"].into_iter().chain(args.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|e| vec![e.to_string()])?;
    let Command::Bake(args) = cli.command else { return Err(vec!["another command".into()]) };
    let errors = |failure: Failure| -> Vec<String> {
        failure.diagnostics.iter().filter(|d| d.is_error()).map(|d| shown(d, &failure.sources)).collect()
    };
    let loaded = load(&args, machine).map_err(errors)?;
    show_plan(&args, &loaded, machine).map(|shown| shown.text).map_err(errors)
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
