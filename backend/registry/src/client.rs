//! A client of the distribution API (<https://github.com/opencontainers/distribution-spec>).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rbc_oci::{Digest, Platform, Reference};
use rbc_source::{Diagnostic, image};
use ureq::Agent;
use ureq::http::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, LINK, LOCATION, RANGE};
use ureq::http::{HeaderMap, Method};

use crate::auth::{Credential, Credentials};
use crate::config::RegistryConfig;
use crate::error::{Result, failure, tame};
use crate::hash::Hasher;
use crate::http::{self, Content, Fault, Request, Response, body_error, host_of, read_body, transport_fault};
use crate::manifest::{Descriptor, media, media_type_of};
use crate::select::{self, CONFIG_MAX, Image, MANIFEST_MAX};
use crate::token::{self, Authorization, Scope, form};

/// Where Docker Hub answers.
const HUB: &str = "registry-1.docker.io";
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How much is sent with one request where more does not pass.
const SMALL_PART: u64 = 16 << 20;
/// How many pages of tags are read, at most.
const PAGES_MAX: usize = 1000;
/// Largest page of tags in bytes.
const PAGE_MAX: u64 = 4 << 20;

type Try<T> = std::result::Result<T, Fault>;

/// Talks to registries. It can be shared between threads; connections, tokens and credentials are kept.
#[derive(Debug)]
pub struct Client {
    config: RegistryConfig,
    credentials: Credentials,
    agents: Mutex<HashMap<String, Agent>>,
    /// By host and scope; those that hold for every scope have an empty one.
    tokens: Mutex<HashMap<(String, String), Authorization>>,
    /// The scheme that a host with more than one has answered by.
    schemes: Mutex<HashMap<String, &'static str>>,
}

/// A manifest or index as it was received, checked against its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What it is.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How a blob came into a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Present,
    /// The registry took it over from another of its repositories.
    Mounted,
    /// It was sent.
    Sent,
}

/// Where a blob is written to as it arrives. What has been written counts only when the transfer has succeeded.
pub trait Sink: Write {
    /// Forgets all that was written: what comes next is the beginning again.
    fn restart(&mut self) -> io::Result<()>;
}

impl Sink for Vec<u8> {
    fn restart(&mut self) -> io::Result<()> {
        self.clear();
        Ok(())
    }
}

impl Sink for File {
    fn restart(&mut self) -> io::Result<()> {
        self.rewind()?;
        self.set_len(0)
    }
}

/// One place that answers for a registry.
struct Endpoint {
    /// `https://registry-1.docker.io/v2/`
    base: String,
    /// `host[:port]`
    host: String,
    scheme: &'static str,
    /// The registry that a mirror is asked for.
    namespace: Option<String>,
    agent: Agent,
}

impl Endpoint {
    fn url(&self, reference: &Reference, rest: &str) -> String {
        let url = format!("{}{}/{rest}", self.base, reference.path());
        match &self.namespace {
            Some(namespace) => format!("{url}?{}", form(&[("ns", namespace)])),
            None => url,
        }
    }
}

/// Counts tries and pauses between them.
struct Pace<'a> {
    config: &'a RegistryConfig,
    tries: u32,
    left: u32,
    pause: Duration,
}

impl<'a> Pace<'a> {
    fn new(config: &'a RegistryConfig, tries: u32) -> Self {
        Pace { config, tries, left: tries.saturating_sub(1), pause: config.first_wait.min(LONGEST_PAUSE) }
    }

    /// Waits before another try, or gives the failure back if it is final.
    fn again(&mut self, fault: Fault) -> Try<()> {
        match fault.retry {
            Some(at_least) if self.left > 0 => {
                self.left -= 1;
                // Clients that failed together shall not come back together.
                let noise = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos() % 1000);
                std::thread::sleep(self.pause.mul_f32(0.75 + noise as f32 / 2000.0).max(at_least));
                self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
                Ok(())
            }
            _ => Err(fault),
        }
    }

    /// Something was achieved: count anew.
    fn refill(&mut self) {
        *self = Pace::new(self.config, self.tries);
    }
}

