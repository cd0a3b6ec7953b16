//! `rbc build`, and what all commands that build share.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use rbc_bake::{Rights, forms};
use rbc_buildkit::Frontend as Image;
use rbc_local::{Cancel, Config, Executor, Store};
use rbc_source::{Diagnostic, Sources, environment, execute, lower};

use super::args::{BuildCommand, OnError, ProgressStyle, ResultArgs, RunArgs};
use super::engine::{self, Engine};
use super::host::{World, lock_path, read_lock};
use super::messages::Messages;
use super::progress::Display;
use super::project::Project;
use super::{Failure, optimizing, write_output};
use crate::build::{self, Allow, Annotations, Built, Export, Failed, Form, Job, Place, Subject};
use crate::{Frontend, Purpose, compile};

/// Runs the command.
pub fn run(args: &BuildCommand, messages: &Messages) -> Result<(), Failure> {
    let mut project = Project::load(&args.build)?;
    let fail = |project: &Project, found| Failure::new(&project.sources, found);
    let mut job = job(&args.result, &args.run)?;
    let path = lock_path(&args.build, &project);
    let lock = read_lock(&path, &mut project).map_err(|f| fail(&project, f))?;
    let mut world = World::new(&args.build, &mut project, lock).map_err(|f| fail(&project, f))?;
    let builder = engine::builder(&args.run.executor, &args.build.platform)?;
    job.frontend = frontend(args, &project, builder.is_some())?;
    if job.frontend.is_none() {
        let compiled = compile(engine::input(project.input(Purpose::Build), builder.as_ref())?, &mut world);
        if !compiled.errors.is_empty() {
            return Err(fail(&project, compiled.warnings.into_iter().chain(compiled.errors).collect()));
        }
        messages.print(&project.sources, &compiled.warnings);
        job.outputs = compiled.outputs;
    }
    job.locals = project.locals.clone();
    job.layouts = project.layouts.clone();
    job.archives.clone_from(&args.build.images.oci_layouts);
    let style = if args.result.quiet { ProgressStyle::Quiet } else { args.run.executor.progress };
    let (engine, cancel) = engine::open(&args.run.executor, builder, world.client.clone())?;
    let display = Display::new(style);
    let mut optimizer = optimizing::optimizer(&args.run.optimize, rbc_ir::Level::Layers);
    let outcome = engine.run(std::slice::from_mut(&mut job), &mut optimizer, &display, &cancel);
    drop(display);
    optimizing::tell(&args.run.optimize, &optimizer, &project.sources, messages);
    let built = outcome.map_err(|failed| failure(failed, &args.run, &engine, &cancel, &project.sources, messages))?;
    finish(&args.result, &args.run, &job, built.into_iter().next().unwrap_or_default(), &engine, messages)
}

/// The image that compiles the recipe where it is built, if one is to.
fn frontend(args: &BuildCommand, project: &Project, elsewhere: bool) -> Result<Option<Image>, Diagnostic> {
    let (source, cmdline) = match &args.frontend_image {
        Some(image) if elsewhere => (image.clone(), image.clone()),
        Some(image) => {
            let found = option(format!("the frontend `{image}` is an image, which only a builder runs"));
            return Err(found.note("name a builder with `--builder`"));
        }
        None if !elsewhere || args.build.frontend.is_some() => return Ok(None),
        None => match Frontend::foreign(project.sources.get(project.file)) {
            Some(line) => line,
            None => return Ok(None),
        },
    };
    let mut attrs = project.attrs.clone();
    attrs.insert("source".to_owned(), source);
    attrs.insert("cmdline".to_owned(), cmdline);
    Ok(Some(Image { name: "gateway.v0".to_owned(), attrs }))
}

/// Opens the executor of a store, which is the user's own if none is named.
///
/// # Errors
/// The store cannot be opened.
pub fn open_store(store: Option<&Path>, config: Config) -> Result<Executor, Diagnostic> {
    let store = store.map(Path::to_path_buf).or_else(Store::default_path).ok_or_else(|| {
        Diagnostic::new(execute::STORE, "there is no directory for the store: neither XDG_DATA_HOME nor HOME is set")
            .note("name one with `--store`")
    })?;
    Executor::open(&store, config).map_err(|e| *e)
}

