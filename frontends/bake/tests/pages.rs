//! The examples of the pages in `docs` do what the pages say.
#![allow(clippy::disallowed_methods)] // reads the pages

mod machine;

use machine::Machine;
use rbc_bake::{Environment, Planned, Request, parse};
use rbc_source::{SourceFile, Sources};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The plan of a text, under a name that says what it is.
fn plan(name: &str, text: &str, targets: &[&str]) -> Planned {
    let mut sources = Sources::new();
    sources.add(name, text.to_owned());
    let files: Vec<Arc<SourceFile>> = sources.iter().cloned().collect();
    let files: Vec<&SourceFile> = files.iter().map(|f| &**f).collect();
    let env = Environment::new(BTreeMap::new(), "linux/amd64").expect("an environment");
    let request = Request { targets: targets.iter().map(|t| (*t).to_owned()).collect(), ..Request::default() };
    parse(&files, &request, &env, &Machine)
}

/// Codes that a text brings about when all of it is asked for.
fn codes(name: &str, text: &str) -> Vec<&'static str> {
    let mut planned = plan(name, text, &["*"]);
    let nothing = planned.plan.targets.is_empty() && planned.plan.groups.is_empty();
    planned.diagnostics.retain(|d| !(nothing && d.message.contains("matches `*`")));
    planned.diagnostics.iter().chain(&planned.elsewhere).map(|d| d.code.id).collect()
}

/// Fenced blocks of a page: their language and text.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

fn name_of(language: &str) -> Option<&'static str> {
    Some(match language {
        "hcl" => "docker-bake.hcl",
        "json" => "docker-bake.json",
        "yaml" => "compose.yaml",
        "text" => "bake",
        _ => return None,
    })
}

#[test]
fn pages_of_codes_hold_true() {
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes");
    let ids = (501..=512).chain(601..=614).map(|n| format!("E0{n}")).chain((601..=602).map(|n| format!("W0{n}")));
    for id in ids {
        let page = std::fs::read_to_string(format!("{pages}/{id}.md")).expect("every code has a page");
        for (info, text) in blocks(&page) {
            let Some((language, kind)) = info.split_once(',') else { continue };
            let found = codes(name_of(language).expect("a language of bake files"), text);
            match kind {
                "ok" => assert_eq!(found, [""; 0], "{id}\n{text}"),
                _ => assert!(found.contains(&&*id), "{id}: {found:?}\n{text}"),
            }
        }
    }
}

/// In `docs/bake.md`, the block behind one that is marked `prints` is what `--print` prints.
#[test]
fn examples_print_what_they_say() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/bake.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let blocks: Vec<_> = blocks(&page).collect();
    let mut checked = 0;
    for pair in blocks.windows(2) {
        let ([(info, text), ("json", want)], Some(language)) = (pair, pair[0].0.strip_suffix(",prints")) else {
            continue;
        };
        assert!(!info.is_empty());
        let planned = plan(name_of(language).expect("a language of bake files"), text, &[]);
        assert_eq!(planned.diagnostics, [], "{text}");
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(json(&rbc_bake::print(&planned.plan)), json(want), "{text}");
        checked += 1;
    }
    assert!(checked > 0);
}
