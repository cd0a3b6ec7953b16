//! Merging of services: one file on top of another, a service on top of the one that it extends.
//!
//! Lists of names and values may be written as mappings, and mappings as lists; merged they are lists, of which a later
//! entry takes the place of an earlier one of the same name. Afterwards every value has its one canonical form.

use rbc_source::{Diagnostic, bake as codes};
use rbc_yaml::{Data, Entries, Entry, Node, entry};
use std::collections::HashMap;
use std::collections::hash_map;

pub(super) type Fault = Box<Diagnostic>;

pub(super) fn fault(message: impl Into<String>, node: &Node) -> Fault {
    Box::new(Diagnostic::new(codes::COMPOSE, message).at(node.span))
}

/// Merges what has no rules of its own: mappings by key, lists end to end, of anything else the later counts.
fn merge_any(base: Node, over: Node) -> Result<Node, Fault> {
    let conflict = |base: &Node, over: &Node| {
        let message = format!("{} cannot be merged with {}", over.describe(), base.describe());
        let mut problem = *fault(message, over);
        if base.span != over.span {
            problem = problem.also(base.span, "it is merged with this");
        }
        Err(Box::new(problem.note("`!override` replaces the earlier value")))
    };
    match (base.data, over.data) {
        (base_data, Data::Null) => Ok(Node { data: base_data, ..base }),
        (Data::Map(mut own), Data::Map(more)) => {
            merge_entries(&mut own, more, |_, base, over| merge_any(base, over))?;
            Ok(Node { data: Data::Map(own), ..base })
        }
        (Data::List(mut own), Data::List(more)) => {
            own.extend(more);
            Ok(Node { data: Data::List(own), ..base })
        }
        (data @ (Data::Map(_) | Data::List(_)), other) => {
            conflict(&Node { data, ..base }, &Node { data: other, ..over })
        }
        (_, data) => Ok(Node { data, ..over }),
    }
}

pub(super) fn merge_entries(
    own: &mut Entries,
    more: Entries,
    mut merge: impl FnMut(&str, Node, Node) -> Result<Node, Fault>,
) -> Result<(), Fault> {
    for (name, over) in more {
        let merged = match own.remove(&name) {
            None => over,
            Some(base) => Entry { key: over.key, value: merge(&name, base.value, over.value)? },
        };
        own.insert(name, merged);
    }
    Ok(())
}

/// A service on top of another.
pub(super) fn merge_service(base: Node, over: Node) -> Result<Node, Fault> {
    match (base.data, over.data) {
        (Data::Map(mut own), Data::Map(more)) => {
            merge_entries(&mut own, more, |key, base, over| match key {
                "build" => merge_build(base, over),
                "environment" | "env_file" => Ok(in_sequence(base, over)),
                _ => merge_any(base, over),
            })?;
            Ok(Node { data: Data::Map(own), ..base })
        }
        (data, other) => merge_any(Node { data, ..base }, Node { data: other, ..over }),
    }
}

/// A secret on top of another.
pub(super) fn merge_secret(base: Node, over: Node) -> Result<Node, Fault> {
    merge_any(base, over)
}

fn merge_build(base: Node, over: Node) -> Result<Node, Fault> {
    if over.is_null() {
        return Ok(base);
    }
    let span = over.span;
    let mut own = long_build(base)?;
    merge_entries(&mut own, long_build(over)?, |key, base, over| match key {
        "args" | "additional_contexts" | "labels" => Ok(in_sequence(base, over)),
        "extra_hosts" => Ok(hosts(base, over)),
        _ => merge_any(base, over),
    })?;
    Ok(Node::new(span, Data::Map(own)))
}

/// The fields of a build, which may be written as the path of its context alone.
fn long_build(node: Node) -> Result<Entries, Fault> {
    match node.data {
        Data::Map(fields) => Ok(fields),
        Data::Text(_) => Ok([("context".into(), entry(node))].into()),
        _ => Err(fault(format!("`build` is a path or a mapping, not {}", node.describe()), &node)),
    }
}

/// Names and values as a list of `name=value`.
fn sequence(node: Node) -> Vec<Node> {
    match node.data {
        Data::List(list) => list,
        Data::Text(_) => vec![node],
        Data::Map(entries) => {
            let mut out = Vec::with_capacity(entries.len());
            for (name, Entry { value, .. }) in entries {
                let text = |value: &Node| {
                    let text = value.scalar().map_or(name.to_string(), |v| format!("{name}={v}"));
                    Node::text(value.span, text)
                };
                match &value.data {
                    Data::List(all) => out.extend(all.iter().map(text)),
                    _ => out.push(text(&value)),
                }
            }
            out.sort_by(|a, b| a.as_text().cmp(&b.as_text()));
            out
        }
        _ => Vec::new(),
    }
}

fn in_sequence(base: Node, over: Node) -> Node {
    let span = over.span;
    let mut list = sequence(base);
    list.extend(sequence(over));
    Node::new(span, Data::List(list))
}

fn hosts(base: Node, over: Node) -> Node {
    let span = over.span;
    let mut list = sequence(base);
    let known: std::collections::HashSet<_> = list.iter().map(Node::scalar).collect();
    let more: Vec<Node> = sequence(over).into_iter().filter(|n| !known.contains(&n.scalar())).collect();
    list.extend(more);
    Node::new(span, Data::List(list))
}

