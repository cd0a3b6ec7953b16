//! What a vertex weighs in memory, as far as the recipe decides it.

use rbc_ir::{Action, Exec, FileAction, Meta, Op};

/// A vertex with nothing in it.
const VERTEX: usize = 128;

/// A string in a list, or a part of an op, with nothing in it.
pub(crate) const PART: usize = 48;

/// What a vertex weighs, in bytes.
pub(crate) fn of(op: &Op, meta: &Meta) -> usize {
    let op = match op {
        Op::Source(source) => source.identifier.len() + source.attrs.values().map(|v| PART + v.len()).sum::<usize>(),
        Op::Exec(op) => exec(op),
        Op::File(file) => file.actions.iter().map(action).sum(),
        _ => 0,
    };
    let texts: usize = meta.description.values().map(String::len).sum();
    let lines: usize = meta.locations.iter().map(|l| l.ranges.len()).sum();
    VERTEX + op + texts + lines * size_of::<rbc_ir::Range>()
}

fn list(list: &[String]) -> usize {
    list.iter().map(|s| PART + s.len()).sum()
}

fn exec(op: &Exec) -> usize {
    let mounts: usize = op.mounts.iter().map(|m| 2 * PART + m.dest.len() + m.selector.len()).sum();
    list(&op.meta.args) + list(&op.meta.env) + op.meta.cwd.len() + op.meta.user.len() + mounts
}

fn action(action: &FileAction) -> usize {
    let content = match &action.action {
        Action::Copy(copy) => {
            let patterns = [&copy.exclude_patterns, &copy.include_patterns, &copy.required_paths];
            patterns.map(|p| list(p)).iter().sum::<usize>() + copy.src.len() + copy.dest.len() + 4 * PART
        }
        Action::Mkfile(file) => file.path.len() + file.data.len(),
        Action::Mkdir(dir) => dir.path.len(),
        _ => 0,
    };
    2 * PART + content
}
