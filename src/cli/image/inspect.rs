//! `rbc image inspect`.

use rbc_registry::{Document, Fetched, Location, Manifest};
use rbc_source::{Diagnostic, image};
use serde_json::{Map, Value, json};

use super::args::InspectImageArgs;
use super::client;
use crate::cli::template::Template;
use crate::cli::{Failure, write_output};

/// Runs the command.
pub fn run(args: &InspectImageArgs) -> Result<(), Failure> {
    // As with buildx, the manifest as a whole is a table.
    let whole = |format: &&str| format.replace(' ', "") != "{{.Manifest}}";
    let format = args.format.as_deref().filter(whole).map(Template::parse).transpose()?;
    let location = Location::parse(&args.image, &client(&args.registry)?).map_err(|e| *e)?;
    let top = location.top().map_err(|e| *e)?;
    if args.raw {
        // As it is: so the digest of what is printed is that of the image.
        return Ok(write_output(None, &top.bytes)?);
    }
    let text = match format {
        Some(format) => format.render(&all(&args.image, &location, &top)?)? + "\n",
        None => table(&location, &top)?,
    };
    Ok(write_output(None, text.as_bytes())?)
}

fn document(location: &Location, bytes: &[u8], media_type: &str) -> Result<Document, Diagnostic> {
    Document::parse(bytes, media_type).map_err(|why| unreadable(location, &why))
}

fn value(location: &Location, bytes: &[u8]) -> Result<Value, Diagnostic> {
    serde_json::from_slice(bytes).map_err(|e| unreadable(location, &e.to_string()))
}

fn unreadable(location: &Location, why: &str) -> Diagnostic {
    Diagnostic::new(image::CORRUPT, format!("`{location}` has something that cannot be read: {why}"))
}

/// What templates speak of.
fn all(name: &str, location: &Location, top: &Fetched) -> Result<Value, Diagnostic> {
    let config = |manifest: &Manifest| -> Result<Value, Diagnostic> {
        value(location, &location.small_blob(&manifest.config).map_err(|e| *e)?)
    };
    let index = match document(location, &top.bytes, &top.descriptor.media_type)? {
        Document::Index(index) => index,
        Document::Manifest(manifest) => {
            return Ok(json!({ "name": name, "manifest": top.descriptor, "image": config(&manifest)? }));
        }
    };
    let mut images = Map::new();
    for entry in &index.manifests {
        // What is attached to an image is for no platform.
        let Some(platform) = entry.platform.as_ref().filter(|p| p.os != "unknown") else { continue };
        let bytes = location.document(entry).map_err(|e| *e)?;
        if let Document::Manifest(manifest) = document(location, &bytes, &entry.media_type)? {
            images.insert(platform.format_all(), config(&manifest)?);
        }
    }
    let images = match images.len() {
        1 => images.into_iter().next().map_or(Value::Null, |(_, only)| only),
        _ => Value::Object(images),
    };
    let mut manifest = value(location, &top.bytes)?;
    if let Some(manifest) = manifest.as_object_mut() {
        manifest.insert("digest".to_owned(), json!(top.descriptor.digest.as_str()));
        manifest.insert("size".to_owned(), json!(top.descriptor.size));
    }
    Ok(json!({ "name": name, "manifest": manifest, "image": images }))
}

/// The form of `docker buildx imagetools inspect`.
fn table(location: &Location, top: &Fetched) -> Result<String, Diagnostic> {
    let line = |indent: &str, key: &str, value: &str| format!("{indent}{:<11}{value}\n", format!("{key}:"));
    let mut out = line("", "Name", &location.to_string());
    out += &line("", "MediaType", &top.descriptor.media_type);
    out += &line("", "Digest", top.descriptor.digest.as_str());
    let Document::Index(index) = document(location, &top.bytes, &top.descriptor.media_type)? else { return Ok(out) };
    out += "\nManifests:\n";
    for (at, entry) in index.manifests.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        out += &line("  ", "Name", &location.at(&entry.digest).to_string());
        out += &line("  ", "MediaType", &entry.media_type);
        if let Some(platform) = &entry.platform {
            out += &line("  ", "Platform", &platform.format());
            if !platform.os_version.is_empty() {
                out += &line("  ", "OSVersion", &platform.os_version);
            }
            if !platform.os_features.is_empty() {
                out += &line("  ", "OSFeatures", &platform.os_features.join(", "));
            }
        }
        if !entry.urls.is_empty() {
            out += &line("  ", "URLs", &entry.urls.join(", "));
        }
        if !entry.annotations.is_empty() {
            out += "  Annotations:\n";
            let widest = entry.annotations.keys().map(|key| key.len() + 2).max().unwrap_or(0);
            for (key, value) in &entry.annotations {
                out += &format!("    {:<widest$}{value}\n", format!("{key}:"));
            }
        }
    }
    Ok(out)
}
