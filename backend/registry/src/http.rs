//! One HTTP request, and which failures may pass.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rbc_source::{Diagnostic, image};
use ureq::config::RedirectAuthHeaders;
use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use ureq::http::{HeaderName, Method};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy, SendBody};

use crate::config::{HostConfig, RegistryConfig, is_loopback};
use crate::error::{Result, failure, tame};

pub(crate) type Response = ureq::http::Response<Body>;

/// Longest wait that a registry's `Retry-After` may ask for; what asks for more fails.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many times longer the answer to what was sent may take.
const UPLOAD_PATIENCE: u32 = 5;
/// How much of an error's body is read.
const ERROR_BODY_MAX: u64 = 64 << 10;

/// What is sent with a request.
pub(crate) struct Payload<'a> {
    pub content: Content<'a>,
    pub range: Range<u64>,
}

/// Where the bytes of a blob are.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// In a file.
    File(&'a Path),
}

impl Content<'_> {
    fn open(&self, range: &Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        let len = range.end - range.start;
        match self {
            Content::Bytes(bytes) => {
                let part = bytes.get(range.start as usize..range.end as usize);
                Ok(Box::new(part.ok_or(io::ErrorKind::UnexpectedEof)?))
            }
            Content::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                Ok(Box::new(file.take(len)))
            }
        }
    }
}

/// A request to an endpoint.
pub(crate) struct Request<'a> {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(HeaderName, String)>,
    pub payload: Option<Payload<'a>>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(method: Method, url: String) -> Self {
        Request { method, url, headers: Vec::new(), payload: None }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn payload(mut self, content: Content<'a>, range: Range<u64>) -> Self {
        self.payload = Some(Payload { content, range });
        self
    }
}

/// A failed request.
#[derive(Debug)]
pub(crate) struct Fault {
    pub diagnostic: Box<Diagnostic>,
    /// The status, if there was a response.
    pub status: u16,
    /// Whether it may pass, and when to try again at the earliest.
    pub retry: Option<Duration>,
    /// What the registry demands (`WWW-Authenticate`).
    pub demands: Vec<String>,
}

impl From<Fault> for Box<Diagnostic> {
    fn from(fault: Fault) -> Self {
        fault.diagnostic
    }
}

impl From<Box<Diagnostic>> for Fault {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Fault { diagnostic, status: 0, retry: None, demands: Vec::new() }
    }
}

/// An agent for a host with its settings.
pub(crate) fn agent(config: &RegistryConfig, host: &str, settings: &HostConfig) -> Result<Agent> {
    let proxy = match is_loopback(host) {
        true => None,
        false => Proxy::try_from_env(),
    };
    let tls = TlsConfig::builder().disable_verification(settings.insecure).root_certs(roots(settings)?).build();
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .user_agent(concat!("rbc/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .proxy(proxy)
        .tls_config(tls)
        .timeout_resolve(Some(config.connect_timeout))
        .timeout_connect(Some(config.connect_timeout))
        .timeout_per_read(Some(config.idle_timeout))
        .timeout_per_write(Some(config.idle_timeout))
        .build();
    Ok(agent.new_agent())
}

/// The system's authorities (Mozilla's if it has none: a container `FROM scratch`) and those of the settings.
fn roots(settings: &HostConfig) -> Result<RootCerts> {
    static SYSTEM: OnceLock<Vec<Certificate<'static>>> = OnceLock::new();
    let system = SYSTEM.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs().certs;
        found.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
    });
    if system.is_empty() && settings.authorities.is_empty() {
        return Ok(RootCerts::WebPki);
    }
    let mut all = system.clone();
    for path in &settings.authorities {
        let message =
            |what: &dyn std::fmt::Display| format!("cannot read the certificates in {}: {what}", path.display());
        let pem = std::fs::read(path).map_err(|e| failure(image::CREDENTIALS, message(&e)))?;
        for item in parse_pem(&pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => all.push(certificate),
                Ok(_) => {}
                Err(e) => return Err(failure(image::CREDENTIALS, message(&e)).into()),
            }
        }
    }
    Ok(all.into())
}

