//! A picture as SVG.

use std::fmt::Write as _;

use crate::Picture;
use crate::escape::xml;
use crate::layout::{
    BETWEEN_NOTES, BOX_PADDING, Drawing, HEADING, KEYWORD_GAP, NOTE, NOTE_LINE, Point, Rect, STRONG, TEXT_AT,
    TITLE_LINE,
};
use crate::model::{Kind, Model, Role};
use crate::style;
use crate::text::{Font, wrap};
use crate::wires::wires;

/// Empty space around everything.
const MARGIN: i32 = 24;
/// The narrowest picture, for its heading and legend.
const NARROWEST: i32 = 420;
/// The height of a line of the legend.
const LEGEND_LINE: i32 = 22;

/// The picture as an SVG document that needs nothing else.
pub fn svg(picture: &Picture) -> String {
    let sheet = Sheet::new(&picture.drawing, &picture.model, &picture.options.title, picture.whole.summary(), "", true);
    let mut out = String::new();
    sheet.open(&mut out);
    let _ = write!(out, "<style>{}</style>", style::sheet(picture.options.theme));
    sheet.content(false, &mut out);
    out.push_str("</svg>\n");
    out
}

/// A drawing with its heading and legend.
pub(crate) struct Sheet<'p> {
    drawing: &'p Drawing,
    model: &'p Model,
    title: &'p str,
    /// What stands before every id, so that several pictures fit into one document.
    prefix: &'p str,
    /// What it shows, as a phrase.
    summary: String,
    /// Whether it has its heading in it.
    heading: bool,
    width: i32,
    height: i32,
    /// Where the drawing begins.
    corner: Point,
    legend: Vec<(Point, Entry)>,
}

/// An entry of the legend.
#[derive(Clone, Copy)]
enum Entry {
    Kind(Kind),
    Role(Role),
}

impl Entry {
    fn about(self) -> &'static str {
        match self {
            Entry::Kind(kind) => kind.about(),
            Entry::Role(role) => role.about(),
        }
    }

    /// How wide its picture is, with the space to its text.
    fn sample(self) -> i32 {
        match self {
            Entry::Kind(_) => 22,
            Entry::Role(_) => 40,
        }
    }
}

impl<'p> Sheet<'p> {
    pub fn new(
        drawing: &'p Drawing,
        model: &'p Model,
        title: &'p str,
        summary: String,
        prefix: &'p str,
        heading: bool,
    ) -> Self {
        let inner = drawing.width.max(NARROWEST);
        let top = MARGIN
            + match (heading, title) {
                (false, _) => 0,
                (true, "") => 26,
                (true, _) => 48,
            };
        let corner = Point { x: MARGIN + (inner - drawing.width) / 2, y: top };
        let kinds = Kind::ALL.into_iter().filter(|kind| model.steps.iter().any(|step| step.kind == *kind));
        let roles = Role::ALL.into_iter().filter(|role| model.edges.iter().any(|edge| edge.role == *role));
        let mut at = Point { x: MARGIN, y: top + drawing.height + 30 };
        let mut legend = Vec::new();
        for entry in kinds.map(Entry::Kind).chain(roles.map(Entry::Role)) {
            let width = entry.sample() + NOTE.width(entry.about()) + 18;
            if at.x > MARGIN && at.x + width > MARGIN + inner {
                at = Point { x: MARGIN, y: at.y + LEGEND_LINE };
            }
            legend.push((at, entry));
            at.x += width;
        }
        let height = if legend.is_empty() { top + drawing.height } else { at.y + 16 } + MARGIN - 10;
        let width = inner + 2 * MARGIN;
        Sheet { drawing, model, title, summary, prefix, heading, width, height, corner, legend }
    }

