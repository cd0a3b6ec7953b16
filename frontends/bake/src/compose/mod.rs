//! Compose files: every service with a `build` is a target, and all of them are the group `default`.
//!
//! Only what builds need is read: `services` with `image`, `build`, `environment` and `env_file`, and `secrets`. The steps
//! are those of the reference: [`yaml`] reads values with their places, [`load`] replaces variables, includes, extends and
//! merges, and [`service`] makes targets of the result.

mod dotenv;
mod load;
mod merge;
mod service;
mod template;

use crate::definitions::{Definitions, Fault, directory};
use crate::environment::Environment;
use crate::world::is_name;
use crate::{Host, spec::Spec};
use load::Variables;
use rbc_ast::plan::{Group, Map, Text};
use rbc_source::{Diagnostic, SourceFile, bake as codes};
use service::{Reader, Service};
use std::collections::BTreeMap;

/// What compose files can refer to: variables of flags, of the process and of `.env`, in this order.
fn variables(env: &Environment) -> Variables {
    let mut out = env.dot_env.clone();
    if !env.no_lookup {
        out.extend(env.process.clone());
    }
    out.extend(env.vars.clone());
    out
}

/// Variables of a `.env` file.
pub(crate) fn read_dot_env(text: &str, env: &Environment) -> Result<BTreeMap<String, String>, String> {
    let mut out = BTreeMap::new();
    dotenv::read(text, &|name| env.process(name).map(str::to_owned), &mut out)?;
    Ok(out)
}

/// All that files declare together.
struct Loaded {
    services: Map<Service>,
    secrets: Map<service::Declared>,
    faults: Vec<(Option<Text>, Diagnostic)>,
}

impl Loaded {
    fn has_errors(&self) -> bool {
        self.faults.iter().any(|(_, f)| f.is_error())
    }
}

fn read(files: &[&SourceFile], env: &Environment, host: &dyn Host) -> Loaded {
    let mut variables = variables(env);
    let mut faults = Vec::new();
    let mut out = Loaded { services: Map::new(), secrets: Map::new(), faults: Vec::new() };
    let model = load::load(files, &mut variables, host, &mut faults);
    out.faults.extend(faults.into_iter().map(|f| (None, f)));
    let Some(model) = model else { return out };
    if load::is_empty(&model) {
        out.faults.extend(files.last().map(|file| (None, load::empty(file))));
        return out;
    }
    let none = Map::new();
    let mut reader = Reader { variables: &variables, host, secrets: &none, faults: Vec::new() };
    if let Some(secrets) = &model.secrets {
        out.secrets = reader.declared(secrets);
    }
    out.faults.extend(reader.faults.into_iter().map(|f| (None, f)));
    for (name, entry) in model.services.iter().flatten() {
        let mut reader = Reader { variables: &variables, host, secrets: &out.secrets, faults: Vec::new() };
        let service = reader.service(name, entry);
        let owner = service.spec.as_ref().map(|s| s.name.clone());
        out.faults.extend(reader.faults.into_iter().map(|f| (owner.clone(), f)));
        out.services.insert(name.clone(), service);
    }
    out
}

/// Whether a file can be understood as compose.
pub(crate) fn is_valid(file: &SourceFile, env: &Environment, host: &dyn Host) -> bool {
    !read(&[file], env, host).has_errors()
}

/// Adds the targets of compose files that are merged in their order.
pub(crate) fn load(files: &[&SourceFile], env: &Environment, host: &dyn Host, out: &mut Definitions) {
    let [first, ..] = files else { return };
    if files.len() > 1 {
        // Each must be well-formed for itself; only what it refers to may be in another.
        let mut sound = true;
        for file in files {
            for (_, diagnostic) in read(&[file], env, host).faults {
                sound &= !diagnostic.is_error();
                if diagnostic.is_error() {
                    out.faults.push(Fault { owner: None, diagnostic });
                }
            }
        }
        if !sound {
            return;
        }
    }
    let mut all = read(files, env, host);
    if !all.services.is_empty() || !all.secrets.is_empty() {
        let mut more = Vec::new();
        service::check_consistency(&all.services, &all.secrets, &mut |owner, fault| {
            more.push((owner.map(|o| service::target_name(o).into()), *fault));
        });
        all.faults.append(&mut more);
    }
    let dir = directory(first.name());
    let mut group = Group::default();
    let any = !all.services.is_empty();
    for service in std::mem::take(&mut all.services).into_values() {
        let Some(mut spec) = service.spec else { continue };
        if !is_name(&spec.name) {
            let message = format!("`{}` cannot be the name of a target", spec.name);
            let diagnostic = Diagnostic::new(codes::NAME, message).at(service.key);
            all.faults.push((None, diagnostic.note("names are made of letters, digits, `_` and `-`")));
            continue;
        }
        if !group.members.contains(&spec.name) {
            group.members.push(spec.name.clone());
        }
        if let Some(dir) = &dir {
            set_bases(&mut spec, dir);
        }
        out.add_target(spec);
    }
    out.faults.extend(all.faults.into_iter().map(|(owner, diagnostic)| Fault { owner, diagnostic }));
    if any {
        out.add_group("default".into(), group);
    }
}

/// All relative paths start from the directory of the first file.
fn set_bases(spec: &mut Spec, dir: &Text) {
    spec.bases.default = Some(dir.clone());
    spec.bases.context = spec.context.as_ref().map(|_| dir.clone());
    spec.bases.contexts = spec.contexts.keys().map(|name| (name.clone(), dir.clone())).collect();
}
