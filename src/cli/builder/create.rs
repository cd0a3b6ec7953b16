//! `rbc builder create`.

use rbc_oci::Platform;
use rbc_source::{Diagnostic, environment, lower};

use super::args::CreateArgs;
use super::state::{self, Builder, Builders, Node, valid_name};
use super::{DEFAULT, Driver, LOCAL, buildx, container};
use crate::cli::messages::Messages;
use crate::cli::project::host_platform;
use crate::cli::{Failure, write_output};

/// Runs the command, and prints the builder's name.
pub fn run(args: &CreateArgs, messages: &Messages) -> Result<(), Failure> {
    let made = state::change(|builders| {
        let builder = if args.leave { leave(args, builders)? } else { join(args, builders)? };
        if args.choose {
            builders.current = Some(builder.name.clone());
        }
        Ok(builder)
    })?;
    if args.bootstrap {
        container::start(&made, messages)?;
    }
    Ok(write_output(None, format!("{}\n", made.name).as_bytes())?)
}

fn wrong(message: String) -> Diagnostic {
    Diagnostic::new(lower::OPTION, message)
}

/// Takes a node away.
fn leave(args: &CreateArgs, builders: &mut Builders) -> Result<Builder, Failure> {
    let name = args.name.as_deref().or(builders.current.as_deref()).unwrap_or_default().to_owned();
    let Some(builder) = builders.all.iter_mut().find(|builder| builder.name == name) else {
        return Err(Diagnostic::new(environment::BUILDERS, format!("there is no builder `{name}`")).into());
    };
    let node = args.node.as_deref().unwrap_or_default();
    if builder.node(node).is_none() {
        let names = builder.nodes.iter().map(|node| node.name.as_str());
        let found = Diagnostic::new(environment::BUILDERS, format!("the builder `{name}` has no node `{node}`"));
        return Err(found.suggest(node, names).into());
    }
    if builder.nodes.len() == 1 {
        let found =
            Diagnostic::new(environment::BUILDERS, format!("`{node}` is the last node of the builder `{name}`"));
        return Err(found.note(format!("`rbc builder rm {name}` removes it all")).into());
    }
    builder.nodes.retain(|other| other.name != node);
    Ok(builder.clone())
}

/// Makes a builder, or adds a node to one.
fn join(args: &CreateArgs, builders: &mut Builders) -> Result<Builder, Failure> {
    let driver = driver(args)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None if args.append => builders
            .current
            .clone()
            .ok_or_else(|| wrong("`--append` needs a builder: name it with `--name`".to_owned()))?,
        None => (0..).map(|n| format!("builder{n}")).find(|name| !taken(builders, name)).unwrap_or_default(),
    };
    valid_name(&name).map_err(wrong)?;
    if [LOCAL, DEFAULT].contains(&name.as_str()) {
        return Err(wrong(format!("`{name}` is there already, and is always the same")).into());
    }
    let there = builders.all.iter().position(|builder| builder.name == name);
    let at = match there {
        Some(at) if args.append => at,
        Some(_) => {
            let found = Diagnostic::new(environment::BUILDERS, format!("there is a builder `{name}` already"));
            return Err(found.note("`--append` adds a node to it, and `rbc builder rm` removes it").into());
        }
        None if args.append => {
            return Err(
                Diagnostic::new(environment::BUILDERS, format!("there is no builder `{name}` to add to")).into()
            );
        }
        None => {
            builders.all.push(Builder { name: name.clone(), driver, nodes: Vec::new() });
            builders.all.len() - 1
        }
    };
    let builder = &mut builders.all[at];
    if builder.driver != driver {
        let found =
            wrong(format!("the builder `{name}` has the driver {}, not {}", builder.driver.name(), driver.name()));
        return Err(found.into());
    }
    let node = node(args, driver, builder)?;
    if builder.nodes.iter().any(|other| other.name == node.name || other.endpoint == node.endpoint) {
        let found = format!("the builder `{name}` has a node `{}` or one at {} already", node.name, node.endpoint);
        return Err(Diagnostic::new(environment::BUILDERS, found).into());
    }
    // A platform is built in one place: the last one that was told so.
    for other in &mut builder.nodes {
        other.platforms.retain(|platform| !node.platforms.contains(platform));
    }
    builder.nodes.push(node);
    Ok(builder.clone())
}

