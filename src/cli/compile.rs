//! `rbc compile`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use rbc_ast::check::CheckConfig;
use rbc_source::{Diagnostic, SourceFile, lower};

use super::args::{Call, CompileArgs, Emit, EmitKind, Method};
use super::host::{World, lock_path, read_lock};
use super::messages::Messages;
use super::project::Project;
use super::{Failure, dump, optimizing, write_output};
use crate::{Compiled, Frontend, Output, Purpose, call, compile};

/// Runs the command.
pub fn run(args: &CompileArgs, messages: &Messages) -> Result<(), Failure> {
    let mut project = Project::load(&args.build)?;
    let fail = |project: &Project, found| Failure::new(&project.sources, found);
    let call = args.call.or(args.check.then_some(Call { method: Method::Check, json: false }));
    if let Some(call) = call.filter(|c| c.method != Method::Build) {
        return answer(call, args, &mut project);
    }
    let emits = emits(args).map_err(|e| fail(&project, vec![e]))?;
    // What needs no images is printed even where the rest fails.
    let file = project.sources.get(project.file).clone();
    let (early, late): (Vec<_>, Vec<_>) =
        emits.into_iter().partition(|e| matches!(e.kind, EmitKind::Tokens | EmitKind::Cst | EmitKind::Ast));
    for emit in &early {
        let text = match emit.kind {
            EmitKind::Tokens => dump::tokens(&file),
            EmitKind::Cst => dump::cst(&file),
            _ => dump::ast(&file),
        };
        write_output(emit.file.as_deref(), text.as_bytes())?;
    }
    if late.is_empty() {
        return Ok(());
    }
    let compiled = compile_project(args, &mut project, Purpose::Build)?;
    if !compiled.errors.is_empty() {
        return Err(fail(&project, compiled.warnings.into_iter().chain(compiled.errors).collect()));
    }
    messages.print(&project.sources, &compiled.warnings);
    let mut optimizer = optimizing::until(&args.optimize, rbc_ir::Level::Exact, args.emit_after);
    let outputs: Result<Vec<Output>, Diagnostic> =
        compiled.outputs.into_iter().map(|output| optimizer.run_output(output)).collect();
    let outputs = outputs?;
    optimizing::tell(&args.optimize, &optimizer, &project.sources, messages);
    if args.emit_after.is_some() {
        return Ok(write_output(None, optimizer.kept.join("\n").as_bytes())?);
    }
    for emit in &late {
        for output in &outputs {
            let file = emit.file.as_deref().map(|f| file_of(f, output, outputs.len() > 1));
            if file.is_none() && emit.kind == EmitKind::Pb && outputs.len() > 1 {
                let found =
                    Diagnostic::new(lower::OPTION, "standard output takes one definition, and there is one a platform");
                return Err(found.note("name a file with `--output`: each platform gets one of its own").into());
            }
            write_output(file.as_deref(), &bytes(emit.kind, output))?;
        }
    }
    Ok(())
}

fn compile_project(args: &CompileArgs, project: &mut Project, purpose: Purpose) -> Result<Compiled, Failure> {
    let path = lock_path(&args.build, project);
    let lock = read_lock(&path, project).map_err(|f| Failure::new(&project.sources, f))?;
    let mut world = World::new(&args.build, project, lock).map_err(|f| Failure::new(&project.sources, f))?;
    Ok(compile(project.input(purpose), &mut world))
}

/// What to print, and where.
fn emits(args: &CompileArgs) -> Result<Vec<Emit>, Diagnostic> {
    let mut emits = args.emit.clone();
    if emits.is_empty() || args.output.is_some() {
        match emits.iter_mut().find(|e| e.file.is_none()) {
            Some(first) => first.file.clone_from(&args.output),
            None => emits.push(Emit { kind: EmitKind::Pb, file: args.output.clone() }),
        }
    }
    let binary_to_terminal = |e: &Emit| e.kind == EmitKind::Pb && e.file.is_none();
    if emits.iter().any(binary_to_terminal) && std::io::stdout().is_terminal() {
        let found = Diagnostic::new(lower::OPTION, "a definition is binary and standard output is a terminal");
        return Err(found.note("name a file with `--output`, pipe it on, or print text with `--emit llb`"));
    }
    Ok(emits)
}

