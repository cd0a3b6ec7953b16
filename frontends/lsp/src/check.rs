//! Who finds what is wrong in a document.

use std::collections::HashMap;

use rbc_grammar::Document;
use rbc_lint::{LintConfig, ScriptCache};
use rbc_source::{Diagnostic, SourceFile};

use crate::bake::is_bake;

/// Finds what is wrong in documents. The server knows open documents only; who makes it may know more: settings, what lies
/// around a document, the rest of the compiler.
pub trait Check {
    /// What is wrong in a document, in the order of its text. The same text of the same document gives the same, until
    /// [`Check::forget`] or [`Check::reload`] is called.
    fn check(&mut self, uri: &str, file: &SourceFile) -> Vec<Diagnostic>;

    /// A document is closed.
    fn forget(&mut self, uri: &str);

    /// Files that are not open have changed.
    fn reload(&mut self);
}

/// The parsers and the rules, which need the text alone.
#[derive(Debug, Default)]
pub struct TextCheck {
    scripts: HashMap<String, ScriptCache>,
}

impl Check for TextCheck {
    fn check(&mut self, uri: &str, file: &SourceFile) -> Vec<Diagnostic> {
        if is_bake(uri) {
            return rbc_hcl::parse(file).diagnostics;
        }
        let (document, config) = (Document::parse(file.text()), LintConfig::default());
        let scripts = self.scripts.entry(uri.to_owned()).or_default();
        let rules = rbc_lint::check_again(file, &document, &config, scripts);
        rbc_lint::join(file, &document, &config, rbc_dockerfile::parse(file).diagnostics, rules)
    }

    fn forget(&mut self, uri: &str) {
        self.scripts.remove(uri);
    }

    fn reload(&mut self) {}
}
