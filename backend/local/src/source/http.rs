//! Files from the web.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use rbc_ir::Source;
use rbc_oci::Digest as BlobDigest;
use rbc_source::{Diagnostic, execute};
use rbc_wire::Digest;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::Job;
use crate::error::{Fail, Result, failure, show};
use crate::fs::{chown_at, copy_content, open_dir, set_times};
use crate::session::SolveError;
use crate::store::{Layer, LayerInfo, Snapshot, hex};

/// What a file is called of which nothing tells the name.
const NO_NAME: &str = "download";
/// How often a download is begun anew when the connection fails.
const TRIES: u32 = 3;

/// What is known of a URL from the last time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    digest: String,
    size: u64,
    name: String,
    etag: Option<String>,
    modified: Option<String>,
}

/// A file that is here.
pub(crate) struct Pinned {
    digest: BlobDigest,
    name: String,
    mode: u32,
    uid: u32,
    gid: u32,
    modified: i64,
    url: String,
}

impl Pinned {
    pub(crate) fn key(&self) -> Digest {
        let Pinned { digest, name, mode, uid, gid, modified, url: _ } = self;
        Digest::of(format!("http\n{digest}\n{name:?} {mode:o} {uid} {gid} {modified}").as_bytes())
    }
}

/// Downloads a file, unless it is here and unchanged.
pub(super) fn pin(job: &Job, op: &Source) -> Result<Pinned> {
    let url = &op.identifier;
    let checksum = match op.attrs.get("http.checksum") {
        None => None,
        Some(text) => Some(
            BlobDigest::parse(text)
                .map_err(|e| failure(execute::SOURCE, format!("`{}` is no checksum: {e}", show(text))))?,
        ),
    };
    for unknown in ["http.sig.pubkey", "http.sig.signature"] {
        if op.attrs.contains_key(unknown) {
            return Err(failure(
                execute::UNSUPPORTED,
                format!("`{unknown}`: signatures of downloads are not checked here"),
            ));
        }
    }
    let number = |key: &str, radix: u32| match op.attrs.get(key) {
        None => Ok(None),
        Some(text) => u32::from_str_radix(text.trim_start_matches("0o"), radix)
            .map(Some)
            .map_err(|_| failure(execute::SOURCE, format!("`{key}` is `{}`, which is no number", show(text)))),
    };
    let (mode, uid, gid) = (number("http.perm", 8)?, number("http.uid", 10)?, number("http.gid", 10)?);
    let note = job.store.root().join("contexts").join(format!("{}.http", hex(&Digest::of(url.as_bytes()))));
    let noted = fs::read(&note).ok().and_then(|json| serde_json::from_slice::<Known>(&json).ok());
    let here =
        |known: &Known| BlobDigest::parse(&known.digest).is_ok_and(|digest| job.store.has_blob(&digest, known.size));
    let noted = noted.filter(here);
    let known = match (noted, &checksum) {
        (Some(known), Some(wanted)) if known.digest == wanted.as_str() => known,
        (noted, _) => {
            let known = download(job, op, noted)?;
            let json = serde_json::to_vec(&known).map_err(|e| failure(execute::STORE, e.to_string()))?;
            job.store.publish(&note, &json).or_fail(execute::STORE, || format!("write {}", show(&note)))?;
            known
        }
    };
    if let Some(wanted) = checksum
        && known.digest != wanted.as_str()
    {
        let found =
            *failure(execute::SOURCE, format!("`{}` does not have the checksum that the build asks for", show(url)));
        return Err(Box::new(found.note(format!("it has {}", known.digest)).note(format!("the build wants {wanted}"))));
    }
    let modified = known.modified.as_ref().and_then(|text| httpdate::parse_http_date(text).ok());
    let digest = BlobDigest::parse(&known.digest).map_err(|e| failure(execute::STORE, e.to_string()))?;
    let given = op.attrs.get("http.filename").map(|name| plain_name(name));
    Ok(Pinned {
        digest,
        name: given.filter(|name| !name.is_empty()).unwrap_or(known.name),
        mode: mode.unwrap_or(0o600) & 0o7777,
        uid: uid.unwrap_or(0),
        gid: gid.unwrap_or(0),
        modified: modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_secs() as i64),
        url: url.clone(),
    })
}

fn agent() -> ureq::Agent {
    // The machine's certificates, or those that browsers have if it has none.
    let own: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|der| ureq::tls::Certificate::from_der(der.as_ref()).to_owned())
        .collect();
    let roots = if own.is_empty() { ureq::tls::RootCerts::WebPki } else { ureq::tls::RootCerts::new_with_certs(&own) };
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("rbc/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build())
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .new_agent()
}

