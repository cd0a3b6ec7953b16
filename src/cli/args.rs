//! Flags. Each is documented where it is declared; help text, completions and man pages come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A compiler toolchain for container builds.
#[derive(Debug, Parser)]
#[command(name = "rbc", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Color of messages.
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub color: When,
    /// Form of messages about the input.
    #[arg(long, global = true, value_enum, default_value_t = MessageFormat::Text, value_name = "FORMAT")]
    pub message_format: MessageFormat,
}

/// When to use color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// For people.
    #[default]
    #[value(alias = "tty")]
    Text,
    /// A JSON object with all of them.
    Json,
    /// A SARIF 2.1.0 log.
    Sarif,
    /// Workflow commands of GitHub.
    Github,
    /// GitLab's code quality report.
    #[value(alias = "gitlab_codeclimate")]
    Gitlab,
    /// Checkstyle's XML.
    Checkstyle,
    /// JUnit's XML.
    Junit,
    /// SonarQube's generic issues.
    Sonarqube,
    /// Code Climate's objects, each with a zero byte behind it.
    Codeclimate,
    /// Codacy's objects.
    Codacy,
    /// A line each, by the GNU coding standards.
    Gnu,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a Dockerfile to an image or to files, here and without a daemon.
    ///
    /// The options are those of `docker buildx build`.
    Build(Box<BuildCommand>),
    /// Run an LLB definition, made by any frontend, here.
    Solve(Box<SolveCommand>),
    /// Show what is kept for further builds, or remove it.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Name daemons that build elsewhere, and start them in containers.
    #[command(subcommand)]
    Builder(super::builder::args::BuilderCommand),
    /// Show, assemble and copy images in registries and OCI layouts.
    #[command(subcommand)]
    Image(super::image::args::ImageCommand),
    /// Compile a Dockerfile to an LLB definition.
    ///
    /// The definition is what BuildKit's own Dockerfile frontend would make, byte for byte. `buildctl build --local
    /// context=. < graph.pb` builds it.
    Compile(CompileArgs),
    /// Build what a bake file says: HCL, JSON or compose, as `docker buildx bake` reads it.
    Bake(super::bake::args::BakeArgs),
    /// Write a Mockerfile as the Dockerfile that means the same.
    Convert(ConvertArgs),
    /// Show an LLB definition, made by any frontend.
    Inspect(InspectArgs),
    /// Draw the graph of a build.
    Graph(GraphArgs),
    /// Find what is wrong, risky or wasteful in Dockerfiles.
    ///
    /// BuildKit's checks and hadolint's rules, and rbc's own; `rbc explain` has a page for each.
    Lint(LintArgs),
    /// Format Dockerfiles and bake files, without changing what they build.
    Fmt(FmtArgs),
    /// Be a frontend of BuildKit: what an image does that a `# syntax=` line names.
    ///
    /// BuildKit starts it; the images are made by `examples/frontend-image`.
    Frontend,
    /// Serve editors by the Language Server Protocol, over standard input and output.
    Lsp {
        /// The only way there is; editors pass it by habit.
        #[arg(long)]
        stdio: bool,
    },
    /// Write what compiling needs of base images to a lock file.
    Lock(LockArgs),
    /// Explain a diagnostic by its code or name.
    Explain {
        /// Such as `E0101` or `StageNameCasing`; none lists all.
        code: Option<String>,
    },
    /// List the optimizer's passes.
    Passes,
    /// Optimize a graph in its text form.
    Opt(OptArgs),
    /// Print a shell's completion script.
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write man pages to a directory.
    #[command(hide = true)]
    Man {
        /// The directory, which must exist.
        dir: PathBuf,
    },
}

impl Command {
    /// Whether it runs builds or looks into the store, for which one must be root, if only in a namespace.
    pub fn executes(&self) -> bool {
        match self {
            Command::Build(args) => args.run.executor.is_here(),
            Command::Solve(args) => args.run.executor.is_here(),
            Command::Cache(CacheCommand::Du(args)) => args.builder.is_none(),
            Command::Cache(CacheCommand::Prune(args)) => args.builder.is_none(),
            Command::Cache(_) => true,
            Command::Bake(args) => args.executes() && args.executor.is_here(),
            _ => false,
        }
    }
}

