//! `rbc builder`: daemons that build elsewhere, under names.

pub mod args;
mod buildx;
mod container;
mod create;
mod history;
mod show;
mod state;

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use rbc_source::{Diagnostic, environment};

pub use self::state::{Builder, Node};

use self::args::{BuilderCommand, RmArgs};
use super::Failure;
use super::messages::Messages;

/// The name of what is within rbc.
const LOCAL: &str = "local";
/// The name of Docker's own BuildKit, as buildx calls it.
const DEFAULT: &str = "default";

/// How the nodes of a builder came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// They were there.
    Remote,
    /// rbc makes a container for each, with Docker.
    DockerContainer,
    /// The same with Podman.
    PodmanContainer,
    /// The BuildKit within Docker's daemon.
    Docker,
}

impl Driver {
    fn parse(name: &str) -> Result<Driver, String> {
        Driver::from_str(name, false).map_err(|_| format!("there is no driver `{name}`"))
    }

    fn name(self) -> &'static str {
        match self {
            Driver::Remote => "remote",
            Driver::DockerContainer => "docker-container",
            Driver::PodmanContainer => "podman-container",
            Driver::Docker => "docker",
        }
    }
}

/// Runs the command.
pub fn run(command: &BuilderCommand, messages: &Messages) -> Result<(), Failure> {
    match command {
        BuilderCommand::Create(args) => create::run(args, messages),
        BuilderCommand::Ls(args) => show::ls(args),
        BuilderCommand::Inspect(args) => {
            let builder = used(args.name.as_deref())?;
            if args.bootstrap {
                container::start(&builder, messages)?;
            }
            show::inspect(&builder, args.timeout)
        }
        BuilderCommand::Use(args) => {
            find(Some(&args.name))?;
            choose(&args.name)
        }
        BuilderCommand::Rm(args) => remove(args, messages),
        BuilderCommand::History(args) => history::run(args, messages),
        BuilderCommand::Stop(args) => container::stop(&used(args.name.as_deref())?, messages),
        BuilderCommand::Start(args) => container::start(&used(args.name.as_deref())?, messages),
    }
}

/// The builder of a name or an endpoint; without one, the one that is used. None is the executor within rbc.
///
/// # Errors
/// There is none of the name, or what is known of builders cannot be read.
pub fn find(name: Option<&str>) -> Result<Option<Builder>, Failure> {
    let name = name.filter(|name| !name.is_empty());
    if let Some(endpoint) = name.filter(|name| name.contains("://")) {
        rbc_buildkit::Endpoint::parse(endpoint)?;
        return Ok(Some(single(endpoint, Driver::Remote, endpoint)));
    }
    if name == Some(LOCAL) {
        return Ok(None);
    }
    let known = state::load()?;
    let Some(name) = name.or(known.current.as_deref().filter(|name| *name != LOCAL)) else { return Ok(None) };
    if let Some(builder) = known.all.iter().find(|builder| builder.name == name) {
        return Ok(Some(builder.clone()));
    }
    if name == DEFAULT {
        return Ok(Some(single(DEFAULT, Driver::Docker, "docker://")));
    }
    match buildx::read(name)? {
        Some(builder) => Ok(Some(builder)),
        None => {
            let mut names: Vec<String> = known.all.into_iter().map(|builder| builder.name).collect();
            names.extend(buildx::names());
            names.extend([LOCAL, DEFAULT].map(str::to_owned));
            let found = Diagnostic::new(environment::BUILDERS, format!("there is no builder `{name}`"));
            let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            Err(found
                .note(format!("there are {}; `rbc builder create` makes one", list.join(", ")))
                .suggest(name, names.iter().map(String::as_str))
                .into())
        }
    }
}

/// Connects to all nodes.
///
/// # Errors
/// One cannot be reached.
pub fn connect(builder: &Builder) -> Result<Vec<rbc_buildkit::Daemon>, Diagnostic> {
    let one = |node: &Node| rbc_buildkit::Daemon::connect(&rbc_buildkit::Endpoint::parse(&node.endpoint)?);
    builder.nodes.iter().map(one).collect()
}

/// Whether builds go elsewhere, as far as it is known: what is wrong with the name is told later.
pub fn is_elsewhere(name: Option<&str>) -> bool {
    matches!(find(name), Ok(Some(_)))
}

fn single(name: &str, driver: Driver, endpoint: &str) -> Builder {
    let node = Node { name: name.to_owned(), endpoint: endpoint.to_owned(), ..Node::default() };
    Builder { name: name.to_owned(), driver, nodes: vec![node] }
}

/// The builder of a name or the one that is used, which must not be rbc itself.
fn used(name: Option<&str>) -> Result<Builder, Failure> {
    find(name)?.ok_or_else(|| {
        Diagnostic::new(environment::BUILDERS, "the builder is rbc itself, which has no nodes")
            .note("name another; `rbc builder ls` lists them")
            .into()
    })
}

fn choose(name: &str) -> Result<(), Failure> {
    state::change(|builders| {
        builders.current = Some(name.to_owned()).filter(|name| name != LOCAL);
        Ok(())
    })
}

fn remove(args: &RmArgs, messages: &Messages) -> Result<(), Failure> {
    let known = state::load()?;
    let mut names = args.names.clone();
    if args.all_inactive {
        names.extend(known.all.iter().filter(|b| show::is_inactive(b)).map(|b| b.name.clone()));
        if names.is_empty() {
            messages.say("all builders answer");
            return Ok(());
        }
        if !args.force && !agreed(&names) {
            return Ok(());
        }
    } else if names.is_empty() {
        names.push(used(None)?.name);
    }
    for name in &names {
        let Some(builder) = known.all.iter().find(|builder| builder.name == *name) else {
            // What is another's is not ours to remove.
            let whose = if find(Some(name))?.is_some() { "is not one of rbc's own" } else { "is rbc itself" };
            let found = Diagnostic::new(environment::BUILDERS, format!("the builder `{name}` {whose}"));
            return Err(found.note("`docker buildx rm` removes builders of buildx").into());
        };
        if !args.keep_daemon {
            container::remove(builder, args.keep_state, messages)?;
        }
        state::change(|builders| {
            builders.all.retain(|builder| builder.name != *name);
            builders.current.take_if(|current| current == name);
            Ok(())
        })?;
        messages.say(&format!("{name} removed"));
    }
    Ok(())
}

fn agreed(names: &[String]) -> bool {
    if !std::io::stdin().is_terminal() {
        return true;
    }
    let mut out = std::io::stderr().lock();
    _ = write!(out, "This removes {}. Go on? [y/N] ", names.join(", ")).and_then(|()| out.flush());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("y")
}
