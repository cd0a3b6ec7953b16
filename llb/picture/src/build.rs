//! From a graph to what its picture shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rbc_ir::{
    Action, CacheSharing, Copy, Exec, File, Graph, Input, Mount, MountKind, NetMode, Node, NodeId, Op, Platform,
    ROOT_MOUNT, Root, SecurityMode, Source, share,
};

use crate::model::{Edge, Group, Kind, Model, Role, Step};
use crate::name::{Instruction, Name, short_reference};

/// Where a name for progress output is, in the description of a vertex.
const CUSTOM_NAME: &str = "llb.customname";
/// Where the digest waits while equal vertices are joined. No frontend writes an empty key.
const DIGEST: &str = "";
/// The most characters of a title or a note.
const MOST_SHOWN: usize = 400;
/// The most characters of one fact.
const MOST: usize = 4000;
/// The most source lines of one fact.
const MOST_LINES: usize = 60;

/// What is shown of the vertices that `roots` need. `digest` names a vertex, if its name is known.
pub(crate) fn build(graph: &Graph, roots: &[Root], digest: &dyn Fn(NodeId) -> Option<String>) -> Model {
    let mut graph = graph.clone();
    graph.roots = roots.to_vec();
    for id in (0..graph.len() as u32).map(NodeId) {
        if let Some(digest) = digest(id) {
            graph.node_mut(id).meta.description.insert(DIGEST.to_owned(), digest);
        }
    }
    let graph = share(graph);
    let view = View::new(&graph);
    let mut model = Model::default();
    let step_of = view.steps(&mut model);
    view.edges(&step_of, &mut model);
    view.group(&step_of, &mut model);
    view.results(&step_of, &mut model);
    model.edges.sort_unstable();
    model.edges.dedup();
    split_cycles(&mut model);
    model
}

/// A graph with what is needed of it.
struct View<'g> {
    graph: &'g Graph,
    /// The nodes that the roots need.
    live: Vec<bool>,
    names: Vec<Name<'g>>,
    lines: Vec<Vec<&'g [u8]>>,
}

/// Where a step stands.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    target: String,
    platform: String,
    stage: String,
}

impl<'g> View<'g> {
    fn new(graph: &'g Graph) -> Self {
        let mut live = vec![false; graph.len()];
        for root in graph.roots.iter().filter_map(|r| r.result) {
            live[root.node.index()] = true;
        }
        for (id, node) in graph.iter().rev() {
            if live[id.index()] {
                node.op.each_ref(&mut |r| live[r.node.index()] = true);
            }
        }
        let name = |node: &'g Node| node.meta.description.get(CUSTOM_NAME).map_or(Name::default(), |n| Name::parse(n));
        let names = graph.iter().map(|(_, node)| name(node)).collect();
        let lines = graph.sources.iter().map(|s| s.data.split(|b| *b == b'\n').collect()).collect();
        View { graph, live, names, lines }
    }

    fn live(&self) -> impl Iterator<Item = (NodeId, &'g Node)> {
        self.graph.iter().filter(|(id, _)| self.live[id.index()])
    }

    /// Makes the steps, and says of each node which it is. What only a merge of the same instruction needs is one step
    /// with it: `COPY --link` is two vertices.
    fn steps(&self, model: &mut Model) -> Vec<Option<usize>> {
        let mut users: Vec<(u32, NodeId)> = vec![(0, NodeId(0)); self.graph.len()];
        for (id, node) in self.live() {
            let mut seen = BTreeSet::new();
            node.op.each_ref(&mut |r| {
                if seen.insert(r.node) {
                    users[r.node.index()].0 += 1;
                    users[r.node.index()].1 = id;
                }
            });
        }
        for root in self.graph.roots.iter().filter_map(|r| r.result) {
            users[root.node.index()].0 += 1;
        }
        let group = |id: NodeId| self.graph.node(id).meta.progress_group.as_ref().map(|g| &g.id);
        let merged_into = |id: NodeId| {
            let (count, user) = users[id.index()];
            let merges = count == 1 && matches!(self.graph.node(user).op, Op::Merge(_));
            (merges && group(id).is_some() && group(id) == group(user)).then_some(user)
        };
        let mut step_of = vec![None; self.graph.len()];
        let mut parts: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (id, node) in self.live() {
            if let Some(merge) = merged_into(id) {
                parts.entry(merge).or_default().push(id);
                continue;
            }
            let parts = parts.remove(&id).unwrap_or_default();
            for id in parts.iter().chain([&id]) {
                step_of[id.index()] = Some(model.steps.len());
            }
            let mut step = self.step(parts.first().copied().unwrap_or(id));
            if !parts.is_empty() {
                step.notes.retain(|note| note != "link");
                step.notes.push("a layer of its own".to_owned());
                step.facts.extend(facts_of(node).into_iter().filter(|(name, _)| *name == "Digest"));
            }
            model.steps.push(step);
        }
        step_of
    }

