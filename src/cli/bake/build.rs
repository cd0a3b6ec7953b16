//! Targets built: all of them as one build.

use rbc_ast::plan::{Plan, Target};
use rbc_source::{Diagnostic, execute};
use serde_json::{Map, Value};

use super::args::BakeArgs;
use super::compile::{self, All};
use super::load::Loaded;
use crate::build::{self, Allow, Built, Export, Failed, Form, Job, Subject};
use crate::cli::args::ProgressStyle;
use crate::cli::build::{read_secret, read_ssh};
use crate::cli::messages::Messages;
use crate::cli::progress::Display;
use crate::cli::{Failure, engine, optimizing, write_output};

/// Builds all targets that are not only asked something.
///
/// # Errors
/// A target cannot be compiled or built. Nothing is delivered then, unless the flags say to keep going.
pub fn build(args: &BakeArgs, loaded: Loaded, plan: Plan, messages: &Messages) -> Result<(), Failure> {
    let is_built = |target: &Target| target.call.is_none() && !target.linked;
    if !plan.targets.values().any(is_built) {
        return Ok(());
    }
    let platforms = plan.targets.values().flat_map(|target| &target.platforms);
    let platforms: Vec<String> = platforms.map(|platform| platform.value.to_string()).collect();
    let builder = engine::builder(&args.executor, &platforms)?;
    let mut all = compile::all(&plan, args, loaded.sources, builder, is_built);
    messages.print(&all.sources, &all.warnings);
    let mut found: Vec<Diagnostic> = std::mem::take(&mut all.errors).into_values().flatten().collect();
    if !found.is_empty() && !args.keep_going {
        return Err(Failure::new(&all.sources, found));
    }
    let mut jobs = Vec::new();
    for target in plan.targets.values().filter(|t| is_built(t)) {
        match job(target, &plan, &mut all, args) {
            Ok(job) => jobs.extend(job),
            Err(problem) => found.push(problem),
        }
    }
    if !found.is_empty() && !args.keep_going {
        return Err(Failure::new(&all.sources, found));
    }
    let sources = std::mem::take(&mut all.sources);
    let built = run(args, &mut jobs, &mut all, &mut found).map_err(|problem| Failure::new(&sources, vec![problem]))?;
    if let Some(file) = &args.metadata_file {
        let results = jobs.iter().zip(&built);
        let json: Map<String, Value> = results
            .filter_map(|(job, built)| Some((job.name.clone(), Value::Object(built.as_ref()?.metadata.clone()))))
            .collect();
        write_output(Some(file), &serde_json::to_vec_pretty(&json).unwrap_or_default())?;
    }
    if args.executor.progress != ProgressStyle::Quiet {
        tell(&jobs, &built, messages);
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::new(&sources, unique(found))) }
}

/// Builds jobs, all in one or, where one has failed and the flags say to keep going, each for itself: what the first run
/// has done is in the cache.
fn run(
    args: &BakeArgs,
    jobs: &mut [Job],
    all: &mut All,
    found: &mut Vec<Diagnostic>,
) -> Result<Vec<Option<Built>>, Diagnostic> {
    let (engine, cancel) = engine::open(&args.executor, all.builder.take(), all.client.clone())?;
    let display = Display::new(args.executor.progress);
    let mut optimizer = optimizing::optimizer(&args.optimize, rbc_ir::Level::Layers);
    let mut run = |jobs: &mut [Job]| engine.run(jobs, &mut optimizer, &display, &cancel);
    let failed = |failed: Failed| match cancel.is_cancelled() {
        true => vec![Diagnostic::new(execute::CANCELLED, "the build was cancelled")],
        false => failed.diagnostics,
    };
    let first = match run(jobs) {
        Ok(built) => return Ok(built.into_iter().map(Some).collect()),
        Err(first) => failed(first),
    };
    if !args.keep_going || cancel.is_cancelled() {
        found.extend(first);
        return Ok(jobs.iter().map(|_| None).collect());
    }
    let one = |job: &mut Job| match run(std::slice::from_mut(job)) {
        Ok(built) => built.into_iter().next(),
        Err(problem) => {
            found.extend(failed(problem));
            None
        }
    };
    Ok(jobs.iter_mut().map(one).collect())
}

/// What a target is to the executor; none if it does not compile, which is said already.
fn job(target: &Target, plan: &Plan, all: &mut All, args: &BakeArgs) -> Result<Option<Job>, Diagnostic> {
    let Some(compiled) = all.targets.remove(&target.name) else { return Ok(None) };
    let mut job = Job {
        name: target.name.to_string(),
        locals: compiled.locals,
        layouts: compiled.layouts,
        archives: args.images.oci_layouts.clone(),
        outputs: compiled.outputs,
        ..Job::default()
    };
    let allowed = |right: &str| target.entitlements.iter().any(|e| &*e.value == right);
    job.allow = Allow { network_host: allowed("network.host"), insecure: allowed("security.insecure") };
    for tag in &target.tags {
        job.names.push(build::name_of(&tag.value)?);
    }
    for annotation in &target.annotations {
        job.annotations.add(&annotation.value, Subject::OF_BUILD)?;
    }
    for output in &target.outputs {
        job.exports.push(Export::read(&output.value)?);
    }
    for cache in &target.cache_from {
        job.cache_from.push(build::cache_from(&cache.value)?);
        job.asked.from.push(cache.value.clone());
    }
    for cache in &target.cache_to {
        job.cache_to.push(build::cache_to(&cache.value)?);
        job.asked.to.push(cache.value.clone());
    }
    // An image that has a name is made, if only in the store.
    if job.exports.is_empty() && (!job.names.is_empty() || args.metadata_file.is_some()) {
        job.exports.push(Export::new(Form::Image { push: false, by_digest: false }));
    }
    for target in with_used(target, plan) {
        for secret in &target.secrets {
            job.secrets.extend(read_secret(&secret.value)?);
        }
        for ssh in &target.ssh {
            let (id, socket) = read_ssh(&ssh.value)?;
            job.ssh.insert(id, socket);
        }
    }
    Ok(Some(job))
}

/// A target, and those that it uses.
fn with_used<'p>(target: &'p Target, plan: &'p Plan) -> Vec<&'p Target> {
    let mut out = vec![target];
    let mut next = 0;
    while let Some(target) = out.get(next).copied() {
        next += 1;
        for used in rbc_bake::linked_targets(target).filter_map(|name| plan.targets.get(name)) {
            if !out.iter().any(|known| known.name == used.name) {
                out.push(used);
            }
        }
    }
    out
}

/// Says which images stay where only this program finds them.
fn tell(jobs: &[Job], built: &[Option<Built>], messages: &Messages) {
    for (job, built) in jobs.iter().zip(built) {
        let stays = job.exports.iter().all(|e| matches!(e.form, Form::Image { push: false, .. }));
        let images = built.iter().flat_map(|b| &b.images).filter(|_| stays);
        for (image, names) in images {
            let names: Vec<String> = names.iter().map(rbc_oci::Reference::familiar).collect();
            let digest = &image.top.digest;
            messages.say(&format!("{}: the image {} ({digest}) stays in the store", job.name, names.join(", ")));
        }
    }
}

fn unique(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = Vec::new();
    for problem in found {
        if !out.contains(&problem) {
            out.push(problem);
        }
    }
    out
}
