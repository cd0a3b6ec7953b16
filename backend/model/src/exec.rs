//! Commands: functions of what they can see, of which nothing else is known.

use std::collections::HashMap;
use std::sync::Arc;

use rbc_ir::random::{NAMES, Rng};
use rbc_ir::{Exec, MountKind};

use crate::tree::{Attr, Draft, Node, ROOT, Try, fail, parts, resolve};
use crate::world::number;
use crate::{Layer, State};

/// Runs a command: it looks at everything that is mounted, and depending on that writes to what it can write to.
pub(crate) fn run(exec: &Exec, inputs: &[State]) -> Try<HashMap<u32, State>> {
    let mut seen = Vec::new();
    let mut roots = Vec::new();
    for (mount, state) in exec.mounts.iter().zip(inputs) {
        let root = resolve(&state.tree, &parts(&mount.selector), true)?;
        let Some(node) = state.tree.get(&root) else { return fail("what is to be mounted is not there") };
        let content = if mount.kind == MountKind::Bind { number(node) } else { 0 };
        seen.push((&mount.dest, mount.readonly, format!("{:?}", mount.kind), content));
        roots.push(root);
    }
    let about = (&exec.meta, exec.network, exec.security, &exec.secret_env, &seen);
    let seed = number(about);
    let mut outputs = HashMap::new();
    for ((mount, state), root) in exec.mounts.iter().zip(inputs).zip(&roots) {
        let Some(output) = mount.output.filter(|_| mount.kind == MountKind::Bind) else { continue };
        if mount.readonly {
            outputs.insert(output, state.clone());
            continue;
        }
        let mut draft = Draft::new(Arc::clone(&state.tree));
        let mut rng = Rng::new(number((seed, output)));
        for _ in 0..1 + rng.below(3) {
            // What cannot be done, the command leaves.
            let _ = write(&mut draft, root, &mut rng);
        }
        let number = number((seed, output, state.number()));
        outputs.insert(output, state.over(&[Layer { number, change: Arc::new(draft.change) }]));
    }
    Ok(outputs)
}

fn write(draft: &mut Draft, root: &[String], rng: &mut Rng) -> Try<()> {
    let mut path = root.to_vec();
    path.extend((0..1 + rng.below(3)).map(|_| NAMES[rng.below(NAMES.len())].to_owned()));
    let attr = Attr { mode: 0o640, uid: rng.below(2) as u32, gid: 0 };
    for depth in root.len() + 1..path.len() {
        match draft.tree.get(&path[..depth]) {
            Some(Node::Dir(_)) => {}
            Some(_) => return fail("in the way"),
            None => draft.make_dir(&path[..depth], ROOT)?,
        }
    }
    let there = draft.tree.get(&path).map(|node| node.dir().is_some());
    match (rng.below(8), there) {
        (0, Some(_)) => draft.remove(&path),
        (1, Some(_)) => draft.set_attr(&path, Attr { mode: 0o711, ..attr }),
        (2, None) => {
            let target = format!("/{}", NAMES[rng.below(NAMES.len())]);
            draft.put(&path, Node::Link { attr: Attr { mode: 0, ..attr }, target: target.into(), time: None })
        }
        (3, None) => draft.make_dir(&path, Attr { mode: 0o750, ..attr }),
        (_, Some(true)) => Ok(()),
        _ => draft.put(&path, Node::File { attr, data: rng.number().to_string().into(), time: None }),
    }
}
