//! From what is declared to what is built: names and patterns, groups, inheritance, links between targets.

use crate::definitions::Definitions;
use crate::environment::Environment;
use crate::finish;
use crate::overrides::{Allowed, Overrides, Request};
use crate::spec::Spec;
use crate::world::MOST_HINTS;
use rbc_ast::plan::{Given, Group, Map, Origin, Output, Plan, Policy, Target, Text};
use rbc_oci::Platform;
use rbc_source::{Diagnostic, bake as codes};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A plan, and all that is to be said about it.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// What is to be built, as far as it could be found out.
    pub plan: Plan,
    /// What concerns the plan: with an error among it, it cannot be built.
    pub diagnostics: Vec<Diagnostic>,
    /// What concerns only targets that are not in the plan.
    pub elsewhere: Vec<Diagnostic>,
    /// Access to files that flags ask for, which needs no further permission.
    pub allowed: Allowed,
}

impl Definitions {
    /// Selects what a request asks for, and completes it.
    pub fn plan(&self, request: &Request, env: &Environment) -> Planned {
        let mut out = Planned::default();
        let overrides = Overrides::new(request, self, env, &mut out.diagnostics);
        let default = ["default".to_owned()];
        let asked: &[String] = if request.targets.is_empty() { &default } else { &request.targets };
        let names = self.requested(asked, &mut out.diagnostics);

        let mut resolver = Resolver {
            definitions: self,
            overrides: &overrides,
            parents: self.targets.iter().flat_map(|t| &t.inherits).map(|p| &p.value).collect(),
            done: HashMap::new(),
            allowed: Allowed::default(),
            faults: Vec::new(),
            used: BTreeSet::new(),
        };
        let mut targets: Map<Spec> = Map::new();
        let mut groups: Map<Group> = Map::new();
        for name in &names {
            let (members, within) = self.expand(name);
            for member in members {
                if !targets.contains_key(&member)
                    && let Some(spec) = resolver.resolve(&member, name)
                {
                    targets.insert(member, spec);
                }
            }
            for group in within {
                if let Some(found) = self.group(&group) {
                    groups.entry(group).or_insert_with(|| found.clone());
                }
            }
        }
        for name in &names {
            if &**name == "default" && groups.contains_key("default") {
                continue;
            }
            groups.entry("default".into()).or_default().members.push(name.clone());
        }
        if let Some(default) = groups.get_mut("default") {
            default.members.sort();
            default.members.dedup();
        }
        let linked = resolver.link(&mut targets);
        let mut seen = HashSet::new();
        resolver.faults.retain(|f| seen.insert((f.message.clone(), f.primary.as_ref().map(|l| l.span))));
        out.diagnostics.append(&mut resolver.faults);
        out.allowed = std::mem::take(&mut resolver.allowed);
        let used = std::mem::take(&mut resolver.used);
        self.sort_faults(&used, &groups, &mut out);

        let local = Platform::parse(&env.platform, &Platform::new("linux", "amd64")).unwrap_or_default();
        for (name, spec) in targets {
            let mut target = spec.into_target();
            target.linked = linked.contains(&name);
            if overrides.no_policy {
                let off = Policy { disabled: true, ..Policy::default() };
                target.policy = vec![Given::new(off, Origin::Flag("--policy disabled=true".into()))];
            }
            finish::complete(&mut target, env, &local, &mut out.diagnostics);
            out.plan.targets.insert(name, target);
        }
        out.plan.groups = groups;
        out
    }

    /// Faults of targets that are not used are kept apart.
    fn sort_faults(&self, used: &BTreeSet<Text>, groups: &Map<Group>, out: &mut Planned) {
        let mut concerned: HashSet<&Text> = used.iter().chain(groups.keys()).collect();
        let mut open: Vec<&Text> = concerned.iter().copied().collect();
        while let Some(name) = open.pop() {
            for other in self.fails_with.get(name).into_iter().flatten() {
                if concerned.insert(other) {
                    open.push(other);
                }
            }
        }
        let mut own = Vec::new();
        for fault in &self.faults {
            match &fault.owner {
                Some(name) if !concerned.contains(name) => out.elsewhere.push(fault.diagnostic.clone()),
                _ => own.push(fault.diagnostic.clone()),
            }
        }
        out.diagnostics.splice(0..0, own);
    }