impl Client {
    /// A client with settings and credentials. Nothing is contacted yet.
    pub fn new(config: RegistryConfig, credentials: Credentials) -> Self {
        Client { config, credentials, agents: Mutex::default(), tokens: Mutex::default(), schemes: Mutex::default() }
    }

    /// The credential for a registry, `host[:port]`, for someone who asks it in our place.
    ///
    /// # Errors
    /// A credential helper fails, or the entry of the registry is not well formed.
    pub fn credential(&self, host: &str) -> Result<Option<Credential>> {
        self.credentials.get(host)
    }

    /// What a reference stands for, without fetching it. A reference without tag and digest stands for `latest`.
    pub fn resolve(&self, reference: &Reference) -> Result<Descriptor> {
        let known = self.first(reference, |endpoint, tries| {
            let request = manifest_request(Method::HEAD, endpoint, reference);
            let scope = Scope::pull(reference.path());
            let response = self.retrying(tries, || self.authorized(endpoint, &scope, &request))?;
            Ok(announced(response.headers(), reference))
        });
        match known.map_err(|found| about(*found, "find", reference))? {
            Some(descriptor) => Ok(descriptor),
            None => Ok(self.manifest(reference)?.descriptor),
        }
    }

    /// Fetches the manifest or index that a reference stands for.
    pub fn manifest(&self, reference: &Reference) -> Result<Fetched> {
        let fetched = self.first(reference, |endpoint, tries| {
            let request = manifest_request(Method::GET, endpoint, reference);
            let scope = Scope::pull(reference.path());
            self.retrying(tries, || {
                let mut response = self.authorized(endpoint, &scope, &request)?;
                let bytes = read_body(&request, &mut response, MANIFEST_MAX)?;
                checked_manifest(response.headers(), bytes, reference, endpoint)
            })
        });
        fetched.map_err(|found| about(*found, "get", reference))
    }

    /// Fetches the image that a reference stands for on a platform: its manifest and its config, not its layers.
    pub fn image(&self, reference: &Reference, platform: &Platform) -> Result<Image> {
        let top = self.manifest(reference)?;
        self.image_of(reference, &top, platform)
    }

    /// [`image`](Self::image) below a manifest or index that was fetched before.
    pub fn image_of(&self, reference: &Reference, top: &Fetched, platform: &Platform) -> Result<Image> {
        select::select(&Remote { client: self, reference }, &top.descriptor, &top.bytes, platform)
    }

    /// Fetches a blob of the reference's repository. A lost connection is taken up where it broke; size and digest are
    /// checked.
    pub fn blob(&self, repository: &Reference, blob: &Descriptor, to: &mut dyn Sink) -> Result<()> {
        let fetched = self.first(repository, |endpoint, tries| {
            to.restart().map_err(write_failed)?;
            let mut hasher = Hasher::new(&blob.digest);
            let mut pace = Pace::new(&self.config, tries);
            loop {
                let before = hasher.len();
                match self.rest_of_blob(endpoint, repository, blob, &mut hasher, to) {
                    Ok(()) => break,
                    Err(fault) => {
                        if hasher.len() > before {
                            pace.refill();
                        }
                        pace.again(fault)?;
                    }
                }
            }
            match hasher.matches() {
                true => Ok(()),
                false => Err(corrupt(endpoint, &format!("a blob with the contents of another: {}", blob.digest))),
            }
        });
        fetched.map_err(|found| about(*found, "get", repository))
    }

