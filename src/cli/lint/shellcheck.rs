//! ShellCheck, where it is installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rbc_grammar::Document;
use rbc_lint::{LintConfig, Pragmas, shellcheck};
use rbc_source::{Diagnostic, SourceFile, environment};

/// The program. It reads scripts from standard input only, follows no `source` in them, and no configuration of the user's.
#[derive(Clone, Debug)]
pub struct ShellCheck;

const PROGRAM: &str = "shellcheck";

impl ShellCheck {
    /// The program, if it is installed.
    pub fn find() -> Option<ShellCheck> {
        let quiet = Command::new(PROGRAM)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        quiet.is_ok_and(|status| status.success()).then_some(ShellCheck)
    }

    /// What it finds in the scripts of a file.
    ///
    /// # Errors
    /// It cannot be run, or says what nobody understands.
    pub fn check(
        &self,
        file: &SourceFile,
        document: &Document<'_>,
        config: &LintConfig,
    ) -> Result<Vec<Diagnostic>, Diagnostic> {
        let pragmas = Pragmas::read(file, document);
        let mut found = Vec::new();
        for script in shellcheck::scripts(file, document, config) {
            let failed = |why: String| {
                Diagnostic::new(environment::READ, format!("ShellCheck failed: {why}"))
                    .note("`--no-shellcheck` does without it")
            };
            let output = run(&script.text).map_err(|e| failed(e.to_string()))?;
            found.extend(script.findings(file, config, &pragmas, &output).map_err(failed)?);
        }
        Ok(found)
    }
}

fn run(script: &str) -> std::io::Result<String> {
    let mut child = Command::new(PROGRAM)
        .args(["--format=json1", "--norc", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    // It reads all before it answers, so neither waits for the other.
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(script.as_bytes()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => return Err(e),
            _ => {}
        }
    }
    let output = child.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
