//! `rbc image create` and `rbc image copy`.

use std::sync::Arc;

use rbc_oci::Digest;
use rbc_registry::{Assembled, Client, Copier, Descriptor, Location, Piece, Wishes, assemble};
use rbc_source::{Diagnostic, environment, lower};
use serde_json::json;

use super::args::{CopyImageArgs, CreateImageArgs};
use super::{client, platforms};
use crate::build::{Annotations, Subject};
use crate::cli::messages::Messages;
use crate::cli::progress::text::bytes;
use crate::cli::{Failure, write_output};

/// Runs `rbc image create`.
pub fn run(args: &CreateImageArgs, messages: &Messages) -> Result<(), Failure> {
    if args.sources.is_empty() && args.files.is_empty() {
        return Err(option("there is nothing to make an image of").note("name images, or a file with `--file`").into());
    }
    if args.tags.is_empty() && !args.dry_run {
        let found = option("the new image has no name").note("give it one with `--tag`, or see it with `--dry-run`");
        return Err(found.into());
    }
    let client = client(&args.registry)?;
    let tags = locations(&args.tags, &client)?;
    let pieces = pieces(args, &tags, &client)?;
    let mut annotations = Annotations::default();
    for text in &args.annotations {
        annotations.add(text, [Subject::Index, Subject::ManifestDescriptor])?;
    }
    let wishes = Wishes {
        prefer_index: args.prefer_index,
        platforms: platforms(&args.platforms)?,
        annotations: annotations.of_index(),
        entry_annotations: annotations.of_entries(),
    };
    let made = assemble(&pieces, &wishes).map_err(|e| *e)?;
    if args.dry_run {
        let mut text = made.bytes;
        text.push(b'\n');
        return Ok(write_output(None, &text)?);
    }
    write(&made, &tags, messages)?;
    if let Some(file) = &args.metadata_file {
        let names: Vec<String> = tags.iter().map(Location::to_string).collect();
        let metadata = json!({
            "containerimage.descriptor": made.descriptor,
            "image.name": names.join(","),
        });
        write_output(Some(file), &serde_json::to_vec_pretty(&metadata).unwrap_or_default())?;
    }
    Ok(())
}

/// Runs `rbc image copy`.
pub fn copy(args: &CopyImageArgs, messages: &Messages) -> Result<(), Failure> {
    let client = client(&args.registry)?;
    let location = Location::parse(&args.source, &client).map_err(|e| *e)?;
    let to = locations(&args.destinations, &client)?;
    let wishes = Wishes { platforms: platforms(&args.platforms)?, ..Wishes::default() };
    let made = assemble(&[Piece { location, said: None }], &wishes).map_err(|e| *e)?;
    write(&made, &to, messages)
}

/// Brings what was assembled to all its places: first what it consists of, then its names.
fn write(made: &Assembled, to: &[Location], messages: &Messages) -> Result<(), Failure> {
    let mut seen: Vec<&Location> = Vec::new();
    for location in to {
        if !seen.iter().any(|other| other.is_beside(location)) {
            let mut told = |blob: &Descriptor| messages.say(&format!("{} {}", blob.digest, bytes(blob.size)));
            let mut copier = Copier::new(location, &mut told);
            for (from, part) in &made.parts {
                copier.document(from, part).map_err(|e| *e)?;
            }
            seen.push(location);
        }
        location.name(&made.descriptor.media_type, &made.bytes).map_err(|e| *e)?;
        messages.say(&format!("{location} is {}", made.descriptor.digest));
    }
    Ok(())
}

fn locations(texts: &[String], client: &Arc<Client>) -> Result<Vec<Location>, Diagnostic> {
    texts.iter().map(|text| Location::parse(text, client).map_err(|e| *e)).collect()
}

/// The sources. A digest or a descriptor is in the repository of the others, which must then be one.
fn pieces(args: &CreateImageArgs, tags: &[Location], client: &Arc<Client>) -> Result<Vec<Piece>, Diagnostic> {
    let mut texts = Vec::new();
    if args.append {
        texts.extend(args.tags.first().cloned());
    }
    for file in &args.files {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", file.display())))?;
        texts.push(text.trim().to_owned());
    }
    texts.extend(args.sources.iter().cloned());
    let named: Vec<Option<Location>> = texts
        .iter()
        .map(|text| match text.starts_with('{') || Digest::parse(text).is_ok() {
            true => Ok(None),
            false => Location::parse(text, client).map(Some).map_err(|e| *e),
        })
        .collect::<Result<_, Diagnostic>>()?;
    let mut places = named.iter().flatten().chain(tags);
    let home = places.next().filter(|first| places.all(|other| other.is_beside(first)));
    let mut pieces = Vec::new();
    for (text, location) in texts.iter().zip(&named) {
        let piece = match location {
            Some(location) => Piece { location: location.clone(), said: None },
            None => {
                let home = home.ok_or_else(|| {
                    option(format!("where is `{text}`? There is more than one repository, or none"))
                        .note("write REPOSITORY@DIGEST")
                })?;
                nameless(text, home)?
            }
        };
        pieces.push(piece);
    }
    Ok(pieces)
}

/// A source that is a digest, or the JSON of a descriptor.
fn nameless(text: &str, home: &Location) -> Result<Piece, Diagnostic> {
    if let Ok(digest) = Digest::parse(text) {
        return Ok(Piece { location: home.at(&digest), said: None });
    }
    let said: Descriptor = serde_json::from_str(text).map_err(|e| {
        option(format!("a source is neither a reference, nor a digest, nor the JSON of a descriptor: {e}"))
    })?;
    Ok(Piece { location: home.at(&said.digest), said: Some(said) })
}

fn option(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(lower::OPTION, message.into())
}