/// Which recipe, and what it is told: shared by all commands that compile.
#[derive(Args, Clone, Debug, Default)]
pub struct BuildArgs {
    /// Directory with the build context, or `-` to read a Dockerfile without a context from standard input.
    #[arg(default_value = ".", value_name = "PATH|-")]
    pub path: String,
    /// The Dockerfile; `-` for standard input [default: PATH/Dockerfile].
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<String>,
    /// The language of the recipe, if neither its `# syntax=` line nor its name nor its content tells it.
    #[arg(long, value_name = "NAME", value_parser = ["dockerfile", "mockerfile"])]
    pub frontend: Option<String>,
    /// The stage to build.
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Set a build argument; without a value it comes from the environment.
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub build_args: Vec<String>,
    /// Add a label to the image.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// Platforms to build for, separated by commas.
    #[arg(long, value_name = "PLATFORM,...", value_delimiter = ',')]
    pub platform: Vec<String>,
    /// Add a context with a name: a directory, `docker-image://REF`, `oci-layout://DIR@DIGEST`, a git repository or an URL.
    #[arg(long = "build-context", value_name = "NAME=VALUE")]
    pub build_contexts: Vec<String>,
    /// Add a line to /etc/hosts of RUN steps.
    #[arg(long = "add-host", value_name = "HOST=IP")]
    pub add_hosts: Vec<String>,
    /// Set a limit of processes of RUN steps.
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    pub ulimits: Vec<String>,
    /// Size of /dev/shm in RUN steps, such as `64m`.
    #[arg(long, value_name = "BYTES")]
    pub shm_size: Option<String>,
    /// Control group for RUN steps.
    #[arg(long, value_name = "GROUP")]
    pub cgroup_parent: Option<String>,
    /// Host name in RUN steps.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Network of RUN steps that choose none: `default`, `none` or `host`.
    #[arg(long, value_name = "MODE")]
    pub network: Option<String>,
    /// Do not use the cache.
    #[arg(long)]
    pub no_cache: bool,
    /// Do not use the cache for these stages.
    #[arg(long, value_name = "STAGE,...", value_delimiter = ',')]
    pub no_cache_filter: Vec<String>,
    /// Always ask the registry for base images.
    #[arg(long)]
    pub pull: bool,
    /// Allow experimental features, as the frontend's `labs` releases do.
    #[arg(long)]
    pub labs: bool,
    /// Set any attribute of the Dockerfile frontend.
    #[arg(long = "opt", value_name = "KEY=VALUE")]
    pub opts: Vec<String>,
    /// Look up no base images: take each for one with an empty config. The result is not what would be built, but shows it.
    #[arg(long, conflicts_with_all = ["locked", "offline"])]
    pub no_resolve: bool,
    /// Where base images come from.
    #[command(flatten)]
    pub images: ImageArgs,
}

/// Where base images come from: shared by all commands that look them up.
#[derive(Args, Clone, Debug, Default)]
pub struct ImageArgs {
    /// The lock file [default: rbc.lock beside the Dockerfile].
    #[arg(long, value_name = "FILE")]
    pub lock_file: Option<PathBuf>,
    /// Take base images from the lock file only, and fail if one is not there.
    #[arg(long)]
    pub locked: bool,
    /// Never use the network.
    #[arg(long)]
    pub offline: bool,
    /// Look for base images in this OCI layout directory first.
    #[arg(long = "oci-layout", value_name = "DIR")]
    pub oci_layouts: Vec<PathBuf>,
    /// Registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// How registries are reached: shared by all commands that talk to them.
#[derive(Args, Clone, Debug, Default)]
pub struct RegistryArgs {
    /// Settings of registries: mirrors, plain HTTP, certificates; the form of buildkitd.toml.
    #[arg(long, value_name = "FILE", env = "RBC_REGISTRY_CONFIG")]
    pub registry_config: Option<PathBuf>,
}

/// What runs builds, and how that is shown: shared by all commands that build.
#[derive(Args, Clone, Debug, Default)]
pub struct ExecutorArgs {
    /// Build elsewhere: on a builder with this name (`rbc builder ls` lists them), or the BuildKit at this endpoint, such as
    /// `tcp://host:1234` or `docker://`; `local` is here, whatever `rbc builder use` said.
    #[arg(long, value_name = "NAME|ENDPOINT", env = "RBC_BUILDER")]
    pub builder: Option<String>,
    /// Where layers, results and cache mounts are kept [default: $XDG_DATA_HOME/rbc].
    #[arg(long, value_name = "DIR", env = "RBC_STORE")]
    pub store: Option<PathBuf>,
    /// How to show what happens.
    #[arg(long, value_enum, default_value_t = ProgressStyle::Auto, value_name = "STYLE", env = "BUILDKIT_PROGRESS")]
    pub progress: ProgressStyle,
    /// Run at most so many steps at a time; 0 is as many as do well.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub parallel: usize,
}

impl ExecutorArgs {
    /// Whether this program runs builds, and no builder.
    pub fn is_here(&self) -> bool {
        !super::builder::is_elsewhere(self.builder.as_deref())
    }
}

/// How a build is run.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// By what.
    #[command(flatten)]
    pub executor: ExecutorArgs,
    /// Allow commands of the build to use `network.host` or `security.insecure`.
    #[arg(long, value_name = "RIGHT,...", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Write what was made to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// What to do when a command fails: `shell` opens one where it failed.
    #[arg(long, value_enum, default_value_t = OnError::Stop, value_name = "WHAT")]
    pub on_error: OnError,
    /// How far to optimize.
    #[command(flatten)]
    pub optimize: OptimizeArgs,
}

