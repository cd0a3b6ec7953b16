//! Every definition that the reference frontend was recorded to give: decoded and encoded, loaded and emitted, each must
//! come back byte for byte.
#![allow(clippy::disallowed_methods, reason = "the recorded cases are files")]

use std::path::PathBuf;
use std::sync::LazyLock;

use prost::Message;

use rbc_ir::caps::require;
use rbc_ir::{CapSet, Meta, NodeId};

use crate::{Emitter, Order, emit, load, pb};

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("RBC_CONFORMANCE").map(PathBuf::from);
    let found = || {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().map(|dir| dir.join("shared/conformance")).find(|dir| dir.is_dir())
    };
    given.or_else(found).map(|dir| dir.join("dockerfile/cases")).filter(|dir| dir.is_dir())
}

struct Recorded {
    case: String,
    disabled: Vec<String>,
    bytes: Vec<u8>,
}

/// Every definition, read once for all tests; none if the recorded cases are not here.
static RECORDED: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let Some(folder) = folder() else {
        println!("the recorded cases are not here");
        return all;
    };
    for file in std::fs::read_dir(folder).unwrap() {
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let disabled = case["opts"]["disabledCaps"].as_array().into_iter().flatten();
            let disabled: Vec<String> = disabled.filter_map(|c| Some(c.as_str()?.to_owned())).collect();
            for result in case["results"].as_array().into_iter().flatten() {
                let bytes = base64(result["pb"].as_str().unwrap_or_default());
                all.push(Recorded { case: case["id"].to_string(), disabled: disabled.clone(), bytes });
            }
        }
    }
    println!("{} definitions", all.len());
    all
});

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let digits = group.iter().filter_map(|c| DIGITS.iter().position(|d| d == c));
        let (bits, n) = digits.fold((0, 0), |(bits, n), digit| (bits << 6 | digit as u32, n + 1));
        bytes.extend(&(bits << (6 * (4 - n)) << 8).to_be_bytes()[..(n * 6 / 8) as usize]);
    }
    bytes
}

#[test]
fn decoded_and_encoded() {
    for Recorded { case, bytes, .. } in RECORDED.iter() {
        let definition = pb::Definition::decode(&bytes[..]).unwrap();
        assert!(definition.encode_to_vec() == *bytes, "{case}");
        for op in &definition.def {
            assert!(pb::Op::decode(op.as_ref()).unwrap().encode_to_vec() == *op, "{case}");
        }
    }
}

#[test]
fn loaded_and_emitted() {
    for Recorded { case, bytes, .. } in RECORDED.iter() {
        let loaded = load(bytes).unwrap();
        assert_eq!(loaded.renamed(), [], "{case}");
        let emitted = Emitter::new(&loaded.graph, Order::Listed).emit(loaded.graph.roots[0].result);
        assert!(emitted.to_bytes() == *bytes, "{case}");
    }
}

/// The walk is the reference's own, so no order needs to be kept from the definition.
#[test]
fn walked_as_the_reference_does() {
    for Recorded { case, bytes, .. } in RECORDED.iter() {
        let mut graph = load(bytes).unwrap().graph;
        for id in 0..graph.len() as u32 {
            graph.node_mut(NodeId(id)).pinned.clear();
        }
        assert!(emit(&graph, graph.roots[0].result).to_bytes() == *bytes, "{case}");
    }
}

#[test]
fn capabilities_follow_from_the_ops() {
    for Recorded { case, disabled, bytes } in RECORDED.iter() {
        let target = CapSet::all().without(disabled);
        for (_, node) in load(bytes).unwrap().graph.iter() {
            let mut meta = Meta { linux_resources: node.meta.linux_resources.clone(), ..Meta::default() };
            require(&node.op, &mut meta, &target);
            assert_eq!(meta.caps, node.meta.caps, "{case}: {:?}", node.op);
        }
    }
}
