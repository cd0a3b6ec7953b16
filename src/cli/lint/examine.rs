//! One file: what the compiler and the rules find in it, and what fixes make of it.

use std::collections::BTreeMap;

use rbc_grammar::Document;
use rbc_ir::CapSet;
use rbc_lint::{LintConfig, ScriptCache};
use rbc_lower::questions::{ImageQuestion, SourceQuestion};
use rbc_sema::options::Surroundings;
use rbc_source::{Applicability, Diagnostic, Fix, SourceFile};

use super::super::files::is_dockerfile;
use super::super::host::unresolved;
use super::super::project::host_platform;
use super::super::rewrite;
use super::{Examined, Unit, bake};
use crate::{Found, Host, Input, Purpose, compile};

/// Which fixes are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixes {
    /// None.
    None,
    /// Those that do not change what is built.
    Safe,
    /// Those that may, too.
    All,
}

/// A fix can give rise to another; more rounds than this do not help.
const MOST_ROUNDS: usize = 10;

/// Examines a file, and again after each round of fixes.
pub fn examine(unit: &Unit, file: &SourceFile, fixes: Fixes) -> Result<Examined, Diagnostic> {
    let mut found = check(unit, file)?;
    let mut fixed: Option<SourceFile> = None;
    // A text that had to be mended must not be written over the file's own bytes.
    if fixes != Fixes::None && file.is_utf8() {
        for _ in 0..MOST_ROUNDS {
            let now = fixed.as_ref().unwrap_or(file);
            let (text, count) = rewrite::apply(now, found.iter().filter_map(|finding| wanted(finding, fixes)));
            if count == 0 || text == now.text() {
                break;
            }
            let next = SourceFile::new(file.id(), file.name(), text);
            found = check(unit, &next)?;
            fixed = Some(next);
        }
    }
    Ok(Examined { found, fixed: fixed.filter(|fixed| fixed.text() != file.text()) })
}

/// The fix to apply for a finding.
fn wanted(found: &Diagnostic, fixes: Fixes) -> Option<&Fix> {
    found.fixes.iter().find(|fix| fixes == Fixes::All || fix.applicability == Applicability::Safe)
}

/// What the compiler, the rules and ShellCheck find.
fn check(unit: &Unit, file: &SourceFile) -> Result<Vec<Diagnostic>, Diagnostic> {
    let Some(shellcheck) = unit.shellcheck.as_ref().filter(|_| is_dockerfile(file)) else {
        return Ok(findings(file, &unit.config, unit.ignore.clone(), None));
    };
    let document = Document::parse(file.text());
    let mut rules = rbc_lint::check(file, &document, &unit.config);
    rules.extend(shellcheck.check(file, &document, &unit.config)?);
    Ok(rbc_lint::join(file, &document, &unit.config, compiled(file, unit.ignore.clone()), rules))
}

/// What the compiler and the rules find. For a text that is checked again and again, `scripts` are those of the time before.
pub fn findings(
    file: &SourceFile,
    config: &LintConfig,
    ignore: Option<(String, String)>,
    scripts: Option<&mut ScriptCache>,
) -> Vec<Diagnostic> {
    if !is_dockerfile(file) {
        let found = if rbc_lsp::is_bake(file.name()) { bake(file.name(), file) } else { compiled(file, ignore) };
        return found.into_iter().filter_map(|finding| levelled(finding, config)).collect();
    }
    let document = Document::parse(file.text());
    let rules = match scripts {
        Some(scripts) => rbc_lint::check_again(file, &document, config, scripts),
        None => rbc_lint::check(file, &document, config),
    };
    rbc_lint::join(file, &document, config, compiled(file, ignore), rules)
}

/// A finding as the configuration wants it; what no build accepts counts always.
fn levelled(mut finding: Diagnostic, config: &LintConfig) -> Option<Diagnostic> {
    if !finding.is_error() {
        finding.severity = config.level(finding.code.id, finding.severity.into()).severity()?;
    }
    Some(finding)
}

/// What the compiler finds. The file is checked as if it were built with the directory around it as the context; nothing outside
/// is looked up.
fn compiled(file: &SourceFile, ignore: Option<(String, String)>) -> Vec<Diagnostic> {
    let input = Input {
        file,
        attrs: BTreeMap::new(),
        surroundings: Surroundings {
            build_platform: host_platform(),
            host_platform: host_platform(),
            session: None,
            unique: String::new(),
        },
        caps: CapSet::all(),
        ignore,
        inputs: BTreeMap::new(),
        labs: rbc_grammar::detect_syntax(file.text()).is_some_and(|syntax| syntax.first().ends_with("labs")),
        purpose: Purpose::Check,
        frontend: None,
    };
    let compiled = compile(input, &mut Nobody);
    compiled.errors.into_iter().chain(compiled.warnings).collect()
}

/// A host that asks nobody: images are taken for empty ones, URLs for files.
struct Nobody;

impl Host for Nobody {
    fn image(&mut self, image: &ImageQuestion) -> Result<Found, Diagnostic> {
        Ok(unresolved(image))
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