/// What to do when a command fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Stop.
    #[default]
    Stop,
    /// Open a shell in the file system in which it failed, then stop.
    Shell,
}

/// How to show what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A live picture on a terminal, else lines.
    #[default]
    Auto,
    /// A live picture.
    Tty,
    /// Lines.
    Plain,
    /// JSON, as BuildKit's clients write it.
    Rawjson,
    /// Not at all.
    Quiet,
}

/// What a build is given, and where its result goes.
#[derive(Args, Clone, Debug, Default)]
pub struct ResultArgs {
    /// Name the image.
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    pub tags: Vec<String>,
    /// Where the result goes: `type=image|registry|local|tar|oci|docker|cacheonly`, then `dest=PATH` and others; a path
    /// alone is a directory. It may be repeated.
    #[arg(short, long = "output", value_name = "[TYPE,]DEST")]
    pub outputs: Vec<String>,
    /// Push the image to the registry of its name.
    #[arg(long)]
    pub push: bool,
    /// Load the image into docker.
    #[arg(long)]
    pub load: bool,
    /// Add an annotation to the image, or with `index:` before it to the index of several.
    #[arg(long = "annotation", value_name = "[TYPE:]KEY=VALUE")]
    pub annotations: Vec<String>,
    /// Give a secret to RUN steps that mount it.
    #[arg(long = "secret", value_name = "id=ID[,src=FILE|,env=NAME]")]
    pub secrets: Vec<String>,
    /// Give an ssh agent to RUN steps that mount it.
    #[arg(long = "ssh", value_name = "ID[=SOCKET]")]
    pub ssh: Vec<String>,
    /// Use results of other machines: `type=registry,ref=NAME` (or just NAME) or `type=local,src=DIR`.
    #[arg(long = "cache-from", value_name = "NAME|type=TYPE,...")]
    pub cache_from: Vec<String>,
    /// Write results for other machines: `type=registry,ref=NAME`, `type=local,dest=DIR` or `type=inline`; `mode=max` for
    /// those of all steps.
    #[arg(long = "cache-to", value_name = "NAME|type=TYPE,...")]
    pub cache_to: Vec<String>,
    /// Say how the image was made: not supported, so only `false` is accepted, which is the default.
    #[arg(long, value_name = "false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub provenance: Option<String>,
    /// List what is in the image: not supported, so only `false` is accepted, which is the default.
    #[arg(long, value_name = "false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub sbom: Option<String>,
    /// Write the id of the image to this file.
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,
    /// Print the id of the image and nothing else.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `rbc build`.
#[derive(Args, Clone, Debug)]
pub struct BuildCommand {
    /// Have the recipe compiled by this image, which the builder runs; on a builder, a `# syntax=` line that names an image
    /// that rbc does not stand for does the same.
    #[arg(long, value_name = "IMAGE", conflicts_with = "frontend")]
    pub frontend_image: Option<String>,
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// What becomes of it.
    #[command(flatten)]
    pub result: ResultArgs,
    /// How.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `rbc cache`.
#[derive(Clone, Debug, Subcommand)]
pub enum CacheCommand {
    /// List what is kept, the longest unused first.
    Du(DuArgs),
    /// Remove what is kept; what is on top of other things goes before them.
    Prune(PruneArgs),
    /// Write all results to a place from which other machines can take them.
    Export(MoveArgs),
    /// Take all results from such a place.
    Import(MoveArgs),
}

/// `rbc cache export` and `rbc cache import`.
#[derive(Args, Clone, Debug)]
pub struct MoveArgs {
    /// The place: `type=registry,ref=NAME` (or just NAME), or `type=local,dest=DIR` (`src=DIR` to import).
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// Where layers, results and cache mounts are kept [default: $XDG_DATA_HOME/rbc].
    #[arg(long, value_name = "DIR", env = "RBC_STORE")]
    pub store: Option<PathBuf>,
    /// Registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `rbc cache du`.
#[derive(Args, Clone, Debug)]
pub struct DuArgs {
    /// What this builder keeps, instead of what is kept here: by name, or by endpoint as for `rbc build`.
    #[arg(long, value_name = "NAME|ENDPOINT", conflicts_with = "store")]
    pub builder: Option<String>,
    /// Where layers, results and cache mounts are kept [default: $XDG_DATA_HOME/rbc].
    #[arg(long, value_name = "DIR", env = "RBC_STORE")]
    pub store: Option<PathBuf>,
    /// Only what fits: `until=48h`, `id=ID`, `type=TYPE`, `description=TEXT`; `~=` instead of `=` looks for a part.
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Everything, and in full.
    #[arg(long)]
    pub verbose: bool,
    /// The form.
    #[arg(long, value_enum, default_value_t = CacheFormat::Table, value_name = "FORMAT")]
    pub format: CacheFormat,
}

/// A form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheFormat {
    /// For people.
    Table,
    /// One JSON object a line.
    Json,
}

/// `rbc cache prune`.
#[derive(Args, Clone, Debug)]
pub struct PruneArgs {
    /// What this builder keeps, instead of what is kept here: by name, or by endpoint as for `rbc build`.
    #[arg(long, value_name = "NAME|ENDPOINT", conflicts_with = "store")]
    pub builder: Option<String>,
    /// Where layers, results and cache mounts are kept [default: $XDG_DATA_HOME/rbc].
    #[arg(long, value_name = "DIR", env = "RBC_STORE")]
    pub store: Option<PathBuf>,
    /// Only what fits, as for `rbc cache du`.
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Only what was not used for so long, such as `48h`.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Stop when no more than this is left, such as `10gb`.
    #[arg(long, visible_aliases = ["max-used-space", "reserved-space"], value_name = "BYTES")]
    pub keep_storage: Option<String>,
    /// Also blobs of images that are in no layer, and other things that are made again in no time.
    #[arg(short, long)]
    pub all: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub force: bool,
    /// List what was removed.
    #[arg(long)]
    pub verbose: bool,
}

/// `rbc solve`.
#[derive(Args, Clone, Debug)]
pub struct SolveCommand {
    /// The definition; `-` for standard input.
    pub file: PathBuf,
    /// Give a directory to its local source of this name.
    #[arg(long = "local", value_name = "NAME=DIR")]
    pub locals: Vec<String>,
    /// Give an OCI layout to its sources from the store of this name, or if it has no name look for images in it.
    #[arg(long = "oci-layout", value_name = "[NAME=]DIR")]
    pub layouts: Vec<String>,
    /// The config of the image, as JSON; `rbc compile --emit image` writes it.
    #[arg(long, value_name = "FILE")]
    pub image_config: Option<PathBuf>,
    /// Registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Never use the network.
    #[arg(long)]
    pub offline: bool,
    /// What becomes of it.
    #[command(flatten)]
    pub result: ResultArgs,
    /// How.
    #[command(flatten)]
    pub run: RunArgs,
}

/// How far to optimize: shared by all commands that make a graph.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Optimizing")]
pub struct OptimizeArgs {
    /// What stays as it is: at 0 BuildKit's vertices, byte for byte; at 1 layers, history and cache keys; at 2 the files and
    /// the configuration [default: 0 to compile, 1 to build].
    #[arg(short = 'O', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub level: Option<u8>,
    /// Run these passes, in this order, instead of those of a level; `rbc passes` lists them.
    #[arg(long, value_name = "PASS,...", value_delimiter = ',', value_parser = parse_pass)]
    pub passes: Vec<&'static rbc_ir::Pass>,
    /// Make so many changes at most. The one that breaks a build is found by halving.
    #[arg(long, value_name = "N")]
    pub opt_bisect_limit: Option<usize>,
    /// Say of each place what was done, or why not.
    #[arg(long)]
    pub remarks: bool,
    /// Say how long each pass took.
    #[arg(long)]
    pub time_passes: bool,
}

fn parse_pass(name: &str) -> Result<&'static rbc_ir::Pass, String> {
    rbc_ir::Pass::named(name).ok_or_else(|| {
        let names: Vec<&str> = rbc_ir::PASSES.iter().map(|pass| pass.name).collect();
        format!("the passes are {}", names.join(", "))
    })
}

/// `rbc opt`.
#[derive(Args, Clone, Debug)]
pub struct OptArgs {
    /// The graph in its text form; `-` for standard input. `rbc compile --emit ir` prints it.
    pub file: PathBuf,
    /// Where to write it [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How far to optimize.
    #[command(flatten)]
    pub optimize: OptimizeArgs,
    /// Print the graph behind this pass, and do nothing more.
    #[arg(long, value_name = "PASS", value_parser = parse_pass)]
    pub emit_after: Option<&'static rbc_ir::Pass>,
}

/// `rbc compile`.
#[derive(Args, Clone, Debug)]
pub struct CompileArgs {
    /// What to compile.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Where to write the definition [default: standard output, unless that is a terminal]. For several platforms, each gets
    /// a file with its name put in: `graph.linux-arm64.pb`.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print a phase's result instead; several are allowed, each may go to a file of its own.
    #[arg(long, value_name = "KIND[=FILE]", value_parser = Emit::parse, value_delimiter = ',')]
    pub emit: Vec<Emit>,
    /// How far to optimize.
    #[command(flatten)]
    pub optimize: OptimizeArgs,
    /// Print the graph behind this pass, and do nothing more.
    #[arg(long, value_name = "PASS", value_parser = parse_pass)]
    pub emit_after: Option<&'static rbc_ir::Pass>,
    /// Answer a question about the build instead.
    #[arg(long, value_name = "METHOD", value_parser = parse_call)]
    pub call: Option<Call>,
    /// Check the build; the same as `--call=check`.
    #[arg(long, conflicts_with = "call")]
    pub check: bool,
}

/// A phase's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emit {
    /// Which.
    pub kind: EmitKind,
    /// Where it goes; none for standard output.
    pub file: Option<PathBuf>,
}

