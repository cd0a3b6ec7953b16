//! A picture in the language of Mermaid, which GitHub and many documentation tools show.

use std::fmt::Write as _;

use crate::Picture;
use crate::dot::{heading, lines};
use crate::escape;
use crate::layout::Direction;
use crate::model::{Kind, Role, Step, Theme};
use crate::style::{DARK, LIGHT};

/// The picture as a flowchart in the language of Mermaid.
pub fn mermaid(picture: &Picture) -> String {
    let (model, options) = (&picture.model, &picture.options);
    let palette = if options.theme == Theme::Dark { &DARK } else { &LIGHT };
    let mut out = String::new();
    if !options.title.is_empty() {
        // The front matter is YAML, of which every JSON string is one.
        let _ = writeln!(out, "---\ntitle: {}\n---", escape::json(&options.title));
    }
    let _ = writeln!(out, "flowchart {}", if options.direction == Direction::Right { "LR" } else { "TB" });
    for (at, group) in model.groups.iter().enumerate() {
        let heading = heading(group);
        let heading = if heading.is_empty() { " " } else { &heading };
        let _ = writeln!(out, "  subgraph g{at} [{}]", escape::mermaid(heading));
        group.steps.iter().for_each(|step| node(*step, &model.steps[*step], &mut out));
        out.push_str("  end\n");
    }
    for (at, step) in model.steps.iter().enumerate().filter(|(_, step)| step.group.is_none()) {
        node(at, step, &mut out);
    }
    for edge in &model.edges {
        let arrow = match edge.role {
            Role::Base => "==>",
            Role::Copy | Role::Use => "-->",
            Role::Context | Role::Mount | Role::Merge => "-.->",
        };
        let _ = writeln!(out, "  s{} {arrow} s{}", edge.from, edge.to);
    }
    for (role, edges) in
        Role::ALL.map(|role| (role, model.edges.iter().enumerate().filter(move |(_, e)| e.role == role)))
    {
        let edges: Vec<String> = edges.map(|(at, _)| at.to_string()).collect();
        if !edges.is_empty() {
            let _ = writeln!(out, "  linkStyle {} stroke:{}", edges.join(","), palette.role(role));
        }
    }
    for kind in Kind::ALL {
        let steps = model.steps.iter().enumerate().filter(|(_, step)| step.kind == kind);
        let steps: Vec<String> = steps.map(|(at, _)| format!("s{at}")).collect();
        if !steps.is_empty() {
            let (word, [strong, _]) = (kind.word(), palette.kind(kind));
            let _ = writeln!(out, "  classDef {word} fill:{},stroke:{strong},color:{}", palette.card, palette.text);
            let _ = writeln!(out, "  class {} {word}", steps.join(","));
        }
    }
    out
}

fn node(at: usize, step: &Step, out: &mut String) {
    let [open, close] = match step.kind {
        Kind::Image | Kind::Result => ["([", "])"],
        Kind::Local | Kind::Fetch => ["[(", ")]"],
        Kind::Run | Kind::File | Kind::Folded | Kind::Target => ["[", "]"],
        Kind::Stage => ["[[", "]]"],
        Kind::Merge | Kind::Other => ["{{", "}}"],
    };
    let lines = lines(step);
    let label = if lines.is_empty() { " ".to_owned() } else { lines.join("\n") };
    let _ = writeln!(out, "    s{at}{open}{}{close}", escape::mermaid(&label));
}
