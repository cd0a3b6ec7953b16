//! `cargo xtask new-rule`: the page of a new diagnostic.

use std::path::Path;

/// Makes the page. The code itself goes into the area's table by hand, where its neighbours are.
pub fn run(id: &str, name: &str) -> Result<bool, String> {
    let known = rbc_source::by_name(id).or_else(|| rbc_source::by_name(name));
    if let Some(code) = known {
        return Err(format!("{} is {} already", code.id, code.name));
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/codes/{id}.md"));
    let text = format!(
        "# {id}: {name}\n\nWhat it means.\n\n```dockerfile,warning\nFROM scratch\n```\n\nWhat to write instead.\n\n```dockerfile,ok\nFROM scratch\n```\n"
    );
    std::fs::write(&page, text).map_err(|e| format!("{}: {e}", page.display()))?;
    println!("{} is there; now add {id} to its table in frontends/source/src/codes and report it", page.display());
    Ok(true)
}
