//! `rbc lock`.

use rbc_registry::Lock;

use super::Failure;
use super::args::LockArgs;
use super::host::{World, lock_path, read_lock};
use super::messages::Messages;
use super::project::Project;
use crate::{Purpose, compile};

/// Runs the command: compiles, and writes down every image that compiling asked for.
pub fn run(args: &LockArgs, messages: &Messages) -> Result<(), Failure> {
    let mut project = Project::load(&args.build)?;
    let path = lock_path(&args.build, &project);
    let fail = |project: &Project, found| Failure::new(&project.sources, found);
    let known = if args.update { None } else { read_lock(&path, &mut project).map_err(|f| fail(&project, f))? };
    let mut world = World::new(&args.build, &mut project, known).map_err(|f| fail(&project, f))?;
    let compiled = compile(project.input(Purpose::Build), &mut world);
    if !compiled.errors.is_empty() {
        return Err(fail(&project, compiled.errors));
    }
    let mut lock = Lock::new();
    for (request, image) in world.seen {
        lock.insert(&request.reference, &request.platform, image.digest, image.config)
            .map_err(|e| fail(&project, vec![*e]))?;
    }
    lock.save(&path).map_err(|e| fail(&project, vec![*e]))?;
    messages.say(&format!("{}: {} images", path.display(), lock.len()));
    Ok(())
}