    /// Names that the words of a request mean.
    fn requested(&self, words: &[String], diagnostics: &mut Vec<Diagnostic>) -> Vec<Text> {
        let mut out: Vec<Text> = Vec::new();
        let mut seen = HashSet::new();
        for word in words {
            // Services of compose files may have dots in their names, targets never.
            let word = word.replace('.', "_");
            let before = out.len();
            if word.contains(['*', '?', '[', ']']) {
                let matches = |name: &&Text| rbc_context::path::matches(&word, name).unwrap_or(false);
                let mut any = false;
                for name in self.group_names().filter(matches).chain(self.target_names().filter(matches)) {
                    any = true;
                    if seen.insert(name.clone()) {
                        out.push(name.clone());
                    }
                }
                if !any && out.len() == before && !self.is_incomplete() {
                    diagnostics.push(Diagnostic::new(codes::NO_TARGET, format!("no target or group matches `{word}`")));
                }
            } else if seen.insert(word.as_str().into()) {
                out.push(word.into());
            }
        }
        out
    }

    fn group(&self, name: &str) -> Option<&Group> {
        self.group_index.get(name).and_then(|i| self.groups.get(*i)).map(|(_, group)| group)
    }

    /// The targets that a name stands for, and the groups on the way, each once. A group that is within itself stands for
    /// a target of its name there.
    fn expand(&self, name: &Text) -> (Vec<Text>, Vec<Text>) {
        struct Level<'g> {
            name: Text,
            members: std::slice::Iter<'g, Text>,
            targets: Vec<Text>,
            groups: Vec<Text>,
        }
        let level = |name: &Text| {
            let group = self.group(name)?;
            let groups = vec![name.clone()];
            Some(Level { name: name.clone(), members: group.members.iter(), targets: Vec::new(), groups })
        };
        let mut done: HashMap<Text, Option<(Vec<Text>, Vec<Text>)>> = HashMap::new();
        let Some(first) = level(name) else { return (vec![name.clone()], Vec::new()) };
        done.insert(name.clone(), None);
        let mut stack = vec![first];
        loop {
            let Some(top) = stack.last_mut() else { return Default::default() };
            let Some(member) = top.members.next() else {
                let Some(finished) = stack.pop() else { return Default::default() };
                let found = (unique(finished.targets), unique(finished.groups));
                let Some(parent) = stack.last_mut() else { return found };
                if found.0.is_empty() {
                    parent.targets.push(finished.name.clone());
                }
                parent.targets.extend_from_slice(&found.0);
                parent.groups.extend_from_slice(&found.1);
                done.insert(finished.name, Some(found));
                continue;
            };
            match done.get(member) {
                Some(Some((targets, groups))) if !targets.is_empty() => {
                    top.targets.extend_from_slice(targets);
                    top.groups.extend_from_slice(groups);
                }
                Some(found) => {
                    top.targets.push(member.clone());
                    top.groups.extend(found.iter().flat_map(|(_, groups)| groups.clone()));
                }
                None => match level(member) {
                    Some(next) => {
                        done.insert(member.clone(), None);
                        stack.push(next);
                    }
                    None => top.targets.push(member.clone()),
                },
            }
        }
    }
}

fn unique(names: Vec<Text>) -> Vec<Text> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|n| seen.insert(n.clone())).collect()
}

/// Completes targets: parents, overrides, links.
struct Resolver<'d> {
    definitions: &'d Definitions,
    overrides: &'d Overrides,
    /// Targets that others inherit.
    parents: HashSet<&'d Text>,
    /// Those of them that were completed, for the children to come.
    done: HashMap<Text, Arc<Spec>>,
    allowed: Allowed,
    faults: Vec<Diagnostic>,
    /// Names of all targets that were looked at.
    used: BTreeSet<Text>,
}

/// A target whose parents are being completed.
struct Pending {
    index: usize,
    next: usize,
    parents: Option<Spec>,
    /// A parent was skipped because it is on the way here: what comes out depends on where it started.
    cut: bool,
}

