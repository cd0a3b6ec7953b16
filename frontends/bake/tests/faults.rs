//! What is wrong is said once, at its place.

mod machine;

use machine::Machine;
use rbc_bake::{Environment, Request, parse};
use rbc_source::Sources;
use std::collections::BTreeMap;

/// The findings of a bake file: line, text that is marked, message.
fn faults(text: &str) -> Vec<(usize, String, String)> {
    let mut sources = Sources::new();
    let id = sources.add("docker-bake.hcl", text.to_owned());
    let file = sources.get(id).clone();
    let env = Environment::new(BTreeMap::new(), "linux/amd64").expect("an environment");
    let request = Request { targets: vec!["app".into()], ..Request::default() };
    let planned = parse(&[&file], &request, &env, &Machine);
    let shown = |d: &rbc_source::Diagnostic| match &d.primary {
        Some(label) => {
            let line = file.line_of(label.span.start as usize) + 1;
            (line, file.slice(label.span).to_owned(), d.message.clone())
        }
        None => (0, String::new(), d.message.clone()),
    };
    planned.diagnostics.iter().map(shown).collect()
}

#[test]
fn habits_of_other_languages() {
    for (text, line, marked, message) in [
        ("target \"app\" {\n  target = \"a\";\n}\n", 2, ";", "a line is not ended by `;`"),
        ("target \"app\" {\n  target = $NAME\n}\n", 2, "$NAME", "a variable is written without `$`"),
        ("target \"app\" {\n  target \"a\"\n}\n", 2, "\"a\"", "`target` is neither set with `=` nor a block"),
        ("target \"app\" {\n  target = \"${NAME\"\n}\n", 2, "${", "this `${` is not closed"),
        ("target \"${x}\" {\n}\n", 1, "\"${x}\"", "the name of a block is a plain text"),
    ] {
        let found = faults(text);
        let [(at, what, said)] = &found[..] else { panic!("{text}: {found:?}") };
        assert_eq!((*at, &**what), (line, marked), "{text}: {said}");
        assert!(said.starts_with(message), "{text}: {said}");
    }
}

#[test]
fn what_follows_from_a_fault_is_not_another() {
    // The group's member, the parent and the function are there, only not understood.
    let broken = "function \"f\" {\n  params = [a]\n  result = b\n}\ntarget \"app\" {\n  target = f(1)\n}\n";
    let found = faults(broken);
    assert_eq!(found.len(), 1, "{found:?}");
    let hidden = "target \"app\" {\n  inherits = [\"base\"]\n}\ntarget \"base\" {\n  target = = 1\n}\n";
    let found = faults(hidden);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, 5);
}
