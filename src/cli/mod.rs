//! The command line: flags to plain options, options to calls of the driver, results to files and terminal.

pub mod args;
pub mod bake;
mod build;
mod builder;
mod cache;
mod compile;
mod convert;
mod dump;
mod engine;
mod files;
mod fmt;
pub mod frontend;
mod graph;
pub mod host;
pub mod image;
mod inspect;
mod lint;
mod lock;
pub mod lsp;
mod messages;
mod optimizing;
pub mod progress;
pub mod project;
mod remote;
mod rewrite;
mod solve;
mod tables;
mod template;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use rbc_source::{Diagnostic, Sources, environment};

use args::{Cli, Command};
use messages::Messages;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let messages = Messages::new(&cli);
    // Only a process that has no other thread can become root in a namespace of its own.
    if cli.command.executes()
        && let Err(found) = rbc_local::rootless::enter(true)
    {
        messages.print(&Sources::new(), &[*found]);
        return ExitCode::from(3);
    }
    let result = match &cli.command {
        Command::Build(args) => build::run(args, &messages),
        Command::Cache(command) => cache::run(command, &messages),
        Command::Builder(command) => builder::run(command, &messages),
        Command::Image(command) => image::run(command, &messages),
        Command::Solve(args) => solve::run(args, &messages),
        Command::Compile(args) => compile::run(args, &messages),
        Command::Bake(args) => bake::run(args, &messages),
        Command::Convert(args) => convert::run(args, &messages),
        Command::Inspect(args) => inspect::run(args),
        Command::Graph(args) => graph::run(args, &messages),
        Command::Lint(args) => lint::run(args, &messages),
        Command::Fmt(args) => fmt::run(args, &messages),
        Command::Frontend => frontend::run(),
        Command::Lsp { .. } => return lsp::run(),
        Command::Lock(args) => lock::run(args, &messages),
        Command::Explain { code } => messages::explain(code.as_deref(), cli.color),
        Command::Passes => tables::passes(),
        Command::Opt(args) => optimizing::run(args, &messages),
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "rbc", &mut std::io::stdout());
            Ok(())
        }
        Command::Man { dir } => man(dir),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A command that only says no by its status has shown its findings already.
            if !failure.diagnostics.is_empty() {
                messages.print(&failure.sources, &failure.diagnostics);
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Why a command failed.
#[derive(Debug, Default)]
pub struct Failure {
    /// The texts that the findings point into.
    pub sources: Sources,
    /// The findings.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    fn new(sources: &Sources, diagnostics: Vec<Diagnostic>) -> Self {
        Failure { sources: sources.clone(), diagnostics }
    }

    /// The exit status, which says whose fault it was.
    fn code(&self) -> u8 {
        rbc_render::exit_code(&self.diagnostics).max(1)
    }
}

impl From<Diagnostic> for Failure {
    fn from(found: Diagnostic) -> Self {
        Failure { sources: Sources::new(), diagnostics: vec![found] }
    }
}

/// Writes a result to a file, or to standard output. A file is replaced as a whole or not at all.
fn write_output(file: Option<&Path>, bytes: &[u8]) -> Result<(), Diagnostic> {
    let Some(path) = file else {
        let mut out = std::io::stdout().lock();
        return match out.write_all(bytes).and_then(|()| out.flush()) {
            // Who reads may stop when they have seen enough.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|e| Diagnostic::new(environment::WRITE, format!("standard output: {e}"))),
        };
    };
    let failed =
        |e: std::io::Error| Diagnostic::new(environment::WRITE, format!("`{}` cannot be written: {e}", path.display()));
    // The file a link leads to is written, not the link, and stays as private or as executable as it is.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    // What is no regular file (a device, a pipe) cannot be replaced.
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let keep_mode = || path.metadata().map_or(Ok(()), |old| std::fs::set_permissions(&draft, old.permissions()));
    let written = std::fs::write(&draft, bytes).and_then(|()| keep_mode()).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        _ = std::fs::remove_file(&draft);
    }
    written.map_err(failed)
}

fn man(dir: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), dir)
        .map_err(|e| Diagnostic::new(environment::WRITE, format!("`{}`: {e}", dir.display())).into())
}
