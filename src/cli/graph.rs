//! `rbc graph`.

use std::path::Path;

use rbc_ir::{Graph, NodeId, Root};
use rbc_picture::{Detail, Picture};
use rbc_source::{Diagnostic, environment, lower};
use rbc_wire::{Emitter, Order};

use super::args::{GraphArgs, PictureDetail, PictureTheme};
use super::host::{World, lock_path, read_lock};
use super::messages::Messages;
use super::project::Project;
use super::{Failure, inspect, write_output};
use crate::{Output, Purpose, compile};

/// Runs the command.
pub fn run(args: &GraphArgs, messages: &Messages) -> Result<(), Failure> {
    let options = rbc_picture::Options {
        title: title(args),
        theme: match args.theme {
            PictureTheme::Auto => rbc_picture::Theme::Auto,
            PictureTheme::Light => rbc_picture::Theme::Light,
            PictureTheme::Dark => rbc_picture::Theme::Dark,
        },
        detail: match args.detail {
            PictureDetail::Steps => Detail::Steps,
            PictureDetail::Stages => Detail::Stages,
        },
        ..rbc_picture::Options::default()
    };
    let picture = match &args.definition {
        Some(file) => {
            let loaded = inspect::read(file)?;
            let digest = |id: NodeId| loaded.digests.get(id.index()).map(ToString::to_string);
            rbc_picture::picture(&loaded.graph, &loaded.graph.roots, &digest, options)
        }
        None => of_output(&compiled(args, messages)?, options),
    };
    let file = args.output.as_deref();
    Ok(write_output(file, written(&picture, file)?.as_bytes())?)
}

/// A picture in the form that the extension of a file says.
///
/// # Errors
/// It is of none.
pub fn written(picture: &Picture, file: Option<&Path>) -> Result<String, Diagnostic> {
    let extension = file.and_then(|f| f.extension()).map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        None | Some("svg") => Ok(rbc_picture::svg(picture)),
        Some("html" | "htm") => Ok(rbc_picture::html(picture)),
        Some("dot" | "gv") => Ok(rbc_picture::dot(picture)),
        Some("mmd" | "mermaid") => Ok(rbc_picture::mermaid(picture)),
        Some(other) => {
            let found = Diagnostic::new(lower::OPTION, format!("there is no picture of the kind `{other}`"));
            Err(found.note("the extension is svg, html, dot or mmd"))
        }
    }
}

fn title(args: &GraphArgs) -> String {
    match (&args.definition, &args.build.file) {
        (Some(file), _) => file.to_string_lossy().into_owned(),
        (None, Some(file)) => file.clone(),
        (None, None) => args.build.path.clone(),
    }
}

fn compiled(args: &GraphArgs, messages: &Messages) -> Result<Output, Failure> {
    let mut project = Project::load(&args.build)?;
    let fail = |project: &Project, found| Failure::new(&project.sources, found);
    let path = lock_path(&args.build, &project);
    let lock = read_lock(&path, &mut project).map_err(|f| fail(&project, f))?;
    let mut world = World::new(&args.build, &mut project, lock).map_err(|f| fail(&project, f))?;
    let mut compiled = compile(project.input(Purpose::Build), &mut world);
    if !compiled.errors.is_empty() {
        return Err(fail(&project, compiled.warnings.into_iter().chain(compiled.errors).collect()));
    }
    messages.print(&project.sources, &compiled.warnings);
    if compiled.outputs.len() > 1 {
        let found = Diagnostic::new(lower::OPTION, "a picture shows one platform, and there are several");
        return Err(found.note("choose one with `--platform`").into());
    }
    compiled.outputs.pop().ok_or_else(|| Diagnostic::new(environment::INTERNAL, "there is nothing to draw").into())
}

/// The picture of a compiled build.
pub fn of_output(output: &Output, options: rbc_picture::Options) -> Picture {
    let product = &output.product;
    let root = Root { name: String::new(), platform: None, result: product.result };
    let digests = digests(&product.graph);
    rbc_picture::picture(&product.graph, &[root], &|id: NodeId| digests.get(id.index()).cloned(), options)
}

/// The name of each vertex.
fn digests(graph: &Graph) -> Vec<String> {
    let mut emitter = Emitter::new(graph, Order::Walk);
    (0..graph.len()).map(|i| emitter.digest(NodeId(i as u32)).to_string()).collect()
}
