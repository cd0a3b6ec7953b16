//! From a graph to snapshots.
//!
//! First all sources are pinned: it is found out what they are, without fetching them. That gives every vertex its
//! definition key. Then, from the results down, vertices whose key is known are taken from the store, and only of the others
//! the inputs are looked at. What remains is run, in parallel, each vertex as soon as its inputs are there.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard};

use rbc_ir::{Graph, NodeId, Op, Ref};
use rbc_source::environment;
use rbc_wire::{Digest, Emitter, Order};

use crate::content::{self, seen};
use crate::error::failure;
use crate::file::Content;
use crate::keys::Bytes;
use crate::session::{Event, Progress, Reporter, Scene, Session, Silent, SolveError};
use crate::source::Pin;
use crate::store::{Snapshot, Store};
use crate::{CacheRecord, CacheSource, Cancel, Config, exec, file, source};

/// Runs graphs.
#[derive(Debug)]
pub struct Executor {
    store: Store,
    config: Config,
}

type Outcome<T> = std::result::Result<T, SolveError>;

impl Executor {
    /// An executor with a store, which is made if there is none.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub fn open(store: &Path, config: Config) -> crate::Result<Executor> {
        crate::sys::raise_open_files();
        Ok(Executor { store: Store::open(store)?, config })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Solves one result of a graph. Scratch is the empty snapshot.
    ///
    /// # Errors
    /// The first failure, after all that was running has ended.
    pub fn solve(
        &self,
        graph: &Graph,
        root: Option<Ref>,
        session: &Session,
        progress: &dyn Progress,
    ) -> Outcome<Snapshot> {
        let solved = self.solve_all(graph, &[root], session, progress)?;
        Ok(solved.into_iter().next().unwrap_or_default())
    }

    /// Solves several results of a graph at once.
    ///
    /// # Errors
    /// As [`Executor::solve`].
    pub fn solve_all(
        &self,
        graph: &Graph,
        roots: &[Option<Ref>],
        session: &Session,
        progress: &dyn Progress,
    ) -> Outcome<Vec<Snapshot>> {
        if let Err(broken) = rbc_ir::verify(graph) {
            let first = broken.first().map(rbc_ir::Broken::to_diagnostic);
            let found = first.unwrap_or_else(|| *failure(environment::INTERNAL, "the graph is broken"));
            return Err(Box::new(found).into());
        }
        let mut solve = Solve::new(self, graph, session, progress)?;
        solve.list(roots);
        solve.announce();
        solve.pin()?;
        let done = solve.run(roots)?;
        let snapshot = |root: &Option<Ref>| -> Outcome<Snapshot> {
            let Some(root) = root else { return Ok(Snapshot::default()) };
            let found = solve.vertex_of[root.node.index()].and_then(|v| done.get(&v)?.get(&root.output));
            match found {
                Some(Content::Snapshot(snapshot)) => Ok(self.store.settled(snapshot)?),
                Some(Content::Local(tree)) => Ok(tree.snapshot(&self.store, &solve.cancels())?),
                None => Err(failure(environment::INTERNAL, "the build gave no result").into()),
            }
        };
        roots.iter().map(snapshot).collect()
    }
}

impl Executor {
    /// What is known of a graph that was solved: all results, by all their keys, for a cache on other machines.
    ///
    /// # Errors
    /// If sources cannot be found any more.
    pub fn cache_records(&self, graph: &Graph, roots: &[Option<Ref>], session: &Session) -> Outcome<Vec<CacheRecord>> {
        let mut solve = Solve::new(self, graph, session, &Silent)?;
        solve.list(roots);
        solve.pin()?;
        solve.records()
    }

    /// Opens a shell where a command failed, with the command's environment, user, directory and mounts, on the terminal of
    /// this process. What is written in it is lost.
    ///
    /// # Errors
    /// If there is no shell, or the sandbox cannot be set up.
    pub fn shell(&self, scene: &Scene, session: &Session) -> Outcome<()> {
        // What the user types to interrupt a program is meant for the program.
        Cancel::deaf();
        let mut exec = scene.exec.clone();
        exec.meta.args = vec![SHELL.to_owned()];
        let report = Reporter { vertex: Digest::of(SHELL.as_bytes()), progress: &Silent };
        let job = exec::Job {
            store: &self.store,
            session,
            cancel: &[],
            report,
            inputs: &scene.inputs,
            meta: &scene.meta,
            talk: Some(&scene.root),
        };
        exec::run(&job, &exec).map(|_| ())
    }
}