    /// Writes the tag that begins the picture.
    pub fn open(&self, out: &mut String) {
        let Sheet { prefix, width, height, .. } = self;
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"{prefix}title {prefix}about\">"
        );
    }

    /// Writes what is in the picture. With `marks`, boxes and lines carry the numbers of their steps.
    pub fn content(&self, marks: bool, out: &mut String) {
        let Sheet { prefix, width, height, corner, summary, .. } = self;
        let heading = if self.title.is_empty() { "Build graph" } else { self.title };
        let _ = write!(
            out,
            "<title id=\"{prefix}title\">{}</title><desc id=\"{prefix}about\">{}</desc>",
            xml(heading),
            xml(&format!("A build graph: {summary}."))
        );
        self.definitions(out);
        let _ = write!(out, "<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n<g class=\"world\">");
        if self.heading {
            self.write_heading(out);
        }
        let _ = writeln!(out, "<g transform=\"translate({} {})\">", corner.x, corner.y);
        for (at, (group, frame)) in self.model.groups.iter().zip(&self.drawing.frames).enumerate() {
            let classes = if self.leads_out(group) { "frame last" } else { "frame" };
            let mark = if marks { format!(" data-group=\"{at}\"") } else { String::new() };
            let _ = write!(out, "<g class=\"{classes}\"{mark}>{}", rect(*frame, 10));
            let y = frame.y + HEADING / 2 + 4;
            let platform = NOTE.width(&group.platform);
            let room = frame.w - platform - 36;
            let left = self.drawing.boxes.get(group.steps[0]).map_or(frame.x, |b| b.x) + 1;
            let (title, class) = match group.title() {
                title if title.is_empty() => (format!("{} steps", group.steps.len()), "note quiet"),
                title => (title, "strong"),
            };
            let title = wrap(&title, STRONG, room, room, 1).concat();
            let _ = write!(out, "<text class=\"{class}\" x=\"{left}\" y=\"{y}\">{}</text>", xml(&title));
            let right = frame.x + frame.w - 11;
            let _ = writeln!(
                out,
                "<text class=\"note quiet\" x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{}</text></g>",
                xml(&group.platform)
            );
        }
        for wire in wires(self.model, self.drawing) {
            let role = wire.role.word();
            let _ = write!(out, "<path class=\"edge to-{role}\" d=\"{}\"", wire.path());
            if wire.edge.is_some() {
                let _ = write!(out, " marker-end=\"url(#{prefix}head-{role})\"");
            }
            if marks {
                if let Some(up) = wire.up {
                    let _ = write!(out, " data-up=\"{up}\"");
                }
                if let Some(edge) = wire.edge.map(|edge| &self.model.edges[edge]) {
                    let _ = write!(out, " data-from=\"{}\" data-to=\"{}\"", edge.from, edge.to);
                }
            }
            out.push_str("/>\n");
        }
        for at in 0..self.model.steps.len() {
            self.step(at, marks, out);
        }
        out.push_str("</g>\n");
        for (at, entry) in &self.legend {
            self.entry(*at, *entry, out);
        }
        out.push_str("</g>");
    }

    fn write_heading(&self, out: &mut String) {
        let mut y = MARGIN + 14;
        if !self.title.is_empty() {
            let font = Font { size: 17.0, bold: true };
            let room = self.width - 2 * MARGIN;
            let line = wrap(self.title, font, room, room, 1).concat();
            let _ = write!(out, "<text class=\"heading\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", xml(&line));
            y += 20;
        }
        let _ = write!(out, "<text class=\"note quiet\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", xml(&self.summary));
    }

    /// Whether a result is made of what a group makes.
    fn leads_out(&self, group: &crate::Group) -> bool {
        let result = |at: usize| self.model.steps[at].kind == Kind::Result;
        let of = |step: usize| self.model.edges[self.model.edges.partition_point(|e| e.from < step)..].iter();
        group.steps.iter().any(|step| of(*step).take_while(|e| e.from == *step).any(|e| result(e.to)))
    }

    fn definitions(&self, out: &mut String) {
        let prefix = self.prefix;
        out.push_str("<defs>");
        for kind in Kind::ALL {
            let word = kind.word();
            let _ = write!(out, "<path id=\"{prefix}icon-{word}\" d=\"{}\"/>", icon(kind));
        }
        for role in Role::ALL {
            let word = role.word();
            let _ = write!(
                out,
                "<marker id=\"{prefix}head-{word}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
                 markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
                 <path class=\"head-{word}\" d=\"M0 .5 8 4 0 7.5z\"/></marker>"
            );
        }
        out.push_str("</defs>");
    }

    fn step(&self, at: usize, marks: bool, out: &mut String) {
        let (step, label, b) = (&self.model.steps[at], &self.drawing.labels[at], self.drawing.boxes[at]);
        let word = step.kind.word();
        // A box that is higher than its text, for many lines meet it, has the text in its middle.
        let top = b.y + (b.h - label.height()) / 2;
        let _ = write!(out, "<g class=\"box {word}\"");
        if marks {
            let _ = write!(out, " data-step=\"{at}\"");
        }
        let whole = [step.keyword.as_str(), &step.title].join(" ");
        let notes = step.notes.join(BETWEEN_NOTES);
        let told = if notes.is_empty() { whole } else { format!("{whole}\n{notes}") };
        let _ = write!(out, "><title>{}</title>", xml(told.trim()));
        let round = if step.kind.is_round() { 13 } else { 5 };
        out.push_str(&rect(b, round));
        if round == 5 {
            let _ = write!(
                out,
                "<path class=\"bar\" d=\"M{} {}a5 5 0 0 0-5 5v{}a5 5 0 0 0 5 5z\"/>",
                b.x + 5,
                b.y,
                b.h - 10
            );
        }
        let _ = write!(
            out,
            "<use href=\"#{}icon-{word}\" transform=\"translate({} {})scale(.9)\"/>",
            self.prefix,
            b.x + 9,
            top + BOX_PADDING + 1
        );
        let x = b.x + TEXT_AT;
        let mut y = top + BOX_PADDING + TITLE_LINE - 4;
        let strong = if matches!(step.kind, Kind::Stage | Kind::Result) { " class=\"strong\"" } else { "" };
        for nth in 0..label.title.len().max(1) {
            let line = label.title.get(nth).map_or("", String::as_str);
            let _ = write!(out, "<text{strong} x=\"{x}\" y=\"{y}\">");
            if nth == 0 && !step.keyword.is_empty() {
                let _ = write!(out, "<tspan class=\"key\">{}</tspan>", xml(&step.keyword));
                let _ =
                    write!(out, "<tspan x=\"{}\">{}</tspan>", x + STRONG.width(&step.keyword) + KEYWORD_GAP, xml(line));
            } else {
                out.push_str(&xml(line));
            }
            out.push_str("</text>");
            y += TITLE_LINE;
        }
        y -= 1;
        for line in &label.notes {
            let _ = write!(out, "<text class=\"note quiet\" x=\"{x}\" y=\"{y}\">{}</text>", xml(line));
            y += NOTE_LINE;
        }
        out.push_str("</g>\n");
    }

    fn entry(&self, at: Point, entry: Entry, out: &mut String) {
        let Point { x, y } = at;
        match entry {
            Entry::Kind(kind) => {
                let word = kind.word();
                let _ = write!(
                    out,
                    "<g class=\"{word}\"><use href=\"#{}icon-{word}\" transform=\"translate({x} {})scale(.9)\"/></g>",
                    self.prefix,
                    y - 11
                );
            }
            Entry::Role(role) => {
                let word = role.word();
                let _ = write!(
                    out,
                    "<path class=\"edge to-{word}\" d=\"M{x} {0}h32\" marker-end=\"url(#{1}head-{word})\"/>",
                    y - 4,
                    self.prefix
                );
            }
        }
        let x = x + entry.sample();
        let _ = writeln!(out, "<text class=\"note quiet\" x=\"{x}\" y=\"{y}\">{}</text>", entry.about());
    }
}

