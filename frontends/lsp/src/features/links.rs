//! `textDocument/documentLink`: where registries describe the images of FROM.

use serde_json::{Value, json};

use crate::syntax::Syntax;
use crate::text::Text;

/// Links of all bases that are images.
pub(crate) fn all(syntax: &Syntax<'_>, text: &Text) -> Value {
    let mut stages: Vec<&str> = Vec::new();
    let mut links = Vec::new();
    for step in syntax.steps.iter().filter(|step| step.is_from()) {
        if let Some(base) = step.words.first()
            && base.text != "scratch"
            && !stages.iter().any(|name| name.eq_ignore_ascii_case(&base.text))
            && base.range.len() == base.text.len()
        {
            let name = image_name(&base.text);
            links.extend(target(name).map(|target| {
                json!({"range": text.range(base.range.start..base.range.start + name.len()), "target": target})
            }));
        }
        stages.extend(step.stage_name().map(|name| &*name.text));
    }
    links.into()
}

/// A reference without tag and digest.
fn image_name(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    match name.rfind(':') {
        Some(colon) if !name[colon..].contains('/') => &name[..colon],
        _ => name,
    }
}

/// The page of an image, where its registry is known to have one.
fn target(name: &str) -> Option<String> {
    if name.is_empty() || name.contains('$') {
        return None;
    }
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => ("docker.io", name),
    };
    match (host, path.split_once('/')) {
        ("docker.io", None) => Some(format!("https://hub.docker.com/_/{path}/")),
        ("docker.io", Some(("library", image))) => Some(format!("https://hub.docker.com/_/{image}/")),
        ("docker.io", Some(_)) => Some(format!("https://hub.docker.com/r/{path}/")),
        ("ghcr.io", Some((owner, image))) => {
            Some(format!("https://github.com/{owner}/{image}/pkgs/container/{}", image.replace('/', "%2F")))
        }
        ("mcr.microsoft.com", _) => Some(format!("https://mcr.microsoft.com/artifact/mar/{path}")),
        ("quay.io", Some(_)) => Some(format!("https://quay.io/repository/{path}")),
        _ => None,
    }
}