    /// One request for what is still missing of a blob.
    fn rest_of_blob(
        &self,
        endpoint: &Endpoint,
        repository: &Reference,
        blob: &Descriptor,
        hasher: &mut Hasher,
        to: &mut dyn Sink,
    ) -> Try<()> {
        let start = hasher.len();
        let mut request = Request::new(Method::GET, endpoint.url(repository, &format!("blobs/{}", blob.digest)));
        if start > 0 {
            request = request.header(RANGE, format!("bytes={start}-"));
        }
        let mut response = self.authorized(endpoint, &Scope::pull(repository.path()), &request)?;
        let partial = response.status().as_u16() == 206;
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
        if partial && !range.starts_with(&format!("bytes {start}-")) {
            return Err(corrupt(endpoint, "another part of a blob than it was asked for"));
        }
        let lost = |e: ureq::Error| transport_fault(&request, &e);
        // A server that knows no ranges sends all of it again.
        let mut skip = if partial { 0 } else { start };
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let len = reader.read(&mut buffer).map_err(|e| lost(body_error(e)))?;
            if len == 0 {
                break;
            }
            let passed = skip.min(len as u64);
            skip -= passed;
            let part = buffer.get(passed as usize..len).unwrap_or_default();
            if hasher.len() + part.len() as u64 > blob.size {
                return Err(corrupt(endpoint, &format!("a blob of more than its {} bytes", blob.size)));
            }
            to.write_all(part).map_err(write_failed)?;
            hasher.update(part);
        }
        match hasher.len() == blob.size {
            true => Ok(()),
            false => Err(lost(ureq::Error::Io(io::ErrorKind::UnexpectedEof.into()))),
        }
    }

    /// Whether the reference's repository has a blob.
    pub fn has_blob(&self, repository: &Reference, digest: &Digest) -> Result<bool> {
        let found = self.origin(repository, |endpoint, tries| {
            let request = Request::new(Method::HEAD, endpoint.url(repository, &format!("blobs/{digest}")));
            let scope = Scope::push(repository.path(), []);
            match self.retrying(tries, || self.authorized(endpoint, &scope, &request)) {
                Ok(_) => Ok(true),
                Err(fault) if fault.status == 404 => Ok(false),
                Err(fault) => Err(fault),
            }
        });
        found.map_err(|found| about(*found, "push to", repository))
    }

    /// Brings a blob into the reference's repository, unless it is there: by taking it over from the repository `from` of
    /// the same registry, if one is given and has it, or by sending `content`.
    pub fn push_blob(
        &self,
        repository: &Reference,
        blob: &Descriptor,
        content: Content,
        from: Option<&Reference>,
    ) -> Result<Pushed> {
        if self.has_blob(repository, &blob.digest)? {
            return Ok(Pushed::Present);
        }
        let from = from.filter(|from| from.domain() == repository.domain() && from.path() != repository.path());
        let pushed = self.origin(repository, |endpoint, tries| {
            let scope = Scope::push(repository.path(), from.map(Reference::path));
            let part = self.config.chunk.unwrap_or(u64::MAX).max(1);
            let mut upload = Upload { client: self, endpoint, scope, repository, blob, content, part, session: None };
            let mut pace = Pace::new(&self.config, tries);
            loop {
                let before = upload.reached();
                match upload.attempt(from) {
                    Ok(pushed) => return Ok(pushed),
                    Err(fault) => {
                        if upload.reached() > before {
                            pace.refill();
                        }
                        pace.again(fault)?;
                    }
                }
            }
        });
        pushed.map_err(|found| about(*found, "push to", repository))
    }

    /// Has the registry take a blob over from its repository `from`; whether it did. It needs no content for that.
    pub fn mount_blob(&self, repository: &Reference, blob: &Descriptor, from: &Reference) -> Result<bool> {
        if from.domain() != repository.domain() || from.path() == repository.path() {
            return Ok(false);
        }
        let mounted = self.origin(repository, |endpoint, tries| {
            let scope = Scope::push(repository.path(), Some(from.path()));
            let content = Content::Bytes(&[]);
            let mut upload =
                Upload { client: self, endpoint, scope, repository, blob, content, part: u64::MAX, session: None };
            self.retrying(tries, || match upload.begin(Some(from))? {
                None => Ok(true),
                // What it began instead is not wanted. That it is told so is a courtesy.
                Some(session) => {
                    _ = upload.send(&Request::new(Method::DELETE, session.location));
                    Ok(false)
                }
            })
        });
        mounted.map_err(|found| about(*found, "push to", repository))
    }

    /// Pushes a manifest or index under the reference's tag, or under its digest if the reference has no tag. What it
    /// refers to must be there.
    pub fn push_manifest(&self, reference: &Reference, media_type: &str, bytes: &[u8]) -> Result<Digest> {
        let digest = crate::manifest::sha256(bytes);
        let pushed = self.origin(reference, |endpoint, tries| {
            let name = reference.tag().unwrap_or(digest.as_str());
            let request = Request::new(Method::PUT, endpoint.url(reference, &format!("manifests/{name}")))
                .header(CONTENT_TYPE, media_type)
                .payload(Content::Bytes(bytes), 0..bytes.len() as u64);
            let scope = Scope::push(reference.path(), []);
            let response = self.retrying(tries, || self.authorized(endpoint, &scope, &request))?;
            match digest_header(response.headers()) {
                Some(stored) if stored.algorithm() == digest.algorithm() && stored != digest => {
                    Err(corrupt(endpoint, &format!("{stored} as the digest of a manifest that is {digest}")))
                }
                _ => Ok(()),
            }
        });
        pushed.map_err(|found| about(*found, "push to", reference))?;
        Ok(digest)
    }

    /// The tags of the reference's repository, in the registry's order.
    pub fn tags(&self, repository: &Reference) -> Result<Vec<String>> {
        let tags = self.first(repository, |endpoint, tries| {
            let scope = Scope::pull(repository.path());
            let mut url = endpoint.url(repository, "tags/list");
            url.push_str(if url.contains('?') { "&n=1000" } else { "?n=1000" });
            let mut tags = Vec::new();
            for _ in 0..PAGES_MAX {
                let request = Request::new(Method::GET, url);
                let (page, next) = self.retrying(tries, || {
                    let mut response = self.authorized(endpoint, &scope, &request)?;
                    let page = read_body(&request, &mut response, PAGE_MAX)?;
                    Ok((page, next_page(response.headers())))
                })?;
                let page: serde_json::Value = serde_json::from_slice(&page).unwrap_or_default();
                let page = page.get("tags").and_then(|tags| tags.as_array());
                tags.extend(page.into_iter().flatten().filter_map(|tag| tag.as_str()).map(str::to_owned));
                match next.and_then(|next| join(&request.url, &next)).filter(|next| host_of(next) == endpoint.host) {
                    Some(next) => url = next,
                    None => break,
                }
            }
            Ok(tags)
        });
        tags.map_err(|found| about(*found, "list the tags of", repository))
    }

    /// Asks the mirrors of the reference's registry and then the registry itself, until one succeeds.
    fn first<T>(&self, reference: &Reference, ask: impl FnMut(&Endpoint, u32) -> Try<T>) -> Result<T> {
        self.ask(self.endpoints(reference, true)?, ask)
    }

    /// Asks the reference's registry itself.
    fn origin<T>(&self, reference: &Reference, ask: impl FnMut(&Endpoint, u32) -> Try<T>) -> Result<T> {
        self.ask(self.endpoints(reference, false)?, ask)
    }

    fn ask<T>(&self, endpoints: Vec<Endpoint>, mut ask: impl FnMut(&Endpoint, u32) -> Try<T>) -> Result<T> {
        let mut earlier = Vec::new();
        let last = endpoints.len().saturating_sub(1);
        for (at, endpoint) in endpoints.iter().enumerate() {
            // With another place to ask there is no need to be patient.
            let outcome = ask(endpoint, if at == last { self.config.tries } else { 1 });
            if outcome.as_ref().map_or_else(|fault| fault.status != 0, |_| true) {
                lock(&self.schemes).insert(endpoint.host.clone(), endpoint.scheme);
            }
            match outcome {
                Ok(value) => return Ok(value),
                Err(fault) if at == last => {
                    let mut found = fault.diagnostic;
                    found.notes.append(&mut earlier);
                    return Err(found);
                }
                Err(fault) => {
                    earlier.push(format!("tried before: {}, {}", endpoint.base, fault.diagnostic.message));
                }
            }
        }
        Err(failure(image::UNREACHABLE, "no registry to ask").into())
    }

    fn endpoints(&self, reference: &Reference, mirrors: bool) -> Result<Vec<Endpoint>> {
        let domain = reference.domain();
        if domain.is_empty() {
            let message = format!("`{reference}` names no registry");
            return Err(failure(image::REFERENCE, message).into());
        }
        let host = if domain == "docker.io" { HUB } else { domain };
        let mut all = Vec::new();
        if mirrors {
            for mirror in &self.config.host(domain).mirrors {
                let (scheme, rest) = match mirror.split_once("://") {
                    Some((scheme, rest)) => (Some(scheme), rest),
                    None => (None, mirror.as_str()),
                };
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                self.add_endpoints(&mut all, host, host, path.trim_matches('/'), scheme, Some(domain))?;
            }
        }
        self.add_endpoints(&mut all, domain, host, "", None, None)?;
        Ok(all)
    }

    fn add_endpoints(
        &self,
        all: &mut Vec<Endpoint>,
        settings: &str,
        host: &str,
        path: &str,
        scheme: Option<&str>,
        namespace: Option<&str>,
    ) -> Result<()> {
        let settings = self.config.host(settings);
        let settled = lock(&self.schemes).get(host).copied();
        let schemes = match scheme {
            Some("http") => &["http"],
            _ => settings.schemes(host),
        };
        let slash = if path.is_empty() { "" } else { "/" };
        for scheme in schemes.iter().copied().filter(|scheme| settled.is_none_or(|settled| settled == *scheme)) {
            let mut agents = lock(&self.agents);
            let agent = match agents.get(host) {
                Some(agent) => agent.clone(),
                None => {
                    let agent = http::agent(&self.config, host, &settings)?;
                    agents.entry(host.to_owned()).or_insert(agent).clone()
                }
            };
            all.push(Endpoint {
                base: format!("{scheme}://{host}/v2/{path}{slash}"),
                host: host.to_owned(),
                scheme,
                namespace: namespace.map(str::to_owned),
                agent,
            });
        }
        Ok(())
    }

    /// Sends a request with what is known of the host's demands, and satisfies a new demand once.
    fn authorized(&self, endpoint: &Endpoint, scope: &Scope, request: &Request) -> Try<Response> {
        if host_of(&request.url) != endpoint.host {
            // An upload that a registry directs elsewhere: what is ours there, is in the address.
            return http::send(&endpoint.agent, request, None);
        }
        let known = self.token(&endpoint.host, scope);
        let fault = match http::send(&endpoint.agent, request, known.as_deref()) {
            Err(fault) if fault.status == 401 => fault,
            Err(fault) if fault.status == 403 && known.is_none() => return Err(self.advised(endpoint, fault)),
            outcome => return outcome,
        };
        let credential = self.credentials.get(&endpoint.host)?;
        let answer = token::answer(&endpoint.agent, &request.url, &fault.demands, scope, credential.as_ref())?;
        let Some(authorization) = answer else { return Err(self.advised(endpoint, fault)) };
        let key = match authorization.general {
            true => (endpoint.host.clone(), String::new()),
            false => (endpoint.host.clone(), scope.0.clone()),
        };
        let value = authorization.value.clone();
        lock(&self.tokens).insert(key.clone(), authorization);
        let outcome = http::send(&endpoint.agent, request, Some(&value));
        match outcome {
            Err(fault) if matches!(fault.status, 401 | 403) => {
                lock(&self.tokens).remove(&key);
                Err(if credential.is_none() { self.advised(endpoint, fault) } else { fault })
            }
            outcome => outcome,
        }
    }

    fn advised(&self, endpoint: &Endpoint, mut fault: Fault) -> Fault {
        fault.diagnostic.notes.push(self.credentials.advice(&endpoint.host));
        if endpoint.host == HUB {
            let note = "Docker Hub says the same of an image that does not exist: check the name";
            fault.diagnostic.notes.push(note.to_owned());
        }
        fault
    }

    fn token(&self, host: &str, scope: &Scope) -> Option<String> {
        let tokens = lock(&self.tokens);
        let of = |scope: &str| tokens.get(&(host.to_owned(), scope.to_owned()));
        let held = of("").or_else(|| of(&scope.0))?;
        held.until.is_none_or(|until| Instant::now() < until).then(|| held.value.clone())
    }

    fn retrying<T>(&self, tries: u32, mut work: impl FnMut() -> Try<T>) -> Try<T> {
        let mut pace = Pace::new(&self.config, tries);
        loop {
            match work() {
                Ok(value) => return Ok(value),
                Err(fault) => pace.again(fault)?,
            }
        }
    }
}

