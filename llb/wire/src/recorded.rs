//! Every definition that the reference frontend was recorded to give: decoded and encoded, loaded and emitted, each must
//! come back byte for byte.
#![allow(clippy::disallowed_methods, reason = "the recorded cases are files")]

use std::path::PathBuf;

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

/// Calls `f` with each recorded case and the bytes of each of its definitions.
fn each(mut f: impl FnMut(&serde_json::Value, &[u8])) -> usize {
    let Some(folder) = folder() else {
        println!("the recorded cases are not here");
        return 0;
    };
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            for result in case["results"].as_array().into_iter().flatten() {
                f(&case, &base64(result["pb"].as_str().unwrap_or_default()));
                count += 1;
            }
        }
    }
    count
}

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
    let count = each(|case, bytes| {
        let definition = pb::Definition::decode(bytes).unwrap();
        assert_eq!(definition.encode_to_vec(), bytes, "{}", case["id"]);
        for op in &definition.def {
            assert_eq!(pb::Op::decode(op.as_ref()).unwrap().encode_to_vec(), *op, "{}", case["id"]);
        }
    });
    println!("{count} definitions");
}

#[test]
fn loaded_and_emitted() {
    each(|case, bytes| {
        let loaded = load(bytes).unwrap();
        assert_eq!(loaded.renamed(), [], "{}", case["id"]);
        let emitted = Emitter::new(&loaded.graph, Order::Listed).emit(loaded.graph.roots[0].result);
        assert!(emitted.to_bytes() == bytes, "{}", case["id"]);
    });
}

/// The walk is the reference's own, so no order needs to be kept from the definition.
#[test]
fn walked_as_the_reference_does() {
    each(|case, bytes| {
        let mut graph = load(bytes).unwrap().graph;
        for id in 0..graph.len() as u32 {
            graph.node_mut(NodeId(id)).pinned.clear();
        }
        assert!(emit(&graph, graph.roots[0].result).to_bytes() == bytes, "{}", case["id"]);
    });
}

#[test]
fn capabilities_follow_from_the_ops() {
    each(|case, bytes| {
        let disabled = case["opts"]["disabledCaps"].as_array().into_iter().flatten().filter_map(|c| c.as_str());
        let target = CapSet::all().without(disabled);
        for (_, node) in load(bytes).unwrap().graph.iter() {
            let mut meta = Meta { linux_resources: node.meta.linux_resources.clone(), ..Meta::default() };
            require(&node.op, &mut meta, &target);
            assert_eq!(meta.caps, node.meta.caps, "{}: {:?}", case["id"], node.op);
        }
    });
}
