//! All that the files declare, evaluated: targets before inheritance, groups and variables.

use crate::arguments::Argument;
use crate::compose;
use crate::environment::Environment;
use crate::lookup::{self, Format};
use crate::spec::Spec;
use crate::world::{Kind, Owner, Variable, World};
use crate::{Host, SCHEMA};
use rbc_ast::plan::{Group, Text};
use rbc_hcl::ast::{Body, Expr, Step};
use rbc_source::{Diagnostic, SourceFile, bake as codes};
use std::collections::{HashMap, HashSet};

/// All that the files declare. [`Definitions::plan`] selects from it.
#[derive(Debug, Default)]
pub struct Definitions {
    /// Groups in their order; of one name the first counts.
    pub(crate) groups: Vec<(Text, Group)>,
    pub(crate) targets: Vec<Spec>,
    pub(crate) target_index: HashMap<Text, usize>,
    pub(crate) group_index: HashMap<Text, usize>,
    /// Variables, by name.
    pub variables: Vec<Variable>,
    /// Some file is not compose, and can declare variables.
    pub(crate) has_blocks: bool,
    pub(crate) faults: Vec<Fault>,
    /// Targets that cannot be built when another cannot.
    pub(crate) fails_with: HashMap<Text, HashSet<Text>>,
}

/// Something wrong with the files.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The target or group that it makes unusable; none if it is all.
    pub owner: Option<Text>,
    pub diagnostic: Diagnostic,
}

/// Evaluates files. The order counts: compose files come first, then the others as they are given; later ones win.
///
/// Faults are found in [`Definitions::diagnostics`] and, by those whom they concern, in what [`Definitions::plan`] gives.
pub fn evaluate(files: &[&SourceFile], env: &Environment, host: &dyn Host) -> Definitions {
    let mut out = Definitions::default();
    let mut bodies = Vec::new();
    let mut names = Vec::new();
    let mut composes = Vec::new();
    for file in files {
        match read(file, env, host) {
            Read::Compose => composes.push(*file),
            Read::Body(body, faults) => {
                out.fault_all(faults);
                names.push((file.id(), file.name().to_owned()));
                bodies.push(body);
            }
            Read::Broken(faults) => out.fault_all(faults),
        }
    }
    compose::load(&composes, env, host, &mut out);
    if !bodies.is_empty() {
        out.has_blocks = true;
        out.add_bodies(&bodies, &names, env, host);
    }
    out.finish(env);
    out
}

enum Read {
    Compose,
    Body(Body, Vec<Diagnostic>),
    Broken(Vec<Diagnostic>),
}

fn read(file: &SourceFile, env: &Environment, host: &dyn Host) -> Read {
    if let Err(fault) = std::str::from_utf8(file.bytes()) {
        let at = fault.valid_up_to();
        let problem = Diagnostic::new(codes::SYNTAX, format!("`{}` is not UTF-8", file.name()));
        let problem = problem.at(file.span(at, at)).note("save it as UTF-8 in your editor");
        return Read::Broken(vec![problem]);
    }
    let body = |parsed: rbc_source::Parsed<Body>| Read::Body(parsed.value, parsed.diagnostics);
    match lookup::format(file.name()) {
        Format::Compose => Read::Compose,
        Format::Json => body(rbc_hcl::parse_json(file, &SCHEMA)),
        Format::Hcl => body(rbc_hcl::parse(file)),
        Format::Any => {
            if compose::is_valid(file, env, host) {
                return Read::Compose;
            }
            let hcl = rbc_hcl::parse(file);
            if !hcl.has_errors() {
                return body(hcl);
            }
            let json = rbc_hcl::parse_json(file, &SCHEMA);
            if !json.has_errors() {
                return body(json);
            }
            let like_json = file.text().trim_start().starts_with('{');
            let mut faults = vec![
                Diagnostic::new(codes::SYNTAX, format!("`{}` is neither a compose file nor HCL nor JSON", file.name()))
                    .at(file.span(0, 0))
                    .note("give the file a name that ends in `.hcl`, `.json` or `.yaml` to say what it is"),
            ];
            faults.extend(if like_json { json.diagnostics } else { hcl.diagnostics });
            Read::Broken(faults)
        }
    }
}

