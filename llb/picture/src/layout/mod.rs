//! From what a picture shows to where it stands.
//!
//! Stages and steps of no stage are *units*. Units stand in layers, each behind what it needs (`rank`); in a layer they are
//! ordered so that few edges cross (`order`) and set so that edges are short (`place`). The steps of a stage stand one
//! below the other within its unit (`unit`). All edges of one role that begin at one step are one *net*: they share a line
//! for as long as they go the same way. Between layers, a net has one track (`route`); past the units of a layer it
//! goes through a place of its own, so no line crosses a box.
//!
//! But for the inside of units, nothing knows whether layers stand side by side or one below the other: *along* is the way
//! from layer to layer, *across* the way within one.

mod order;
mod place;
mod rank;
mod route;
mod unit;

use std::collections::BTreeMap;

use crate::model::{Kind, Model, Role, Step};
use crate::text::{Font, wrap};

/// The way from what is needed to what needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Whichever gives the picture the better proportions.
    #[default]
    Auto,
    /// To the right.
    Right,
    /// Downwards.
    Down,
}

/// The font of what a step does.
pub(crate) const TITLE: Font = Font { size: 12.0, bold: false };
/// The font of a step's keyword and of a stage's name.
pub(crate) const STRONG: Font = Font { size: 12.0, bold: true };
/// The font of notes.
pub(crate) const NOTE: Font = Font { size: 10.5, bold: false };
/// The height of a line of the title.
pub(crate) const TITLE_LINE: i32 = 15;
/// The height of a line of notes.
pub(crate) const NOTE_LINE: i32 = 14;
/// Where text begins in a box, behind the icon.
pub(crate) const TEXT_AT: i32 = 30;
/// Empty space behind the keyword.
pub(crate) const KEYWORD_GAP: i32 = 6;
/// What separates notes.
pub(crate) const BETWEEN_NOTES: &str = " \u{b7} ";
/// Empty space above and below the text of a box.
pub(crate) const BOX_PADDING: i32 = 6;
/// The height of the heading of a stage.
pub(crate) const HEADING: i32 = 30;

/// The widest that text in a box is.
const WIDEST: i32 = 280;
/// The narrowest box.
const NARROWEST: i32 = 90;
/// Empty space behind the text of a box.
const BEHIND_TEXT: i32 = 12;
/// The width of a screen divided by its height.
const PROPORTION: f64 = 1.4;
/// Lines that pass layers may be this many in all; the longest edges beyond are drawn as their two ends.
const MOST_PASSES: usize = 6000;

/// A place, in pixels from the top left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Point {
    pub x: i32,
    pub y: i32,
}

/// An upright rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

/// The text of a box, broken into lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    /// Of the title, whose first line stands behind the keyword.
    pub title: Vec<String>,
    /// Of the notes.
    pub notes: Vec<String>,
    /// How wide the box has to be.
    width: i32,
}

impl Label {
    /// How high a box has to be for it.
    pub fn height(&self) -> i32 {
        let (titles, notes) = (self.title.len().max(1) as i32, self.notes.len() as i32);
        2 * BOX_PADDING + titles * TITLE_LINE + notes * NOTE_LINE
    }
}

/// Where everything stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawing {
    pub width: i32,
    pub height: i32,
    /// The box of each step.
    pub boxes: Vec<Rect>,
    /// The text of each step.
    pub labels: Vec<Label>,
    /// The frame of each group.
    pub frames: Vec<Rect>,
    /// The line of each edge, from box to box; two short pieces at its ends if it is too long to be drawn whole. The first
    /// step of a group takes its base at the frame.
    pub lines: Vec<Vec<Vec<Point>>>,
}

/// The edges of one role that begin at one step and end in other units.
struct Net {
    from: usize,
    unit: usize,
    /// Indices into [`Model::edges`].
    edges: Vec<usize>,
    /// Whether only its ends are drawn.
    far: bool,
}

/// Steps that stand together: those of a group, or one.
struct Members {
    group: Option<usize>,
    steps: Vec<usize>,
}

pub(crate) fn draw(model: &Model, direction: Direction) -> Drawing {
    match direction {
        Direction::Right | Direction::Down => Layout::new(model).draw(direction),
        Direction::Auto => {
            let layout = Layout::new(model);
            let [right, down] = [Direction::Right, Direction::Down].map(|direction| layout.draw(direction));
            // The one of which a screen shows more.
            let size = |d: &Drawing| (f64::from(d.width + 100) / PROPORTION).max(f64::from(d.height + 100));
            if size(&down) < size(&right) { down } else { right }
        }
    }
}