    fn step(&self, id: NodeId) -> Step {
        let node = self.graph.node(id);
        let name = self.names[id.index()];
        let said = Instruction::parse(name.text);
        let (kind, keyword, title) = summary(&node.op);
        let mut step = Step { kind, keyword: keyword.to_owned(), title, notes: Vec::new(), group: None, facts: vec![] };
        match &node.op {
            Op::Source(source) => {
                match name.about.strip_prefix("context ") {
                    Some(context) if kind == Kind::Local => {
                        step.title = context.to_owned();
                        step.notes.push("named context".to_owned());
                    }
                    Some(context) => step.notes.push(format!("named context {context}")),
                    None => {}
                }
                step.notes.extend(source_notes(source));
            }
            op => {
                if !said.rest.is_empty() {
                    step.title = said.rest;
                    step.keyword = said.keyword;
                }
                match op {
                    Op::Exec(exec) => step.notes.extend(exec_notes(exec)),
                    _ => step.notes.extend(said.flags),
                }
            }
        }
        step.title = short(&step.title);
        step.notes.iter_mut().for_each(|note| *note = short(note));
        if node.meta.ignore_cache {
            step.notes.push("never from the cache".to_owned());
        }
        if !name.text.is_empty() {
            step.facts.push(("Instruction", clip(name.text)));
        }
        step.facts.extend(self.source_lines(node));
        step.facts.extend(facts_of(node));
        step
    }

    /// The lines of source that a node comes from.
    fn source_lines(&self, node: &Node) -> Option<(&'static str, String)> {
        let mut wanted: BTreeSet<(u32, i32)> = BTreeSet::new();
        for location in &node.meta.locations {
            for range in &location.ranges {
                let last = range.end.line.clamp(range.start.line, range.start.line.saturating_add(MOST_LINES as i32));
                wanted.extend((range.start.line..=last).map(|line| (location.source, line)).take(MOST_LINES));
            }
        }
        let mut shown = Vec::new();
        for (source, line) in wanted.into_iter().take(MOST_LINES) {
            let info = self.graph.sources.get(source as usize)?;
            let at = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
            if let Some(text) = at.and_then(|at| self.lines.get(source as usize)?.get(at)) {
                let text = String::from_utf8_lossy(text);
                shown.push(format!("{}:{line}: {}", info.filename, text.trim_end()));
            }
        }
        (!shown.is_empty()).then(|| ("Source", clip(&shown.join("\n"))))
    }