/// A repository, as a place to read documents from.
struct Remote<'a> {
    client: &'a Client,
    reference: &'a Reference,
}

impl select::Store for Remote<'_> {
    fn name(&self) -> String {
        self.reference.familiar()
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let reference = self.reference.clone().without_tag_and_digest().with_digest(descriptor.digest.clone());
        Ok(self.client.manifest(&reference)?.bytes)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        if descriptor.size > CONFIG_MAX {
            let name = self.name();
            let message = format!("`{name}` has a config of {} bytes, {CONFIG_MAX} are allowed", descriptor.size);
            return Err(failure(image::CORRUPT, message).into());
        }
        let mut config = Vec::new();
        self.client.blob(self.reference, descriptor, &mut config)?;
        Ok(config)
    }
}

/// The sending of one blob: as a whole, as most registries like it, or in parts if it must be. After a failure the
/// registry is asked how far it got.
struct Upload<'a> {
    client: &'a Client,
    endpoint: &'a Endpoint,
    scope: Scope,
    repository: &'a Reference,
    blob: &'a Descriptor,
    content: Content<'a>,
    /// How much is sent with one request.
    part: u64,
    /// What has been begun and has failed.
    session: Option<Session>,
}

/// An upload that a registry has begun.
struct Session {
    location: String,
    /// How much of the blob has arrived.
    at: u64,
}