impl<'d> Resolver<'d> {
    /// A target on top of its parents, with its defaults. A parent that is on the way already counts as absent.
    fn resolve(&mut self, name: &Text, asked: &Text) -> Option<Spec> {
        let Some(&index) = self.definitions.target_index.get(name) else {
            if self.definitions.is_incomplete() {
                return None;
            }
            let problem = match self.definitions.group(name) {
                Some(_) => Diagnostic::new(codes::CYCLE, format!("the group `{name}` is a member of itself")),
                None => Diagnostic::new(codes::NO_TARGET, format!("there is no target `{name}`")),
            };
            let group = (name != asked).then(|| self.definitions.group(asked).and_then(|g| g.span)).flatten();
            let problem = self.hint(problem, name, true);
            self.faults.push(match group {
                Some(span) => problem.labelled(span, format!("a member of the group `{asked}`")),
                None if name != asked => problem.note(format!("it is a member of the group `{asked}`")),
                None => match self.definitions.group(name).and_then(|g| g.span) {
                    Some(span) => problem.at(span),
                    None => problem,
                },
            });
            return None;
        };
        let spec = self.complete(index)?;
        let mut spec = Arc::unwrap_or_clone(spec);
        if spec.context.is_none() {
            let base = spec.bases.default.as_deref().filter(|_| spec.bases.use_default);
            let path = base.map_or(".".into(), |base| crate::definitions::rebased(base, "."));
            spec.context = Some(Given::new(path, Origin::Default));
        }
        if spec.dockerfile.as_ref().is_none_or(|d| d.value.is_empty()) {
            spec.dockerfile = Some(Given::new("Dockerfile".into(), Origin::Default));
        }
        Some(spec)
    }

    /// Adds the name that may be meant.
    fn hint(&self, problem: Diagnostic, name: &str, groups: bool) -> Diagnostic {
        // It takes time in the number of names.
        if self.faults.len() >= MOST_HINTS {
            return problem;
        }
        let groups = self.definitions.group_names().filter(|_| groups);
        problem.suggest(name, self.definitions.target_names().chain(groups))
    }

    fn complete(&mut self, index: usize) -> Option<Arc<Spec>> {
        let definitions = self.definitions;
        let mut underway: HashSet<usize> = HashSet::new();
        // Results that hold only for this walk.
        let mut local: HashMap<usize, Arc<Spec>> = HashMap::new();
        let mut stack = vec![Pending { index, next: 0, parents: None, cut: false }];
        underway.insert(index);
        loop {
            let top = stack.last_mut()?;
            let own = &definitions.targets[top.index];
            if top.next == 0 {
                self.used.insert(own.name.clone());
            }
            if top.next == 0
                && let Some(done) = self.done.get(&own.name).or_else(|| local.get(&top.index)).cloned()
            {
                let finished = stack.pop()?;
                underway.remove(&finished.index);
                match stack.last_mut() {
                    None => return Some(done),
                    Some(child) => child.parents.get_or_insert_default().merge(&done),
                }
                continue;
            }
            if let Some(parent) = own.inherits.get(top.next) {
                top.next += 1;
                match definitions.target_index.get(&parent.value) {
                    Some(next) if underway.contains(next) => top.cut = true,
                    Some(next) => {
                        underway.insert(*next);
                        stack.push(Pending { index: *next, next: 0, parents: None, cut: false });
                    }
                    None if definitions.is_incomplete() => {}
                    None => {
                        let problem =
                            Diagnostic::new(codes::NO_TARGET, format!("there is no target `{}`", parent.value));
                        let problem = match &parent.origin {
                            Origin::Written { span, .. } => problem.labelled(*span, "inherited here"),
                            _ => problem,
                        };
                        let problem = self.hint(problem, &parent.value, false);
                        self.faults.push(problem);
                    }
                }
                continue;
            }
            let finished = stack.pop()?;
            underway.remove(&finished.index);
            let mut spec = match finished.parents {
                None => own.clone(),
                Some(mut parents) => {
                    parents.merge(own);
                    parents.name = own.name.clone();
                    parents
                }
            };
            spec.inherits.clear();
            let faults = self.overrides.apply(&mut spec, &mut self.allowed);
            self.faults.extend(faults);
            spec.normalize();
            let spec = Arc::new(spec);
            let Some(child) = stack.last_mut() else {
                if !finished.cut && self.parents.contains(&own.name) {
                    self.done.insert(own.name.clone(), spec.clone());
                }
                return Some(spec);
            };
            child.cut |= finished.cut;
            child.parents.get_or_insert_default().merge(&spec);
            if finished.cut {
                local.insert(finished.index, spec);
            } else {
                self.done.insert(own.name.clone(), spec);
            }
        }
    }