    fn edges(&self, step_of: &[Option<usize>], model: &mut Model) {
        let outside = |id: NodeId| matches!(&self.graph.node(id).op, Op::Source(s) if matches!(scheme(s).0, Kind::Local | Kind::Fetch));
        for (id, node) in self.live() {
            let Some(to) = step_of[id.index()] else { continue };
            let mut edges: Vec<(NodeId, Role)> = Vec::new();
            match &node.op {
                Op::Exec(exec) => {
                    for mount in &exec.mounts {
                        let role = if is_root(mount) { Role::Base } else { Role::Mount };
                        edges.extend(mount.input.map(|r| (r.node, role)));
                    }
                }
                Op::File(file) => {
                    for action in &file.actions {
                        if let Input::Ref(r) = action.input {
                            edges.push((r.node, Role::Base));
                        }
                        action.each_input(&mut |input| {
                            if let Input::Ref(r) = input {
                                edges.push((r.node, if outside(r.node) { Role::Context } else { Role::Copy }));
                            }
                        });
                    }
                }
                Op::Merge(merge) => {
                    let base = |at: usize| if at == 0 { Role::Base } else { Role::Merge };
                    edges.extend(merge.inputs.iter().enumerate().map(|(at, r)| (r.node, base(at))));
                }
                op => op.each_ref(&mut |r| edges.push((r.node, Role::Merge))),
            }
            // What a step builds on it also looks names up in; that is no second edge.
            let bases: BTreeSet<NodeId> = edges.iter().filter(|e| e.1 == Role::Base).map(|e| e.0).collect();
            for (from, role) in edges {
                if let Some(from_step) = step_of[from.index()]
                    && from_step != to
                    && (role == Role::Base || !bases.contains(&from))
                {
                    model.edges.push(Edge { from: from_step, to, role });
                }
            }
        }
    }

    /// Finds the stages, and the chains of what is of no stage.
    fn group(&self, step_of: &[Option<usize>], model: &mut Model) {
        let count = model.steps.len();
        let mut places: Vec<Option<Place>> = vec![None; count];
        let mut platforms: Vec<String> = vec![String::new(); count];
        let targets: BTreeSet<&str> =
            self.live().flat_map(|(_, n)| &n.meta.origins).filter_map(|o| Some(&*o.target.as_ref()?.name)).collect();
        for (id, node) in self.live() {
            let Some(at) = step_of[id.index()] else { continue };
            let name = self.names[id.index()];
            let origin = node.meta.origins.first();
            let stage = origin.and_then(|o| Some(&*o.stage.as_ref()?.name)).or(name.stage);
            let target = origin.and_then(|o| Some(&*o.target.as_ref()?.name)).filter(|_| targets.len() > 1);
            places[at] = stage.map(|stage| Place {
                target: target.unwrap_or_default().to_owned(),
                platform: name.platform.to_owned(),
                stage: stage.to_owned(),
            });
            if let Some(platform) = &node.platform {
                platforms[at] = show_platform(platform);
            }
        }
        let mut base_of: Vec<Option<usize>> = vec![None; count];
        let mut built_on = vec![0_u32; count];
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
        for edge in &model.edges {
            users[edge.from].push(edge.to);
            if edge.role == Role::Base {
                base_of[edge.to] = Some(edge.from);
                built_on[edge.from] += 1;
            }
        }

        let is_source = |at: usize| matches!(model.steps[at].kind, Kind::Image | Kind::Local | Kind::Fetch);
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<Place, usize> = HashMap::new();
        let mut group_of: Vec<Option<usize>> = vec![None; count];
        for at in (0..count).filter(|at| !is_source(*at)) {
            let chained = base_of[at].filter(|base| built_on[*base] == 1).and_then(|base| group_of[base]);
            let group = match (&places[at], chained) {
                (Some(place), _) => *known.entry(place.clone()).or_insert_with(|| {
                    groups.push(Group {
                        name: place.stage.clone(),
                        target: place.target.clone(),
                        platform: place.platform.clone(),
                        steps: Vec::new(),
                    });
                    groups.len() - 1
                }),
                (None, Some(group)) => group,
                (None, None) => {
                    groups.push(Group::default());
                    groups.len() - 1
                }
            };
            group_of[at] = Some(group);
        }
        // An image is the first step of a stage if nothing but that stage uses it.
        let images: Vec<usize> = (0..count).filter(|at| model.steps[*at].kind == Kind::Image).collect();
        for at in images {
            let mut homes = users[at].iter().map(|user| group_of[*user]);
            let home = homes.next().flatten().filter(|home| homes.all(|other| other == Some(*home)));
            group_of[at] = home.filter(|_| users[at].iter().any(|user| base_of[*user] == Some(at)));
            if let (None, Some(place)) = (group_of[at], &places[at])
                && !place.stage.is_empty()
                && !known.contains_key(place)
            {
                model.steps[at].notes.insert(0, format!("stage {}", place.stage));
            }
        }
        for (at, group) in group_of.iter().enumerate() {
            if let Some(group) = group.map(|g| &mut groups[g]) {
                group.steps.push(at);
                if group.platform.is_empty() {
                    group.platform.clone_from(&platforms[at]);
                }
            }
        }
        let alone = |group: &Group| group.steps.len() == 1 && group.title().is_empty() && group.platform.is_empty();
        let mut new_of = vec![None; groups.len()];
        for (old, group) in groups.into_iter().enumerate() {
            let unnamed = places[group.steps[0]].is_none();
            if !(alone(&group) || unnamed && group.steps.len() == 1) {
                new_of[old] = Some(model.groups.len());
                model.groups.push(group);
            }
        }
        for (at, step) in model.steps.iter_mut().enumerate() {
            step.group = group_of[at].and_then(|group| new_of[group]);
            if step.group.is_none() && step.kind == Kind::Image && !platforms[at].is_empty() {
                step.notes.push(platforms[at].clone());
            }
        }
    }

