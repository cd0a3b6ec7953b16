//! A target for several platforms, on several nodes.
//!
//! Each node builds its platforms. An image is pushed by digest from each, and an index of all gets the name; files go to a
//! folder a platform.

use std::sync::Arc;

use rbc_ir::Ref;
use rbc_oci::{Digest, Platform};
use rbc_registry::{Client, Location, Piece, Wishes, assemble};
use rbc_source::{Diagnostic, environment, execute, image, lower};
use serde_json::Value;

use super::Node;
use crate::Output;
use crate::build::{Built, Export, Failed, Form, Job};

/// What a node builds of a target.
pub struct Share<'a> {
    pub node: &'a Node,
    pub results: Vec<(&'a Output, Option<Ref>)>,
}

/// Divides the results of a target: each goes to the node that was given its platform, or to one that says that it has it.
pub fn shares<'a>(results: Vec<(&'a Output, Option<Ref>)>, nodes: &'a [Node], job: &Job) -> Vec<Share<'a>> {
    let says = |node: &Node, platform: &Platform| {
        let mut own = node.daemon.workers().iter().flat_map(|worker| &worker.platforms);
        own.any(|own| {
            (own.os.as_str(), own.architecture.as_str()) == (platform.os.as_str(), platform.architecture.as_str())
        })
    };
    let home = |output: &Output| {
        // A frontend on a node makes all platforms itself.
        let platform = output.platform.as_ref().filter(|_| job.frontend.is_none());
        let given = |platform: &Platform| nodes.iter().position(|node| node.platforms.contains(platform));
        let found = platform.and_then(|p| given(p).or_else(|| nodes.iter().position(|node| says(node, p))));
        found.unwrap_or(0)
    };
    let mut shares: Vec<(usize, Share)> = Vec::new();
    for result in results {
        let at = home(result.0);
        match shares.iter_mut().find(|(other, _)| *other == at) {
            Some((_, share)) => share.results.push(result),
            None => shares.push((at, Share { node: &nodes[at], results: vec![result] })),
        }
    }
    if shares.is_empty() {
        shares.push((0, Share { node: &nodes[0], results: Vec::new() }));
    }
    shares.into_iter().map(|(_, share)| share).collect()
}

/// How a share is built, with its exports.
type BuildShare<'f> = &'f (dyn Fn(&Share<'_>, &[Export]) -> Result<Built, Failed> + Sync);

/// Builds all shares at a time, and puts together what they made.
///
/// # Errors
/// The first failure, or an export cannot be made of parts.
pub fn build(
    shares: &[Share<'_>],
    job: &Job,
    registry: Option<&Arc<Client>>,
    one: BuildShare<'_>,
) -> Result<Built, Failed> {
    let exports =
        |share| job.exports.iter().map(|export| part(export, share, job)).collect::<Result<Vec<Export>, Diagnostic>>();
    let shares = shares.iter().map(|share| Ok((share, exports(share)?))).collect::<Result<Vec<_>, Diagnostic>>()?;
    let outcomes: Vec<Result<Built, Failed>> = std::thread::scope(|scope| {
        let running: Vec<_> = shares.iter().map(|(share, exports)| scope.spawn(|| one(share, exports))).collect();
        let lost = |_| Err(Diagnostic::new(environment::INTERNAL, "a node's build was lost").into());
        running.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    });
    let parts = outcomes.into_iter().collect::<Result<Vec<Built>, Failed>>()?;
    let mut built = Built::default();
    for export in &job.exports {
        if let Form::Image { push: true, by_digest } = export.form {
            let names = if export.names.is_empty() { &job.names } else { &export.names };
            for name in names {
                let client =
                    registry.ok_or_else(|| Diagnostic::new(image::OFFLINE, "an index cannot be pushed offline"))?;
                let location = Location::Registry(client.clone(), name.clone());
                let pieces = parts.iter().map(|part| Ok(Piece { location: location.at(&digest(part)?), said: None }));
                let pieces = pieces.collect::<Result<Vec<Piece>, Diagnostic>>()?;
                let wishes = Wishes {
                    prefer_index: true,
                    annotations: [job.annotations.of_index(), export.annotations.of_index()]
                        .into_iter()
                        .flatten()
                        .collect(),
                    ..Wishes::default()
                };
                let made = assemble(&pieces, &wishes)?;
                let whole = if by_digest { location.at(&made.descriptor.digest) } else { location };
                whole.name(&made.descriptor.media_type, &made.bytes)?;
                let told = serde_json::to_value(&made.descriptor).unwrap_or_default();
                built.id = Some(made.descriptor.digest.to_string());
                built.metadata.insert("containerimage.digest".to_owned(), Value::from(made.descriptor.digest.as_str()));
                built.metadata.insert("containerimage.descriptor".to_owned(), told);
            }
            let list: Vec<String> = names.iter().map(ToString::to_string).collect();
            built.metadata.insert("image.name".to_owned(), Value::String(list.join(",")));
        }
    }
    Ok(built)
}

/// What a node makes of an export.
fn part(export: &Export, share: &Share<'_>, job: &Job) -> Result<Export, Diagnostic> {
    let mut part = export.clone();
    match &mut part.form {
        Form::Cache => {}
        Form::Directory { path, .. } => {
            // Of a single platform no node makes a folder, or only a new one.
            if let [(Output { platform: Some(platform), .. }, _)] = &share.results[..]
                && export.split != Some(false)
            {
                path.push(platform.format_all().replace('/', "_"));
                part.split = Some(false);
            }
        }
        Form::Image { push: true, by_digest } => {
            *by_digest = true;
            // What is pushed by its digest has no tag.
            let names = if export.names.is_empty() { &job.names } else { &export.names };
            part.names = names.iter().map(|name| name.clone().without_tag_and_digest()).collect();
            part.names.dedup();
            part.others.insert("name-canonical".to_owned(), "true".to_owned());
        }
        _ => {
            let found =
                Diagnostic::new(lower::OPTION, "platforms that several nodes build come together only in a registry");
            return Err(found.note("write `--push`, `--output DIR`, or name one node or platform"));
        }
    }
    Ok(part)
}

/// What a node pushed.
fn digest(part: &Built) -> Result<Digest, Diagnostic> {
    let told = part.metadata.get("containerimage.digest").and_then(Value::as_str);
    told.and_then(|text| Digest::parse(text).ok())
        .ok_or_else(|| Diagnostic::new(execute::ELSEWHERE, "a node does not say what it pushed"))
}
