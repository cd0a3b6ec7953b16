//! What a registry demands (`WWW-Authenticate`), and the tokens that satisfy it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rbc_source::image;
use ureq::Agent;
use ureq::http::Method;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::auth::Credential;
use crate::error::{Result, failure};
use crate::http::{Content, Fault, Request, host_of, read_body, send};

/// Largest answer of a token server in bytes.
const TOKEN_MAX: u64 = 1 << 20;
/// How long a token holds that does not say so.
const DEFAULT_LIFE: u64 = 60;
/// Longest time in seconds that a token is believed to hold.
const LONGEST_LIFE: u64 = 86_400;
/// The name under which rbc asks for tokens by OAuth 2.
const CLIENT: &str = "rbc";

/// What may be done to which repositories: `repository:NAME:pull,push`, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope(pub String);

impl Scope {
    pub(crate) fn pull(path: &str) -> Self {
        Scope(format!("repository:{path}:pull"))
    }

    /// To push to `path`, and to take over blobs from `others`.
    pub(crate) fn push<'a>(path: &str, others: impl IntoIterator<Item = &'a str>) -> Self {
        let own = Scope(format!("repository:{path}:pull,push"));
        others.into_iter().fold(own, |scope, other| scope.join(&format!("repository:{other}:pull")))
    }

    /// Both scopes; what stands in both is there once.
    fn join(&self, other: &str) -> Self {
        let mut actions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for scope in self.0.split(' ').chain(other.split(' ')).filter(|scope| !scope.is_empty()) {
            let (name, wanted) = scope.rsplit_once(':').unwrap_or((scope, ""));
            actions.entry(name).or_default().extend(wanted.split(',').filter(|action| !action.is_empty()));
        }
        let joined = actions.into_iter().map(|(name, mut actions)| {
            actions.sort_unstable();
            actions.dedup();
            format!("{name}:{}", actions.join(","))
        });
        Scope(joined.collect::<Vec<_>>().join(" "))
    }
}

/// The value of an `Authorization` header, and how long it holds.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub value: String,
    pub until: Option<Instant>,
    /// Whether it holds for every scope.
    pub general: bool,
}

/// What a registry demands.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    /// In lower case.
    scheme: String,
    /// By name, in lower case.
    parameters: BTreeMap<String, String>,
}

/// Answers `demands` (values of `WWW-Authenticate`) with `credential`. Gives none if they can only be met with a credential and there is
/// none.
pub(crate) fn answer(
    agent: &Agent,
    url: &str,
    demands: &[String],
    scope: &Scope,
    credential: Option<&Credential>,
) -> Result<Option<Authorization>> {
    if let Some(Credential::Access(token)) = credential {
        return Ok(Some(Authorization { value: format!("Bearer {token}"), until: None, general: true }));
    }
    for challenge in demands.iter().flat_map(|value| challenges(value)) {
        match challenge.scheme.as_str() {
            "bearer" => return bearer(agent, url, &challenge, scope, credential).map(Some),
            "basic" => {
                let Some(Credential::Password { user, secret }) = credential else { return Ok(None) };
                return Ok(Some(Authorization { value: basic(user, secret), until: None, general: true }));
            }
            _ => {}
        }
    }
    let message = format!("the registry {} demands a kind of authentication that is not supported", host_of(url));
    Err(failure(image::DENIED, message).into())
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

/// Asks the token server that the challenge names: by GET, as registries have it; by POST (OAuth 2) with an identity
/// token, or if the server knows only that.
fn bearer(
    agent: &Agent,
    url: &str,
    challenge: &Challenge,
    scope: &Scope,
    credential: Option<&Credential>,
) -> Result<Authorization> {
    let parameter = |name: &str| challenge.parameters.get(name).map_or("", String::as_str);
    let (realm, service) = (parameter("realm"), parameter("service"));
    let scope = scope.join(parameter("scope"));
    let plain = realm.starts_with("http://") && url.starts_with("http://");
    if !plain && !realm.starts_with("https://") {
        let message = format!("the registry {} sends its clients to `{realm}` for a token", host_of(url));
        let note = "that must be an https address, or credentials could be read on the way";
        return Err(failure(image::DENIED, crate::error::tame(&message)).note(note).into());
    }
    let answer = match credential {
        Some(Credential::Refresh(token)) => {
            let grant = [("grant_type", "refresh_token"), ("refresh_token", token)];
            by_post(agent, realm, service, &scope, &grant)
        }
        Some(Credential::Password { user, secret }) => {
            match by_get(agent, realm, service, &scope, Some((user, secret))) {
                Err(fault) if matches!(fault.status, 401 | 404 | 405) => {
                    let grant = [("grant_type", "password"), ("username", user), ("password", secret)];
                    // What the first way said is to the point, if the second fails as well.
                    by_post(agent, realm, service, &scope, &grant).map_err(|_| fault)
                }
                answer => answer,
            }
        }
        _ => by_get(agent, realm, service, &scope, None),
    };
    let bytes = answer.map_err(|fault| match fault.status {
        400..500 => Fault {
            diagnostic: Box::new(failure(
                image::DENIED,
                format!("{} (asked for a token for {})", fault.diagnostic.message, host_of(url)),
            )),
            ..fault
        },
        _ => fault,
    })?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |key: &str| json.get(key).and_then(|v| v.as_str()).filter(|t| !t.is_empty());
    let token = text("token").or(text("access_token")).ok_or_else(|| {
        failure(image::DENIED, format!("the token server {} answers without a token", host_of(realm)))
    })?;
    let life =
        json.get("expires_in").and_then(|v| v.as_u64()).filter(|s| *s > 0).unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE);
    // A token is given up a little early: it must still hold when the request arrives.
    let until = Instant::now().checked_add(Duration::from_secs(life).mul_f32(0.9));
    Ok(Authorization { value: format!("Bearer {token}"), until, general: false })
}