    fn results(&self, step_of: &[Option<usize>], model: &mut Model) {
        for root in &self.graph.roots {
            let title = if root.name.is_empty() { "result".to_owned() } else { root.name.clone() };
            let mut notes: Vec<String> = root.platform.iter().map(show_platform).collect();
            if root.result.is_none() {
                notes.push("empty".to_owned());
            }
            if let Some(from) = root.result.and_then(|r| step_of[r.node.index()]) {
                model.edges.push(Edge { from, to: model.steps.len(), role: Role::Base });
            }
            let facts = vec![("Result", title.clone())];
            model.steps.push(Step { kind: Kind::Result, keyword: String::new(), title, notes, group: None, facts });
        }
    }
}

/// Splits groups that need themselves by way of others, which joined or foreign vertices may bring about, so that the
/// groups can be drawn one behind the other.
fn split_cycles(model: &mut Model) {
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

fn is_root(mount: &Mount) -> bool {
    mount.dest == ROOT_MOUNT && mount.kind == MountKind::Bind
}

/// The kind of a source, and what stands behind its scheme.
fn scheme(source: &Source) -> (Kind, &str) {
    let (scheme, rest) = source.identifier.split_once("://").unwrap_or(("", &source.identifier));
    match scheme {
        "docker-image" | "oci-layout" => (Kind::Image, rest),
        "local" => (Kind::Local, rest),
        "http" | "https" => (Kind::Fetch, &source.identifier),
        "git" => (Kind::Fetch, rest),
        _ => (Kind::Other, &source.identifier),
    }
}

/// What an op is and says, if nobody gave it a name.
fn summary(op: &Op) -> (Kind, &'static str, String) {
    match op {
        Op::Source(source) => match scheme(source) {
            (Kind::Image, reference) => (Kind::Image, "FROM", short_reference(reference)),
            (Kind::Local, "context") => (Kind::Local, "", "build context".to_owned()),
            (Kind::Local, name) => (Kind::Local, "", format!("local {name}")),
            (kind, rest) => (kind, "", rest.split('?').next().unwrap_or(rest).to_owned()),
        },
        Op::Exec(exec) => match exec.meta.args.as_slice() {
            [shell, flag, command] if shell.ends_with("sh") && flag == "-c" => (Kind::Run, "RUN", one_line(command)),
            args => (Kind::Run, "RUN", one_line(&args.join(" "))),
        },
        Op::File(file) => {
            let all: Vec<_> = file.actions.iter().map(|a| action(&a.action)).collect();
            match all.as_slice() {
                [(keyword, rest)] => (Kind::File, keyword, one_line(rest)),
                _ => {
                    let all: Vec<String> = all.iter().map(|(keyword, rest)| format!("{keyword} {rest}")).collect();
                    (Kind::File, "", one_line(&all.join(", ")))
                }
            }
        }
        Op::Merge(merge) => (Kind::Merge, "MERGE", format!("{} layers", merge.inputs.len())),
        Op::Diff(_) => (Kind::Merge, "DIFF", "what a step changed".to_owned()),
        Op::Build(_) => (Kind::Other, "BUILD", "a build within the build".to_owned()),
        Op::Passthrough(p) => (Kind::Other, "PASS", p.id.clone()),
    }
}

fn action(action: &Action) -> (&'static str, String) {
    match action {
        Action::Copy(c) => ("COPY", format!("{} {}", c.src, c.dest)),
        Action::Mkfile(m) => ("MKFILE", m.path.clone()),
        Action::Mkdir(m) => ("MKDIR", m.path.clone()),
        Action::Rm(r) => ("RM", r.path.clone()),
        Action::Symlink(s) => ("SYMLINK", format!("{} {}", s.newpath, s.oldpath)),
    }
}

/// Which files of a local source are wanted; where an image has its layout.
fn source_notes(source: &Source) -> Vec<String> {
    let list = |key: &str| source.attrs.get(key).map(|json| json_strings(json)).filter(|list| !list.is_empty());
    let mut notes = Vec::new();
    notes.extend(list("local.followpaths").or_else(|| list("local.includepattern")).map(|paths| paths.join(", ")));
    notes.extend(list("local.includepatterns").map(|patterns| format!("only {}", patterns.join(", "))));
    notes.extend(list("local.excludepatterns").map(|patterns| format!("not {}", patterns.join(", "))));
    notes
}

/// The strings of a JSON list of strings; none if it is something else.
fn json_strings(json: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut chars = json.trim().strip_prefix('[').unwrap_or_default().chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            continue;
        }
        let mut string = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('u') => {
                        let code = u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16);
                        string.push(code.ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    Some('n' | 't' | 'r' | 'b' | 'f') => string.push(' '),
                    Some(c) => string.push(c),
                    None => break,
                },
                c => string.push(c),
            }
        }
        strings.push(string);
    }
    strings
}

