//! Caches for other machines, and from them, as `--cache-to` and `--cache-from` say it.

use std::path::PathBuf;

use rbc_ast::plan;
use rbc_local::{CacheRecord, CacheSource, Compression, Executor, ImageTarget, Snapshot};
use rbc_oci::Reference;
use rbc_source::{Diagnostic, go_bool, image, lower};

use super::export::name_of;

/// Where a cache lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachePlace {
    /// In a registry.
    Registry(Reference),
    /// In an OCI layout, under a tag.
    Layout(PathBuf, String),
    /// Within the image itself.
    Inline,
    /// In a service of a kind that is not supported here, of which users are told and no more: a build can do without.
    Service(String),
}

impl std::fmt::Display for CachePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CachePlace::Registry(name) => f.write_str(&name.familiar()),
            CachePlace::Layout(path, _) => write!(f, "{}", path.display()),
            CachePlace::Inline => f.write_str("the image"),
            CachePlace::Service(kind) => f.write_str(kind),
        }
    }
}

/// A cache to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheExport {
    /// Where.
    pub place: CachePlace,
    /// Whether results of all steps are in it, and not just those that the final one consists of.
    pub max: bool,
    /// How its layers are compressed.
    pub compression: Compression,
    /// Whether failing to write it is no failure of the build.
    pub ignore_error: bool,
}

const DEFAULT_TAG: &str = "latest";

fn option(message: String) -> Diagnostic {
    Diagnostic::new(lower::OPTION, message)
}

/// What `--cache-from` or a bake file says.
///
/// # Errors
/// If the kind is not known, or does not say where the cache is.
pub fn cache_from(cache: &plan::Cache) -> Result<CachePlace, Diagnostic> {
    place(cache, "src")
}

/// What `--cache-to` or a bake file says.
///
/// # Errors
/// If the kind or a parameter is not known, or it does not say where.
pub fn cache_to(cache: &plan::Cache) -> Result<CacheExport, Diagnostic> {
    let place = if &*cache.kind == "inline" { CachePlace::Inline } else { place(cache, "dest")? };
    let attr = |key: &str| cache.attrs.get(key).map(|value| &**value);
    let truth = |key: &str| match attr(key) {
        None => Ok(None),
        Some(value) => {
            go_bool(value).map(Some).ok_or_else(|| option(format!("`{key}={value}`: true or false is expected")))
        }
    };
    let max = match attr("mode") {
        None | Some("min") => false,
        Some("max") if place == CachePlace::Inline => {
            return Err(option("a cache within the image has only the layers of the image".to_owned())
                .note("write `mode=min`, or give the cache a place of its own"));
        }
        Some("max") => true,
        Some(other) => return Err(option(format!("a cache has no mode `{other}`")).note("it is `min` or `max`")),
    };
    let compression = match attr("compression") {
        None | Some("gzip") => Compression::default(),
        Some("zstd") => Compression::Zstd(3),
        Some("uncompressed") => Compression::None,
        Some(other) => {
            let found = option(format!("there is no compression `{other}`"));
            return Err(found.note("there are `gzip`, `zstd` and `uncompressed`"));
        }
    };
    let ignore_error = truth("ignore-error")?.unwrap_or(matches!(place, CachePlace::Service(_)));
    Ok(CacheExport { place, max, compression, ignore_error })
}

fn place(cache: &plan::Cache, path: &str) -> Result<CachePlace, Diagnostic> {
    let need = |key: &str| {
        let missing = || option(format!("a cache of the kind `{}` needs `{key}=`", cache.kind));
        cache.attrs.get(key).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    match &*cache.kind {
        "registry" => Ok(CachePlace::Registry(name_of(need("ref")?)?)),
        "local" => {
            let tag = cache.attrs.get("tag").map_or(DEFAULT_TAG, |tag| tag);
            Ok(CachePlace::Layout(PathBuf::from(&**need(path)?), tag.to_owned()))
        }
        kind @ ("gha" | "s3" | "azblob") => Ok(CachePlace::Service(kind.to_owned())),
        other => {
            let found = option(format!("there is no cache of the kind `{other}`"));
            Err(found.note("there are `registry` and `local`, and `inline` to write"))
        }
    }
}

fn unsupported(kind: &str) -> Diagnostic {
    option(format!("a cache of the kind `{kind}` is not supported here"))
}

/// Opens a cache; none if an image is there that holds no cache.
///
/// # Errors
/// It cannot be reached, or is not well formed.
pub fn open(place: &CachePlace, executor: &Executor) -> Result<Option<CacheSource>, Diagnostic> {
    match place {
        CachePlace::Registry(name) => match &executor.config().registry {
            Some(client) => CacheSource::registry(client, name).map_err(|e| *e),
            None => Err(Diagnostic::new(image::OFFLINE, format!("the cache `{place}` cannot be fetched offline"))),
        },
        CachePlace::Layout(path, tag) => CacheSource::layout(path, Some(tag), None).map_err(|e| *e),
        CachePlace::Inline => Ok(None),
        CachePlace::Service(kind) => Err(unsupported(kind)),
    }
}

/// Writes a cache to its place, which is not the image.
///
/// # Errors
/// It cannot be written.
pub fn write(export: &CacheExport, records: &[CacheRecord], executor: &Executor) -> Result<(), Diagnostic> {
    if let CachePlace::Service(kind) = &export.place {
        return Err(unsupported(kind));
    }
    let store = executor.store();
    let made = store.make_cache(records, export.compression).map_err(|e| *e)?;
    match &export.place {
        CachePlace::Registry(name) => {
            let offline = || Diagnostic::new(image::OFFLINE, "a cache cannot be pushed offline");
            let client = executor.config().registry.as_ref().ok_or_else(offline)?;
            store.push_image(&made, name, client, None, &|_| {}).map_err(|e| *e)
        }
        CachePlace::Layout(path, tag) => {
            let name = name_of(&format!("cache:{tag}"))?;
            store.export_image(&made, &[name], ImageTarget::Layout(path)).map_err(|e| *e)
        }
        CachePlace::Inline | CachePlace::Service(_) => Ok(()),
    }
}

/// The records that a cache holds, by its mode.
pub fn chosen(records: &[CacheRecord], max: bool, results: &[Snapshot]) -> Vec<CacheRecord> {
    records.iter().filter(|record| max || record.is_part_of(results)).cloned().collect()
}