/// What a user gets who wants to look at a failed step.
const SHELL: &str = "/bin/sh";

/// A vertex of the graph: all nodes that have the same name.
struct Vertex {
    node: NodeId,
    name: Digest,
    /// Vertices and outputs.
    inputs: Vec<(usize, u32)>,
    /// Which of the emitted definitions has its bytes.
    bytes: usize,
    /// Whether a known result must not be used, because somebody said so of it or of something it needs.
    anew: bool,
    /// Whether that was said of itself.
    ignore: bool,
    pin: Option<Pin>,
    key: Digest,
    title: String,
}

struct Solve<'a> {
    executor: &'a Executor,
    graph: &'a Graph,
    session: &'a Session,
    progress: &'a dyn Progress,
    cancel: Cancel,
    vertices: Vec<Vertex>,
    vertex_of: Vec<Option<usize>>,
    bytes: Vec<Bytes>,
}

/// What a vertex gave, by output.
type Outputs = BTreeMap<u32, Content>;

/// What is known while vertices run.
struct Board {
    done: HashMap<usize, Outputs>,
    ready: VecDeque<usize>,
    /// Of each vertex that must run, how many of its inputs are not there yet.
    waiting: HashMap<usize, usize>,
    users: HashMap<usize, Vec<usize>>,
    left: usize,
    failure: Option<SolveError>,
}