fn by_get(
    agent: &Agent,
    realm: &str,
    service: &str,
    scope: &Scope,
    account: Option<(&String, &String)>,
) -> std::result::Result<Vec<u8>, Fault> {
    let mut query: Vec<(&str, &str)> = vec![];
    if !service.is_empty() {
        query.push(("service", service));
    }
    query.extend(scope.0.split(' ').map(|one| ("scope", one)));
    query.extend(account.map(|(user, _)| ("account", user.as_str())));
    let joint = if realm.contains('?') { '&' } else { '?' };
    let mut request = Request::new(Method::GET, format!("{realm}{joint}{}", form(&query)));
    if let Some((user, secret)) = account {
        request = request.header(AUTHORIZATION, basic(user, secret));
    }
    read_body(&request, &mut send(agent, &request, None)?, TOKEN_MAX)
}

fn by_post(
    agent: &Agent,
    realm: &str,
    service: &str,
    scope: &Scope,
    grant: &[(&str, &str)],
) -> std::result::Result<Vec<u8>, Fault> {
    let mut fields = grant.to_vec();
    fields.extend([("service", service), ("client_id", CLIENT), ("scope", &scope.0)]);
    let fields = form(&fields);
    let request = Request::new(Method::POST, realm.to_owned())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .payload(Content::Bytes(fields.as_bytes()), 0..fields.len() as u64);
    read_body(&request, &mut send(agent, &request, None)?, TOKEN_MAX)
}

/// Encodes names and values for a query or a form.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Reads the value of a `WWW-Authenticate` header: `scheme name=value, name="value", scheme ...`.
fn challenges(value: &str) -> Vec<Challenge> {
    let mut all: Vec<Challenge> = Vec::new();
    let mut rest = value.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | ',' | '"')).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let behind = behind.trim_start();
        match (behind.strip_prefix('='), all.last_mut()) {
            (Some(value), Some(challenge)) => {
                let (value, behind) = parameter_value(value.trim_start());
                challenge.parameters.insert(word.to_ascii_lowercase(), value);
                rest = behind;
            }
            // A parameter without a scheme, or a stray quote: skip one letter at least.
            (Some(behind), None) => rest = behind,
            (None, _) if word.is_empty() => rest = behind.get(1..).unwrap_or_default(),
            (None, _) => {
                all.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                rest = behind;
            }
        }
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
    all
}

/// Splits a quoted or plain value from what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Vec<(String, Vec<(String, String)>)> {
        challenges(value).into_iter().map(|c| (c.scheme, c.parameters.into_iter().collect())).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn demands() {
        let bearer = pairs(&[("realm", "https://t/a?b"), ("scope", "repository:x:pull,push"), ("service", "s")]);
        let text = r#"Bearer realm="https://t/a?b",service="s", scope="repository:x:pull,push""#;
        assert_eq!(read(text), [("bearer".into(), bearer.clone())]);
        assert_eq!(
            read(&format!("Negotiate, {text}, BASIC Realm=\"a \\\"b\\\"\"")),
            [("negotiate".into(), vec![]), ("bearer".into(), bearer), ("basic".into(), pairs(&[("realm", "a \"b\"")]))]
        );
        assert_eq!(read("Basic realm=plain"), [("basic".into(), pairs(&[("realm", "plain")]))]);
        // Nonsense ends.
        for text in ["", ",,", "=", "a=\"", "\"\"\"", "Bearer realm=\"x", "é\"=é"] {
            read(text);
        }
    }

    #[test]
    fn scopes() {
        let scope = Scope::push("b", ["a"]);
        assert_eq!(scope.0, "repository:a:pull repository:b:pull,push");
        assert_eq!(scope.join("repository:b:push,pull"), scope);
        assert_eq!(Scope::pull("a").join("registry:catalog:*").0, "registry:catalog:* repository:a:pull");
        assert_eq!(Scope::pull("a").join("").0, "repository:a:pull");
    }

    #[test]
    fn forms() {
        assert_eq!(form(&[("a", "b c"), ("d", "é:/")]), "a=b%20c&d=%C3%A9%3A%2F");
    }
}