/// Lets a later entry of a list take the place of an earlier one of the same name.
fn keep_last(list: Vec<Node>) -> Result<Vec<Node>, Fault> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut out: Vec<Node> = Vec::with_capacity(list.len());
    for node in list {
        let name = match &node.data {
            Data::Text(text) => text.split('=').next().unwrap_or("").to_owned(),
            // A file of variables is known by its path.
            Data::Map(entries) => match entries.get("path").and_then(|e| e.value.as_text()) {
                Some(path) => path.to_string(),
                None => return Err(fault("a `path` is missing", &node)),
            },
            _ => return Err(fault(format!("a text is expected here, not {}", node.describe()), &node)),
        };
        match places.entry(name) {
            hash_map::Entry::Occupied(place) => out[*place.get()] = node,
            hash_map::Entry::Vacant(place) => {
                place.insert(out.len());
                out.push(node);
            }
        }
    }
    Ok(out)
}

fn take_list(entries: &mut Entries, key: &str) -> Result<(), Fault> {
    if let Some(entry) = entries.get_mut(key)
        && let Data::List(list) = &mut entry.value.data
    {
        *list = keep_last(std::mem::take(list))?;
    }
    Ok(())
}

/// Brings a service into its canonical form.
pub(super) fn canonical_service(service: &mut Node) -> Result<(), Fault> {
    let Some(entries) = service.as_map_mut() else { return Ok(()) };
    take_list(entries, "environment")?;
    take_list(entries, "env_file")?;
    if let Some(entry) = entries.get_mut("env_file") {
        canonical_env_file(&mut entry.value)?;
    }
    if let Some(entry) = entries.get_mut("build") {
        let span = entry.value.span;
        let mut build = long_build(std::mem::replace(&mut entry.value, Node::new(span, Data::Null)))?;
        canonical_build(&mut build)?;
        entry.value.data = Data::Map(build);
    }
    Ok(())
}

fn canonical_build(build: &mut Entries) -> Result<(), Fault> {
    for key in ["args", "additional_contexts", "labels", "tags"] {
        take_list(build, key)?;
    }
    for (key, Entry { value: node, .. }) in build.iter_mut() {
        match &**key {
            "additional_contexts" => canonical_contexts(node)?,
            "ssh" => canonical_ssh(node)?,
            "secrets" => canonical_secrets(node)?,
            "provenance" | "sbom" if node.as_text().is_none() => match node.scalar() {
                Some(text) => *node = Node::text(node.span, text),
                None => return Err(fault(format!("a text is expected here, not {}", node.describe()), node)),
            },
            _ => {}
        }
    }
    Ok(())
}

fn canonical_contexts(node: &mut Node) -> Result<(), Fault> {
    match &node.data {
        Data::Map(_) => Ok(()),
        Data::List(list) => {
            let mut out = Entries::new();
            for element in list {
                let Some((name, value)) = element.as_text().and_then(|t| t.split_once('=')) else {
                    return Err(fault("a context is written as `name=value`", element));
                };
                out.insert(name.into(), entry(Node::text(element.span, value)));
            }
            node.data = Data::Map(out);
            Ok(())
        }
        _ => Err(fault(format!("contexts are a mapping or a list of `name=value`, not {}", node.describe()), node)),
    }
}

fn canonical_ssh(node: &mut Node) -> Result<(), Fault> {
    match &node.data {
        Data::Map(_) => Ok(()),
        Data::List(list) => {
            let mut out = Entries::new();
            for element in list {
                let Some(text) = element.as_text() else {
                    return Err(fault(format!("a text is expected here, not {}", element.describe()), element));
                };
                match text.split_once('=') {
                    Some((id, path)) => out.insert(id.into(), entry(Node::text(element.span, path))),
                    None if &**text == "default" => {
                        out.insert(text.clone(), entry(Node::new(element.span, Data::Null)))
                    }
                    None => {
                        let message = "keys are written as `id=path`; only `default` needs no path";
                        return Err(fault(message, element));
                    }
                };
            }
            node.data = Data::Map(out);
            Ok(())
        }
        _ => Err(fault(format!("`ssh` is a list or a mapping, not {}", node.describe()), node)),
    }
}

fn canonical_secrets(node: &mut Node) -> Result<(), Fault> {
    let Data::List(list) = &mut node.data else { return Ok(()) };
    for element in list {
        match element.data {
            Data::Map(_) => {}
            Data::Text(_) => {
                let span = element.span;
                let source = std::mem::replace(element, Node::new(span, Data::Null));
                element.data = Data::Map([("source".into(), entry(source))].into());
            }
            _ => return Err(fault(format!("a secret is named by a text, not {}", element.describe()), element)),
        }
    }
    Ok(())
}

fn canonical_env_file(node: &mut Node) -> Result<(), Fault> {
    let span = node.span;
    let whole = |path: Node| Data::Map([("path".into(), entry(path))].into());
    match &mut node.data {
        Data::Text(_) => {
            let path = std::mem::replace(node, Node::new(span, Data::Null));
            node.data = Data::List(vec![Node::new(span, whole(path))]);
        }
        Data::List(list) => {
            for element in list {
                match element.data {
                    Data::Map(_) => {}
                    Data::Text(_) => {
                        let span = element.span;
                        let path = std::mem::replace(element, Node::new(span, Data::Null));
                        element.data = whole(path);
                    }
                    _ => return Err(fault(format!("a path is expected here, not {}", element.describe()), element)),
                }
            }
        }
        _ => return Err(fault(format!("`env_file` is a path or a list, not {}", node.describe()), node)),
    }
    Ok(())
}

/// Brings a declaration of a secret into its canonical form.
pub(super) fn canonical_secret(secret: &mut Node) {
    if let Some(external) = secret.as_map_mut().and_then(|m| m.get_mut("external"))
        && external.value.as_map().is_some()
    {
        external.value.data = Data::Bool(true);
    }
}
