//! The pages of `docs/codes`: each code has one, and each says what it should.

use rbc_render::{explain, pages};
use rbc_source::{CODES, Code, by_name};

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut wrong = Vec::new();
    for code in CODES.iter().copied().flatten() {
        let Some(page) = explain(code.id) else {
            wrong.push(format!("docs/codes/{}.md is missing", code.id));
            continue;
        };
        if let Err(why) = check(code, page.text) {
            wrong.push(format!("docs/codes/{}.md: {why}", code.id));
        }
    }
    for page in pages() {
        if by_name(page.id).is_none_or(|code| code.id != page.id) {
            wrong.push(format!("docs/codes/{}.md explains a code that there is not", page.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A page is a heading, what the code means, an example, and advice.
fn check(code: &Code, text: &str) -> Result<(), String> {
    let heading = format!("# {}: {}", code.id, code.name);
    let body = text.strip_prefix(&heading).and_then(|t| t.strip_prefix("\n\n"));
    let body = body.ok_or_else(|| format!("the heading is not `{heading}`"))?;
    let parts: Vec<&str> = body.split("```").collect();
    if parts.len().is_multiple_of(2) {
        return Err("a fenced block is not closed".to_owned());
    }
    let [meaning, example, .., last] = &parts[..] else {
        return Err("there is no example in a fenced block".to_owned());
    };
    if meaning.trim().is_empty() || example.trim().is_empty() {
        return Err("there is no meaning before the first example".to_owned());
    }
    if parts.len() < 5 && last.trim().is_empty() {
        return Err("there is no advice behind the first example".to_owned());
    }
    for info in parts.iter().skip(1).step_by(2).filter_map(|block| block.lines().next()) {
        let mut words = info.split([',', ' ']); // attributes of the build may follow
        let (language, mark) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let known = ["", "error", "warning", "ok"].contains(&mark);
        if !known || (language == "dockerfile" && mark.is_empty()) {
            return Err(format!("`{info}` is no mark of a block: write `dockerfile,error`, `,warning` or `,ok`"));
        }
    }
    Ok(())
}
