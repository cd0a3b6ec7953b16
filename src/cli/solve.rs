//! `rbc solve`: any definition, whoever made it.

use std::path::{Path, PathBuf};

use rbc_ir::{Graph, NodeId, Origin};
use rbc_lower::{Outline, Product};
use rbc_oci::ImageConfig;
use rbc_source::{Diagnostic, FileId, Sources, Span, environment, image, lower};

use super::args::{ProgressStyle, SolveCommand};
use super::build::{failure, finish, job};
use super::host::registry_client;
use super::messages::Messages;
use super::progress::Display;
use super::project::host_platform;
use super::{Failure, engine, optimizing};
use crate::Output;

/// Where programs are looked for in an image of which nothing else is known.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the command.
pub fn run(args: &SolveCommand, messages: &Messages) -> Result<(), Failure> {
    let mut sources = Sources::new();
    let mut graph = super::inspect::read(&args.file)?.graph;
    let result = graph.roots.first().and_then(|root| root.result);
    point(&mut graph, &mut sources);
    let mut job = job(&args.result, &args.run)?;
    for text in &args.locals {
        let (name, dir) = pair(text, "--local")?;
        job.locals.insert(name, dir);
    }
    for text in &args.layouts {
        match text.split_once('=') {
            Some((name, dir)) => _ = job.layouts.insert(name.to_owned(), PathBuf::from(dir)),
            None => job.archives.push(PathBuf::from(text)),
        }
    }
    let product = Product {
        graph,
        result,
        image: image_config(args.image_config.as_deref())?,
        base_image: None,
        epoch: None,
        ignore_cache: false,
        scan: Vec::new(),
        outline: Outline::default(),
        unbuildable: None,
        stages: Vec::new(),
    };
    job.outputs = vec![Output { platform: None, product }];
    let client = registry_client(args.registry.registry_config.as_deref(), args.offline, &mut sources);
    let client = client.map_err(|found| Failure::new(&sources, found))?;
    let builder = engine::builder(&args.run.executor, &[])?;
    let (engine, cancel) = engine::open(&args.run.executor, builder, client)?;
    let style = if args.result.quiet { ProgressStyle::Quiet } else { args.run.executor.progress };
    let display = Display::new(style);
    let mut optimizer = optimizing::optimizer(&args.run.optimize, rbc_ir::Level::Exact);
    let outcome = engine.run(std::slice::from_mut(&mut job), &mut optimizer, &display, &cancel);
    drop(display);
    optimizing::tell(&args.run.optimize, &optimizer, &sources, messages);
    let built = outcome.map_err(|failed| failure(failed, &args.run, &engine, &cancel, &sources, messages))?;
    finish(&args.result, &args.run, &job, built.into_iter().next().unwrap_or_default(), &engine, messages)
}

/// `NAME=DIR`.
fn pair(text: &str, flag: &str) -> Result<(String, PathBuf), Diagnostic> {
    let (name, dir) = text
        .split_once('=')
        .ok_or_else(|| Diagnostic::new(lower::OPTION, format!("`{flag} {text}` has no value; write NAME=DIR")))?;
    Ok((name.to_owned(), PathBuf::from(dir)))
}

fn image_config(file: Option<&Path>) -> Result<ImageConfig, Diagnostic> {
    let Some(path) = file else {
        let mut config =
            ImageConfig { platform: host_platform(), rootfs_type: "layers".to_owned(), ..ImageConfig::default() };
        config.config.working_dir = "/".to_owned();
        config.config.env = vec![PATH.to_owned()];
        return Ok(config);
    };
    let bytes = std::fs::read(path)
        .map_err(|e| Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", path.display())))?;
    ImageConfig::parse(&bytes)
        .map_err(|e| Diagnostic::new(image::CORRUPT, format!("`{}` is no config of an image: {e}", path.display())))
}

/// Makes the places that a definition names places of ours, so that a failure points at the text which it carries.
fn point(graph: &mut Graph, sources: &mut Sources) {
    let files: Vec<FileId> =
        graph.sources.iter().map(|text| sources.add_bytes(text.filename.as_str(), text.data.to_vec())).collect();
    for at in 0..graph.len() as u32 {
        let meta = &mut graph.node_mut(NodeId(at)).meta;
        let spans: Vec<Span> = meta
            .locations
            .iter()
            .filter_map(|location| {
                let file = sources.get(*files.get(location.source as usize)?);
                let line = |line: i32| file.line_range(usize::try_from(line.saturating_sub(1)).unwrap_or(0));
                let (first, last) = (location.ranges.first()?, location.ranges.last()?);
                let text = file.text().get(line(first.start.line).start..line(last.end.line).end)?;
                let start = line(first.start.line).start;
                Some(file.span(start, start + text.trim_end().len()))
            })
            .collect();
        meta.origins.extend(spans.into_iter().map(|span| Origin { span: Some(span), ..Origin::default() }));
    }
}