    /// Takes in the targets that contexts name, and hands entitlements on to those who use them. Gives the names of the
    /// targets that are only there for others.
    fn link(&mut self, targets: &mut Map<Spec>) -> BTreeSet<Text> {
        #[derive(PartialEq)]
        enum Color {
            Underway,
            Done,
        }
        let mut linked = BTreeSet::new();
        let mut colors: HashMap<Text, Color> = HashMap::new();
        let asked: Vec<Text> = targets.keys().cloned().collect();
        for start in asked {
            if colors.contains_key(&start) {
                continue;
            }
            colors.insert(start.clone(), Color::Underway);
            let mut stack = vec![(start.clone(), links(targets.get(&start)).into_iter())];
            while let Some((name, rest)) = stack.last_mut() {
                let name = name.clone();
                let Some((context, other)) = rest.next() else {
                    colors.insert(name.clone(), Color::Done);
                    stack.pop();
                    self.hand_on(&name, targets);
                    continue;
                };
                if other == name {
                    self.bad_link(&name, &context, targets, format!("the target `{name}` cannot be its own context"));
                    continue;
                }
                match colors.get(&other) {
                    Some(Color::Done) => continue,
                    Some(Color::Underway) => {
                        let way: Vec<&str> = stack.iter().map(|(n, _)| &**n).skip_while(|n| **n != *other).collect();
                        let message = format!("the targets {} need one another", way.join(", "));
                        self.bad_link(&name, &context, targets, message);
                        continue;
                    }
                    None => {}
                }
                if !targets.contains_key(&other) {
                    let Some(mut spec) = self.linked(&name, &context, &other, targets) else { continue };
                    let cache = Output { kind: "cacheonly".into(), ..Output::default() };
                    spec.outputs = Some(vec![Given::new(cache, Origin::Implied("only other targets use it"))]);
                    targets.insert(other.clone(), spec);
                    linked.insert(other.clone());
                }
                colors.insert(other.clone(), Color::Underway);
                let next = links(targets.get(&other)).into_iter();
                stack.push((other, next));
            }
        }
        linked
    }

    fn linked(&mut self, name: &Text, context: &Text, other: &Text, targets: &Map<Spec>) -> Option<Spec> {
        if self.definitions.target_index.contains_key(other) {
            return self.resolve(other, other);
        }
        if self.definitions.is_incomplete() {
            return None;
        }
        let mut message = format!("there is no target `{other}`");
        if self.definitions.group(other).is_some() {
            message = format!("`{other}` is a group, and only a target can be a context");
        }
        let problem = self.hint(Diagnostic::new(codes::NO_TARGET, message), other, false);
        self.faults.push(at_context(problem, name, context, targets));
        None
    }

    fn bad_link(&mut self, name: &Text, context: &Text, targets: &Map<Spec>, message: String) {
        self.faults.push(at_context(Diagnostic::new(codes::LINK, message), name, context, targets));
    }

    /// Entitlements of what a target uses are its own; and platforms must fit.
    fn hand_on(&mut self, name: &Text, targets: &mut Map<Spec>) {
        for (context, other) in links(targets.get(name)) {
            let Some(used) = targets.get(&other).filter(|_| other != *name) else { continue };
            let (more, platforms) = (used.entitlements.clone(), used.platforms.clone());
            let Some(own) = targets.get_mut(name) else { continue };
            for entitlement in more.into_iter().flatten() {
                let list = own.entitlements.get_or_insert_default();
                if !list.iter().any(|e| e.value == entitlement.value) {
                    let implied = Origin::Implied("a target that it uses needs it");
                    list.push(Given::new(entitlement.value, implied));
                }
            }
            let (wanted, built) = (own.platforms.as_deref().unwrap_or_default(), platforms.unwrap_or_default());
            if wanted.len() > 1 && built.len() > 1 {
                let missing: Vec<&str> =
                    wanted.iter().filter(|p| !built.iter().any(|b| b.value == p.value)).map(|p| &*p.value).collect();
                if !missing.is_empty() {
                    let message =
                        format!("the target `{other}`, which `{name}` uses, is not built for {}", missing.join(", "));
                    self.bad_link(&name.clone(), &context, targets, message);
                }
            }
        }
    }
}

fn at_context(problem: Diagnostic, name: &Text, context: &Text, targets: &Map<Spec>) -> Diagnostic {
    match targets.get(name).and_then(|t| t.contexts.get(context)).map(|c| &c.origin) {
        Some(Origin::Written { span, .. }) => problem.at(*span),
        _ => problem.note(format!("the context `{context}` of the target `{name}`")),
    }
}

/// Contexts of a target that are other targets: name of the context, name of the target.
fn links(target: Option<&Spec>) -> Vec<(Text, Text)> {
    let contexts = target.into_iter().flat_map(|t| &t.contexts);
    contexts.filter_map(|(name, value)| Some((name.clone(), value.value.strip_prefix("target:")?.into()))).collect()
}

/// The targets that a target of a plan uses as contexts.
pub fn linked_targets(target: &Target) -> impl Iterator<Item = &str> {
    target.contexts.values().filter_map(|c| c.value.strip_prefix("target:"))
}
