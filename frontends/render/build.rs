//! Lists the pages of `docs/codes`, so that a new one needs no entry anywhere.

#![allow(clippy::disallowed_methods, reason = "a build script reads and writes files")]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(&pages)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "md") {
            ids.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
        }
    }
    ids.sort_unstable(); // they are searched by halves
    let page = |id: &String| {
        let path = pages.join(format!("{id}.md"));
        format!("    Page {{ id: {id:?}, text: include_str!({path:?}) }},\n")
    };
    let table: String = ids.iter().map(page).collect();
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("pages.rs"), format!("&[\n{table}]"))?;
    Ok(())
}
