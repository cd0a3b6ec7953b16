//! Flags of `rbc bake`, in buildx's spelling.

use std::path::PathBuf;

use clap::Args;
use rbc_bake::{List, ListFormat};

use crate::cli::args::{ExecutorArgs, ImageArgs, OptimizeArgs};

/// `rbc bake`.
#[derive(Args, Clone, Debug, Default)]
pub struct BakeArgs {
    /// Targets, groups and patterns of such [default: default]. An URL in front of them is a remote definition, and a second
    /// one is what BAKE_CMD_CONTEXT says.
    #[arg(value_name = "TARGET")]
    pub words: Vec<String>,
    /// A bake or compose file; `-` for standard input, `cwd://FILE` for a local one beside a remote definition [default: the
    /// usual names].
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<String>,
    /// Set an argument of targets: `app.platform=linux/arm64`, `*.args.VERSION=2`, `app.tags+=app:edge`.
    #[arg(long, value_name = "TARGET.KEY[+]=VALUE")]
    pub set: Vec<String>,
    /// Set a variable.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// Take variables that neither `--var` nor the environment sets from a file of `NAME=value` lines.
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<String>,
    /// Allow what goes beyond the sandbox or the working directory: `network.host`, `security.insecure`, `ssh`, `device`,
    /// `fs=PATH`, `fs.read=PATH`, `fs.write=PATH`.
    #[arg(long, value_name = "RIGHT")]
    pub allow: Vec<String>,
    /// Print the plan as JSON, which is a bake file again.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth)]
    pub print: Option<bool>,
    /// List `targets` or `variables`; `type=targets,format=json` for JSON.
    #[arg(long, value_name = "WHAT", value_parser = list, conflicts_with = "print")]
    pub list: Option<(List, ListFormat)>,
    /// Say where each value of the targets comes from.
    #[arg(long, conflicts_with_all = ["print", "list"])]
    pub explain: bool,
    /// Draw the targets and what they use; the extension says how: svg, html, dot or mmd.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["print", "list", "explain"])]
    pub graph: Option<PathBuf>,
    /// Only targets that a change of these files touches, and those that use such; `A..B` is what changed from one commit of
    /// git to another.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "list")]
    pub affected_by: Vec<String>,
    /// Answer a question about the targets instead of building them: `check`, `outline` or `targets`.
    #[arg(long, value_name = "METHOD")]
    pub call: Option<String>,
    /// Check the targets; the same as `--call=check`.
    #[arg(long)]
    pub check: bool,
    /// Write what became of each target to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// Push the images; short for `--set=*.push=true`.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth)]
    pub push: Option<bool>,
    /// Load the images; short for `--set=*.load=true`.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth)]
    pub load: Option<bool>,
    /// Do not use the cache.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth)]
    pub no_cache: Option<bool>,
    /// Always ask the registry for base images.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth)]
    pub pull: Option<bool>,
    /// Provenance attestations; short for `--set=*.attest=type=provenance,...`.
    #[arg(long, value_name = "BOOL|ATTRS")]
    pub provenance: Option<String>,
    /// SBOM attestations; short for `--set=*.attest=type=sbom,...`.
    #[arg(long, value_name = "BOOL|ATTRS")]
    pub sbom: Option<String>,
    /// Policies of sources: `disabled=true`, `strict=BOOL`, `log-level=LEVEL`.
    #[arg(long, value_name = "ATTRS")]
    pub policy: Vec<String>,
    /// What builds the targets.
    #[command(flatten)]
    pub executor: ExecutorArgs,
    /// How far to optimize.
    #[command(flatten)]
    pub optimize: OptimizeArgs,
    /// Build the other targets where one fails.
    #[arg(long)]
    pub keep_going: bool,
    /// Where base images come from.
    #[command(flatten)]
    pub images: ImageArgs,
}

impl BakeArgs {
    /// Whether targets are built.
    pub fn executes(&self) -> bool {
        self.print != Some(true)
            && self.list.is_none()
            && !self.explain
            && self.graph.is_none()
            && !self.check
            && self.call.as_deref().is_none_or(|call| matches!(rbc_bake::Call::parse(call), Ok(None)))
    }

    /// What is asked of the definitions, for these targets.
    pub fn request(&self, targets: Vec<String>) -> rbc_bake::Request {
        rbc_bake::Request {
            targets,
            set: self.set.clone(),
            push: self.push == Some(true),
            load: self.load == Some(true),
            call: if self.check { Some("check".to_owned()) } else { self.call.clone() },
            no_cache: self.no_cache,
            pull: self.pull,
            sbom: self.sbom.clone(),
            provenance: self.provenance.clone(),
            policy: self.policy.clone(),
        }
    }
}

/// True or false, as Go's flags take it.
fn truth(text: &str) -> Result<bool, String> {
    rbc_source::go_bool(text).ok_or_else(|| "it is `true` or `false`".to_owned())
}

fn list(text: &str) -> Result<(List, ListFormat), String> {
    rbc_bake::parse_list(text).map_err(|problem| problem.message.clone())
}