impl Upload<'_> {
    fn reached(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.at)
    }

    /// Begins or goes on, and tries to come to the end.
    fn attempt(&mut self, from: Option<&Reference>) -> Try<Pushed> {
        let mut session = match self.resumed()? {
            Some(session) => session,
            None => match self.begin(from)? {
                Some(session) => session,
                None => return Ok(Pushed::Mounted),
            },
        };
        match self.send_rest(&mut session) {
            Ok(()) => Ok(Pushed::Sent),
            Err(fault) => {
                let whole = self.part >= self.blob.size;
                let (part, keep) = match fault.status {
                    // Something on the way does not let so much pass.
                    413 if whole && self.blob.size > SMALL_PART => (SMALL_PART, false),
                    // It takes blobs only whole.
                    400 | 405 | 501 if !whole && session.at == 0 => (u64::MAX, false),
                    // It has got more or less than we know of.
                    416 => (self.part, true),
                    _ => {
                        self.session = Some(session);
                        return Err(fault);
                    }
                };
                self.part = part;
                self.session = keep.then_some(session);
                Err(Fault { retry: Some(Duration::ZERO), ..fault })
            }
        }
    }

    /// How far the session got that failed; none if there is none, or the registry has forgotten it (Docker's does if a
    /// part broke off).
    fn resumed(&mut self) -> Try<Option<Session>> {
        let Some(session) = &self.session else { return Ok(None) };
        let state = Request::new(Method::GET, session.location.clone());
        match self.send(&state) {
            Ok(response) => {
                let at = received(response.headers()).min(self.blob.size);
                let location = self.location(&state, response.headers())?;
                self.session = None;
                Ok(Some(Session { location, at }))
            }
            Err(fault) if matches!(fault.status, 400 | 404 | 405) => {
                self.session = None;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Begins an upload; none if the registry took the blob over from elsewhere instead.
    fn begin(&mut self, from: Option<&Reference>) -> Try<Option<Session>> {
        let mut url = self.endpoint.url(self.repository, "blobs/uploads/");
        if let Some(from) = from {
            url = format!("{url}?{}", form(&[("mount", self.blob.digest.as_str()), ("from", from.path())]));
        }
        let start = Request::new(Method::POST, url).payload(Content::Bytes(&[]), 0..0);
        let response = self.send(&start)?;
        if response.status().as_u16() == 201 {
            return Ok(None);
        }
        let least = response.headers().get("oci-chunk-min-length").and_then(|least| least.to_str().ok()?.parse().ok());
        self.part = self.part.max(least.unwrap_or(1));
        Ok(Some(Session { location: self.location(&start, response.headers())?, at: 0 }))
    }

    fn send_rest(&self, session: &mut Session) -> Try<()> {
        let size = self.blob.size;
        if session.at == 0 && self.part >= size {
            return self.send(&self.closing(&session.location).payload(self.content, 0..size)).map(drop);
        }
        while session.at < size {
            let end = session.at.saturating_add(self.part).min(size);
            let part = Request::new(Method::PATCH, session.location.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_RANGE, format!("{}-{}", session.at, end - 1))
                .payload(self.content, session.at..end);
            let response = self.send(&part)?;
            session.location = self.location(&part, response.headers())?;
            session.at = end;
        }
        self.send(&self.closing(&session.location).payload(Content::Bytes(&[]), 0..0)).map(drop)
    }

    fn send(&self, request: &Request) -> Try<Response> {
        self.client.authorized(self.endpoint, &self.scope, request)
    }

    fn closing<'b>(&self, location: &str) -> Request<'b> {
        let joint = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{joint}{}", form(&[("digest", self.blob.digest.as_str())]));
        Request::new(Method::PUT, url).header(CONTENT_TYPE, "application/octet-stream")
    }

    fn location(&self, request: &Request, headers: &HeaderMap) -> Try<String> {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.and_then(|location| join(&request.url, location));
        location.ok_or_else(|| corrupt(self.endpoint, "no address to upload to"))
    }
}

/// How many bytes of an upload a registry has: `Range: 0-99` are 100.
fn received(headers: &HeaderMap) -> u64 {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    let last = range.trim_start_matches("bytes=").split_once('-').and_then(|(_, last)| last.trim().parse::<u64>().ok());
    // Nothing at all is told as `0-0`, like a single byte: one byte more or less to send is no matter.
    last.filter(|last| *last > 0).map_or(0, |last| last.saturating_add(1))
}

fn manifest_request<'a>(method: Method, endpoint: &Endpoint, reference: &Reference) -> Request<'a> {
    let name = reference.digest().map_or(reference.tag().unwrap_or("latest"), Digest::as_str);
    let types = [media::OCI_INDEX, media::OCI_MANIFEST, media::DOCKER_LIST, media::DOCKER_MANIFEST, "*/*"];
    Request::new(method, endpoint.url(reference, &format!("manifests/{name}"))).header(ACCEPT, types.join(", "))
}

fn digest_header(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(headers.get("docker-content-digest")?.to_str().ok()?).ok()
}

fn type_header(headers: &HeaderMap) -> Option<&str> {
    Some(headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim())
}

/// What the headers of a manifest say, if they say all.
fn announced(headers: &HeaderMap, reference: &Reference) -> Option<Descriptor> {
    let media_type = type_header(headers).filter(|t| media::is_manifest(t) || media::is_index(t))?;
    let size = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let digest = digest_header(headers)?;
    let as_wished = reference.digest().is_none_or(|wished| *wished == digest);
    as_wished.then(|| Descriptor::new(media_type, digest, size))
}

fn checked_manifest(headers: &HeaderMap, bytes: Vec<u8>, reference: &Reference, endpoint: &Endpoint) -> Try<Fetched> {
    // Without a digest in the reference, this is the one point at which a registry is trusted.
    let expected = reference.digest().cloned().or_else(|| digest_header(headers));
    let digest = expected.unwrap_or_else(|| crate::manifest::sha256(&bytes));
    let mut hasher = Hasher::new(&digest);
    hasher.update(&bytes);
    if !hasher.matches() {
        return Err(corrupt(endpoint, &format!("something else than the manifest {digest}")));
    }
    let media_type = media_type_of(&bytes, type_header(headers))
        .map_err(|reason| corrupt(endpoint, &format!("a manifest that cannot be used: {reason}")))?;
    Ok(Fetched { descriptor: Descriptor::new(&media_type, digest, bytes.len() as u64), bytes })
}

/// The address of the next page: `Link: </v2/...>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (address, relation) = link.trim().strip_prefix('<')?.split_once('>')?;
    relation.contains("next").then(|| address.to_owned())
}

/// The address that `location` means, found in an answer from `base`.
fn join(base: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let (scheme, _) = base.split_once("://")?;
    match location.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => Some(format!("{scheme}:{location}")),
        Some(_) => Some(format!("{scheme}://{}{location}", host_of(base))),
        None => Some(format!("{}/{location}", base.split('?').next()?.rsplit_once('/')?.0)),
    }
}

