//! Names of what a vertex gives, before it is known.
//!
//! - The *definition key* of a vertex is made of what it does and of the definition keys of its inputs; that of a source,
//!   of what it was found to be (the digest of an image, the contents of a directory). If it is known, nothing needs to be
//!   looked at, least of all the inputs.
//! - The *content key* is made of what it does and of what it sees of its inputs, once these are there: of parts that are
//!   only read, their contents; of the rest, which layers they are. So an input that was made anew and is the same makes
//!   no difference.

use std::collections::HashMap;

use rbc_wire::pb::{self, FileActionKind, OpKind};
use rbc_wire::{Digest, Emitted};

/// The bytes of the vertices of a graph, by their names.
pub(crate) struct Bytes(HashMap<Digest, pb::Op>);

impl Bytes {
    pub(crate) fn of(emitted: &Emitted) -> Bytes {
        let vertices = emitted.definition.def.iter();
        Bytes(vertices.filter_map(|b| Some((Digest::of(b), pb::Op::from_bytes(b)?))).collect())
    }

    /// The inputs of a vertex, as they stand in its bytes: vertex and output.
    pub(crate) fn inputs(&self, vertex: &Digest) -> Vec<(Digest, u32)> {
        let inputs = self.0.get(vertex).map_or(&[][..], |op| &op.inputs);
        let parse = |input: &pb::Input| Some((Digest::parse(&input.digest)?, u32::try_from(input.index).ok()?));
        inputs.iter().filter_map(parse).collect()
    }

    /// The definition key of a vertex that is no source.
    pub(crate) fn definition(&self, vertex: &Digest, inputs: &[Digest]) -> Digest {
        let op = self.0.get(vertex).cloned().unwrap_or_default();
        key("definition", op, inputs)
    }

    /// The content key of a vertex. `parts` says of which inputs only parts are seen.
    pub(crate) fn content(&self, vertex: &Digest, inputs: &[Digest], parts: &[bool]) -> Digest {
        let mut op = self.0.get(vertex).cloned().unwrap_or_default();
        let is_part = |index: i64| usize::try_from(index).ok().and_then(|i| parts.get(i)).copied().unwrap_or(false);
        match &mut op.op {
            Some(OpKind::Exec(exec)) => {
                for mount in exec.mounts.iter_mut().filter(|m| is_part(m.input)) {
                    mount.selector.clear();
                }
            }
            Some(OpKind::File(file)) => {
                for action in &mut file.actions {
                    if let Some(FileActionKind::Copy(copy)) = &mut action.action
                        && is_part(action.secondary_input)
                    {
                        // The last name may become that of the copy.
                        copy.src = rbc_context::path::base(&copy.src).to_owned();
                        copy.required_paths.clear();
                    }
                }
            }
            _ => {}
        }
        key("content", op, inputs)
    }
}

fn key(kind: &str, mut op: pb::Op, inputs: &[Digest]) -> Digest {
    // Which output of an input is used stays; which vertex it is of is said by its key.
    op.inputs.iter_mut().for_each(|input| input.digest.clear());
    // Who may run it does not change what it gives.
    op.constraints = None;
    if let Some(OpKind::Exec(exec)) = &mut op.op {
        if let Some(meta) = &mut exec.meta {
            meta.proxy_env = None;
            meta.extra_hosts.iter_mut().for_each(|host| host.ip.clear());
            meta.cgroup_parent.clear();
        }
        for cache in exec.mounts.iter_mut().filter_map(|m| m.cache_opt.as_mut()) {
            *cache = pb::CacheOpt::default();
        }
    }
    let mut bytes = format!("rbc-key 1 {kind}\n").into_bytes();
    bytes.extend(op.to_bytes());
    for input in inputs {
        bytes.extend(input.0);
    }
    Digest::of(&bytes)
}
