//! `rbc image`: images in registries and OCI layouts, without building any.

pub mod args;
mod create;
mod inspect;

use std::sync::Arc;

use rbc_oci::Platform;
use rbc_registry::Client;
use rbc_source::{Diagnostic, Sources, environment};

use self::args::ImageCommand;
use super::Failure;
use super::args::RegistryArgs;
use super::host::registry_client;
use super::messages::Messages;
use super::project::host_platform;

/// Runs the command.
pub fn run(command: &ImageCommand, messages: &Messages) -> Result<(), Failure> {
    match command {
        ImageCommand::Inspect(args) => inspect::run(args),
        ImageCommand::Create(args) => create::run(args, messages),
        ImageCommand::Copy(args) => create::copy(args, messages),
    }
}

fn client(args: &RegistryArgs) -> Result<Arc<Client>, Failure> {
    let mut sources = Sources::new();
    let client = registry_client(args.registry_config.as_deref(), false, &mut sources);
    let client = client.map_err(|found| Failure::new(&sources, found))?;
    Ok(client.ok_or_else(|| Diagnostic::new(environment::INTERNAL, "there is no client of registries"))?)
}

fn platforms(texts: &[String]) -> Result<Vec<Platform>, Diagnostic> {
    let here = host_platform();
    texts.iter().map(|text| Platform::parse(text, &here).map_err(|e| e.diagnostic(text))).collect()
}