fn exec_notes(exec: &Exec) -> Vec<String> {
    let mut notes = Vec::new();
    for mount in exec.mounts.iter().filter(|m| !is_root(m)) {
        let at = &mount.dest;
        notes.push(match &mount.kind {
            MountKind::Bind if mount.selector.is_empty() => format!("bind {at}"),
            MountKind::Bind => format!("bind {at} from {}", mount.selector),
            MountKind::Cache(_) => format!("cache {at}"),
            MountKind::Secret(s) => format!("secret {}", s.id),
            MountKind::Ssh(s) => format!("ssh {}", s.id),
            MountKind::Tmpfs(_) => format!("tmpfs {at}"),
        });
    }
    notes.extend(exec.secret_env.iter().map(|s| format!("secret {}", s.id)));
    match exec.network {
        NetMode::Unset => {}
        NetMode::Host => notes.push("host network".to_owned()),
        NetMode::None => notes.push("no network".to_owned()),
    }
    if exec.security == SecurityMode::Insecure {
        notes.push("insecure".to_owned());
    }
    notes.extend(exec.cdi_devices.iter().map(|d| format!("device {}", d.name)));
    notes
}

/// All that is known of a node but its name and its source lines.
fn facts_of(node: &Node) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name: &'static str, text: String| {
        if !text.is_empty() {
            facts.push((name, clip(&text)));
        }
    };
    let lines = |lines: Vec<String>| lines.join("\n");
    match &node.op {
        Op::Source(source) => {
            add("From", source.identifier.clone());
            add("Options", lines(source.attrs.iter().map(|(k, v)| format!("{k} = {v}")).collect()));
        }
        Op::Exec(exec) => {
            add("Command", exec.meta.args.join(" "));
            add("Directory", exec.meta.cwd.clone());
            add("User", exec.meta.user.clone());
            let mounts = exec.mounts.iter().filter(|m| !is_root(m));
            add("Mounts", lines(mounts.map(mount_fact).collect()));
            add("Environment", lines(exec.meta.env.clone()));
            add("Secrets", lines(exec.secret_env.iter().map(|s| format!("{} from {}", s.name, s.id)).collect()));
            let hosts = exec.meta.extra_hosts.iter().map(|h| format!("{} {}", h.ip, h.host));
            add("Hosts", lines(hosts.collect()));
        }
        Op::File(file) => add("Files", lines(file_facts(file))),
        Op::Build(build) => add("Options", lines(build.attrs.iter().map(|(k, v)| format!("{k} = {v}")).collect())),
        Op::Merge(_) | Op::Diff(_) | Op::Passthrough(_) => {}
    }
    add("Platform", node.platform.as_ref().map(show_platform).unwrap_or_default());
    let asked = |o: &rbc_ir::Origin| {
        let frames = [&o.target, &o.stage].into_iter().flatten().map(|f| f.name.to_string());
        frames.collect::<Vec<_>>().join(" \u{203a} ")
    };
    let asked: BTreeSet<String> = node.meta.origins.iter().map(asked).filter(|o| !o.is_empty()).collect();
    add("Asked for by", lines(asked.into_iter().collect()));
    add("Digest", node.meta.description.get(DIGEST).cloned().unwrap_or_default());
    facts
}

