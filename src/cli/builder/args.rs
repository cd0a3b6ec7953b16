//! The flags of `rbc builder`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Driver;

/// `rbc builder`.
#[derive(Clone, Debug, Subcommand)]
pub enum BuilderCommand {
    /// Give daemons a name, or start one in a container.
    ///
    /// ENDPOINT is such as `unix:///run/buildkit/buildkitd.sock`, `tcp://host:1234?cacert=FILE&cert=FILE&key=FILE`,
    /// `ssh://host`, `docker-container://NAME`, `podman-container://NAME`, `kube-pod://NAME` or `docker://`. Without one, a
    /// container is made when it is first needed.
    Create(CreateArgs),
    /// List builders, those of buildx among them, and how their nodes are.
    Ls(LsArgs),
    /// Show a builder with all that its nodes tell.
    Inspect(InspectBuilderArgs),
    /// Choose the builder that is used when none is named; `local` is rbc itself.
    Use(NameArgs),
    /// Forget builders, and remove their containers.
    Rm(RmArgs),
    /// List the builds that a builder remembers, the newest first, or make it forget some.
    History(HistoryArgs),
    /// Stop the containers of a builder.
    Stop(OptionalNameArgs),
    /// Start the containers of a builder, and make those that are missing.
    #[command(visible_alias = "bootstrap")]
    Start(OptionalNameArgs),
}

/// `rbc builder create`.
#[derive(Args, Clone, Debug)]
pub struct CreateArgs {
    /// Where the daemon is.
    #[arg(value_name = "ENDPOINT")]
    pub endpoint: Option<String>,
    /// The builder's name.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How the daemon comes to be [default: as the endpoint says, or else docker-container].
    #[arg(long, value_enum, value_name = "DRIVER")]
    pub driver: Option<Driver>,
    /// The name of the node.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Platforms that are built there rather than on other nodes.
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub platforms: Vec<String>,
    /// An option of the driver: `image=`, `network=`, `env.NAME=` for containers; `cacert=`, `cert=`, `key=`, `servername=`
    /// for `remote`.
    #[arg(long = "driver-opt", value_name = "KEY=VALUE", value_delimiter = ',')]
    pub driver_opts: Vec<String>,
    /// Flags of the daemon in the container.
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub buildkitd_flags: Option<String>,
    /// The configuration of the daemon in the container.
    #[arg(long, value_name = "FILE", alias = "config")]
    pub buildkitd_config: Option<PathBuf>,
    /// Add a node to the builder.
    #[arg(long, conflicts_with = "leave")]
    pub append: bool,
    /// Take a node from the builder.
    #[arg(long, requires = "node")]
    pub leave: bool,
    /// Use the builder from now on when none is named.
    #[arg(long = "use")]
    pub choose: bool,
    /// Start it at once.
    #[arg(long)]
    pub bootstrap: bool,
}

/// How a listing looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// A JSON object a line.
    Json,
}

/// `rbc builder ls`.
#[derive(Args, Clone, Debug)]
pub struct LsArgs {
    /// The form.
    #[arg(long, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
    /// How long nodes may take to answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub timeout: u64,
}

/// `rbc builder inspect`.
#[derive(Args, Clone, Debug)]
pub struct InspectBuilderArgs {
    /// The builder [default: the one that is used].
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Start it first.
    #[arg(long)]
    pub bootstrap: bool,
    /// How long nodes may take to answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub timeout: u64,
}

/// `rbc builder use`.
#[derive(Args, Clone, Debug)]
pub struct NameArgs {
    /// The builder.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `rbc builder stop` and `rbc builder start`.
#[derive(Args, Clone, Debug)]
pub struct OptionalNameArgs {
    /// The builder [default: the one that is used].
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `rbc builder rm`.
#[derive(Args, Clone, Debug)]
pub struct RmArgs {
    /// The builders [default: the one that is used].
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Keep the volumes with what they have built.
    #[arg(long)]
    pub keep_state: bool,
    /// Leave the containers as they are.
    #[arg(long)]
    pub keep_daemon: bool,
    /// All builders of which no node answers.
    #[arg(long, conflicts_with = "names")]
    pub all_inactive: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub force: bool,
}

/// `rbc builder history`.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// The builder [default: the one that is used].
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The form.
    #[arg(long, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
    /// Forget this build, and what is kept for it.
    #[arg(long, value_name = "BUILD")]
    pub forget: Vec<String>,
    /// Forget all that have ended.
    #[arg(long, conflicts_with = "forget")]
    pub forget_all: bool,
}