fn corrupt(endpoint: &Endpoint, what: &str) -> Fault {
    let message = format!("the registry {} sends {}", endpoint.host, tame(what));
    Box::new(failure(image::CORRUPT, message)).into()
}

fn write_failed(error: io::Error) -> Fault {
    Box::new(failure(rbc_source::environment::WRITE, format!("cannot write what is received: {error}"))).into()
}

/// Says in a failure what was to be done.
fn about(mut found: Diagnostic, verb: &str, reference: &Reference) -> Box<Diagnostic> {
    found.message = format!("cannot {verb} `{}`: {}", reference.familiar(), found.message);
    Box::new(found)
}

/// A poisoned lock only means that another thread panicked; the maps here are whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let base = "https://reg.io/v2/a/blobs/uploads/?x=1";
        assert_eq!(join(base, "http://b/c").as_deref(), Some("http://b/c"));
        assert_eq!(join(base, "/v2/u?s=1").as_deref(), Some("https://reg.io/v2/u?s=1"));
        assert_eq!(join(base, "u1").as_deref(), Some("https://reg.io/v2/a/blobs/uploads/u1"));
        assert_eq!(join(base, "//cdn.io/u").as_deref(), Some("https://cdn.io/u"));
    }

    #[test]
    fn progress_of_uploads() {
        let of = |range: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, range.parse().unwrap());
            received(&headers)
        };
        assert_eq!((of("0-99"), of("bytes=0-99"), of("0-0"), of("x")), (100, 100, 0, 0));
    }

    #[test]
    fn endpoints_are_the_mirrors_and_the_registry() {
        let mut config = RegistryConfig::default();
        let mirrors = vec!["m.io/hub/".to_owned(), "http://n.io:80".to_owned(), "localhost:5".to_owned()];
        config.hosts.entry("docker.io".into()).or_default().mirrors = mirrors;
        config.hosts.entry("i.io".into()).or_default().insecure = true;
        let client = Client::new(config, Credentials::none());
        let of = |name: &str| {
            let reference = Reference::parse_normalized(name).unwrap();
            let all = client.endpoints(&reference, true).unwrap();
            all.into_iter().map(|e| e.url(&reference, "tags/list")).collect::<Vec<_>>()
        };
        assert_eq!(
            of("alpine"),
            [
                "https://m.io/v2/hub/library/alpine/tags/list?ns=docker.io",
                "http://n.io:80/v2/library/alpine/tags/list?ns=docker.io",
                "http://localhost:5/v2/library/alpine/tags/list?ns=docker.io",
                "https://registry-1.docker.io/v2/library/alpine/tags/list",
            ]
        );
        assert_eq!(of("i.io/a"), ["https://i.io/v2/a/tags/list", "http://i.io/v2/a/tags/list"]);
    }
}