impl Definitions {
    /// All faults of all files, in the order of the places that they are about.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.faults.iter().map(|f| f.diagnostic.clone()).collect()
    }

    /// Names of all targets, in their order.
    pub fn target_names(&self) -> impl Iterator<Item = &Text> {
        self.targets.iter().map(|t| &t.name)
    }

    /// Names of all groups, in their order.
    pub fn group_names(&self) -> impl Iterator<Item = &Text> {
        self.groups.iter().map(|(name, _)| name)
    }

    /// Whether something may be missing because it could not be understood.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.faults.iter().any(|f| f.owner.is_none() && f.diagnostic.is_error())
    }

    fn fault_all(&mut self, diagnostics: Vec<Diagnostic>) {
        self.faults.extend(diagnostics.into_iter().map(|diagnostic| Fault { owner: None, diagnostic }));
    }

    /// Adds a target, on top of one of the same name.
    pub(crate) fn add_target(&mut self, spec: Spec) {
        match self.target_index.get(&spec.name) {
            Some(&i) => self.targets[i].merge(&spec),
            None => {
                self.target_index.insert(spec.name.clone(), self.targets.len());
                self.targets.push(spec);
            }
        }
    }

    /// Adds a group; it takes the place of one of the same name that was declared before.
    pub(crate) fn add_group(&mut self, name: Text, group: Group) {
        match self.group_index.get(&name) {
            Some(&i) => self.groups[i].1 = group,
            None => {
                self.group_index.insert(name.clone(), self.groups.len());
                self.groups.push((name, group));
            }
        }
    }

    fn add_bodies(
        &mut self,
        bodies: &[Body],
        names: &[(rbc_source::FileId, String)],
        env: &Environment,
        host: &dyn Host,
    ) {
        let mut world = World::new(bodies, env, host);
        world.evaluate();
        self.variables = world.list_variables();
        let dirs: HashMap<_, _> = names.iter().map(|(id, name)| (*id, directory(name))).collect();
        let mut renamed: Vec<(Text, Vec<Text>)> = Vec::new();
        let mut renamed_index: HashMap<Text, usize> = HashMap::new();
        let mut missing = Vec::new();
        for (i, instance) in world.instances.iter().enumerate() {
            if instance.kind == Kind::Group {
                let (mut group, mut has_members) =
                    (Group { span: Some(instance.block.head()), ..Group::default() }, false);
                for (name, argument, _) in world.take_arguments(i) {
                    match (&*name, argument) {
                        ("description", Argument::Text(text)) => group.description = text,
                        ("targets", Argument::Texts(texts)) => {
                            has_members = true;
                            let mut seen = HashSet::new();
                            group.members =
                                texts.into_iter().map(|(t, _)| t).filter(|t| seen.insert(t.clone())).collect();
                        }
                        _ => {}
                    }
                }
                if !has_members && instance.block.body.attribute("targets").is_none() {
                    let problem =
                        Diagnostic::new(codes::MISSING, format!("the group `{}` needs `targets`", instance.name));
                    missing.push((i, problem.at(instance.block.head())));
                }
                self.add_group(instance.name.clone(), group);
                continue;
            }
            let label = &instance.block.labels[0].text;
            let at = *renamed_index.entry(label.clone()).or_insert_with(|| {
                renamed.push((label.clone(), Vec::new()));
                renamed.len() - 1
            });
            renamed[at].1.push(instance.name.clone());
            let mut spec = Spec { name: instance.name.clone(), span: Some(instance.block.head()), ..Spec::default() };
            for (name, argument, span) in world.take_arguments(i) {
                argument.put(&name, &mut spec, span);
            }
            let dir = dirs.get(&instance.block.kind_span.file).cloned().flatten().unwrap_or_default();
            set_bases(&mut spec, &instance.block.body, &dir);
            self.add_target(spec);
        }
        let name_of = |owner: Owner| match owner {
            Owner::Global => None,
            Owner::Instance(i) => world.instances.get(i).map(|n| n.name.clone()),
        };
        for (owner, diagnostic) in world.take_faults() {
            self.faults.push(Fault { owner: name_of(owner), diagnostic });
        }
        for (i, diagnostic) in missing {
            self.faults.push(Fault { owner: name_of(Owner::Instance(i)), diagnostic });
        }
        for (i, j) in world.take_failed_with() {
            if let (Some(a), Some(b)) = (name_of(Owner::Instance(i)), name_of(Owner::Instance(j))) {
                self.fails_with.entry(a).or_default().insert(b);
            }
        }
        // A block with a matrix is a group of what it makes.
        for (label, mut names) in renamed {
            let mut seen = HashSet::new();
            names.retain(|n| seen.insert(n.clone()));
            if names.len() == 1 && names[0] == label {
                continue;
            }
            self.group_index.entry(label.clone()).or_insert(self.groups.len());
            self.groups.push((label, Group { members: names, ..Group::default() }));
        }
    }

    /// Sorts faults by place, and moves paths to where they start from.
    fn finish(&mut self, env: &Environment) {
        self.faults.sort_by_key(|f| {
            f.diagnostic.primary.as_ref().map_or((true, 0, 0), |l| (false, l.span.file.0, l.span.start))
        });
        if !env.file_relative {
            return;
        }
        for i in 0..self.targets.len() {
            let other = self.targets[i].bases.context_of.clone();
            if let Some(&j) = other.and_then(|name| self.target_index.get(&name)) {
                let bases = &self.targets[j].bases;
                if let Some(base) = bases.context.clone().or_else(|| bases.default.clone()) {
                    self.targets[i].bases.context = Some(base);
                }
            }
            let spec = &mut self.targets[i];
            match (&mut spec.context, &spec.bases.context) {
                (Some(context), Some(base)) => context.value = rebased(base, &context.value),
                (Some(_), None) => {}
                (None, _) => spec.bases.use_default = spec.bases.default.is_some(),
            }
            for (name, context) in &mut spec.contexts {
                if let Some(base) = spec.bases.contexts.get(name) {
                    context.value = rebased(base, &context.value);
                }
            }
        }
    }
}