/// The file of a platform's result: its name is put in front of the extension if there are several.
fn file_of(file: &Path, output: &Output, several: bool) -> PathBuf {
    let Some(platform) = output.platform.as_ref().filter(|_| several) else { return file.to_path_buf() };
    let name: String =
        platform.format_all().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    match file.extension() {
        Some(extension) => file.with_file_name(format!("{stem}.{name}.{}", extension.to_string_lossy())),
        None => file.with_file_name(format!("{stem}.{name}")),
    }
}

fn bytes(kind: EmitKind, output: &Output) -> Vec<u8> {
    let loaded = || rbc_wire::load(&output.emit().to_bytes());
    match kind {
        EmitKind::Pb => output.emit().to_bytes(),
        EmitKind::Image => output.image().into_bytes(),
        EmitKind::Ir => rbc_ir::text::print(&output.product.graph).into_bytes(),
        EmitKind::Model => dump::model(output).into_bytes(),
        // What was emitted can be loaded; were that not so, an empty text would tell.
        EmitKind::Json => loaded().map(|l| rbc_wire::to_json(&l)).unwrap_or_default().into_bytes(),
        EmitKind::Llb => loaded().map(|l| rbc_wire::to_text(&l)).unwrap_or_default().into_bytes(),
        EmitKind::Dot | EmitKind::Mermaid => {
            let picture = super::graph::of_outputs(std::slice::from_ref(output), rbc_picture::Options::default());
            let text = if kind == EmitKind::Dot { rbc_picture::dot(&picture) } else { rbc_picture::mermaid(&picture) };
            text.into_bytes()
        }
        EmitKind::Tokens | EmitKind::Cst | EmitKind::Ast => Vec::new(),
    }
}

/// Answers a question about the build.
fn answer(question: Call, args: &CompileArgs, project: &mut Project) -> Result<(), Failure> {
    let file = project.sources.get(project.file).clone();
    let frontend = project.frontend();
    let reply =
        reply(question, &file, frontend, |purpose| compile_project(args, project, purpose).map_err(|f| f.diagnostics));
    let reply = reply.map_err(|found| Failure::new(&project.sources, found))?;
    write_output(args.output.as_deref(), reply.text.as_bytes())?;
    if reply.clean { Ok(()) } else { Err(Failure::default()) }
}

/// The answer to a question about a build.
pub struct Reply {
    /// What is printed.
    pub text: String,
    /// Nothing is wrong with the build.
    pub clean: bool,
}

/// Answers a question about the build of a recipe, which is compiled if that is needed.
///
/// # Errors
/// The recipe is at fault, and that is not what was asked.
pub fn reply(
    question: Call,
    file: &SourceFile,
    frontend: &Frontend,
    compile: impl FnOnce(Purpose) -> Result<Compiled, Vec<Diagnostic>>,
) -> Result<Reply, Vec<Diagnostic>> {
    let fine = |text| Ok(Reply { text, clean: true });
    match question.method {
        Method::Targets => {
            let recipe = (frontend.parse)(file, &CheckConfig::default());
            if recipe.has_errors() {
                return Err(recipe.diagnostics);
            }
            fine(if question.json {
                call::pretty(&call::targets(file, &recipe.value))
            } else {
                call::targets_text(&recipe.value)
            })
        }
        Method::Outline => {
            let compiled = compile(Purpose::Outline)?;
            match compiled.outputs.first() {
                Some(output) if question.json => fine(call::pretty(&call::outline(file, &output.product.outline))),
                Some(output) => fine(call::outline_text(&output.product.outline)),
                None => Err(compiled.errors),
            }
        }
        Method::Build | Method::Check => {
            let compiled = compile(Purpose::Check)?;
            let error = compiled.errors.first();
            let clean = compiled.warnings.is_empty() && error.is_none();
            let text = match (question.json, clean) {
                (true, _) => call::pretty(&call::check(file, &compiled.warnings, error)),
                (false, true) => "Check complete, no warnings found.\n".to_owned(),
                (false, false) => call::check_text(file, &compiled.warnings, error),
            };
            Ok(Reply { text, clean })
        }
    }
}
