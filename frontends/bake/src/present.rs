//! Whether what a plan needs of this machine is there: secrets, keys, agents, places for outputs.

use crate::environment::Environment;
use crate::{Found, Host};
use rbc_ast::plan::{Given, Origin, Plan, Text};
use rbc_source::{Diagnostic, bake as codes, go_bool};

/// Secrets may have as many bytes as the builder takes.
const LARGEST_SECRET: u64 = 500 * 1024;

fn blame<T>(message: String, given: &Given<T>, target: &Text) -> Diagnostic {
    let problem = Diagnostic::new(codes::ABSENT, message);
    match &given.origin {
        Origin::Written { span, .. } => problem.at(*span),
        Origin::Flag(flag) => problem.note(format!("given by `{flag}` for the target `{target}`")),
        _ => problem.note(format!("in the target `{target}`")),
    }
}

/// Looks at this machine for what the targets of a plan name. A build calls it before it begins, and so does `--print`,
/// as the reference does.
pub fn check_host(plan: &Plan, env: &Environment, host: &dyn Host) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (name, target) in &plan.targets {
        for given in target.secrets.iter().filter(|s| !s.value.id.is_empty()) {
            let secret = &given.value;
            let named = secret.src.is_empty() && secret.env.is_empty();
            let path: &str = match (&*secret.src, named) {
                ("", true) if env.process.contains_key(&*secret.id) => continue,
                ("", true) => &secret.id,
                ("", false) => continue,
                (src, _) => src,
            };
            match host.find(path) {
                Found::Nothing => {
                    let problem =
                        blame(format!("there is no file `{path}` for the secret `{}`", secret.id), given, name);
                    out.push(if named {
                        problem.note(format!(
                            "and no variable `{0}` in the environment; `src=` or `env=` says where the secret `{0}` is",
                            secret.id
                        ))
                    } else {
                        problem
                    });
                }
                Found::File(size) if size > LARGEST_SECRET => {
                    out.push(blame(
                        format!("the secret `{}` has more than {LARGEST_SECRET} bytes", secret.id),
                        given,
                        name,
                    ));
                }
                _ => {}
            }
        }
        for given in &target.ssh {
            let id = if given.value.id.is_empty() { "default" } else { &given.value.id };
            let paths: Vec<&str> = given.value.paths.iter().map(|p| &**p).collect();
            let agent = env.process.get("SSH_AUTH_SOCK").map_or("", String::as_str);
            let paths = match paths.as_slice() {
                [] | [""] => vec![agent],
                _ => paths,
            };
            if let Some(why) = check_agent(&paths, host) {
                out.push(blame(format!("the SSH agent `{id}`: {why}"), given, name));
            }
        }
        for given in &target.outputs {
            let output = &given.value;
            let archive = match &*output.kind {
                "local" => false,
                "tar" => true,
                "oci" | "docker" => output.attrs.get("tar").and_then(|v| go_bool(v)).unwrap_or(true),
                _ => continue,
            };
            let why = match host.find(&output.dest) {
                _ if output.dest.is_empty() || &*output.dest == "-" => continue,
                Found::Directory if archive => "is a directory, and a file is to be written",
                Found::File(_) | Found::Socket if !archive => "is a file, and a directory is to be written",
                _ => continue,
            };
            out.push(blame(format!("`{}` {why}", output.dest), given, name));
        }
    }
    out
}

/// Whether a text looks like a private key: the right head, and as much behind it as the smallest key has.
fn is_key(text: &str) -> bool {
    const SMALLEST: usize = 100;
    let body = text.lines().filter(|l| !l.starts_with("-----") && !l.contains(':')).map(|l| l.trim().len());
    text.contains("PRIVATE KEY-----") && body.sum::<usize>() >= SMALLEST
}

/// One socket, or key files.
fn check_agent(paths: &[&str], host: &dyn Host) -> Option<String> {
    let mut socket = false;
    for path in paths {
        if socket {
            return Some("a socket stands alone".into());
        }
        if path.is_empty() {
            return Some("no agent runs: SSH_AUTH_SOCK is not set".into());
        }
        match host.find(path) {
            Found::Nothing => return Some(format!("there is no `{path}`")),
            Found::Directory => return Some(format!("`{path}` is a directory")),
            Found::Socket => socket = true,
            Found::File(_) => {
                if !host.read(path).is_some_and(|text| is_key(&text)) {
                    return Some(format!("`{path}` holds no private key"));
                }
            }
        }
    }
    None
}