/// The directory of a file on this machine; none for standard input and URLs.
pub(crate) fn directory(name: &str) -> Option<Text> {
    if name.is_empty() || name == "-" || lookup::is_remote(name) {
        return None;
    }
    Some(rbc_context::path::dir(name).into())
}

/// Remembers the directory of the file in which paths of a target are written.
fn set_bases(spec: &mut Spec, body: &Body, dir: &Text) {
    spec.bases.default = Some(dir.clone());
    if let Some(context) = body.attribute("context") {
        spec.bases.context = Some(dir.clone());
        spec.bases.context_of = context_of(&context.value);
    }
    if body.attribute("contexts").is_some() {
        spec.bases.contexts = spec.contexts.keys().map(|name| (name.clone(), dir.clone())).collect();
    }
}

/// The other target, if a context is written as `target.OTHER.context`.
fn context_of(expr: &Expr) -> Option<Text> {
    match expr.as_reference()? {
        (root, [name, Step::Attr(field, _)]) if &**root == "target" && &**field == "context" => match name {
            Step::Attr(name, _) => Some(name.clone()),
            Step::Index(key, _) => key.as_str().map(Into::into),
        },
        _ => None,
    }
}

/// A path within a directory, unless it does not depend on one.
pub(crate) fn rebased(base: &str, path: &str) -> Text {
    let special = ["cwd://", "target:", "docker-image:", "oci-layout://"];
    if base.is_empty()
        || path.is_empty()
        || path.starts_with('/')
        || special.iter().any(|s| path.starts_with(s))
        || lookup::is_remote(path)
    {
        return path.into();
    }
    rbc_context::path::join(&[base, path]).into()
}