/// Sends a request once. Any response with a status below 400 is a success.
pub(crate) fn send(
    agent: &Agent,
    request: &Request,
    authorization: Option<&str>,
) -> std::result::Result<Response, Fault> {
    let mut builder = ureq::http::Request::builder().method(request.method.clone()).uri(&request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if let Some(value) = authorization {
        builder = builder.header(AUTHORIZATION, value);
    }
    let invalid = |e: ureq::http::Error| transport_fault(request, &ureq::Error::Http(e));
    let outcome = match &request.payload {
        Some(Payload { content, range }) => {
            let mut reader = content.open(range).map_err(|e| transport_fault(request, &ureq::Error::Io(e)))?;
            let body = SendBody::from_reader(&mut reader);
            let sending = builder.header(CONTENT_LENGTH, range.end - range.start).body(body).map_err(invalid)?;
            // A registry may have to move what it got before it answers.
            let patience = agent.config().timeout_per_read().map(|timeout| timeout * UPLOAD_PATIENCE);
            agent.run(agent.configure_request(sending).timeout_per_read(patience).build())
        }
        None => agent.run(builder.body(()).map_err(invalid)?),
    };
    let response = outcome.map_err(|e| transport_fault(request, &e))?;
    match response.status().as_u16() {
        ..400 => Ok(response),
        _ => Err(status_fault(request, response)),
    }
}

/// What to say of a connection that failed.
pub(crate) fn transport_fault(request: &Request, error: &ureq::Error) -> Fault {
    use io::ErrorKind::*;
    // A host that does not exist, does not listen or is not whom it claims to be will not be another one in a second.
    let passes = match error {
        ureq::Error::Io(e) => !matches!(e.kind(), ConnectionRefused | NotFound | PermissionDenied | InvalidData),
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed => true,
        _ => false,
    };
    let host = host_of(&request.url);
    let (reason, hint) = match error {
        ureq::Error::HostNotFound => ("there is no host of that name".to_owned(), None),
        ureq::Error::Io(e) if e.kind() == ConnectionRefused => ("nothing listens there".to_owned(), None),
        ureq::Error::Io(e) if e.kind() == InvalidData && e.to_string().contains("ertificate") => (
            tame(&e.to_string()),
            Some(
                "give the authority of its certificate, or mark the registry as insecure, in the settings of registries",
            ),
        ),
        ureq::Error::Io(e) if e.kind() == InvalidData => (
            format!("it does not speak TLS as it should: {}", tame(&e.to_string())),
            Some("a registry without TLS must be marked as such in the settings of registries"),
        ),
        error => (tame(&error.to_string()), None),
    };
    let mut diagnostic = failure(image::UNREACHABLE, format!("cannot reach the registry {host}: {reason}"));
    diagnostic.notes.extend(hint.map(str::to_owned));
    Fault { retry: passes.then_some(Duration::ZERO), ..Fault::from(Box::new(diagnostic)) }
}

fn status_fault(request: &Request, mut response: Response) -> Fault {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let after = Duration::from_secs(after.unwrap_or(0));
    let retry = (matches!(status, 408 | 429 | 500 | 502 | 503 | 504) && after <= LONGEST_WAIT).then_some(after);
    let mut body = Vec::new();
    // What was said about it is a help, and nothing is lost without it.
    let _ = response.body_mut().as_reader().take(ERROR_BODY_MAX).read_to_end(&mut body);
    let said = errors_in(&body).map(|text| format!(": {text}")).unwrap_or_default();
    let demands = response.headers().get_all(WWW_AUTHENTICATE).iter();
    let demands = demands.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect();
    let host = host_of(&request.url);
    let diagnostic = match status {
        401 | 403 => failure(image::DENIED, format!("the registry {host} denies access{said}")),
        404 => failure(image::NOT_FOUND, format!("the registry {host} does not have it{said}")),
        429 => failure(image::UNREACHABLE, format!("the registry {host} asks to come back later{said}"))
            .note("it limits how much a client may ask; log in to be allowed more"),
        _ => failure(image::UNREACHABLE, format!("the registry {host} answers with status {status}{said}")),
    };
    Fault { diagnostic: Box::new(diagnostic), status, retry, demands }
}

/// What a registry says in the body of an error: `{"errors":[{"code":...,"message":...}]}`.
fn errors_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |v: &serde_json::Value, key: &str| v.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let first = value.get("errors").and_then(|errors| errors.get(0));
    let said = match first {
        Some(error) if !text(error, "message").is_empty() => text(error, "message"),
        Some(error) => text(error, "code"),
        None => text(&value, "details"),
    };
    (!said.is_empty()).then(|| tame(&said))
}

/// `host[:port]` of a URL.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Reads a body of at most `max` bytes.
pub(crate) fn read_body(request: &Request, response: &mut Response, max: u64) -> std::result::Result<Vec<u8>, Fault> {
    let too_large = |what: String| {
        let message =
            format!("the registry {} sends {what}, more than the {max} that are allowed", host_of(&request.url));
        Fault::from(Box::new(failure(image::CORRUPT, message)))
    };
    if let Some(length) = response.body().content_length().filter(|length| *length > max) {
        return Err(too_large(format!("{length} bytes")));
    }
    let mut bytes = Vec::new();
    let mut reader = response.body_mut().as_reader().take(max + 1);
    reader.read_to_end(&mut bytes).map_err(|e| transport_fault(request, &body_error(e)))?;
    match bytes.len() as u64 > max {
        true => Err(too_large("bytes without end".to_owned())),
        false => Ok(bytes),
    }
}

/// An error of reading a body; ureq wraps its own.
pub(crate) fn body_error(error: io::Error) -> ureq::Error {
    match error.downcast::<ureq::Error>() {
        Ok(own) => own,
        Err(error) => ureq::Error::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(host_of("https://reg.io:80/v2/?a"), "reg.io:80");
        assert_eq!(host_of("http://[::1]:5000"), "[::1]:5000");
        assert_eq!(host_of("https://user:secret@reg.io/x"), "reg.io");
    }

    #[test]
    fn errors() {
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest \u001b[31munknown"}]}"#;
        assert_eq!(errors_in(body).as_deref(), Some("manifest  [31munknown"));
        assert_eq!(errors_in(br#"{"errors":[{"code":"DENIED"}]}"#).as_deref(), Some("DENIED"));
        assert_eq!(errors_in(b"<html>"), None);
        assert_eq!(errors_in(b"{}"), None);
    }
}
