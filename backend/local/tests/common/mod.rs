//! What the tests share: a root file system of busybox, and words to build graphs with.
#![allow(dead_code, reason = "not every test uses all of it")]

pub mod tar;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use rbc_ir::{Exec, ExecMeta, File, FileAction, Graph, Input, Meta, Mount, NodeId, Op, Ref, Source};
use rbc_local::{Config, Event, Executor, Progress, Session, SolveError};

/// A folder that is gone after the test.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rbc-local-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, with the folders that lead there.
    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whatever modes a test has left.
        let _ = Command::new("rm").arg("-rf").arg(&self.0).status();
    }
}

/// A root file system of busybox, in a folder.
pub fn busybox(folder: &Folder) {
    let program = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists());
    let program = program.expect("the tests need a static busybox: apt-get install busybox-static");
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    std::fs::copy(program, folder.join("bin/busybox")).unwrap();
    let list = Command::new(program).arg("--list").output().unwrap();
    for name in String::from_utf8(list.stdout).unwrap().lines().filter(|n| *n != "busybox") {
        std::os::unix::fs::symlink("busybox", folder.join("bin").join(name)).unwrap();
    }
    folder.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\n");
    folder.write("etc/group", "root:x:0:\nweb:x:34:\nlog:x:40:web\n");
    folder.write("tmp/.keep", "");
}

/// Remembers what happened.
#[derive(Default)]
pub struct Seen(Mutex<Vec<String>>);

impl Progress for Seen {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Started { name, .. } => format!("run {name}"),
            Event::Cached { name, .. } => format!("cached {name}"),
            Event::Output { line, .. } => format!("> {}", String::from_utf8_lossy(line)),
            Event::Warning { message, .. } => format!("! {message}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Seen {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn output(&self) -> Vec<String> {
        self.lines().iter().filter_map(|l| l.strip_prefix("> ").map(str::to_owned)).collect()
    }

    pub fn ran(&self) -> Vec<String> {
        self.lines().iter().filter_map(|l| l.strip_prefix("run ").map(str::to_owned)).collect()
    }
}

/// A store, a root file system, and a session in which it is the directory `base`.
pub struct World {
    pub store: Folder,
    pub base: Folder,
    pub executor: Executor,
    pub session: Session,
}

impl World {
    pub fn new() -> World {
        let (store, base) = (Folder::new(), Folder::new());
        busybox(&base);
        let executor = Executor::open(store.path(), Config::default()).unwrap();
        let mut session = Session::default();
        session.local.insert("base".into(), base.path().into());
        World { store, base, executor, session }
    }

    /// Solves a graph, and gives the files of the result and what happened.
    pub fn solve(&self, graph: &Graph, root: Ref) -> (Result<rbc_local::Snapshot, SolveError>, Seen) {
        let seen = Seen::default();
        let solved = self.executor.solve(graph, Some(root), &self.session, &seen);
        (solved, seen)
    }

    /// The output of a shell script that runs in the base.
    pub fn shell(&self, script: &str) -> Vec<String> {
        let mut graph = Graph::new();
        let base = base(&mut graph);
        let run = run(&mut graph, base, script);
        let (solved, seen) = self.solve(&graph, run);
        if let Err(e) = solved {
            panic!("{script}: {e}\n{}", seen.lines().join("\n"));
        }
        seen.output()
    }
}

/// A directory of the session.
pub fn local(graph: &mut Graph, name: &str) -> Ref {
    let source = Source { identifier: format!("local://{name}"), attrs: Default::default() };
    graph.add(Op::Source(source), None, Meta::default()).out()
}

/// Actions, of which the last one is the result.
pub fn files(graph: &mut Graph, actions: Vec<FileAction>) -> Ref {
    graph.add(Op::File(File { actions }), None, Meta::default()).out()
}

/// One action whose result is kept.
pub fn file(graph: &mut Graph, action: FileAction) -> Ref {
    files(graph, vec![FileAction { output: Some(0), ..action }])
}

/// A copy with what a Dockerfile's COPY asks for.
pub fn copy(src: &str, dest: &str) -> rbc_ir::Copy {
    rbc_ir::Copy {
        follow_symlink: true,
        dir_copy_contents: true,
        create_dest_path: true,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        ..rbc_ir::Copy::new(src, dest)
    }
}

/// The base: the directory `base` in an empty file system.
pub fn base(graph: &mut Graph) -> Ref {
    let source = local(graph, "base");
    file(graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy("/", "/")))
}

/// An exec op, to be changed before it is added.
pub fn exec(root: Ref, args: &[&str]) -> Exec {
    let mut mount = Mount::bind("/", Some(root));
    mount.output = Some(0);
    Exec {
        meta: ExecMeta {
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            cwd: "/".into(),
            env: vec!["PATH=/bin".into()],
            ..ExecMeta::default()
        },
        mounts: vec![mount],
        ..Exec::default()
    }
}

/// A shell script.
pub fn run(graph: &mut Graph, root: Ref, script: &str) -> Ref {
    add(graph, exec(root, &["/bin/sh", "-c", script]))
}

pub fn add(graph: &mut Graph, exec: Exec) -> Ref {
    node(graph, exec).out()
}

pub fn node(graph: &mut Graph, exec: Exec) -> NodeId {
    graph.add(Op::Exec(Box::new(exec)), None, Meta::default())
}
