//! What is wrong in a bake file by itself.

use std::collections::BTreeMap;

use rbc_source::{Diagnostic, SourceFile};

use super::super::project::host_platform;

/// What is wrong in a bake file, whichever of its targets is asked for. Variables have their defaults.
pub fn bake(name: &str, file: &SourceFile) -> Vec<Diagnostic> {
    // What one file overrides, another declares.
    if name.ends_with(".override.hcl") {
        return rbc_hcl::parse(file).diagnostics;
    }
    let env = match rbc_bake::Environment::new(BTreeMap::new(), host_platform().format()) {
        Ok(env) => env,
        Err(finding) => return vec![*finding],
    };
    let definitions = rbc_bake::evaluate(&[file], &env, &Nothing);
    let targets = definitions.target_names().map(|name| name.to_string()).collect();
    let planned = definitions.plan(&rbc_bake::Request { targets, ..rbc_bake::Request::default() }, &env);
    let mut found: Vec<Diagnostic> = Vec::new();
    for finding in definitions.diagnostics().into_iter().chain(planned.diagnostics).chain(planned.elsewhere) {
        let span = |finding: &Diagnostic| finding.primary.as_ref().map(|label| label.span);
        if !found.iter().any(|f| span(f) == span(&finding) && f.message == finding.message) {
            found.push(finding);
        }
    }
    found.sort_by_key(|finding| finding.primary.as_ref().map(|label| label.span.start));
    found
}

/// A machine on which nothing is: a check looks at no other files.
struct Nothing;

impl rbc_hcl::Host for Nothing {
    fn now(&self) -> i64 {
        0
    }

    fn home(&self) -> String {
        String::new()
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }
}

impl rbc_bake::Host for Nothing {
    fn find(&self, _: &str) -> rbc_bake::Found {
        rbc_bake::Found::Nothing
    }

    fn read(&self, _: &str) -> Option<String> {
        None
    }
}
