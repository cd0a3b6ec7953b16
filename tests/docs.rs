//! Examples in the documentation do what they say.
//!
//! - `docs/codes/*.md`: blocks marked `dockerfile,error` and `dockerfile,warning` trigger the page's code, blocks marked
//!   `dockerfile,ok` trigger nothing; `docs/diagnostics.md` describes them.
//! - `docs/*.md` and README.md: in blocks marked `console`, lines that begin with `$ ` are run in a copy of the repository's
//!   examples; what follows is their output, where a line `...` stands for any lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rbc::{Found, Host, Input, Purpose, compile};
use rbc_ir::CapSet;
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_oci::Platform;
use rbc_sema::options::Surroundings;
use rbc_source::{Diagnostic, FileId, SourceFile, image};

use crate::harness::{Scratch, root};

/// Fenced blocks of a page: what stands behind the fence, the text, and the line.
fn blocks(text: &str) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String, usize)> = None;
    for (i, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.to_owned(), String::new(), i + 1)),
            (Some(_), Some("")) => found.extend(open.take()),
            (Some((_, body, _)), _) => *body += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    found
}

/// A world with the images that examples may use.
struct Examples;

impl Host for Examples {
    fn image(&mut self, image: &ImageQuestion) -> Result<Found, Diagnostic> {
        let platform = image.platform.clone().unwrap_or_else(|| Platform::new("linux", "amd64"));
        let name = image.reference.trim_start_matches("docker.io/library/");
        let systems: &[&str] = match name.split([':', '@']).next() {
            Some("alpine" | "busybox" | "debian") => &["linux"],
            Some("golang") => &["linux", "windows"],
            _ => return Err(Diagnostic::new(image::NOT_FOUND, format!("`{name}` is not there"))),
        };
        if !systems.contains(&platform.os.as_str()) {
            return Err(Diagnostic::new(image::NO_PLATFORM, format!("`{name}` is not there for {}", platform.os)));
        }
        let config = format!(
            r#"{{"architecture":"{}","os":"{}","rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
            platform.architecture,
            platform.os,
            "0".repeat(64)
        );
        Ok(Found { reference: image.reference.clone(), digest: None, config: config.into_bytes() })
    }

    fn ignore(&mut self, _: &str) -> Result<Option<String>, Diagnostic> {
        Ok(None)
    }

    fn is_archive(&mut self, _: &str) -> Result<bool, Diagnostic> {
        Ok(true)
    }

    fn time(&mut self, _: &SourceQuestion) -> Result<Option<i64>, Diagnostic> {
        Ok(Some(0))
    }
}

/// Codes that compiling a text with attributes and an ignore file reports.
fn codes(text: &str, attrs: &str, ignore: Option<&str>) -> Vec<&'static str> {
    let file = SourceFile::new(FileId(0), "Dockerfile", text);
    let linux = Platform::new("linux", "amd64");
    let attr = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    let input = Input {
        file: &file,
        attrs: attrs.split(' ').filter_map(attr).collect(),
        surroundings: Surroundings {
            build_platform: linux.clone(),
            host_platform: linux,
            session: None,
            unique: String::new(),
        },
        caps: CapSet::all(),
        ignore: ignore.map(|text| (".dockerignore".to_owned(), text.to_owned())),
        inputs: BTreeMap::new(),
        labs: rbc_grammar::detect_syntax(text).is_some_and(|s| s.first().ends_with("labs")),
        purpose: Purpose::Build,
        frontend: None,
    };
    let compiled = compile(input, &mut Examples);
    compiled.errors.iter().chain(&compiled.warnings).map(|d| d.code.id).collect()
}

#[test]
fn code_pages_show_what_they_are_about() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    let mut pages: Vec<_> = root().join("docs/codes").read_dir().unwrap().map(|f| f.unwrap().path()).collect();
    pages.sort();
    for page in pages {
        let id = page.file_stem().unwrap().to_string_lossy().into_owned();
        // Pages of lint rules are tried by the crate that has them.
        if id.starts_with("W02") || id.starts_with("W03") {
            continue;
        }
        let mut ignore = None;
        for (info, body, line) in blocks(&std::fs::read_to_string(&page).unwrap()) {
            if info == "dockerignore" {
                ignore = Some(body);
                continue;
            }
            let Some(rest) = info.strip_prefix("dockerfile,") else { continue };
            let (kind, attrs) = rest.split_once(' ').unwrap_or((rest, ""));
            let found = codes(&body, attrs, ignore.as_deref());
            let triggered = found.contains(&id.as_str());
            checked += 1;
            let fine = match kind {
                "error" | "warning" => triggered,
                "ok" => found.is_empty(),
                _ => false,
            };
            if !fine {
                wrong.push(format!("{}:{line}: `{info}` reports {found:?}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} examples are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn console_examples_print_what_they_say() {
    let mut pages = vec![root().join("README.md")];
    pages.extend(root().join("docs").read_dir().unwrap().map(|f| f.unwrap().path()));
    pages.retain(|p| p.extension().is_some_and(|e| e == "md"));
    pages.sort();
    let mut wrong = Vec::new();
    for page in pages {
        for (info, body, line) in blocks(&std::fs::read_to_string(&page).unwrap()) {
            if info == "console"
                && let Err(message) = run_console(&body)
            {
                wrong.push(format!("{}:{line}: {message}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Runs the commands of a console block and compares what they print.
fn run_console(block: &str) -> Result<(), String> {
    let dir = Scratch::new();
    copy(&root().join("examples"), &dir.path().join("examples"));
    let program = Path::new(env!("CARGO_BIN_EXE_rbc")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((command, output))) => match command.strip_suffix('\\') {
                Some(begun) if output.is_empty() => *command = format!("{begun}{line}"),
                _ => output.push(line),
            },
            (None, None) => return Err(format!("`{line}` is no command: it does not begin with `$ `")),
        }
    }
    for (command, expected) in commands {
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(dir.path())
            .env("PATH", &path)
            .env("DOCKER_CONFIG", "/nonexistent")
            .env("RBC_STORE", dir.path().join("store"))
            .env("RBC_BUILDERS", dir.path().join("builders.toml"))
            .output()
            .map_err(|e| e.to_string())?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !matches(&expected, &printed.lines().collect::<Vec<_>>()) {
            return Err(format!("`{command}` prints\n{printed}\ninstead of\n{}", expected.join("\n")));
        }
    }
    Ok(())
}

/// Whether lines are as expected, `...` standing for any.
fn matches(expected: &[&str], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&"...", rest)) => (0..=lines.len()).any(|skip| matches(rest, &lines[skip..])),
        Some((first, rest)) => lines.split_first().is_some_and(|(line, lines)| line == first && matches(rest, lines)),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
