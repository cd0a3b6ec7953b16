//! A picture in the language of Graphviz.

use std::fmt::Write as _;

use crate::Picture;
use crate::escape;
use crate::layout::{BETWEEN_NOTES, Direction};
use crate::model::{Group, Kind, Role, Step, Theme};
use crate::style::{DARK, LIGHT};
use crate::text::{Font, wrap};

/// The picture in the language of Graphviz, for its programs to lay out.
pub fn dot(picture: &Picture) -> String {
    let (model, options) = (&picture.model, &picture.options);
    let palette = if options.theme == Theme::Dark { &DARK } else { &LIGHT };
    let mut out = "digraph build {\n".to_owned();
    let direction = if options.direction == Direction::Right { "LR" } else { "TB" };
    let _ = writeln!(out, "  rankdir={direction}; bgcolor=\"{}\"; fontname=Helvetica", palette.page);
    let _ = writeln!(out, "  node [fontname=Helvetica; fontsize=11]; edge [arrowsize=0.7]");
    if !options.title.is_empty() {
        let _ = writeln!(out, "  label={}; labelloc=t; fontcolor=\"{}\"", escape::dot(&options.title), palette.text);
    }
    for (at, group) in model.groups.iter().enumerate() {
        let (line, text) = (palette.frame_line, palette.text);
        let label = escape::dot(&heading(group));
        let _ = writeln!(out, "  subgraph cluster_{at} {{\n    label={label}; color=\"{line}\"; fontcolor=\"{text}\"");
        group.steps.iter().for_each(|step| node(*step, &model.steps[*step], palette, &mut out));
        out.push_str("  }\n");
    }
    for (at, step) in model.steps.iter().enumerate().filter(|(_, step)| step.group.is_none()) {
        node(at, step, palette, &mut out);
    }
    for edge in &model.edges {
        let style = match edge.role {
            Role::Base => "bold",
            Role::Copy | Role::Use => "solid",
            Role::Context => "dotted",
            Role::Mount | Role::Merge => "dashed",
        };
        let _ =
            writeln!(out, "  s{} -> s{} [style={style}; color=\"{}\"]", edge.from, edge.to, palette.role(edge.role));
    }
    out.push_str("}\n");
    out
}

fn node(at: usize, step: &Step, palette: &crate::style::Palette, out: &mut String) {
    let shape = match step.kind {
        Kind::Image => "shape=box; style=rounded",
        Kind::Local | Kind::Fetch => "shape=folder",
        Kind::Run | Kind::Folded | Kind::Stage | Kind::Target => "shape=box",
        Kind::File => "shape=note",
        Kind::Merge | Kind::Other => "shape=hexagon",
        Kind::Result => "shape=box; style=\"rounded,bold\"",
    };
    let (label, colour) = (escape::dot(&lines(step).join("\n")), palette.kind(step.kind)[0]);
    let _ = writeln!(out, "    s{at} [label={label}; {shape}; color=\"{colour}\"; fontcolor=\"{}\"]", palette.text);
}

/// The lines of the label of a step.
pub(crate) fn lines(step: &Step) -> Vec<String> {
    const FONT: Font = Font { size: 12.0, bold: false };
    const WIDEST: i32 = 300;
    let title = [step.keyword.as_str(), &step.title].join(" ");
    let mut lines = wrap(&title, FONT, WIDEST, WIDEST, 2);
    lines.extend(wrap(&step.notes.join(BETWEEN_NOTES), FONT, WIDEST, WIDEST, 2));
    lines
}

/// The heading of a group, on one line.
pub(crate) fn heading(group: &Group) -> String {
    let parts = [group.title(), group.platform.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(BETWEEN_NOTES)
}