impl Emit {
    fn parse(text: &str) -> Result<Emit, String> {
        let (kind, file) = text.split_once('=').map_or((text, None), |(k, f)| (k, Some(PathBuf::from(f))));
        let kinds: Vec<String> = EmitKind::value_variants()
            .iter()
            .filter_map(|k| Some(k.to_possible_value()?.get_name().to_owned()))
            .collect();
        let kind = EmitKind::from_str(kind, false).map_err(|_| format!("it is one of {}", kinds.join(", ")))?;
        Ok(Emit { kind, file })
    }
}

/// Which phase's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmitKind {
    /// Tokens.
    Tokens,
    /// The concrete syntax.
    Cst,
    /// The shared tree.
    Ast,
    /// Names resolved.
    Model,
    /// The build graph as text.
    Ir,
    /// The definition as text, with digests and source lines.
    Llb,
    /// The definition as JSON.
    Json,
    /// The definition itself.
    Pb,
    /// The config of the image, as JSON.
    Image,
    /// The graph for Graphviz.
    Dot,
    /// The graph for Mermaid.
    Mermaid,
}

/// A question about a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub method: Method,
    /// As JSON.
    pub json: bool,
}

/// Which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Build.
    Build,
    /// What checks find.
    Check,
    /// What the target takes.
    Outline,
    /// Which targets there are.
    Targets,
}

