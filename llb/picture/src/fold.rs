//! Pictures of large graphs: several steps as one box.

use std::collections::BTreeMap;

use crate::model::{Edge, Group, Kind, Model, Step};

/// The most steps that are shown one by one.
const MOST: usize = 400;
/// As many steps in a row are worth a box that stands for them.
const WORTH: usize = 4;
/// The most folded steps that a box tells of.
const TOLD: usize = 100;

/// One box for each stage. Gives also the box that each step is now of.
pub(crate) fn stages(model: &Model) -> (Model, Vec<usize>) {
    let mut folded = Model::default();
    let mut box_of_group: BTreeMap<usize, usize> = BTreeMap::new();
    let step_of = (0..model.steps.len())
        .map(|at| {
            let step = &model.steps[at];
            let Some(group) = step.group else {
                folded.steps.push(step.clone());
                return folded.steps.len() - 1;
            };
            *box_of_group.entry(group).or_insert_with(|| {
                folded.steps.push(stage(model, &model.groups[group]));
                folded.steps.len() - 1
            })
        })
        .collect::<Vec<_>>();
    folded.edges = edges(model, &step_of);
    let (folded, new_of) = sorted(folded);
    (folded, step_of.into_iter().map(|step| new_of[step]).collect())
}

fn stage(model: &Model, group: &Group) -> Step {
    let steps: Vec<&Step> = group.steps.iter().map(|at| &model.steps[*at]).collect();
    let image = steps.first().filter(|step| step.kind == Kind::Image);
    let count = steps.len() - usize::from(image.is_some());
    let mut notes = vec![if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }];
    if !group.platform.is_empty() {
        notes.push(group.platform.clone());
    }
    let title = group.title();
    let (title, from) = match image {
        Some(image) if title.is_empty() => (image.title.clone(), None),
        image => (title, image),
    };
    notes.splice(0..0, from.map(|image| format!("from {}", image.title)));
    Step {
        kind: Kind::Stage,
        keyword: String::new(),
        title: if title.is_empty() { "stage".to_owned() } else { title },
        notes,
        group: None,
        facts: vec![("Steps", told(&steps))],
    }
}

/// Where there are too many steps to show, those in a row that have to do with their neighbours only are one box; if that
/// is not enough, all in a row are.
pub(crate) fn runs(model: Model) -> Model {
    let mut model = model;
    for plain in [true, false] {
        if model.steps.len() > MOST {
            model = fold_runs(&model, plain);
        }
    }
    model
}

fn fold_runs(model: &Model, plain: bool) -> Model {
    let mut meets_others = vec![false; model.steps.len()];
    if plain {
        for edge in &model.edges {
            let group = &model.steps[edge.to].group;
            if model.steps[edge.from].group != *group || group.is_none() {
                meets_others[edge.from] = true;
                meets_others[edge.to] = true;
            }
        }
    }
    // Of each step, the first of the run that it is folded into.
    let mut run_of: Vec<usize> = (0..model.steps.len()).collect();
    let mut length = vec![1_usize; model.steps.len()];
    for group in &model.groups {
        // The first and the last step of a stage say most about it.
        let inner = group.steps.get(1..group.steps.len().saturating_sub(1)).unwrap_or_default();
        for run in inner.split(|at| meets_others[*at]).filter(|run| run.len() >= WORTH) {
            run.iter().for_each(|at| run_of[*at] = run[0]);
            length[run[0]] = run.len();
        }
    }
    let mut folded = Model { groups: model.groups.clone(), ..Model::default() };
    folded.groups.iter_mut().for_each(|group| group.steps.clear());
    let mut runs: BTreeMap<usize, Vec<&Step>> = BTreeMap::new();
    (0..run_of.len()).for_each(|at| runs.entry(run_of[at]).or_default().push(&model.steps[at]));
    let mut new_of = vec![0; model.steps.len()];
    for (at, step) in model.steps.iter().enumerate() {
        if run_of[at] != at {
            new_of[at] = new_of[run_of[at]];
            continue;
        }
        new_of[at] = folded.steps.len();
        folded.groups.iter_mut().skip(step.group.unwrap_or(usize::MAX)).take(1).for_each(|g| g.steps.push(new_of[at]));
        folded.steps.push(match length[at] {
            1 => step.clone(),
            n => Step {
                kind: Kind::Folded,
                keyword: String::new(),
                title: format!("{n} steps"),
                notes: Vec::new(),
                group: step.group,
                facts: vec![("Steps", told(&runs[&at]))],
            },
        });
    }
    folded.edges = edges(model, &new_of);
    sorted(folded).0
}

/// The instructions of steps, one a line.
fn told(steps: &[&Step]) -> String {
    let line = |step: &&Step| {
        let title: String = step.title.chars().take(120).collect();
        if step.keyword.is_empty() { title } else { format!("{} {title}", step.keyword) }
    };
    let mut lines: Vec<String> = steps.iter().take(TOLD).map(line).collect();
    if steps.len() > TOLD {
        lines.push(format!("\u{2026} ({} more)", steps.len() - TOLD));
    }
    lines.join("\n")
}

fn edges(model: &Model, new_of: &[usize]) -> Vec<Edge> {
    let moved = model.edges.iter().map(|e| Edge { from: new_of[e.from], to: new_of[e.to], role: e.role });
    let mut edges: Vec<Edge> = moved.filter(|e| e.from != e.to).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// The same with every step behind what it needs, and the new place of each step.
fn sorted(model: Model) -> (Model, Vec<usize>) {
    let count = model.steps.len();
    let mut needs = vec![0_usize; count];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in &model.edges {
        needs[edge.to] += 1;
        users[edge.from].push(edge.to);
    }
    let mut ready: std::collections::BTreeSet<usize> = (0..count).filter(|at| needs[*at] == 0).collect();
    let mut new_of = vec![usize::MAX; count];
    let mut order = Vec::with_capacity(count);
    while let Some(at) = ready.pop_first() {
        new_of[at] = order.len();
        order.push(at);
        for user in &users[at] {
            needs[*user] -= 1;
            if needs[*user] == 0 {
                ready.insert(*user);
            }
        }
    }
    let mut groups = model.groups;
    for group in &mut groups {
        group.steps.iter_mut().for_each(|step| *step = new_of[*step]);
        group.steps.sort_unstable();
    }
    let mut steps: Vec<Option<Step>> = model.steps.into_iter().map(Some).collect();
    let moved = |e: &Edge| Edge { from: new_of[e.from], to: new_of[e.to], role: e.role };
    let mut edges: Vec<Edge> = model.edges.iter().map(moved).collect();
    edges.sort_unstable();
    let steps = order.into_iter().filter_map(|at| steps.get_mut(at)?.take()).collect();
    (Model { steps, groups, edges }, new_of)
}
