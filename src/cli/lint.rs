//! `rbc lint`.

use std::path::Path;

use rbc_grammar::Document;
use rbc_lint::LintConfig;
use rbc_source::{Applicability, Diagnostic, Fix, Sources, environment, lower};

use super::args::{BuildArgs, LintArgs};
use super::host::World;
use super::messages::Messages;
use super::project::Project;
use super::{Failure, rewrite, write_output};
use crate::{Purpose, compile};

/// A fix can give rise to another; more rounds than this do not help.
const MOST_ROUNDS: usize = 10;

/// Where the rules' levels are looked for if no file is named.
const CONFIGS: [&str; 2] = [".hadolint.yaml", ".hadolint.yml"];

/// Runs the command.
pub fn run(args: &LintArgs, messages: &Messages) -> Result<(), Failure> {
    let config = config(args)?;
    let mut sources = Sources::new();
    let mut all = Vec::new();
    let mut changed = false;
    for path in &args.files {
        let build = build_args(path);
        let mut project = Project::load_beside(std::mem::take(&mut sources), &build)?;
        let original = project.sources.get(project.file).clone();
        let mut found = check(&build, &mut project, &config)?;
        if (args.fix || args.unsafe_fixes || args.diff) && original.is_utf8() {
            for _ in 0..MOST_ROUNDS {
                let file = project.sources.get(project.file).clone();
                let fixes = found.iter().filter_map(|d| wanted(d, args.unsafe_fixes));
                let (text, count) = rewrite::apply(&file, fixes);
                if count == 0 || text == file.text() {
                    break;
                }
                project.file = project.sources.add(file.name(), text);
                found = check(&build, &mut project, &config)?;
            }
            let file = project.sources.get(project.file);
            let differs = file.text() != original.text();
            changed |= differs;
            if args.diff {
                let diff = rewrite::diff(&path.to_string_lossy(), original.text(), file.text());
                write_output(None, diff.as_bytes())?;
            } else if differs || path == Path::new("-") {
                rewrite::write(path, file.text())?;
            }
        }
        all.extend(found);
        sources = project.sources;
    }
    let failed = if args.diff {
        changed
    } else {
        messages.print(&sources, &rbc_render::arrange(all.clone()));
        all.iter().any(|d| config.fails(d.severity.into()))
    };
    if failed { Err(Failure::default()) } else { Ok(()) }
}

/// The file is checked as if it were built with the directory around it as the context. Base images are not looked up.
fn build_args(path: &Path) -> BuildArgs {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stdin = path == Path::new("-");
    BuildArgs {
        path: if stdin { "-".to_owned() } else { dir.to_string_lossy().into_owned() },
        file: (!stdin).then(|| path.to_string_lossy().into_owned()),
        no_resolve: true,
        ..BuildArgs::default()
    }
}

/// What the compiler's checks and the rules find.
fn check(build: &BuildArgs, project: &mut Project, config: &LintConfig) -> Result<Vec<Diagnostic>, Failure> {
    let mut world = World::new(build, project, None).map_err(|found| Failure::new(&project.sources, found))?;
    let compiled = compile(project.input(Purpose::Check), &mut world);
    let mut found = compiled.errors;
    found.extend(compiled.warnings);
    let file = project.sources.get(project.file);
    found.extend(rbc_lint::check(file, &Document::parse(file.text()), config));
    Ok(found)
}

/// The fix to apply for a finding.
fn wanted(found: &Diagnostic, unsafe_too: bool) -> Option<&Fix> {
    found.fixes.iter().find(|f| unsafe_too || f.applicability == Applicability::Safe)
}

/// The rules' configuration: of the file named, or of the one that lies in the working directory.
fn config(args: &LintArgs) -> Result<LintConfig, Failure> {
    let named = args.config.clone();
    let file = named.or_else(|| CONFIGS.iter().map(Into::into).find(|p: &std::path::PathBuf| p.is_file()));
    let mut config = match file {
        None => LintConfig::default(),
        Some(file) => {
            let text = std::fs::read_to_string(&file)
                .map_err(|e| Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", file.display())))?;
            LintConfig::from_hadolint_yaml(&text).map_err(|e| {
                let place = e.place.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
                Diagnostic::new(lower::OPTION, format!("`{}{place}`: {}", file.display(), e.message))
            })?
        }
    };
    config.ignored.extend(args.ignore.iter().map(|name| LintConfig::key(name)));
    config.shell &= !args.no_shell;
    config.no_fail |= args.no_fail;
    if let Some(level) = args.failure_threshold {
        config.failure_threshold = level.into();
    }
    Ok(config)
}
