//! Names of targets, variables and functions, and where they stand.

use std::collections::BTreeSet;
use std::ops::Range;

use rbc_hcl::Value;
use rbc_hcl::ast::{Body, Expr, ExprKind, Step, Use};

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A target or a group, which share their names.
    Target,
    Variable,
    Function,
}

/// A name at a place.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub kind: Kind,
    pub text: String,
    /// Without quotes.
    pub range: Range<usize>,
    pub declares: bool,
}

/// All names of a file, in its order.
pub(super) struct Names<'t> {
    all: Vec<Name>,
    text: &'t str,
}

/// Where a text without interpolations is written, without its quotes.
pub(super) fn literal<'e>(expr: &'e Expr, text: &str) -> Option<(&'e str, Range<usize>)> {
    let ExprKind::Literal(Value::String(value)) = &expr.kind else { return None };
    let range = expr.span.range();
    let inner = match text.get(range.clone())? {
        quoted if quoted.starts_with('"') && quoted.len() == value.len() + 2 => range.start + 1..range.end - 1,
        _ => return None,
    };
    Some((value, inner))
}

/// The elements of a list, if it is written as one.
pub(super) fn elements<'e>(body: &'e Body, attribute: &str) -> &'e [Expr] {
    body.attribute(attribute).and_then(|attribute| attribute.value.as_list()).unwrap_or_default()
}

impl<'t> Names<'t> {
    pub fn new(body: &Body, text: &'t str) -> Self {
        let mut names = Names { all: Vec::new(), text };
        for attribute in &body.attributes {
            names.add(Kind::Variable, &attribute.name, attribute.name_span.range(), true);
            names.uses(&attribute.value, &BTreeSet::new());
        }
        for block in &body.blocks {
            let kind = match &*block.kind {
                "target" | "group" => Kind::Target,
                "variable" => Kind::Variable,
                "function" => Kind::Function,
                _ => continue,
            };
            if let Some(label) = block.labels.first() {
                let range = label.span.range();
                let quoted = text.get(range.clone()).is_some_and(|t| t.starts_with('"') && t.len() >= 2);
                names.add(kind, &label.text, if quoted { range.start + 1..range.end - 1 } else { range }, true);
            }
            for list in ["inherits", "targets"] {
                for element in elements(&block.body, list) {
                    if let Some((target, range)) = literal(element, text) {
                        names.add(Kind::Target, target, range, false);
                    }
                }
            }
            names.contexts(&block.body);
            names.body(&block.body, &local(&block.body, text));
        }
        names.all.sort_by_key(|name| name.range.start);
        names
    }

    fn add(&mut self, kind: Kind, text: &str, range: Range<usize>, declares: bool) {
        self.all.push(Name { kind, text: text.to_owned(), range, declares });
    }

    /// `contexts = {name = "target:other"}`.
    fn contexts(&mut self, body: &Body) {
        let Some(ExprKind::Object(items)) = body.attribute("contexts").map(|contexts| &contexts.value.kind) else {
            return;
        };
        for item in items {
            if let Some((value, range)) = literal(&item.value, self.text)
                && let Some(target) = value.strip_prefix("target:")
            {
                self.add(Kind::Target, target, range.end - target.len()..range.end, false);
            }
        }
    }

    fn body(&mut self, body: &Body, local: &BTreeSet<String>) {
        for attribute in &body.attributes {
            // These are names of parameters.
            if !matches!(&*attribute.name, "params" | "variadic_params") {
                self.uses(&attribute.value, local);
            }
        }
        for block in &body.blocks {
            self.body(&block.body, local);
        }
    }

    fn uses(&mut self, expr: &Expr, local: &BTreeSet<String>) {
        expr.uses(&mut |used| match used {
            Use::Function(name, span) => self.add(Kind::Function, name, span.range(), false),
            Use::Variable(name, _, _) if local.contains(&**name) => {}
            Use::Variable(name, span, steps) => match (&**name, steps.first()) {
                ("target" | "group", Some(Step::Attr(target, span))) => {
                    let range = span.range();
                    let dot = usize::from(self.text.get(range.clone()).is_some_and(|text| text.starts_with('.')));
                    self.add(Kind::Target, target, range.start + dot..range.end, false);
                }
                _ => self.add(Kind::Variable, name, span.range(), false),
            },
        });
    }

    /// The name that an offset touches.
    pub fn at(&self, offset: usize) -> Option<&Name> {
        self.all.iter().find(|name| name.range.start <= offset && offset <= name.range.end)
    }

    /// All places of the name that an offset touches.
    pub fn same(&self, offset: usize) -> impl Iterator<Item = &Name> {
        let wanted = self.at(offset);
        self.all.iter().filter(move |name| wanted.is_some_and(|w| w.kind == name.kind && w.text == name.text))
    }

    /// Where the name at an offset is declared first.
    pub fn declaration(&self, offset: usize) -> Option<Range<usize>> {
        self.same(offset).find(|name| name.declares).map(|name| name.range.clone())
    }

    /// What is declared of a kind, each once.
    pub fn declared(&self, kind: Kind) -> BTreeSet<&str> {
        self.all.iter().filter(|name| name.declares && name.kind == kind).map(|name| &*name.text).collect()
    }
}

/// What a block binds for itself: axes of a matrix, parameters of a function.
fn local(body: &Body, text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(ExprKind::Object(items)) = body.attribute("matrix").map(|matrix| &matrix.value.kind) {
        let key = |expr: &Expr| text.get(expr.span.range()).map(|key| key.trim_matches('"').to_owned());
        names.extend(items.iter().filter_map(|item| key(&item.key)));
    }
    for parameter in elements(body, "params") {
        names.extend(parameter.keyword().map(|name| name.to_string()));
    }
    names.extend(body.attribute("variadic_params").and_then(|a| a.value.keyword()).map(|name| name.to_string()));
    names
}
