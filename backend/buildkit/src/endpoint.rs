//! Where a builder is.

use std::fmt;
use std::path::PathBuf;

use rbc_context::Url;
use rbc_source::{Diagnostic, lower};

/// The usual socket of a BuildKit.
const BUILDKIT_SOCKET: &str = "/run/buildkit/buildkitd.sock";
/// The usual socket of Docker.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// Where a builder is, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    pub(crate) route: Route,
    /// Whether the BuildKit is the one within Docker's daemon, which is reached through Docker's API.
    pub(crate) docker: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Unix(PathBuf),
    Tcp {
        host: String,
        port: u16,
        tls: Option<Tls>,
    },
    /// The standard streams of a program.
    Command(Vec<String>),
}

/// How both sides of a connection over TCP prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of those that may sign the daemon's; those of the system if none is given.
    pub ca: Option<PathBuf>,
    /// Our certificate, and those between it and its root.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The name in the daemon's certificate, if it is not the host's.
    pub server_name: Option<String>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Endpoint {
    /// Reads an endpoint:
    ///
    /// - `unix:///PATH`: the socket of a BuildKit;
    /// - `tcp://HOST[:PORT]`, with `?cacert=FILE&cert=FILE&key=FILE&servername=NAME` for TLS;
    /// - `ssh://[USER@]HOST[:PORT][/SOCKET]`, `docker-container://NAME`, `podman-container://NAME`,
    ///   `nerdctl-container://NAME` and `kube-pod://NAME`: `buildctl dial-stdio` there;
    /// - `docker://`: the BuildKit in the daemon that `DOCKER_HOST` names, or in that of the usual socket;
    ///   `docker://CONTEXT`, `docker+unix:///PATH`, `docker+tcp://HOST:PORT` and `docker+ssh://[USER@]HOST`: in another.
    ///
    /// # Errors
    /// The text is of none of these forms.
    pub fn parse(text: &str) -> Result<Endpoint, Diagnostic> {
        let wrong = |why: &str| {
            let found = Diagnostic::new(lower::OPTION, format!("the builder `{text}` cannot be reached: {why}"));
            found.note("write such as `unix:///run/buildkit/buildkitd.sock`, `tcp://host:1234`, `ssh://host`, `docker-container://name` or `docker://`")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it is no endpoint"))?;
        if rest.is_empty() && scheme == "docker" {
            return match std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
                Some(host) if !host.starts_with("docker") => Endpoint::parse(&format!("docker+{host}")),
                Some(_) => Err(wrong("DOCKER_HOST is no address of a daemon")),
                None => Endpoint::parse(&format!("docker+unix://{DOCKER_SOCKET}")),
            };
        }
        let (docker, kind) = match scheme.strip_prefix("docker+") {
            Some(kind) => (true, kind),
            None => (scheme == "docker", scheme),
        };
        let url = Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
        let query = url.query();
        let parameter = |key: &str| query.get(key).first().filter(|value| !value.is_empty()).cloned();
        let host = url.host().into_owned();
        let need = |what: &str| if host.is_empty() { Err(wrong(what)) } else { Ok(host.clone()) };
        // What becomes an argument of a program must not be taken for one of its options.
        let name = |what: &str| match need(what)? {
            host if host.starts_with('-') => Err(wrong("a name does not begin with `-`")),
            host => Ok(host),
        };
        let dial = |command: Vec<String>| Route::Command(command);
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let option = |flag: &str, key: &str| parameter(key).map(|value| format!("{flag}={value}"));
        let buildctl = ["buildctl", "dial-stdio"];
        // The program with its options, those of its `exec`, and the container.
        let container = |program: &str, context: Option<String>, namespace: Option<String>| {
            let mut command = words(&[program]);
            command.extend(context);
            command.push("exec".to_owned());
            command.extend(namespace);
            command.extend(["-i".to_owned(), name("it names no container")?]);
            command.extend(words(&buildctl));
            Ok(dial(command))
        };
        let route = match kind {
            "unix" => match url.path().into_owned() {
                path if path.is_empty() && docker => Route::Unix(DOCKER_SOCKET.into()),
                path if path.is_empty() => Route::Unix(BUILDKIT_SOCKET.into()),
                path => Route::Unix(path.into()),
            },
            "tcp" => {
                let whole = need("it names no host")?;
                let default = if docker { 2375 } else { 1234 };
                let (host, port) = match whole.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
                    Some((host, port)) => (host, port.parse().map_err(|_| wrong("its port is no number"))?),
                    None => (whole.as_str(), default),
                };
                let tls = Tls {
                    ca: parameter("cacert").map(PathBuf::from),
                    cert: parameter("cert").map(PathBuf::from),
                    key: parameter("key").map(PathBuf::from),
                    server_name: parameter("servername"),
                };
                let tls = Some(tls).filter(|tls| *tls != Tls::default());
                Route::Tcp { host: host.trim_matches(['[', ']']).to_owned(), port, tls }
            }
            "ssh" => {
                let mut command = words(&["ssh"]);
                if let Some(user) = url.user() {
                    command.extend(["-l".to_owned(), user.name().into_owned()]);
                }
                let whole = name("it names no host")?;
                let (host, port) = whole.split_once(':').unwrap_or((&whole, ""));
                if !port.is_empty() {
                    command.extend(["-p".to_owned(), port.to_owned()]);
                }
                command.extend(["--".to_owned(), host.to_owned()]);
                match url.path().trim_end_matches('/') {
                    _ if docker => command.extend(words(&["docker", "system", "dial-stdio"])),
                    "" => command.extend(words(&buildctl)),
                    socket => {
                        command.extend(["buildctl".to_owned(), "--addr".to_owned(), format!("unix://{socket}")]);
                        command.push("dial-stdio".to_owned());
                    }
                }
                dial(command)
            }
            "docker-container" => {
                container("docker", option("--host", "host").or_else(|| option("--context", "context")), None)?
            }
            "podman-container" => container("podman", None, None)?,
            "nerdctl-container" => container("nerdctl", None, option("--namespace", "namespace"))?,
            "kube-pod" => {
                let mut command = words(&["kubectl"]);
                command.extend(option("--context", "context"));
                command.extend(option("--namespace", "namespace"));
                command.push("exec".to_owned());
                command.extend(option("--container", "container"));
                command.extend(["-i".to_owned(), name("it names no pod")?, "--".to_owned()]);
                command.extend(words(&buildctl));
                dial(command)
            }
            "docker" => {
                let name = name("it names no context")?;
                dial(vec!["docker".into(), "--context".into(), name, "system".into(), "dial-stdio".into()])
            }
            other => return Err(wrong(&format!("there is no way `{other}`"))),
        };
        Ok(Endpoint { text: text.to_owned(), route, docker })
    }

    /// The same with TLS, if it is reached over TCP.
    #[must_use]
    pub fn with_tls(mut self, given: Tls) -> Endpoint {
        if let Route::Tcp { tls, .. } = &mut self.route {
            *tls = Some(given);
        }
        self
    }

    /// Whether it is a container, which may need a moment after its start.
    pub fn is_container(&self) -> bool {
        self.text.split("://").next().is_some_and(|scheme| scheme.ends_with("-container"))
    }

    /// Whether the BuildKit is the one within Docker's daemon.
    pub fn is_docker(&self) -> bool {
        self.docker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> String {
        match Endpoint::parse(text).unwrap().route {
            Route::Command(words) => words.join(" "),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn programs() {
        let all = [
            ("docker-container://b", "docker exec -i b buildctl dial-stdio"),
            ("docker-container://b?context=c", "docker --context=c exec -i b buildctl dial-stdio"),
            ("docker-container://b?host=unix:///s", "docker --host=unix:///s exec -i b buildctl dial-stdio"),
            ("podman-container://b", "podman exec -i b buildctl dial-stdio"),
            ("nerdctl-container://b?namespace=n", "nerdctl exec --namespace=n -i b buildctl dial-stdio"),
            (
                "kube-pod://p?context=c&namespace=n&container=d",
                "kubectl --context=c --namespace=n exec --container=d -i p -- buildctl dial-stdio",
            ),
            ("ssh://me@h:22", "ssh -l me -p 22 -- h buildctl dial-stdio"),
            ("ssh://h/run/b.sock", "ssh -- h buildctl --addr unix:///run/b.sock dial-stdio"),
            ("docker+ssh://h", "ssh -- h docker system dial-stdio"),
            ("docker://c", "docker --context c system dial-stdio"),
        ];
        for (text, expected) in all {
            assert_eq!(command(text), expected, "{text}");
        }
    }

    #[test]
    fn addresses() {
        let route = |text: &str| Endpoint::parse(text).unwrap().route;
        assert_eq!(route("unix:///a/b"), Route::Unix("/a/b".into()));
        assert_eq!(route("unix://"), Route::Unix(BUILDKIT_SOCKET.into()));
        assert!(Endpoint::parse("docker+unix:///a").unwrap().is_docker());
        let tcp = |host: &str, port, tls| Route::Tcp { host: host.to_owned(), port, tls };
        assert_eq!(route("tcp://h"), tcp("h", 1234, None));
        assert_eq!(route("tcp://[::1]:5"), tcp("::1", 5, None));
        let tls = Tls { ca: Some("/ca".into()), server_name: Some("n".into()), ..Tls::default() };
        assert_eq!(route("tcp://h:5?cacert=/ca&servername=n"), tcp("h", 5, Some(tls)));
    }

    #[test]
    fn what_is_none() {
        for text in ["", "name", "ftp://x", "docker-container://", "ssh://-oProxyCommand=x", "tcp://", "tcp://h:x"] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
