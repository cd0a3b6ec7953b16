//! What a target takes from outside: arguments, secrets, ssh agents.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rbc_sema::Model;
use rbc_sema::model::{ArgInfo, StageId};
use rbc_source::Span;

/// What a target takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The target's name; empty if it has none.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Arguments that count for it, in order of declaration.
    pub args: Vec<OutlineArg>,
    /// Secrets, in order of first use.
    pub secrets: Vec<OutlineMount>,
    /// ssh agents, in order of first use.
    pub ssh: Vec<OutlineMount>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineArg {
    /// Its name.
    pub name: String,
    /// Its value; empty if it has none.
    pub value: String,
    /// Its description.
    pub description: Option<String>,
    /// The instruction that declares it.
    pub span: Span,
}

/// A secret or ssh agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineMount {
    /// Its id.
    pub name: String,
    /// The build fails without it.
    pub required: bool,
    /// The first instruction that uses it.
    pub span: Span,
}

/// What one stage takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture {
    /// Arguments declared in the stage; they hide global ones.
    pub args: BTreeMap<String, ArgInfo>,
    /// Arguments that it uses.
    pub used: BTreeSet<String>,
    pub secrets: BTreeMap<String, (bool, Span)>,
    pub ssh: BTreeMap<String, (bool, Span)>,
}

impl Outline {
    /// Collects what `target` and the stages that it needs take.
    pub(crate) fn collect<'c>(model: &Model<'_>, target: StageId, capture: impl Fn(StageId) -> &'c Capture) -> Outline {
        let written = model.stages[target].written;
        let mut outline = Outline {
            name: model.stages[target].name().to_owned(),
            description: written.and_then(|w| w.doc.as_deref()).map(str::to_owned),
            ..Outline::default()
        };
        let mut names = BTreeSet::new();
        let (mut secrets, mut agents) = (BTreeSet::new(), BTreeSet::new());
        // Global arguments with all that they use, which need not be looked at again.
        let mut globals = HashSet::new();
        let mut met = vec![false; model.stages.len()];
        let mut open = vec![target];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut met[id], true) {
                continue;
            }
            let own = capture(id);
            for name in used_args(model, id, own, &mut globals) {
                if let Some(info) = own.args.get(name).or_else(|| model.scope.arg_infos.get(name))
                    && names.insert(name)
                {
                    outline.args.push(OutlineArg {
                        name: name.to_owned(),
                        value: info.value.clone(),
                        description: info.doc.as_deref().map(str::to_owned),
                        span: info.span,
                    });
                }
            }
            let lists = [(&own.secrets, &mut outline.secrets, &mut secrets), (&own.ssh, &mut outline.ssh, &mut agents)];
            for (own, all, seen) in lists {
                for (name, (required, span)) in own {
                    if seen.insert(name.clone()) {
                        all.push(OutlineMount { name: name.clone(), required: *required, span: *span });
                    }
                }
            }
            let stage = &model.stages[id];
            open.extend(stage.deps.iter().rev().map(|(dep, _)| *dep));
            open.extend(stage.base);
        }
        outline.args.sort_by_key(|a| a.span.start);
        outline.secrets.sort_by_key(|s| s.span.start);
        outline.ssh.sort_by_key(|s| s.span.start);
        outline
    }
}

/// Arguments that a stage uses, and those that their defaults use.
fn used_args<'m>(
    model: &'m Model<'_>,
    id: StageId,
    own: &'m Capture,
    globals: &mut HashSet<&'m str>,
) -> BTreeSet<&'m str> {
    let mut used = BTreeSet::new();
    let mut open: Vec<&str> = own.used.iter().chain(&model.stages[id].used_args).map(String::as_str).collect();
    while let Some(name) = open.pop() {
        if !used.insert(name) || own.args.contains_key(name) {
            continue;
        }
        if let Some(info) = model.scope.arg_infos.get(name)
            && globals.insert(name)
        {
            open.extend(info.deps.iter().map(String::as_str));
        }
    }
    used
}
