//! The examples of the pages in `docs` do what the pages say.
#![allow(clippy::disallowed_methods)] // reads the pages

use rbc_bake::{Environment, Found, Host, Request, evaluate};
use rbc_source::{SourceFile, Sources};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Machine;

impl rbc_hcl::Host for Machine {
    fn now(&self) -> i64 {
        0
    }
    fn home(&self) -> String {
        "/home/me".into()
    }
    fn random(&self) -> [u8; 16] {
        [0; 16]
    }
}

impl Host for Machine {
    fn find(&self, _path: &str) -> Found {
        Found::Nothing
    }
    fn read(&self, _path: &str) -> Option<String> {
        None
    }
}

/// Codes that a text brings about, under a name that says what it is.
fn codes(name: &str, text: &str) -> Vec<&'static str> {
    let mut sources = Sources::new();
    sources.add(name, text.to_owned());
    let files: Vec<Arc<SourceFile>> = sources.iter().cloned().collect();
    let files: Vec<&SourceFile> = files.iter().map(|f| &**f).collect();
    let env = Environment::new(BTreeMap::new(), "linux/amd64").expect("an environment");
    let definitions = evaluate(&files, &env, &Machine);
    if definitions.target_names().chain(definitions.group_names()).next().is_none() {
        return definitions.diagnostics().iter().map(|d| d.code.id).collect();
    }
    let planned = definitions.plan(&Request { targets: vec!["*".into()], ..Request::default() }, &env);
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