fn mount_fact(mount: &Mount) -> String {
    let mut text = match &mount.kind {
        MountKind::Bind => format!("bind {}", mount.dest),
        MountKind::Cache(c) => {
            let sharing = match c.sharing {
                CacheSharing::Shared => "shared",
                CacheSharing::Private => "private",
                CacheSharing::Locked => "locked",
            };
            format!("cache {} (id {}, {sharing})", mount.dest, c.id)
        }
        MountKind::Secret(s) => format!("secret {} at {} (mode {:o})", s.id, mount.dest, s.mode),
        MountKind::Ssh(s) => format!("ssh {} at {}", s.id, mount.dest),
        MountKind::Tmpfs(t) if t.size > 0 => format!("tmpfs {} ({} bytes)", mount.dest, t.size),
        MountKind::Tmpfs(_) => format!("tmpfs {}", mount.dest),
    };
    if !mount.selector.is_empty() {
        text += &format!(" from {}", mount.selector);
    }
    if mount.readonly {
        text += ", read only";
    }
    text
}

fn file_facts(file: &File) -> Vec<String> {
    let copy_extra = |c: &Copy| {
        let mut extra = String::new();
        if !c.mode_str.is_empty() {
            extra += &format!(", mode {}", c.mode_str);
        } else if c.mode >= 0 {
            extra += &format!(", mode {:o}", c.mode);
        }
        if !c.include_patterns.is_empty() {
            extra += &format!(", only {}", c.include_patterns.join(" "));
        }
        if !c.exclude_patterns.is_empty() {
            extra += &format!(", not {}", c.exclude_patterns.join(" "));
        }
        if c.attempt_unpack {
            extra += ", unpacked";
        }
        extra
    };
    let one = |a: &Action| match a {
        Action::Copy(c) => format!("copy {} to {}{}", c.src, c.dest, copy_extra(c)),
        Action::Mkfile(m) => format!("make {} ({} bytes)", m.path, m.data.len()),
        Action::Mkdir(m) => format!("make directory {}", m.path),
        Action::Rm(r) => format!("remove {}", r.path),
        Action::Symlink(s) => format!("link {} to {}", s.newpath, s.oldpath),
    };
    file.actions.iter().map(|a| one(&a.action)).collect()
}

fn show_platform(p: &Platform) -> String {
    let parts = [&p.os, &p.architecture, &p.variant];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("/")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts what no box has room for.
fn short(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect()
}

/// Cuts what is too long to be of use, and replaces what is no character of a text.
fn clip(text: &str) -> String {
    let shown = |c: char| c == '\n' || c == '\t' || !c.is_control();
    let clean = |text: &str| text.replace(|c: char| !shown(c), "\u{fffd}");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}\u{2026} ({} bytes more)", clean(&text[..end]), text.len() - end),
        None => clean(text),
    }
}