/// Reads the value of `--call`.
///
/// # Errors
/// It is none; a sentence that says what it can be.
pub fn parse_call(text: &str) -> Result<Call, String> {
    let (method, options) = text.split_once(',').unwrap_or((text, ""));
    let method = match method.strip_prefix("frontend.").unwrap_or(method) {
        "build" => Method::Build,
        "check" | "lint" => Method::Check,
        "outline" => Method::Outline,
        "targets" => Method::Targets,
        _ => return Err("it is `build`, `check`, `outline` or `targets`, and `,format=json` may follow".to_owned()),
    };
    match options {
        "" | "format=text" => Ok(Call { method, json: false }),
        "format=json" => Ok(Call { method, json: true }),
        _ => Err("behind the method, `format=json` or `format=text` may stand".to_owned()),
    }
}

/// `rbc convert`.
#[derive(Args, Clone, Debug)]
pub struct ConvertArgs {
    /// The Mockerfile; `-` for standard input.
    #[arg(default_value = "Mockerfile.yaml")]
    pub file: PathBuf,
    /// Where to write the Dockerfile [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The language of the file, if neither its `# syntax=` line nor its name nor its content tells it.
    #[arg(long, value_name = "NAME", value_parser = ["dockerfile", "mockerfile"])]
    pub frontend: Option<String>,
}

