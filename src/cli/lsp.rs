//! `rbc lsp`: the compiler's and the rules' findings for open documents, with the settings and the ignore file around them.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rbc_lint::{LintConfig, ScriptCache};
use rbc_source::{Diagnostic, Severity, SourceFile, Sources};

use super::Failure;
use super::args::LintArgs;
use super::lint::{Configs, bake, findings, ignore_file};

/// Serves until the client ends. The exit status is what the protocol says: 0 if the client had said `shutdown`.
pub fn run() -> ExitCode {
    let options = rbc_lsp::Options { check: Box::new(Checker::default()) };
    let mut input = BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    match rbc_lsp::serve(&mut input, &mut std::io::stdout().lock(), options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            _ = writeln!(std::io::stderr().lock(), "rbc lsp: {e}");
            ExitCode::from(3)
        }
    }
}

/// What `rbc lint` finds, without asking other programs. Reads settings and ignore files, each once until they change.
#[derive(Default)]
pub struct Checker {
    documents: HashMap<String, Known>,
}

/// What is known of a document beside its text.
struct Known {
    config: LintConfig,
    ignore: Option<(String, String)>,
    /// The document is not wanted by the settings: only what no build accepts is shown.
    excluded: bool,
    /// What is wrong around it.
    failed: Option<Diagnostic>,
    scripts: ScriptCache,
}

impl rbc_lsp::Check for Checker {
    fn check(&mut self, uri: &str, file: &SourceFile) -> Vec<Diagnostic> {
        if rbc_lsp::is_bake(uri) {
            return bake(uri, file);
        }
        let known = self.documents.entry(uri.to_owned()).or_insert_with(|| Known::read(uri));
        let mut found = findings(file, &known.config, known.ignore.clone(), Some(&mut known.scripts));
        if known.excluded {
            found.retain(|finding| finding.severity == Severity::Error);
        }
        known.failed.iter().cloned().chain(found).collect()
    }

    fn forget(&mut self, uri: &str) {
        self.documents.remove(uri);
    }

    fn reload(&mut self) {
        self.documents.clear();
    }
}

impl Known {
    fn read(uri: &str) -> Self {
        let mut known = Known {
            config: LintConfig::default(),
            ignore: None,
            excluded: false,
            failed: None,
            scripts: ScriptCache::default(),
        };
        // What was never saved has nothing around it.
        let Some(path) = path(uri) else { return known };
        let mut sources = Sources::new();
        // Another program would cost more than a keystroke may.
        let args = LintArgs { no_shellcheck: true, ..LintArgs::default() };
        let configured = Configs::new(&args, &mut sources).and_then(|mut configs| configs.of(&path, &mut sources));
        match configured {
            Ok(configured) => (known.config, known.excluded) = (configured.config, configured.excluded),
            Err(failure) => known.failed = elsewhere(failure),
        }
        match ignore_file(&path) {
            Ok(ignore) => known.ignore = ignore,
            Err(finding) => known.failed = Some(finding),
        }
        known
    }
}

/// A finding in another file, as one without a place.
fn elsewhere(failure: Failure) -> Option<Diagnostic> {
    let mut finding = failure.diagnostics.into_iter().next()?;
    if let Some(label) = finding.primary.take()
        && let Some(file) = failure.sources.find(label.span.file)
    {
        let at = file.line_col(label.span.start as usize);
        finding.message = format!("{}:{}:{}: {}", file.name(), at.line + 1, at.col + 1, finding.message);
    }
    finding.secondary.clear();
    finding.fixes.clear();
    Some(finding)
}