/// What is known before there is a direction.
struct Layout<'m> {
    model: &'m Model,
    labels: Vec<Label>,
    units: Vec<Members>,
    unit_of: Vec<usize>,
    nets: Vec<Net>,
    /// The layer of each unit.
    layer_of: Vec<usize>,
}

impl<'m> Layout<'m> {
    fn new(model: &'m Model) -> Self {
        let labels = model.steps.iter().map(label).collect();
        let mut units: Vec<Members> = Vec::new();
        let mut unit_of_group: Vec<Option<usize>> = vec![None; model.groups.len()];
        let mut unit_of = Vec::with_capacity(model.steps.len());
        for (at, step) in model.steps.iter().enumerate() {
            let known = step.group.and_then(|group| unit_of_group[group]);
            let unit = known.unwrap_or_else(|| {
                let steps = step.group.map_or(vec![at], |group| model.groups[group].steps.clone());
                units.push(Members { group: step.group, steps });
                units.len() - 1
            });
            step.group.into_iter().for_each(|group| unit_of_group[group] = Some(unit));
            unit_of.push(unit);
        }

        let mut nets: BTreeMap<(usize, Role), Vec<usize>> = BTreeMap::new();
        for (at, edge) in model.edges.iter().enumerate() {
            if unit_of[edge.from] != unit_of[edge.to] {
                nets.entry((edge.from, edge.role)).or_default().push(at);
            }
        }
        let net = |((from, _), edges): ((usize, Role), _)| Net { from, unit: unit_of[from], edges, far: false };
        let mut nets: Vec<Net> = nets.into_iter().map(net).collect();

        let between: Vec<(usize, usize)> =
            nets.iter().flat_map(|n| n.edges.iter().map(|e| (n.unit, unit_of[model.edges[*e].to]))).collect();
        let layer_of = rank::layers(units.len(), &between);
        let length = |net: &Net| {
            let last = net.edges.iter().map(|e| layer_of[unit_of[model.edges[*e].to]]).max();
            last.unwrap_or(0).saturating_sub(layer_of[net.unit] + 1)
        };
        let mut longest: Vec<(usize, usize)> = nets.iter().enumerate().map(|(at, net)| (length(net), at)).collect();
        longest.sort_unstable();
        let mut passes = 0;
        for (length, at) in longest {
            passes += length;
            nets[at].far = passes > MOST_PASSES;
        }
        Layout { model, labels, units, unit_of, nets, layer_of }
    }

    fn draw(&self, direction: Direction) -> Drawing {
        let shapes = unit::shapes(self, direction, &order::Ways::default());
        let mut flow = order::Flow::new(self, &shapes, direction);
        flow.order();
        // Now that it is known where lines come from and go to, they are put in order at each box.
        let mut shapes = unit::shapes(self, direction, &flow.ways(&place::across(&flow)));
        let mut ordered = order::Flow::new(self, &shapes, direction);
        ordered.layers = flow.layers;
        let across = place::across(&ordered);
        place::straighten(self, &mut shapes, &mut ordered, &across, direction);
        route::compose(self, &shapes, &ordered, &across, direction)
    }
}

/// Breaks the text of a step into lines.
fn label(step: &Step) -> Label {
    let (titles, notes) = match step.kind {
        Kind::Local => (1, 3),
        _ => (2, 2),
    };
    let keyword = if step.keyword.is_empty() { 0 } else { STRONG.width(&step.keyword) + KEYWORD_GAP };
    let title = wrap(&step.title, TITLE, WIDEST - keyword, WIDEST, titles);
    let notes = wrap(&step.notes.join(BETWEEN_NOTES), NOTE, WIDEST, WIDEST, notes);
    let title_width = |(at, line): (usize, &String)| {
        let font = if matches!(step.kind, Kind::Stage | Kind::Result) { STRONG } else { TITLE };
        font.width(line) + if at == 0 { keyword } else { 0 }
    };
    let widest = title.iter().enumerate().map(title_width).max().unwrap_or(keyword);
    let widest = widest.max(notes.iter().map(|line| NOTE.width(line)).max().unwrap_or(0));
    Label { title, notes, width: (TEXT_AT + widest + BEHIND_TEXT).max(NARROWEST) }
}