/// `rbc inspect`.
#[derive(Args, Clone, Debug)]
pub struct InspectArgs {
    /// The definition; `-` for standard input.
    pub file: PathBuf,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `rbc graph`.
#[derive(Args, Clone, Debug)]
pub struct GraphArgs {
    /// What to draw.
    #[command(flatten)]
    pub build: BuildArgs,
    /// The picture; the extension says which kind: svg, html, dot or mmd [default: SVG to standard output].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw this definition instead of compiling.
    #[arg(long, value_name = "FILE")]
    pub definition: Option<PathBuf>,
    /// What the boxes are.
    #[arg(long, value_enum, default_value_t = PictureDetail::Steps, value_name = "DETAIL")]
    pub detail: PictureDetail,
    /// The colors.
    #[arg(long, value_enum, default_value_t = PictureTheme::Auto, value_name = "THEME")]
    pub theme: PictureTheme,
}

/// What the boxes of a picture are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PictureDetail {
    /// Steps, in frames that are stages.
    Steps,
    /// Stages.
    Stages,
}

/// The colors of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PictureTheme {
    /// As the reader's system is set.
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// `rbc lock`.
#[derive(Args, Clone, Debug)]
pub struct LockArgs {
    /// Whose base images.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Ask registries again for images that have an entry.
    #[arg(long)]
    pub update: bool,
}

/// `rbc lint`.
#[derive(Args, Clone, Debug, Default)]
pub struct LintArgs {
    /// Dockerfiles, directories to search for them, or patterns; `-` for standard input. What .gitignore leaves out is not
    /// searched.
    #[arg(default_value = ".", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// Form of the findings: the same as --message-format.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<MessageFormat>,
    /// Apply the fixes that do not change what is built.
    #[arg(long)]
    pub fix: bool,
    /// Apply the fixes that may change what is built, too.
    #[arg(long)]
    pub unsafe_fixes: bool,
    /// Show what the fixes would change, and change nothing; the exit status is 1 if they would change anything.
    #[arg(long)]
    pub diff: bool,
    /// Settings for all files: an rbc.toml or, in the form of hadolint, a YAML file [default: rbc.toml and .hadolint.yaml in the
    /// directory of each file or above].
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Let only these rules count: names, ids (`DL3006`, `W0206`), beginnings of ids (`DL3`) or `all`.
    #[arg(long, value_name = "RULE,...", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Leave out these rules.
    #[arg(long, value_name = "RULE,...", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Do not read the shell scripts in RUN.
    #[arg(long)]
    pub no_shell: bool,
    /// Do not ask ShellCheck, even if it is installed.
    #[arg(long)]
    pub no_shellcheck: bool,
    /// The least level at which a finding makes the exit status 1 [default: info].
    #[arg(short = 't', long, value_enum, value_name = "LEVEL")]
    pub failure_threshold: Option<Threshold>,
    /// Findings never make the exit status 1.
    #[arg(long)]
    pub no_fail: bool,
}

/// How much a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Threshold {
    /// A fault.
    Error,
    /// Most likely a fault.
    Warning,
    /// Worth knowing.
    Info,
    /// A matter of style.
    Style,
}

impl From<Threshold> for rbc_lint::Level {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Error => Self::Error,
            Threshold::Warning => Self::Warning,
            Threshold::Info => Self::Info,
            Threshold::Style => Self::Style,
        }
    }
}

/// `rbc fmt`.
#[derive(Args, Clone, Debug)]
pub struct FmtArgs {
    /// Dockerfiles and bake files (HCL), directories to search for them, or patterns; `-` formats standard input to standard
    /// output. What .gitignore leaves out is not searched.
    #[arg(default_value = ".", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// What the file would be called that comes from standard input, which tells its language.
    #[arg(long, value_name = "NAME")]
    pub stdin_filename: Option<PathBuf>,
    /// Change nothing; the exit status is 1 if a file would be changed.
    #[arg(long)]
    pub check: bool,
    /// Show what would be changed, and change nothing; the exit status is 1 if anything would be.
    #[arg(long)]
    pub diff: bool,
    /// The case of instructions.
    #[arg(long, value_enum, default_value_t = Keywords::Majority, value_name = "CASE")]
    pub keywords: Keywords,
    /// Spaces before a continuation line that has none.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=32))]
    pub indent: u8,
}

/// The case of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keywords {
    /// That of most of the file's instructions.
    Majority,
    /// FROM.
    Upper,
    /// from.
    Lower,
}