impl<'a> Solve<'a> {
    fn new(
        executor: &'a Executor,
        graph: &'a Graph,
        session: &'a Session,
        progress: &'a dyn Progress,
    ) -> Outcome<Solve<'a>> {
        let cancel = Cancel::new().map_err(|e| failure(environment::INTERNAL, format!("cannot make an event: {e}")))?;
        Ok(Solve {
            executor,
            graph,
            session,
            progress,
            cancel,
            vertices: Vec::new(),
            vertex_of: vec![None; graph.len()],
            bytes: Vec::new(),
        })
    }

    fn cancels(&self) -> Vec<&Cancel> {
        std::iter::once(&self.cancel).chain(&self.session.cancel).collect()
    }

    fn cancelled(&self) -> bool {
        self.cancels().iter().any(|c| c.is_cancelled())
    }

    /// Lists the vertices that the results need, inputs first.
    fn list(&mut self, roots: &[Option<Ref>]) {
        let mut emitter = Emitter::new(self.graph, Order::Walk);
        let mut by_name: HashMap<Digest, usize> = HashMap::new();
        for root in roots.iter().flatten() {
            let emitted = emitter.emit(Some(*root));
            let bytes = Bytes::of(&emitted);
            let at = self.bytes.len();
            // Nodes are in order of their inputs, and so are the vertices listed.
            let mut needed = vec![false; self.graph.len()];
            needed[root.node.index()] = true;
            for (id, node) in self.graph.iter().rev().filter(|(id, _)| id.index() <= root.node.index()) {
                if needed[id.index()] {
                    node.pinned.iter().for_each(|r| needed[r.node.index()] = true);
                    node.op.each_ref(&mut |r| needed[r.node.index()] = true);
                }
            }
            for (id, node) in self.graph.iter().filter(|(id, _)| needed[id.index()]) {
                let name = emitter.digest(id);
                let ignore = node.meta.ignore_cache && !matches!(node.op, Op::Source(_));
                if let Some(known) = by_name.get(&name) {
                    self.vertex_of[id.index()] = Some(*known);
                    self.vertices[*known].ignore |= ignore;
                    continue;
                }
                let inputs = bytes.inputs(&name);
                let inputs = inputs.into_iter().filter_map(|(vertex, output)| Some((*by_name.get(&vertex)?, output)));
                let vertex = Vertex {
                    node: id,
                    name,
                    inputs: inputs.collect(),
                    bytes: at,
                    anew: false,
                    ignore,
                    pin: None,
                    key: name,
                    title: title(node),
                };
                by_name.insert(name, self.vertices.len());
                self.vertex_of[id.index()] = Some(self.vertices.len());
                self.vertices.push(vertex);
            }
            self.bytes.push(bytes);
        }
    }

    fn announce(&self) {
        for vertex in &self.vertices {
            let inputs: Vec<Digest> = vertex.inputs.iter().map(|(input, _)| self.vertices[*input].name).collect();
            let group = self.graph.node(vertex.node).meta.progress_group.as_ref();
            let group = group.map(|group| (group.id.as_str(), group.name.as_str()));
            self.progress.event(Event::Planned { vertex: vertex.name, name: &vertex.title, inputs: &inputs, group });
        }
    }

    fn reporter(&self, vertex: usize) -> Reporter<'_> {
        Reporter { vertex: self.vertices[vertex].name, progress: self.progress }
    }

    /// Finds out what the sources are, and gives every vertex its definition key.
    fn pin(&mut self) -> Outcome<()> {
        let sources: Vec<usize> = (0..self.vertices.len())
            .filter(|v| matches!(self.graph.node(self.vertices[*v].node).op, Op::Source(_)))
            .collect();
        let pins: Vec<Outcome<Pin>> = {
            let this = &*self;
            let one = |vertex: usize| {
                let node = this.graph.node(this.vertices[vertex].node);
                let Op::Source(op) = &node.op else {
                    return Err(failure(environment::INTERNAL, "a source is none").into());
                };
                let cancels = this.cancels();
                let job = this.job(vertex, &cancels);
                let (name, title) = (this.vertices[vertex].name, &this.vertices[vertex].title);
                this.progress.event(Event::Looking { vertex: name, name: title });
                let pin = source::pin(&job, op, node.platform.as_deref()).map_err(|e| this.blame(vertex, e));
                let failure = pin.as_ref().err().map(|e| e.diagnostic.message.as_str());
                let ready = matches!(pin, Ok(Pin::Local(_)));
                this.progress.event(Event::Found { vertex: name, ready, failure });
                pin
            };
            match &sources[..] {
                [only] => vec![one(*only)],
                many => std::thread::scope(|scope| {
                    let workers: Vec<_> = many.iter().map(|v| scope.spawn(move || one(*v))).collect();
                    let lost = |_| Err(failure(environment::INTERNAL, "finding a source failed").into());
                    workers.into_iter().map(|worker| worker.join().unwrap_or_else(lost)).collect()
                }),
            }
        };
        for (vertex, pin) in sources.into_iter().zip(pins) {
            let pin = pin?;
            self.vertices[vertex].key = pin.key();
            self.vertices[vertex].pin = Some(pin);
        }
        for at in 0..self.vertices.len() {
            let vertex = &self.vertices[at];
            let anew = vertex.ignore || vertex.inputs.iter().any(|(input, _)| self.vertices[*input].anew);
            if vertex.pin.is_none() {
                let inputs: Vec<Digest> = vertex.inputs.iter().map(|(input, _)| self.vertices[*input].key).collect();
                self.vertices[at].key = self.bytes[vertex.bytes].definition(&vertex.name, &inputs);
            }
            self.vertices[at].anew = anew;
        }
        Ok(())
    }

    /// Takes what is known from the store, from the results down, and notes what must run.
    fn look_up(&self, roots: &[Option<Ref>]) -> Board {
        let mut board = Board {
            done: HashMap::new(),
            ready: VecDeque::new(),
            waiting: HashMap::new(),
            users: HashMap::new(),
            left: 0,
            failure: None,
        };
        let mut stack: Vec<usize> = roots.iter().flatten().filter_map(|r| self.vertex_of[r.node.index()]).collect();
        let mut order = Vec::new();
        let mut met = vec![false; self.vertices.len()];
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut met[at], true) {
                continue;
            }
            let vertex = &self.vertices[at];
            if let Some(Pin::Local(tree)) = &vertex.pin {
                board.done.insert(at, BTreeMap::from([(0, Content::Local(tree.clone()))]));
                continue;
            }
            let known = if vertex.anew { None } else { self.executor.store.result(&vertex.key) };
            if let Some(known) = known {
                self.progress.event(Event::Cached { vertex: vertex.name, name: &vertex.title });
                board.done.insert(at, outputs(known));
                continue;
            }
            order.push(at);
            // What another machine knows is fetched, and needs nothing of what it was made of.
            if self.elsewhere(at, &vertex.key).is_none() {
                stack.extend(vertex.inputs.iter().map(|(input, _)| *input));
            }
        }
        board.left = order.len();
        for at in order {
            let mut inputs: Vec<usize> = self.vertices[at].inputs.iter().map(|(input, _)| *input).collect();
            inputs.sort_unstable();
            inputs.dedup();
            if self.elsewhere(at, &self.vertices[at].key).is_some() {
                inputs.clear();
            }
            inputs.retain(|input| !board.done.contains_key(input));
            for input in &inputs {
                board.users.entry(*input).or_default().push(at);
            }
            if inputs.is_empty() {
                board.ready.push_back(at);
            }
            board.waiting.insert(at, inputs.len());
        }
        board
    }

    fn run(&self, roots: &[Option<Ref>]) -> Outcome<HashMap<usize, Outputs>> {
        let board = self.look_up(roots);
        let threads = self.executor.config.parallel().min(board.left);
        let (board, changed) = (Mutex::new(board), Condvar::new());
        if threads > 0 {
            std::thread::scope(|scope| {
                for _ in 1..threads {
                    scope.spawn(|| self.work(&board, &changed));
                }
                self.work(&board, &changed);
            });
        }
        let board = board.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        match board.failure {
            Some(failure) => Err(failure),
            None if board.left > 0 => Err(SolveError::cancelled()),
            None => Ok(board.done),
        }
    }

    /// Runs what is ready until nothing is left.
    fn work(&self, board: &Mutex<Board>, changed: &Condvar) {
        let lock = || -> MutexGuard<Board> { board.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) };
        let mut held = lock();
        loop {
            if held.left == 0 || held.failure.is_some() || self.cancelled() {
                // Whoever waits must see it as well.
                changed.notify_all();
                return;
            }
            let Some(at) = held.ready.pop_front() else {
                held = changed.wait(held).unwrap_or_else(|poisoned| poisoned.into_inner());
                continue;
            };
            let inputs: HashMap<(usize, u32), Content> = self.vertices[at]
                .inputs
                .iter()
                .filter_map(|input| Some((*input, held.done.get(&input.0)?.get(&input.1)?.clone())))
                .collect();
            drop(held);
            // A fault of ours must not leave the others waiting.
            let one = std::panic::AssertUnwindSafe(|| self.one(at, &inputs));
            let outcome = std::panic::catch_unwind(one)
                .unwrap_or_else(|_| Err(failure(environment::INTERNAL, "a vertex could not be run to its end").into()));
            held = lock();
            match outcome {
                Ok(outputs) => {
                    held.done.insert(at, outputs);
                    held.left -= 1;
                    for user in held.users.remove(&at).unwrap_or_default() {
                        let waiting = held.waiting.get_mut(&user).map_or(0, |n| {
                            *n -= 1;
                            *n
                        });
                        if waiting == 0 {
                            held.ready.push_back(user);
                        }
                    }
                }
                Err(e) => {
                    let e = self.blame(at, e);
                    // What is cancelled because of the first failure is not one.
                    if held.failure.is_none() {
                        held.failure = Some(e);
                    }
                    self.cancel.cancel();
                }
            }
            changed.notify_all();
        }
    }

    fn blame(&self, at: usize, failure: SolveError) -> SolveError {
        SolveError { vertex: failure.vertex.or(Some(self.vertices[at].name)), ..failure }
    }

    /// Gives what a vertex gives: by its content key, or by running it.
    fn one(&self, at: usize, inputs: &HashMap<(usize, u32), Content>) -> Outcome<Outputs> {
        let vertex = &self.vertices[at];
        let store = &self.executor.store;
        if let Some(cache) = self.elsewhere(at, &vertex.key) {
            return self.fetch(at, cache, &vertex.key);
        }
        let key = self.content_key(at, inputs)?;
        let give_up = || self.cancelled();
        let _lock = store.lock_key(&key, &give_up)?.ok_or_else(SolveError::cancelled)?;
        if !vertex.ignore {
            // Somebody may have made it while we waited.
            let known = if vertex.anew { None } else { store.result(&vertex.key) };
            if let Some(known) = known.or_else(|| store.result(&key)) {
                store.put_result(&vertex.key, &known)?;
                self.progress.event(Event::Cached { vertex: vertex.name, name: &vertex.title });
                return Ok(outputs(known));
            }
        }
        if let Some(cache) = self.elsewhere(at, &key) {
            return self.fetch(at, cache, &key);
        }
        self.progress.event(Event::Started { vertex: vertex.name, name: &vertex.title });
        let made = self.execute(at, inputs);
        let why = made.as_ref().err().map(|e| e.diagnostic.message.as_str());
        self.progress.event(Event::Finished { vertex: vertex.name, failure: why });
        let made = made?;
        store.put_result(&key, &made)?;
        store.put_result(&vertex.key, &made)?;
        Ok(outputs(made))
    }

    /// Who else knows what a vertex gives by a key, if that may be used.
    fn elsewhere(&self, at: usize, key: &Digest) -> Option<&CacheSource> {
        let vertex = &self.vertices[at];
        let by_definition = vertex.key == *key;
        if vertex.ignore || (by_definition && vertex.anew) {
            return None;
        }
        self.session.caches.iter().find(|cache| cache.has(key)).map(|cache| &**cache)
    }

    /// Takes what a vertex gives from another machine's cache.
    fn fetch(&self, at: usize, cache: &CacheSource, key: &Digest) -> Outcome<Outputs> {
        let vertex = &self.vertices[at];
        self.progress.event(Event::Looking { vertex: vertex.name, name: &vertex.title });
        let cancels = self.cancels();
        let job = self.job(at, &cancels);
        let taken = cache.take(&job, key);
        let failure = taken.as_ref().err().map(|e| e.diagnostic.message.as_str());
        self.progress.event(Event::Found { vertex: vertex.name, ready: false, failure });
        let taken = taken?.unwrap_or_default();
        self.executor.store.put_result(key, &taken)?;
        self.executor.store.put_result(&vertex.key, &taken)?;
        self.progress.event(Event::Cached { vertex: vertex.name, name: &vertex.title });
        Ok(outputs(taken))
    }

    fn job<'j>(&'j self, at: usize, cancel: &'j [&'j Cancel]) -> source::Job<'j> {
        source::Job {
            store: &self.executor.store,
            config: &self.executor.config,
            session: self.session,
            cancel,
            report: self.reporter(at),
        }
    }

    /// What is known of all vertices, by all keys, for other machines.
    fn records(&self) -> Outcome<Vec<CacheRecord>> {
        let mut contents: HashMap<(usize, u32), Content> = HashMap::new();
        let mut records = Vec::new();
        for (at, vertex) in self.vertices.iter().enumerate() {
            if let Some(Pin::Local(tree)) = &vertex.pin {
                contents.insert((at, 0), Content::Local(tree.clone()));
                continue;
            }
            let Some(outputs) = self.executor.store.result(&vertex.key) else { continue };
            for (output, snapshot) in &outputs {
                contents.insert((at, *output), Content::Snapshot(snapshot.clone()));
            }
            let mut keys = vec![vertex.key];
            // Of what was made before its inputs were forgotten, only the one key is known.
            if vertex.inputs.iter().all(|input| contents.contains_key(input)) {
                let key = self.content_key(at, &contents)?;
                if key != vertex.key {
                    keys.push(key);
                }
            }
            records.push(CacheRecord { keys, outputs });
        }
        Ok(records)
    }

    fn content_key(&self, at: usize, inputs: &HashMap<(usize, u32), Content>) -> Outcome<Digest> {
        let vertex = &self.vertices[at];
        if vertex.pin.is_some() {
            return Ok(vertex.key);
        }
        let op = &self.graph.node(vertex.node).op;
        let mut selectors = HashMap::new();
        for (r, parts) in seen(op) {
            if let Some(input) = self.vertex_of[r.node.index()] {
                selectors.insert((input, r.output), parts);
            }
        }
        let (mut keys, mut parts) = (Vec::new(), Vec::new());
        for input in &vertex.inputs {
            let Some(content) = inputs.get(input) else {
                return Err(failure(environment::INTERNAL, "an input of a vertex is not there").into());
            };
            let seen = selectors.get(input);
            keys.push(match (seen, content) {
                (Some(selectors), content) => content::digest(&self.executor.store, content, selectors)?,
                (None, Content::Snapshot(snapshot)) => snapshot.identity(),
                (None, Content::Local(tree)) => tree.digest(),
            });
            parts.push(seen.is_some());
        }
        Ok(self.bytes[vertex.bytes].content(&vertex.name, &keys, &parts))
    }

    fn execute(&self, at: usize, inputs: &HashMap<(usize, u32), Content>) -> Outcome<Vec<(u32, Snapshot)>> {
        let vertex = &self.vertices[at];
        let node = self.graph.node(vertex.node);
        let store = &self.executor.store;
        let cancels = self.cancels();
        let content = |r: Ref| -> Outcome<Content> {
            let found = self.vertex_of[r.node.index()].and_then(|v| inputs.get(&(v, r.output)));
            found.cloned().ok_or_else(|| failure(environment::INTERNAL, "an input of a vertex is not there").into())
        };
        let snapshot = |r: Ref| -> Outcome<Snapshot> {
            match content(r)? {
                Content::Snapshot(snapshot) => Ok(snapshot),
                Content::Local(tree) => Ok(tree.snapshot(store, &cancels)?),
            }
        };
        let report = self.reporter(at);
        match &node.op {
            Op::Source(op) => {
                let Some(pin) = &vertex.pin else {
                    return Err(failure(environment::INTERNAL, "a source was not found").into());
                };
                let config = &self.executor.config;
                let job = source::Job { store, config, session: self.session, cancel: &cancels, report };
                Ok(vec![(0, source::fetch(&job, op, pin)?)])
            }
            Op::Exec(op) => {
                let mut given = HashMap::new();
                for r in op.mounts.iter().filter_map(|m| m.input) {
                    given.insert(r, snapshot(r)?);
                }
                let job = exec::Job {
                    store,
                    session: self.session,
                    cancel: &cancels,
                    report,
                    inputs: &given,
                    meta: &node.meta,
                    talk: None,
                };
                exec::run(&job, op)
            }
            Op::File(op) => {
                let mut given = HashMap::new();
                let mut refs = Vec::new();
                node.op.each_ref(&mut |r| refs.push(r));
                for r in refs {
                    given.insert(r, content(r)?);
                }
                let job = file::Job { store, cancel: &cancels, inputs: &given, description: &vertex.title };
                file::run(&job, op)
            }
            Op::Merge(op) => {
                let mut layers = Vec::new();
                for (number, r) in op.inputs.iter().enumerate() {
                    let input = snapshot(*r)?;
                    match number {
                        0 => layers.extend(input.layers().iter().cloned()),
                        _ => layers.extend(store.loosened(&input, 0)?),
                    }
                }
                Ok(vec![(0, Snapshot::new(layers))])
            }
            Op::Diff(op) => {
                let lower = op.lower.map(snapshot).transpose()?.unwrap_or_default();
                let upper = op.upper.map(snapshot).transpose()?.unwrap_or_default();
                Ok(vec![(0, crate::diff::diff(store, &lower, &upper, &vertex.title)?)])
            }
            Op::Passthrough(op) => {
                let mut made = Vec::new();
                for (output, input) in op.outputs.iter().enumerate() {
                    let r = op.inputs.get(*input as usize).copied();
                    let r =
                        r.ok_or_else(|| failure(environment::INTERNAL, "a vertex hands on what it does not have"))?;
                    made.push((output as u32, snapshot(r)?));
                }
                Ok(made)
            }
            Op::Build(op) => {
                let definition = crate::build::definition(store, op, &snapshot)?;
                let loaded = rbc_wire::load(&definition)?;
                let root = loaded.graph.roots.first().and_then(|root| root.result);
                let session = Session { cancel: Some(self.cancel.clone()), ..self.session.clone() };
                Ok(vec![(0, self.executor.solve(&loaded.graph, root, &session, self.progress)?)])
            }
        }
    }
}