/// What to tell of a failed build, after the user had a shell where it failed if that was asked for.
pub fn failure(
    failed: Failed,
    args: &RunArgs,
    engine: &Engine,
    cancel: &Cancel,
    sources: &Sources,
    messages: &Messages,
) -> Failure {
    // Of what the user stopped, everything else is a consequence.
    if cancel.is_cancelled() {
        return Diagnostic::new(execute::CANCELLED, "the build was cancelled").into();
    }
    let (Some((scene, session)), Engine::Here(executor)) = (failed.at, engine) else {
        return Failure::new(sources, failed.diagnostics);
    };
    let mut found = failed.diagnostics;
    if args.on_error == OnError::Stop {
        if let Some(first) = found.first_mut() {
            first.notes.push("`--on-error=shell` opens a shell where it failed".to_owned());
        }
        return Failure::new(sources, found);
    }
    messages.print(sources, &found);
    messages.say("a shell where it failed; what is changed there is lost:");
    match executor.shell(&scene, &session) {
        // Everything is said; only the status is left.
        Ok(()) => Failure { sources: Sources::new(), diagnostics: Vec::new() },
        Err(e) => Failure::from(*e.diagnostic),
    }
}

/// What flags say about a build beside its recipe.
///
/// # Errors
/// A flag has a value that cannot be, or a file that it names cannot be read.
pub fn job(args: &ResultArgs, run: &RunArgs) -> Result<Job, Diagnostic> {
    let mut job = Job { allow: allow(&run.allow)?, ..Job::default() };
    for tag in &args.tags {
        job.names.push(build::name_of(tag)?);
    }
    job.annotations = annotations(&args.annotations)?;
    job.exports = exports(args)?;
    // Whoever wants to know the id of the image wants one, wherever it goes.
    let named = args.iidfile.is_some() || args.quiet || run.metadata_file.is_some() || !job.names.is_empty();
    if job.exports.is_empty() && named {
        job.exports.push(Export::new(Form::Image { push: false, by_digest: false }));
    }
    for cache in caches(&args.cache_from, "--cache-from")? {
        job.cache_from.push(build::cache_from(&cache)?);
        job.asked.from.push(cache);
    }
    for cache in caches(&args.cache_to, "--cache-to")? {
        job.cache_to.push(build::cache_to(&cache)?);
        job.asked.to.push(cache);
    }
    for (flag, value) in [("--provenance", &args.provenance), ("--sbom", &args.sbom)] {
        // A promise that is not kept would be worse than none.
        if value.as_deref().is_some_and(|value| rbc_source::go_bool(value) != Some(false)) {
            return Err(option(format!("attestations are not made here: `{flag}` can only be `false`")));
        }
    }
    for text in &args.secrets {
        let secret = forms::secret(text).map_err(|why| option(format!("`--secret {text}`: {why}")))?;
        if let Some((id, value)) = read_secret(&secret)? {
            job.secrets.insert(id, value);
        }
    }
    for text in &args.ssh {
        let (id, socket) = read_ssh(&forms::ssh(text))?;
        job.ssh.insert(id, socket);
    }
    Ok(job)
}

/// The caches of a flag.
///
/// # Errors
/// If one is not well formed.
pub fn caches(texts: &[String], flag: &str) -> Result<Vec<rbc_ast::plan::Cache>, Diagnostic> {
    let mut caches = Vec::new();
    for text in texts {
        caches.extend(forms::caches(text).map_err(|why| option(format!("`{flag} {text}`: {why}")))?);
    }
    Ok(caches)
}

fn option(message: String) -> Diagnostic {
    Diagnostic::new(lower::OPTION, message)
}

/// What `--allow` says.
///
/// # Errors
/// It names no right.
pub fn allow(flags: &[String]) -> Result<Allow, Diagnostic> {
    let rights = Rights::parse(flags).map_err(|e| *e)?;
    Ok(Allow { network_host: rights.network_host, insecure: rights.security_insecure })
}

fn annotations(texts: &[String]) -> Result<Annotations, Diagnostic> {
    let mut annotations = Annotations::default();
    for text in texts {
        annotations.add(text, Subject::OF_BUILD)?;
    }
    Ok(annotations)
}

/// What `--output`, `--push` and `--load` say together: the last two stand for an output, or say more about one.
fn exports(args: &ResultArgs) -> Result<Vec<Export>, Diagnostic> {
    let mut exports = Vec::new();
    for text in &args.outputs {
        let output = forms::output(text).map_err(|why| option(format!("`--output {text}`: {why}")))?;
        exports.push(Export::read(&output)?);
    }
    if args.push {
        let image = exports.iter_mut().find_map(|export: &mut Export| match &mut export.form {
            Form::Image { push, .. } => Some(push),
            _ => None,
        });
        match image {
            Some(push) => *push = true,
            None => exports.push(Export::new(Form::Image { push: true, by_digest: false })),
        }
    }
    if args.load && !exports.iter().any(|export| export.form == Form::Load) {
        exports.push(Export::new(Form::Load));
    }
    let to_stdout = exports.iter().filter(|export| {
        matches!(&export.form, Form::Tar(Place::Stdout) | Form::Oci(Place::Stdout) | Form::Docker(Place::Stdout))
    });
    match to_stdout.count() {
        0 => {}
        1 if args.quiet => return Err(option("`--quiet` prints the id to where an output goes".to_owned())),
        1 if std::io::stdout().is_terminal() => {
            let found = option("an archive is binary and standard output is a terminal".to_owned());
            return Err(found.note("name a file with `dest=`, or pipe it on"));
        }
        1 => {}
        _ => return Err(option("two outputs cannot go to standard output".to_owned())),
    }
    Ok(exports)
}

