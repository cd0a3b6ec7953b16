//! Containers of builders: each is a BuildKit daemon that Docker or Podman runs for us.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rbc_buildkit::Endpoint;
use rbc_source::{Diagnostic, environment};

use super::state::{Builder, Node};
use super::{Driver, Failure};
use crate::cli::messages::Messages;

/// How containers that rbc makes are called, before the name of the node.
pub const PREFIX: &str = "rbc_buildkit_";
/// The image of a daemon, unless another is named; the one that buildx takes.
const IMAGE: &str = "moby/buildkit:buildx-stable-1";
/// Where the daemon keeps what it has built: in a volume, which outlives the container.
const STATE: &str = "/var/lib/buildkit";
/// Where the daemon reads its configuration.
const CONFIG: &str = "/etc/buildkit/buildkitd.toml";
/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts all nodes, makes containers that are missing, and waits until all answer.
///
/// # Errors
/// One cannot be made or started, or does not answer.
pub fn start(builder: &Builder, messages: &Messages) -> Result<(), Failure> {
    for node in &builder.nodes {
        if let Some(container) = Container::of(builder, node) {
            match container.state()? {
                State::Running => {}
                State::Stopped => container.run(&["start"], &[&container.name])?,
                State::Missing => {
                    messages.say(&format!("{}: making the container {}", node.name, container.name));
                    container.create(node)?;
                }
            }
        }
        answer(node)?;
        messages.say(&format!("{} is running", node.name));
    }
    Ok(())
}

/// Waits until a node answers.
fn answer(node: &Node) -> Result<(), Failure> {
    let endpoint = Endpoint::parse(&node.endpoint)?;
    let begun = Instant::now();
    loop {
        match rbc_buildkit::Daemon::connect(&endpoint) {
            Ok(_) => return Ok(()),
            Err(found) if begun.elapsed() > PATIENCE || !endpoint.is_container() => return Err(found.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// Stops all containers.
///
/// # Errors
/// One cannot be stopped, or a node is no container.
pub fn stop(builder: &Builder, messages: &Messages) -> Result<(), Failure> {
    for node in &builder.nodes {
        let Some(container) = Container::of(builder, node) else {
            let found = format!("the node `{}` is no container that could be stopped: {}", node.name, node.endpoint);
            return Err(Diagnostic::new(environment::BUILDERS, found).into());
        };
        if matches!(container.state()?, State::Running) {
            container.run(&["stop"], &[&container.name])?;
        }
        messages.say(&format!("{} is stopped", node.name));
    }
    Ok(())
}

/// Removes all containers that rbc made, and their volumes.
///
/// # Errors
/// One cannot be removed.
pub fn remove(builder: &Builder, keep_state: bool, messages: &Messages) -> Result<(), Failure> {
    for node in &builder.nodes {
        let Some(container) = Container::of(builder, node).filter(|container| container.name.starts_with(PREFIX))
        else {
            continue;
        };
        if !matches!(container.state()?, State::Missing) {
            container.run(&["rm", "--force"], &[&container.name])?;
            messages.say(&format!("the container {} is removed", container.name));
        }
        if !keep_state && container.ask(&["volume", "inspect"], &[&container.volume()])?.status.success() {
            container.run(&["volume", "rm"], &[&container.volume()])?;
        }
    }
    Ok(())
}

enum State {
    Running,
    Stopped,
    Missing,
}

/// A container, and the program that knows it.
struct Container {
    program: &'static str,
    /// `--context NAME` or `--host URL`.
    which: Option<(String, String)>,
    name: String,
}

impl Container {
    /// That of a node, if it is one.
    fn of(builder: &Builder, node: &Node) -> Option<Container> {
        let program = match builder.driver {
            Driver::DockerContainer => "docker",
            Driver::PodmanContainer => "podman",
            Driver::Remote | Driver::Docker => return None,
        };
        let (_, rest) = node.endpoint.split_once("://")?;
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let which = query.split_once('=').map(|(key, value)| (format!("--{key}"), value.to_owned()));
        Some(Container { program, which, name: name.to_owned() })
    }

    fn volume(&self) -> String {
        format!("{}_state", self.name)
    }

    fn create(&self, node: &Node) -> Result<(), Diagnostic> {
        let mut options =
            vec!["--detach", "--privileged", "--init", "--restart", "unless-stopped", "--name", &self.name];
        let volume = format!("{}:{STATE}", self.volume());
        options.extend(["--volume", &volume]);
        if let Some(network) = &node.network {
            options.extend(["--network", network]);
        }
        let config = node.config.as_ref().map(|path| format!("{}:{CONFIG}:ro", path.display()));
        if let Some(config) = &config {
            options.extend(["--volume", config]);
        }
        for variable in &node.env {
            options.extend(["--env", variable]);
        }
        let mut command = vec![node.image.as_deref().unwrap_or(IMAGE)];
        command.extend(node.flags.iter().map(String::as_str));
        let options = [&["run"], &options[..]].concat();
        self.run(&options, &command)
    }

    fn state(&self) -> Result<State, Diagnostic> {
        let answer = self.ask(&["container", "inspect", "--format", "{{.State.Running}}"], &[&self.name])?;
        if answer.status.success() {
            let running = String::from_utf8_lossy(&answer.stdout).trim() == "true";
            return Ok(if running { State::Running } else { State::Stopped });
        }
        // Podman and Docker say it in their own ways; anything else is a fault.
        let said = String::from_utf8_lossy(&answer.stderr).to_lowercase();
        match said.contains("no such container") {
            true => Ok(State::Missing),
            false => Err(self.failed("container inspect", &answer)),
        }
    }

    fn run(&self, command: &[&str], operands: &[&str]) -> Result<(), Diagnostic> {
        let answer = self.ask(command, operands)?;
        match answer.status.success() {
            true => Ok(()),
            false => Err(self.failed(&command.join(" "), &answer)),
        }
    }

    fn ask(&self, command: &[&str], operands: &[&str]) -> Result<Output, Diagnostic> {
        let mut program = Command::new(self.program);
        if let Some((flag, value)) = &self.which {
            program.args([flag, value]);
        }
        program.args(command).args(operands).stdin(Stdio::null()).output().map_err(|e| {
            let found = Diagnostic::new(environment::BUILDER, format!("`{}` cannot be run: {e}", self.program));
            found.note("it is what runs the builder's container; install it, or name a builder that is there")
        })
    }

    fn failed(&self, what: &str, answer: &Output) -> Diagnostic {
        let said = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        let found =
            Diagnostic::new(environment::BUILDER, format!("`{} {what}` failed for {}", self.program, self.name));
        if said.is_empty() { found } else { found.note(format!("it said:\n{said}")) }
    }
}