fn download(job: &Job, op: &Source, noted: Option<Known>) -> Result<Known> {
    let failed = |why: String| -> Box<Diagnostic> {
        failure(execute::SOURCE, format!("cannot fetch `{}`: {why}", show(&op.identifier)))
    };
    let mut tries = TRIES;
    loop {
        match attempt(job, op, noted.as_ref()) {
            Ok(known) => return Ok(known),
            Err(Trouble::Said(found)) => return Err(found),
            Err(Trouble::Network(why)) => {
                tries -= 1;
                if tries == 0 || job.cancel.iter().any(|c| c.is_cancelled()) {
                    return Err(failed(why));
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        }
    }
}

enum Trouble {
    Network(String),
    Said(Box<Diagnostic>),
}

fn attempt(job: &Job, op: &Source, noted: Option<&Known>) -> std::result::Result<Known, Trouble> {
    let url = &op.identifier;
    let mut request = agent().get(url);
    for (key, value) in &op.attrs {
        if let Some(name) = key.strip_prefix("http.header.") {
            request = request.header(name, value);
        }
    }
    if let Some(id) = op.attrs.get("http.authheadersecret")
        && let Some(secret) = job.session.secrets.get(id)
    {
        let value = String::from_utf8_lossy(secret).trim().to_owned();
        request = request.header("Authorization", value);
    }
    if let Some(known) = noted {
        if let Some(etag) = &known.etag {
            request = request.header("If-None-Match", etag);
        } else if let Some(modified) = &known.modified {
            request = request.header("If-Modified-Since", modified);
        }
    }
    let network = |e: ureq::Error| Trouble::Network(e.to_string());
    let mut response = request.call().map_err(network)?;
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    match (status, noted) {
        (304, Some(known)) => return Ok(known.clone()),
        (200..=299, _) => {}
        (500..=599, _) => return Err(Trouble::Network(format!("the server answers with status {status}"))),
        _ => {
            let message = format!("cannot fetch `{}`: the server answers with status {status}", show(url));
            return Err(Trouble::Said(failure(execute::SOURCE, message)));
        }
    }
    let (etag, modified) = (header("etag"), header("last-modified"));
    let name = header("content-disposition").and_then(|text| disposition_name(&text)).unwrap_or_else(|| url_name(url));
    let total = header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut writer = job.store.blob_writer().map_err(Trouble::Said)?;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 128 << 10];
    let (mut done, mut shown) = (0_u64, 0);
    loop {
        if job.cancel.iter().any(|c| c.is_cancelled()) {
            return Err(Trouble::Said(SolveError::cancelled().diagnostic));
        }
        let n = body.read(&mut buffer).map_err(|e| Trouble::Network(e.to_string()))?;
        if n == 0 {
            break;
        }
        let part = buffer.get(..n).unwrap_or_default();
        writer.write_all(part).or_fail(execute::STORE, || "keep a download".to_owned()).map_err(Trouble::Said)?;
        done += n as u64;
        if done - shown > 4 << 20 {
            shown = done;
            job.report.status(&format!("fetching {}", show(url)), done, total);
        }
    }
    if total > 0 && done < total {
        return Err(Trouble::Network(format!("{done} of {total} bytes came")));
    }
    let (digest, size) = writer.finish().map_err(Trouble::Said)?;
    Ok(Known { digest: digest.to_string(), size, name, etag, modified })
}

/// The last part of a path, if it can be the name of a file.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    match last {
        "." | ".." => String::new(),
        other => other.chars().filter(|c| !c.is_control()).collect(),
    }
}

fn url_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let name = path.split_once('/').map_or(String::new(), |(_, path)| plain_name(path));
    if name.is_empty() { NO_NAME.to_owned() } else { name }
}

/// `attachment; filename="x"`
fn disposition_name(text: &str) -> Option<String> {
    let value = text.split(';').find_map(|part| part.trim().strip_prefix("filename="))?;
    let name = plain_name(value.trim().trim_matches('"'));
    (!name.is_empty()).then_some(name)
}

/// Makes a layer of the file.
pub(super) fn fetch(job: &Job, pinned: &Pinned) -> Result<Snapshot> {
    let draft = job.store.draft(Snapshot::default())?;
    let write = || -> io::Result<()> {
        let dir = open_dir(&draft.files())?;
        let name = std::ffi::CString::new(pinned.name.as_str())?;
        let path: PathBuf = job.store.blob_path(&pinned.digest);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&dir, &name, flags, Mode::RUSR | Mode::WUSR)?);
        copy_content(&mut File::open(path)?, &mut file)?;
        chown_at(dir.as_fd(), &name, pinned.uid, pinned.gid)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(pinned.mode))?;
        let time = (pinned.modified, 0);
        set_times(&dir, &name, time, time)
    };
    write().or_fail(execute::STORE, || format!("keep `{}`", show(&pinned.url)))?;
    let layer = Layer::of(&pinned.key());
    draft.commit_as(layer, LayerInfo { description: pinned.url.clone(), ..LayerInfo::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_downloads() {
        for (url, name) in [
            ("https://h/a/b.tar.gz?x=/y#z", "b.tar.gz"),
            ("https://h", "download"),
            ("https://h/", "download"),
            ("https://h/a/..", "download"),
            ("https://h/a%2f", "a%2f"),
        ] {
            assert_eq!(url_name(url), name, "{url}");
        }
        assert_eq!(disposition_name("attachment; filename=\"../../etc/passwd\"").as_deref(), Some("passwd"));
        assert_eq!(disposition_name("inline; filename=x.txt").as_deref(), Some("x.txt"));
        assert_eq!(disposition_name("attachment; filename=\"..\""), None);
        assert_eq!(disposition_name("attachment"), None);
    }
}