fn outputs(made: Vec<(u32, Snapshot)>) -> Outputs {
    made.into_iter().map(|(output, snapshot)| (output, Content::Snapshot(snapshot))).collect()
}

/// What a vertex is called: as whoever made it says, or by what it does.
fn title(node: &rbc_ir::Node) -> String {
    if let Some(name) = node.meta.description.get("llb.customname") {
        return name.clone();
    }
    match &node.op {
        Op::Source(op) => op.identifier.clone(),
        Op::Exec(op) => op.meta.args.join(" "),
        Op::File(op) => {
            let action = |a: &rbc_ir::FileAction| match &a.action {
                rbc_ir::Action::Copy(a) => format!("copy {} {}", a.src, a.dest),
                rbc_ir::Action::Mkfile(a) => format!("mkfile {}", a.path),
                rbc_ir::Action::Mkdir(a) => format!("mkdir {}", a.path),
                rbc_ir::Action::Symlink(a) => format!("symlink {} -> {}", a.newpath, a.oldpath),
                rbc_ir::Action::Rm(a) => format!("rm {}", a.path),
            };
            op.actions.iter().map(action).collect::<Vec<_>>().join(", ")
        }
        Op::Merge(_) => "merge".to_owned(),
        Op::Diff(_) => "diff".to_owned(),
        Op::Build(_) => "build".to_owned(),
        Op::Passthrough(op) => format!("passthrough {}", op.id),
    }
}