/// A secret's value; none if it is to come from a variable that is not set.
///
/// # Errors
/// Its file cannot be read.
pub fn read_secret(secret: &rbc_ast::plan::Secret) -> Result<Option<(String, Vec<u8>)>, Diagnostic> {
    let id = match &*secret.id {
        "" if !secret.env.is_empty() => secret.env.to_string(),
        "" => return Err(option("a secret has no id; write `id=NAME`".to_owned())),
        id => id.to_owned(),
    };
    if !secret.env.is_empty() {
        return Ok(std::env::var_os(&*secret.env).map(|v| (id, std::os::unix::ffi::OsStringExt::into_vec(v))));
    }
    if secret.src.is_empty() {
        // As buildx: the variable of the same name, else the file.
        if let Some(value) = std::env::var_os(&id) {
            return Ok(Some((id, std::os::unix::ffi::OsStringExt::into_vec(value))));
        }
    }
    let path = if secret.src.is_empty() { PathBuf::from(&id) } else { home(&secret.src) };
    let value = std::fs::read(&path).map_err(|e| {
        Diagnostic::new(environment::READ, format!("the secret `{id}` cannot be read from `{}`: {e}", path.display()))
    })?;
    Ok(Some((id, value)))
}

/// A path in which `~` is the home directory.
fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// The socket of an ssh agent.
///
/// # Errors
/// There is none.
pub fn read_ssh(ssh: &rbc_ast::plan::Ssh) -> Result<(String, PathBuf), Diagnostic> {
    use std::os::unix::fs::FileTypeExt as _;
    let id = if ssh.id.is_empty() { "default" } else { &ssh.id };
    let socket = match &ssh.paths[..] {
        [] => std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).ok_or_else(|| {
            option(format!("the ssh agent `{id}` has no socket: SSH_AUTH_SOCK is not set"))
                .note("name one: `--ssh ID=SOCKET`")
        })?,
        [path] => home(path),
        _ => return Err(option(format!("the ssh agent `{id}` is one socket, and there are several paths"))),
    };
    match std::fs::metadata(&socket) {
        Ok(found) if found.file_type().is_socket() => Ok((id.to_owned(), socket)),
        Ok(_) => Err(option(format!("`{}` is no socket of an ssh agent", socket.display()))
            .note("keys are not read; add them to an agent with `ssh-add`")),
        Err(e) => Err(Diagnostic::new(environment::READ, format!("`{}`: {e}", socket.display()))),
    }
}

/// Tells what was made, in the ways that were asked for.
///
/// # Errors
/// A file cannot be written.
pub fn finish(
    args: &ResultArgs,
    run: &RunArgs,
    job: &Job,
    built: Built,
    engine: &Engine,
    messages: &Messages,
) -> Result<(), Failure> {
    let id = built.id.clone();
    if let Some(file) = &args.iidfile {
        let missing = || option("`--iidfile` asks for the id of an image, and no output is one".to_owned());
        write_output(Some(file), id.clone().ok_or_else(missing)?.as_bytes())?;
    }
    if let Some(file) = &run.metadata_file {
        let json = serde_json::to_vec_pretty(&built.metadata).unwrap_or_default();
        write_output(Some(file), &json)?;
    }
    if args.quiet {
        return Ok(write_output(None, id.map(|id| format!("{id}\n")).unwrap_or_default().as_bytes())?);
    }
    let stays = |export: &Export| matches!(export.form, Form::Cache | Form::Image { push: false, .. });
    if job.exports.iter().all(stays) && run.executor.progress != ProgressStyle::Quiet {
        messages.say(&where_it_is(&built, engine));
    }
    Ok(())
}

/// Where a result is that goes nowhere.
fn where_it_is(built: &Built, engine: &Engine) -> String {
    let store = match engine {
        Engine::Here(executor) => format!("the store {}", executor.store().root().display()),
        Engine::There(builder, _) => format!("the builder {}", builder.first().endpoint()),
    };
    match built.images.first() {
        Some((made, names)) => {
            let names: Vec<String> = names.iter().map(rbc_oci::Reference::familiar).collect();
            let called = if names.is_empty() { String::new() } else { format!(" {}", names.join(", ")) };
            format!(
                "the image{called} ({}) stays in {store}; `--output`, `--push` and `--load` bring it elsewhere",
                made.top.digest
            )
        }
        None => format!("the result stays in {store}; `--output`, `--push` and `--load` bring it elsewhere"),
    }
}