fn rect(r: Rect, round: i32) -> String {
    format!("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{round}\"/>", r.x, r.y, r.w, r.h)
}

/// An icon, as lines in a square of 16 by 16.
fn icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "M8 1.8 13.5 4.9v6.2L8 14.2 2.5 11.1V4.9zM2.5 4.9 8 8l5.5-3.1M8 8v6.2",
        Kind::Local => "M1.8 13V3.4h4.4l1.6 2h6.4V13z",
        Kind::Fetch => "M8 1.8v8M4.6 6.6 8 10l3.4-3.4M2.2 11.2v2.8h11.6v-2.8",
        Kind::Run => "M2.5 3.5 7 8l-4.5 4.5M8.5 12.5h5",
        Kind::File => "M5.4 4.4V1.8h8.2v9.2h-2.6M2.4 4.4h8.6v9.8H2.4z",
        Kind::Merge => "M8 1.8 14.2 5 8 8.2 1.8 5zM1.8 8 8 11.2 14.2 8M1.8 11 8 14.2l6.2-3.2",
        Kind::Other => {
            "M8 5.4a2.6 2.6 0 1 0 .1 0zM8 1.6v2M8 12.4v2M1.6 8h2M12.4 8h2M3.5 3.5l1.4 1.4M11.1 11.1l1.4 1.4\
                        M12.5 3.5l-1.4 1.4M4.9 11.1l-1.4 1.4"
        }
        Kind::Stage => "M2 2.2h12v3.2H2zM2 10.6h12v3.2H2zM8 5.4v5.2",
        Kind::Folded => "M3 5.5 8 8l5-2.5M3 9.5 8 12l5-2.5",
        Kind::Target => "M8 1.6a6.4 6.4 0 1 0 .1 0zM8 4.8a3.2 3.2 0 1 0 .1 0z",
        Kind::Result => "M8 1.6a6.4 6.4 0 1 0 .1 0zM5 8.3l2.1 2.1L11.2 6",
    }
}
