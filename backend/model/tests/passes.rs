//! Passes keep what they promise, as seen by an executor that knows none of their laws.

use rbc_ir::random::{self, Rng};
use rbc_ir::shape::{Kind, Tree};
use rbc_ir::{
    Action, CapSet, FileAction, Graph, Input, Known, Level, Mkdir, NodeId, Op, Options, Outcome, PASSES, Pass,
    Platform, Remark, Work, optimize,
};
use rbc_ir::{equiv, text};
use rbc_model::{Dir, Node, World, failing, run};

/// How many random builds to try: so many, or as many as `RBC_ROUNDS` says.
#[allow(clippy::disallowed_methods)]
fn rounds(usual: u64) -> u64 {
    std::env::var("RBC_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

const LISTING: [(&str, Kind); 3] = [("/a/b", Kind::Dir), ("/c", Kind::Link), ("/etc/passwd", Kind::File)];

/// What the optimizer is told of one image, which holds in every world.
fn known() -> Known {
    let mut known = Known::default();
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
    known.insert(random::IMAGES[2], Some(platform), Tree::listed(LISTING));
    known
}

fn world(seed: u64) -> World {
    let listing = LISTING.map(|(path, kind)| (path.to_owned(), kind)).to_vec();
    World { seed, listed: [(random::IMAGES[2].to_owned(), listing)].into() }
}

/// In how many worlds a build is tried. In the first it succeeds.
const WORLDS: u64 = 3;

/// A random build, in which steps that would fail in the first of its worlds do nothing instead.
fn build(seed: u64) -> Graph {
    let mut graph = random::build(&mut Rng::new(seed), 10);
    loop {
        let failing = failing(&graph, &world(seed * WORLDS));
        for id in &failing {
            match &mut graph.node_mut(*id).op {
                Op::File(file) => {
                    let input = file.actions.first().map_or(Input::Scratch, |first| first.input);
                    let output = file.actions.iter().find_map(|action| action.output);
                    let (path, timestamp) = ("/".to_owned(), -1);
                    let nothing = Mkdir { path, mode: 0o755, make_parents: true, owner: None, timestamp };
                    file.actions = vec![FileAction { output, ..FileAction::on(input, Action::Mkdir(nothing)) }];
                }
                Op::Exec(exec) => exec.mounts.iter_mut().for_each(|mount| mount.selector.clear()),
                op => panic!("{op:?} fails"),
            }
        }
        if failing.is_empty() {
            return graph;
        }
    }
}

/// Compares what two graphs give. How many results were compared; those that fail before need not be the same.
fn compare(before: &Graph, after: &Graph, seed: u64) -> Result<usize, String> {
    let mut compared = 0;
    for number in 0..WORLDS {
        let world = world(seed * WORLDS + number);
        for (root, (old, new)) in run(before, &world).into_iter().zip(run(after, &world)).enumerate() {
            let Ok(old) = old else { continue };
            compared += 1;
            match new {
                Ok(new) if new == old => {}
                Ok(new) => {
                    return Err(format!("result {root} differs: {}", first_difference("", Some(&old), Some(&new))));
                }
                Err(why) => return Err(format!("result {root} fails: {why:?}")),
            }
        }
    }
    Ok(compared)
}

/// The first path that differs, with what is there.
fn first_difference(path: &str, old: Option<&Node>, new: Option<&Node>) -> String {
    if let (Some(Node::Dir(a)), Some(Node::Dir(b))) = (old, new)
        && a.attr == b.attr
    {
        let mut names = a.entries.keys().chain(b.entries.keys());
        if let Some(name) = names.find(|name| a.entries.get(*name) != b.entries.get(*name)) {
            let at = |dir: &'_ Dir| dir.entries.get(name).cloned();
            return first_difference(&format!("{path}/{name}"), at(a).as_deref(), at(b).as_deref());
        }
    }
    format!("{path}: {old:?} against {new:?}")
}

#[test]
fn passes_keep_the_files() {
    let known = known();
    let mut runs: Vec<(Vec<&'static Pass>, usize, usize)> = PASSES.iter().map(|pass| (vec![pass], 0, 0)).collect();
    runs.push((PASSES.iter().collect(), 0, 0));
    for seed in 0..rounds(1500) {
        let graph = build(seed);
        for (passes, changed, compared) in &mut runs {
            let options = Options {
                passes: Some(passes.clone()),
                known: known.clone(),
                caps: CapSet::all(),
                ..Options::default()
            };
            let mut remarks: Vec<Remark> = Vec::new();
            let after = optimize(graph.clone(), &options, &mut remarks).unwrap();
            if !remarks.iter().any(|remark| matches!(remark.outcome, Outcome::Done(_))) {
                continue;
            }
            *changed += 1;
            match compare(&graph, &after, seed) {
                Ok(count) => *compared += count,
                Err(why) => panic!(
                    "seed {seed}: {why}\n{remarks:#?}\n{}\nagainst\n{}",
                    text::print(&graph),
                    text::print(&after)
                ),
            }
        }
    }
    for (passes, changed, compared) in runs {
        let names: Vec<&str> = passes.iter().map(|pass| pass.name).collect();
        println!("{changed:>6} builds changed, {compared:>6} results compared: {}", names.join(" "));
        assert!(compared >= 5, "{names:?}: only {compared} results were compared");
    }
}

/// What was merged last comes first.
fn reverse(mut graph: Graph, _: &mut Work) -> Graph {
    for at in 0..graph.len() as u32 {
        if let Op::Merge(merge) = &mut graph.node_mut(NodeId(at)).op {
            merge.inputs.reverse();
        }
    }
    graph
}

/// The last of several actions is lost.
fn forget(mut graph: Graph, _: &mut Work) -> Graph {
    for at in 0..graph.len() as u32 {
        if let Op::File(file) = &mut graph.node_mut(NodeId(at)).op
            && file.actions.len() > 1
            && let Some(last) = file.actions.pop()
            && let Some(new_last) = file.actions.last_mut()
        {
            new_last.output = new_last.output.or(last.output);
        }
    }
    graph
}

/// Copies read from below the step that made what they copy.
fn hasten(mut graph: Graph, _: &mut Work) -> Graph {
    for at in 0..graph.len() as u32 {
        let mut copies = match &graph.node(NodeId(at)).op {
            Op::File(file) => file.clone(),
            _ => continue,
        };
        for action in &mut copies.actions {
            if let Input::Ref(from) = action.secondary
                && let Op::File(made) = &graph.node(from.node).op
                && let Some(below @ Input::Ref(_)) = made.actions.first().map(|first| first.input)
            {
                action.secondary = below;
            }
        }
        graph.node_mut(NodeId(at)).op = Op::File(copies);
    }
    graph
}

/// The model and the laws both catch passes that are wrong.
#[test]
fn wrong_passes_are_caught() {
    let wrong: [(&str, fn(Graph, &mut Work) -> Graph); 3] =
        [("reverse", reverse), ("forget", forget), ("hasten", hasten)];
    for (name, pass) in wrong {
        let wrong: &'static Pass =
            Box::leak(Box::new(Pass { name, about: "is wrong", preserves: Level::Files, run: pass }));
        let options = Options { passes: Some(vec![wrong]), ..Options::default() };
        let (mut by_laws, mut by_model) = (0, 0);
        for seed in 0..600 {
            let graph = build(seed);
            let Ok(after) = optimize(graph.clone(), &options, &mut ()) else { continue };
            by_laws += usize::from(equiv::same(&graph, &after, Level::Files, &Known::default()).is_err());
            by_model += usize::from(compare(&graph, &after, seed).is_err());
        }
        println!("{name}: caught {by_laws} times by the laws, {by_model} times by the model");
        assert!(by_laws > 20 && by_model > 4, "{name}: {by_laws} times by the laws, {by_model} times by the model");
    }
}