/// The path of a `file:` address on this machine.
fn path(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("file://")?;
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = behind.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    let mut path = String::from_utf8(bytes).ok()?;
    if cfg!(windows) {
        path = path.trim_start_matches('/').replace('/', "\\");
    }
    Some(PathBuf::from(path)).filter(|path| path != Path::new("") && path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbc_lsp::Check as _;
    use rbc_source::FileId;

    #[test]
    fn addresses_are_paths() {
        assert_eq!(path("file:///a%20b/%C3%A9/Dockerfile"), Some(PathBuf::from("/a b/é/Dockerfile")));
        assert_eq!(path("file:///a%2"), Some(PathBuf::from("/a%2")));
        assert_eq!(path("untitled:Untitled-1"), None);
        assert_eq!(path("file://"), None);
    }

    #[test]
    fn bake_files_are_evaluated() {
        let text = "variable \"A\" { default = 1 }\ntarget \"x\" {\n  inherits = [\"y\"]\n  tags = [\"a:${B}\"]\n}\n";
        let file = SourceFile::new(FileId(0), "", text);
        let mut checker = Checker::default();
        let found = checker.check("file:///docker-bake.hcl", &file);
        let messages: Vec<&str> = found.iter().map(|finding| &*finding.message).collect();
        assert!(messages.iter().any(|m| m.contains("`B`")), "{messages:?}");
        let fixed = SourceFile::new(FileId(0), "", text.replace("B}", "A}").replace("\"y\"", ""));
        assert!(checker.check("file:///docker-bake.hcl", &fixed).is_empty());
        assert!(checker.check("file:///docker-bake.override.hcl", &file).is_empty());
    }

    #[test]
    fn settings_and_ignore_files_count() {
        let dir = std::env::temp_dir().join(format!("rbc-lsp-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let uri = format!("file://{}/Dockerfile", dir.display());
        let text = "FROM alpine:3.20\nCOPY secret /s\nEXPOSE 99999\nRUN echo $NOBODY\nmaintainer me\n";
        let file = SourceFile::new(FileId(0), "", text);
        let mut checker = Checker::default();
        let codes = |checker: &mut Checker| -> Vec<&str> {
            checker.check(&uri, &file).iter().map(|finding| finding.code.id).collect()
        };
        let plain = codes(&mut checker);
        assert!(plain.contains(&"E0220") && plain.contains(&"W0108"), "{plain:?}");
        std::fs::write(dir.join(".dockerignore"), "secret\n").unwrap();
        std::fs::write(dir.join("rbc.toml"), "[lint]\nignore = [\"MaintainerDeprecated\"]\n").unwrap();
        assert_eq!(codes(&mut checker), plain, "until the client says that files changed");
        checker.reload();
        let set = codes(&mut checker);
        assert!(!set.contains(&"W0108"), "{set:?}");
        std::fs::write(dir.join("rbc.toml"), "[lint]\nignroe = []\n").unwrap();
        checker.forget(&uri);
        let found = checker.check(&uri, &file);
        assert!(found[0].primary.is_none() && found[0].message.contains("rbc.toml:2:1: "), "{:?}", found[0]);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    /// Texts of our own.
    fn corpus() -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut directories = vec![root.join("examples"), root.join("benches/data"), root.join("fuzz/corpus")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => directories.push(path),
                    path => texts.extend(std::fs::read_to_string(path).ok().filter(|text| text.len() < 10_000)),
                }
            }
        }
        assert!(!texts.is_empty());
        texts.sort();
        texts
    }

    #[test]
    fn what_is_found_after_edits_is_what_a_fresh_start_finds() {
        const PIECES: [&str; 12] =
            ["", "\n", "\\\n", "$", "${", "\"", "'", "<<x\n", "FROM ", "RUN --mount=", "[", "\u{1F600}"];
        let mut state = 1_u64;
        let mut roll = move |sides: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % sides.max(1)
        };
        for uri in ["untitled:Dockerfile", "untitled:docker-bake.hcl"] {
            let mut checker = Checker::default();
            for mut text in corpus() {
                for _ in 0..4 {
                    let from = text.floor_char_boundary(roll(text.len() + 1));
                    let to = text.floor_char_boundary((from + roll(5) * roll(5)).min(text.len())).max(from);
                    text.replace_range(from..to, PIECES[roll(PIECES.len())]);
                    let file = SourceFile::new(FileId(0), "", &*text);
                    let found = checker.check(uri, &file);
                    assert_eq!(found, Checker::default().check(uri, &file), "{text:?}");
                    let inside = |finding: &Diagnostic| {
                        finding.primary.as_ref().is_none_or(|l| text.get(l.span.range()).is_some())
                    };
                    assert!(found.iter().all(inside), "{text:?}");
                }
            }
        }
    }
}
