//! Caches of a builder elsewhere: it reads and writes them itself, of whatever kind they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rbc_ast::plan;
use rbc_buildkit::Session;
use rbc_proto::CacheEntry;
use rbc_registry::{Descriptor, Layout};
use rbc_source::{Diagnostic, lower};

fn entry(cache: &plan::Cache) -> CacheEntry {
    let attrs = cache.attrs.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let mut entry = CacheEntry { kind: cache.kind.to_string(), attrs: attrs.collect() };
    // What a runner or a user has in the environment for a service, and the builder has not.
    let known: &[(&str, &[&str])] = match &*cache.kind {
        "gha" => &[
            ("token", &["ACTIONS_RUNTIME_TOKEN"]),
            ("url_v2", &["ACTIONS_RESULTS_URL"]),
            ("url", &["ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL"]),
        ],
        "s3" => &[
            ("access_key_id", &["AWS_ACCESS_KEY_ID"]),
            ("secret_access_key", &["AWS_SECRET_ACCESS_KEY"]),
            ("session_token", &["AWS_SESSION_TOKEN"]),
        ],
        "azblob" => &[("secret_access_key", &["BUILDKIT_AZURE_STORAGE_SECRET_ACCESS_KEY"])],
        _ => &[],
    };
    for (key, variables) in known {
        if !entry.attrs.contains_key(*key)
            && let Some(value) = variables.iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        {
            entry.attrs.insert((*key).to_owned(), value);
        }
    }
    entry
}

fn need<'e>(entry: &'e CacheEntry, key: &str) -> Result<&'e str, Diagnostic> {
    let missing = || Diagnostic::new(lower::OPTION, format!("a cache of the kind `{}` needs `{key}=`", entry.kind));
    entry.attrs.get(key).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(missing)
}

/// A cache to be read; none if it is a directory in which there is none yet. The session gives what it consists of.
///
/// # Errors
/// It does not say where it is.
pub fn from(cache: &plan::Cache, session: &mut Session) -> Result<Option<CacheEntry>, Diagnostic> {
    let mut entry = entry(cache);
    match entry.kind.as_str() {
        "registry" => {
            need(&entry, "ref")?;
        }
        "local" => {
            let path = need(&entry, "src")?.to_owned();
            if !entry.attrs.contains_key("digest") {
                let tag = entry.attrs.remove("tag").unwrap_or_else(|| "latest".to_owned());
                let layout = Layout::open(&path).and_then(|layout| layout.find(Some(&tag), None));
                let Ok(found) = layout else { return Ok(None) };
                entry.attrs.insert("digest".to_owned(), found.digest.to_string());
            }
            session.caches.entry(PathBuf::from(path)).or_insert(false);
        }
        _ => {}
    }
    Ok(Some(entry))
}

/// A cache to be written. The session takes what it consists of if it is a directory.
///
/// # Errors
/// It does not say where.
pub fn to(cache: &plan::Cache, session: &mut Session) -> Result<CacheEntry, Diagnostic> {
    let entry = entry(cache);
    match entry.kind.as_str() {
        "registry" => {
            need(&entry, "ref")?;
        }
        "local" => {
            session.caches.insert(PathBuf::from(need(&entry, "dest")?), true);
        }
        _ => {}
    }
    Ok(entry)
}

/// Lists what the builder wrote to directories, under its tag.
///
/// # Errors
/// A directory cannot be written.
pub fn list(caches: &[CacheEntry], answer: &BTreeMap<String, String>) -> Result<(), Diagnostic> {
    let Some(made) = answer.get("cache.manifest").and_then(|json| serde_json::from_str::<Descriptor>(json).ok()) else {
        return Ok(());
    };
    for cache in caches.iter().filter(|cache| cache.kind == "local") {
        let tag = cache.attrs.get("tag").map_or("latest", String::as_str);
        Layout::create(need(cache, "dest")?).and_then(|layout| layout.list(made.clone(), Some(tag))).map_err(|e| *e)?;
    }
    Ok(())
}
