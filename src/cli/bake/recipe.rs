//! From a target of a plan to what the compiler takes.

use rbc_ast::plan::{Given, Map, Target, Text};
use rbc_context::{Context, classify, path};
use rbc_source::{Diagnostic, Sources};

use super::args::BakeArgs;
use crate::cli::args::BuildArgs;
use crate::cli::project::{From, Project};

/// Loads the recipe of a target and all that it is given, but for the results of other targets.
///
/// # Errors
/// The recipe cannot be read, or a value cannot be.
pub fn load(target: &Target, args: &BakeArgs, sources: Sources) -> Result<Project, Diagnostic> {
    let context = target.context.as_ref().map_or(".", |c| &c.value).to_owned();
    let dockerfile = target.dockerfile.as_ref().map_or("Dockerfile", |d| &d.value);
    let inline = target.dockerfile_inline.as_ref().map(|text| &*text.value);
    let name = format!("dockerfile-inline of {}", target.name);
    let is_local = matches!(classify(&context), Context::Local);
    let (file, from) = match inline {
        Some(text) => (None, From::Text { name: &name, text }),
        None => match dockerfile.strip_prefix("cwd://") {
            Some(path) => (Some(path.to_owned()), From::Flags),
            None if is_local && dockerfile.starts_with('/') => (Some(dockerfile.to_owned()), From::Flags),
            None if is_local => (Some(path::join(&[&context, dockerfile])), From::Flags),
            None => (None, From::Context(dockerfile)),
        },
    };
    Project::load_beside(sources, &flags(target, args, context, file)?, from)
}

/// What the flags of `rbc build` would be for a target.
///
/// # Errors
/// A size cannot be read.
pub fn flags(target: &Target, args: &BakeArgs, context: String, file: Option<String>) -> Result<BuildArgs, Diagnostic> {
    let pairs = |map: &Map<Given<Text>>| map.iter().map(|(n, v)| format!("{n}={}", v.value)).collect::<Vec<_>>();
    let texts = |list: &[Given<Text>]| list.iter().map(|t| t.value.to_string()).collect::<Vec<_>>();
    let text = |given: &Option<Given<Text>>| given.as_ref().map(|t| t.value.to_string());
    let own = target.contexts.iter().filter(|(_, c)| !c.value.starts_with("target:"));
    let hosts = target.extra_hosts.iter();
    Ok(BuildArgs {
        path: context,
        file,
        target: text(&target.target),
        build_args: pairs(&target.args),
        labels: pairs(&target.labels),
        platform: texts(&target.platforms),
        build_contexts: own
            .map(|(n, c)| format!("{n}={}", c.value.strip_prefix("cwd://").unwrap_or(&c.value)))
            .collect(),
        add_hosts: hosts
            .flat_map(|(host, ips)| ips.value.split(',').map(move |ip| format!("{host}={ip}")).collect::<Vec<_>>())
            .collect(),
        ulimits: texts(&target.ulimits),
        shm_size: target.shm_size.as_ref().map(|size| bytes(&size.value)).transpose()?,
        network: text(&target.network),
        no_cache: target.no_cache.as_ref().is_some_and(|on| on.value),
        no_cache_filter: texts(&target.no_cache_filter),
        pull: target.pull.as_ref().is_some_and(|on| on.value),
        opts: limits(target)?,
        images: args.images.clone(),
        ..BuildArgs::default()
    })
}

fn bytes(size: &str) -> Result<String, Diagnostic> {
    let bytes = rbc_bake::forms::size(size.trim());
    bytes.map(|n| n.to_string()).map_err(|why| Diagnostic::new(rbc_source::lower::OPTION, why))
}

/// Limits of resources, as attributes of the frontend.
fn limits(target: &Target) -> Result<Vec<String>, Diagnostic> {
    let given = &target.resources;
    let mut out = Vec::new();
    for (key, size) in [("memory", &given.memory), ("memswap", &given.memory_swap)] {
        match size.as_ref().map(|size| size.value.trim()) {
            None => {}
            Some("-1") => out.push(format!("{key}=-1")),
            Some(size) => out.push(format!("{key}={}", bytes(size)?)),
        }
    }
    for (key, number) in
        [("cpushares", &given.cpu_shares), ("cpuperiod", &given.cpu_period), ("cpuquota", &given.cpu_quota)]
    {
        out.extend(number.as_ref().map(|number| format!("{key}={}", number.value)));
    }
    for (key, set) in [("cpusetcpus", &given.cpuset_cpus), ("cpusetmems", &given.cpuset_mems)] {
        out.extend(set.as_ref().map(|set| format!("{key}={}", set.value)));
    }
    Ok(out)
}
