//! The flags of `rbc image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::RegistryArgs;

/// `rbc image`.
#[derive(Clone, Debug, Subcommand)]
pub enum ImageCommand {
    /// Show an image: what it is, and for which platforms it exists.
    Inspect(InspectImageArgs),
    /// Make one image of several, for the platforms of all of them.
    ///
    /// The rules are those of `docker buildx imagetools create`.
    Create(CreateImageArgs),
    /// Copy an image, with all platforms and what is attached to them.
    Copy(CopyImageArgs),
}

/// `rbc image inspect`.
#[derive(Args, Clone, Debug)]
pub struct InspectImageArgs {
    /// A reference, or `oci-layout://DIR[:TAG]`.
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Go template for what is shown: of `.Name`, `.Manifest` and `.Image` (its config; if there are several, by platform), and
    /// `json`; or the word `json` for all of it.
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "raw")]
    pub format: Option<String>,
    /// Show the manifest or index as it is.
    #[arg(long)]
    pub raw: bool,
    /// Registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `rbc image create`.
#[derive(Args, Clone, Debug)]
pub struct CreateImageArgs {
    /// Images: references, digests in the repository of the others, or `oci-layout://DIR[:TAG]`.
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// The name of the new image, in a registry or as `oci-layout://DIR[:TAG]`.
    #[arg(short, long = "tag", value_name = "NAME")]
    pub tags: Vec<String>,
    /// Add to the image that has the first of the names.
    #[arg(long)]
    pub append: bool,
    /// Annotate it: `[index|manifest-descriptor[PLATFORM]:]KEY=VALUE`.
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    pub annotations: Vec<String>,
    /// Print the index that would be made, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Read the descriptor of a source from a file.
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Of a single source that is no index, make an index all the same.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub prefer_index: bool,
    /// Take only these platforms.
    #[arg(short, long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub platforms: Vec<String>,
    /// Write what was made to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// Registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `rbc image copy`.
#[derive(Args, Clone, Debug)]
pub struct CopyImageArgs {
    /// The image: a reference, or `oci-layout://DIR[:TAG]`.
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// Its new names.
    #[arg(value_name = "DESTINATION", required = true)]
    pub destinations: Vec<String>,
    /// Take only these platforms.
    #[arg(short, long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub platforms: Vec<String>,
    /// Registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
