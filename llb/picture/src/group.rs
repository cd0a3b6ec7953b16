//! Which steps stand together.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Group, Kind, Model, Role};

/// Where a step stands, as far as its vertex knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The bake target or image; empty if all are of one.
    pub target: String,
    /// The platform of the result that it is for, if there are several.
    pub platform: String,
    /// The stage; an empty one is the only one of a file.
    pub stage: Option<String>,
    /// The platform that it runs on; empty if it does not matter.
    pub worker: String,
}

impl Place {
    /// What tells one stage from another.
    fn key(&self) -> Option<(&str, &str, &str)> {
        Some((&self.target, &self.platform, self.stage.as_deref()?))
    }
}

/// How steps hang together.
struct Uses {
    /// What each step changes.
    base: Vec<Option<usize>>,
    /// How many steps change what each step made.
    changed_by: Vec<u32>,
    /// What needs each step.
    users: Vec<Vec<usize>>,
}

impl Uses {
    fn of(model: &Model) -> Self {
        let count = model.steps.len();
        let mut uses = Uses { base: vec![None; count], changed_by: vec![0; count], users: vec![Vec::new(); count] };
        for edge in &model.edges {
            uses.users[edge.from].push(edge.to);
            if edge.role == Role::Base {
                uses.base[edge.to] = Some(edge.from);
                uses.changed_by[edge.from] += 1;
            }
        }
        uses
    }
}

/// Groups steps by stages; those of no stage, by what alone changes what another made.
pub(crate) fn group(model: &mut Model, places: &[Place]) {
    let uses = Uses::of(model);
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<(&str, &str, &str), usize> = HashMap::new();
    let mut group_of: Vec<Option<usize>> = vec![None; model.steps.len()];
    let from_outside = |at: usize| matches!(model.steps[at].kind, Kind::Image | Kind::Local | Kind::Fetch);
    for at in (0..group_of.len()).filter(|at| !from_outside(*at)) {
        let key = places[at].key();
        let stage = key.and_then(|key| known.get(&key).copied());
        let chain = uses.base[at].filter(|base| uses.changed_by[*base] == 1).and_then(|base| group_of[base]);
        let group = if key.is_some() { stage } else { chain }.unwrap_or_else(|| {
            let (target, platform, name) = key.unwrap_or_default();
            let (target, platform, name) = (target.to_owned(), platform.to_owned(), name.to_owned());
            groups.push(Group { name, target, platform, steps: Vec::new() });
            groups.len() - 1
        });
        known.extend(key.map(|key| (key, group)));
        group_of[at] = Some(group);
    }
    place_images(model, places, &uses, &mut group_of, &known);
    for (at, group) in group_of.iter().enumerate() {
        if let Some(group) = group.map(|g| &mut groups[g]) {
            group.steps.push(at);
            if group.platform.is_empty() {
                group.platform.clone_from(&places[at].worker);
            }
        }
    }

    // A step on its own of which no stage is known needs no frame.
    let mut new_of = vec![None; groups.len()];
    for (old, group) in groups.into_iter().enumerate() {
        if group.steps.len() > 1 || group.steps.iter().any(|at| places[*at].stage.is_some()) {
            new_of[old] = Some(model.groups.len());
            model.groups.push(group);
        }
    }
    for ((step, group), place) in model.steps.iter_mut().zip(group_of).zip(places) {
        step.group = group.and_then(|group| new_of[group]);
        if step.group.is_none() && step.kind == Kind::Image && !place.worker.is_empty() {
            step.notes.push(place.worker.clone());
        }
    }
}

/// An image is the first step of a stage that changes it, if nothing else uses it.
fn place_images(
    model: &mut Model,
    places: &[Place],
    uses: &Uses,
    group_of: &mut [Option<usize>],
    known: &HashMap<(&str, &str, &str), usize>,
) {
    for (at, step) in model.steps.iter_mut().enumerate().filter(|(_, step)| step.kind == Kind::Image) {
        let mut homes = uses.users[at].iter().map(|user| group_of[*user]);
        let home = homes.next().flatten().filter(|home| homes.all(|other| other == Some(*home)));
        group_of[at] = home.filter(|_| uses.users[at].iter().any(|user| uses.base[*user] == Some(at)));
        // The name of a stage that is nothing but an image.
        if let (None, Some(key)) = (group_of[at], places[at].key())
            && !key.2.is_empty()
            && !known.contains_key(&key)
        {
            step.notes.insert(0, format!("stage {}", key.2));
        }
    }
}

/// Splits groups that need themselves by way of others, which joined or foreign vertices may bring about, so that the
/// groups can be drawn one behind the other.
pub(crate) fn split_cycles(model: &mut Model) {
    // A unit is a group, or behind the groups a step on its own.
    let groups = model.groups.len();
    let unit = |at: usize| model.steps[at].group.unwrap_or(groups + at);
    let units = groups + model.steps.len();
    let mut cyclic = vec![true; units];
    let between: Vec<(usize, usize)> =
        model.edges.iter().map(|e| (unit(e.from), unit(e.to))).filter(|(from, to)| from != to).collect();
    // What remains when ends are taken away, again and again, is on a cycle or between two.
    for backward in [false, true] {
        let mut needs = vec![0_usize; units];
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); units];
        for (from, to) in &between {
            let (from, to) = if backward { (*to, *from) } else { (*from, *to) };
            if cyclic[from] && cyclic[to] {
                needs[to] += 1;
                users[from].push(to);
            }
        }
        let mut ends: Vec<usize> = (0..units).filter(|u| cyclic[*u] && needs[*u] == 0).collect();
        while let Some(end) = ends.pop() {
            cyclic[end] = false;
            for user in &users[end] {
                needs[*user] -= 1;
                if needs[*user] == 0 {
                    ends.push(*user);
                }
            }
        }
    }
    // Within what remains, the pieces of a group are told apart by how often a way to them goes from unit to unit.
    let mut level = vec![0_u32; model.steps.len()];
    let mut inputs: Vec<Vec<usize>> = vec![Vec::new(); model.steps.len()];
    for edge in &model.edges {
        inputs[edge.to].push(edge.from);
    }
    for at in (0..level.len()).filter(|at| cyclic[unit(*at)]) {
        let from = inputs[at].iter().filter(|from| cyclic[unit(**from)]);
        level[at] = from.map(|from| level[*from] + u32::from(unit(*from) != unit(at))).max().unwrap_or(0);
    }
    for group in (0..groups).filter(|group| cyclic[*group]) {
        let mut pieces: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for at in std::mem::take(&mut model.groups[group].steps) {
            pieces.entry(level[at]).or_default().push(at);
        }
        for (piece, steps) in pieces.into_values().enumerate() {
            let at = if piece == 0 { group } else { model.groups.len() };
            if piece > 0 {
                model.groups.push(Group { steps: Vec::new(), ..model.groups[group].clone() });
            }
            steps.iter().for_each(|step| model.steps[*step].group = Some(at));
            model.groups[at].steps = steps;
        }
    }
}
