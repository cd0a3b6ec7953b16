//! The corpus of the fuzz targets, and what can be made of it by small changes.

#[path = "../fuzz/targets.rs"]
pub mod targets;

use crate::harness::root;

/// The files of a target's corpus that are kept, by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("fuzz/corpus").join(target);
    let mut files = Vec::new();
    for entry in folder.read_dir().unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        files.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
    }
    files.sort();
    files
}

#[test]
fn the_corpus_holds() {
    for (name, target) in targets::TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for (file, data) in files {
            println!("{name}/{file}");
            target(&data);
        }
    }
}

#[test]
fn what_is_near_the_corpus_holds() {
    for (name, target) in targets::TARGETS {
        let mut random = 1_u32;
        let mut below = |n: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % n.max(1)
        };
        for (_, data) in corpus(name).iter().filter(|(_, data)| data.len() < 4_000) {
            for _ in 0..400 {
                let mut data = data.clone();
                for _ in 0..=below(3) {
                    let (at, to) = (below(data.len()), below(data.len()));
                    match below(4) {
                        0 => data.truncate(at),
                        1 if at < data.len() => data[at] = b"\n\\ \"'$<{}:=[],-#%/`\0\xff"[below(21)],
                        2 => drop(data.drain(at.min(to)..at.max(to))),
                        _ => data.extend_from_within(at.min(to)..at.max(to)),
                    }
                }
                target(&data);
            }
        }
    }
}