fn taken(builders: &Builders, name: &str) -> bool {
    builders.all.iter().any(|builder| builder.name == name) || buildx::names().iter().any(|other| other == name)
}

fn driver(args: &CreateArgs) -> Result<Driver, Diagnostic> {
    let said = match args.endpoint.as_deref() {
        None => None,
        Some(endpoint) if endpoint.starts_with("docker://") || endpoint.starts_with("docker+") => Some(Driver::Docker),
        Some(_) => Some(Driver::Remote),
    };
    match (args.driver, said) {
        (None, said) => Ok(said.unwrap_or(Driver::DockerContainer)),
        (Some(Driver::Remote), None) => {
            Err(wrong("the driver `remote` needs an endpoint".to_owned()).note("such as `tcp://host:1234`"))
        }
        (Some(driver @ (Driver::DockerContainer | Driver::PodmanContainer)), Some(_)) => {
            Err(wrong(format!("the driver `{}` makes a container of its own: it takes no endpoint", driver.name())))
        }
        (Some(driver), _) => Ok(driver),
    }
}

fn node(args: &CreateArgs, driver: Driver, builder: &Builder) -> Result<Node, Diagnostic> {
    let free = |n: &u32| builder.node(&format!("{}{n}", builder.name)).is_none();
    let name = args.node.clone().unwrap_or_else(|| format!("{}{}", builder.name, (0..).find(free).unwrap_or(0)));
    valid_name(&name).map_err(wrong)?;
    let here = host_platform();
    let platform = |text: &String| Platform::parse(text, &here).map_err(|e| e.diagnostic(text));
    let mut node =
        Node { name, platforms: args.platforms.iter().map(platform).collect::<Result<_, _>>()?, ..Node::default() };
    let contained = matches!(driver, Driver::DockerContainer | Driver::PodmanContainer);
    let mut parameters = Vec::new();
    for text in &args.driver_opts {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| wrong(format!("`--driver-opt {text}` has no value; write KEY=VALUE")))?;
        match (key, key.strip_prefix("env.")) {
            ("image", _) if contained => node.image = Some(value.to_owned()),
            ("network", _) if contained => node.network = Some(value.to_owned()),
            (_, Some(name)) if contained => node.env.push(format!("{name}={value}")),
            ("cacert" | "cert" | "key" | "servername", _) if driver == Driver::Remote => {
                parameters.push((key, value.to_owned()));
            }
            _ => {
                let known: &[&str] = match driver {
                    Driver::Remote => &["cacert", "cert", "key", "servername"],
                    Driver::Docker => &[],
                    _ => &["image", "network", "env.NAME"],
                };
                let found = wrong(format!("the driver `{}` has no option `{key}`", driver.name()));
                let found = found.suggest(key, known.iter().copied());
                return Err(if known.is_empty() { found } else { found.note(format!("it has {}", known.join(", "))) });
            }
        }
    }
    if !contained && (args.buildkitd_flags.is_some() || args.buildkitd_config.is_some()) {
        return Err(wrong("only a daemon that rbc starts can be told flags and a configuration".to_owned()));
    }
    node.flags = args.buildkitd_flags.iter().flat_map(|flags| flags.split_whitespace()).map(str::to_owned).collect();
    if let Some(config) = &args.buildkitd_config {
        let whole = config
            .canonicalize()
            .map_err(|e| Diagnostic::new(environment::READ, format!("`{}` cannot be read: {e}", config.display())))?;
        node.config = Some(whole);
    }
    node.endpoint = match (driver, &args.endpoint) {
        (Driver::DockerContainer | Driver::PodmanContainer, _) => {
            format!("{}://{}{}", driver.name(), container::PREFIX, node.name)
        }
        (_, Some(endpoint)) => buildx::with_parameters(endpoint.clone(), &parameters),
        (_, None) => "docker://".to_owned(),
    };
    rbc_buildkit::Endpoint::parse(&node.endpoint)?;
    Ok(node)
}
