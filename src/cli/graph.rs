//! `rbc graph`.

use std::path::Path;

use rbc_ir::{Graph, NodeId, Root};
use rbc_picture::{Detail, Picture};
use rbc_source::{Diagnostic, lower};
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
        None => of_outputs(&compiled(args, messages)?, options),
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

fn compiled(args: &GraphArgs, messages: &Messages) -> Result<Vec<Output>, Failure> {
    let mut project = Project::load(&args.build)?;
    let fail = |project: &Project, found| Failure::new(&project.sources, found);
    let path = lock_path(&args.build, &project);
    let lock = read_lock(&path, &mut project).map_err(|f| fail(&project, f))?;
    let mut world = World::new(&args.build, &mut project, lock).map_err(|f| fail(&project, f))?;
    let compiled = compile(project.input(Purpose::Build), &mut world);
    if !compiled.errors.is_empty() {
        return Err(fail(&project, compiled.warnings.into_iter().chain(compiled.errors).collect()));
    }
    messages.print(&project.sources, &compiled.warnings);
    Ok(compiled.outputs)
}

/// The picture of a build that has one output, or one for each platform: what several need is in it once.
pub fn of_outputs(outputs: &[Output], options: rbc_picture::Options) -> Picture {
    let root = |output: &Output, result| Root {
        name: String::new(),
        platform: output.platform.as_ref().filter(|_| outputs.len() > 1).map(|p| rbc_ir::Platform {
            os: p.os.clone(),
            architecture: p.architecture.clone(),
            variant: p.variant.clone(),
            os_version: p.os_version.clone(),
            os_features: p.os_features.clone(),
        }),
        result,
    };
    if let [output] = outputs {
        return draw(&output.product.graph, &[root(output, output.product.result)], options);
    }
    let mut graph = Graph::new();
    let mut roots = Vec::with_capacity(outputs.len());
    for output in outputs {
        let result = output.product.result.map(|result| graph.graft(&output.product.graph, result));
        roots.push(root(output, result));
    }
    draw(&graph, &roots, options)
}

fn draw(graph: &Graph, roots: &[Root], options: rbc_picture::Options) -> Picture {
    let digests = digests(graph);
    rbc_picture::picture(graph, roots, &|id: NodeId| digests.get(id.index()).cloned(), options)
}

/// The name of each vertex.
fn digests(graph: &Graph) -> Vec<String> {
    let mut emitter = Emitter::new(graph, Order::Walk);
    (0..graph.len()).map(|i| emitter.digest(NodeId(i as u32)).to_string()).collect()
}
