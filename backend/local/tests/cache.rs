//! What runs, and what does not.

mod common;

use common::*;
use rbc_ir::{Diff, FileAction, Graph, Input, Merge, Meta, Mount, Op, Ref};
use rbc_local::{Config, Executor, FilesOptions};

/// The names of the steps that ran.
fn ran(world: &World, graph: &Graph, root: Ref) -> Vec<String> {
    let (solved, seen) = world.solve(graph, root);
    solved.unwrap_or_else(|e| panic!("{e}\n{}", seen.lines().join("\n")));
    seen.ran()
}

#[test]
fn nothing_runs_twice() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let one = run(&mut graph, base, "echo one > /one");
    let two = run(&mut graph, one, "cat /one; echo two > /two");
    assert_eq!(ran(&world, &graph, two).len(), 3);
    assert_eq!(ran(&world, &graph, two), [""; 0]);
    // Nor in another process.
    let other = Executor::open(world.store.path(), Config::default()).unwrap();
    let seen = Seen::default();
    other.solve(&graph, Some(two), &world.session, &seen).unwrap();
    assert_eq!(seen.ran(), [""; 0]);
}

#[test]
fn only_what_is_seen_counts() {
    let mut world = World::new();
    let ctx = Folder::new();
    ctx.write("src/main", "main").write("README", "one");
    world.session.local.insert("ctx".into(), ctx.path().into());
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let source = local(&mut graph, "ctx");
    let copied = file(&mut graph, FileAction::copy(Input::Ref(base), Input::Ref(source), copy("/src", "/src")));
    let built = run(&mut graph, copied, "cat /src/main");
    assert_eq!(ran(&world, &graph, built).len(), 3);
    // A file that is not copied, and times.
    ctx.write("README", "two");
    ctx.write("src/main", "main");
    assert_eq!(ran(&world, &graph, built), [""; 0]);
    ctx.write("src/main", "other");
    assert_eq!(ran(&world, &graph, built), ["copy /src /src", "/bin/sh -c cat /src/main"]);
    ctx.write("src/main", "main");
    assert_eq!(ran(&world, &graph, built), [""; 0], "what was built before is still there");

    // A mount that is only read.
    let mut op = exec(base, &["sh", "-c", "cat /ctx/main"]);
    let mut mount = Mount::bind("/ctx", Some(source));
    (mount.readonly, mount.selector) = (true, "src".into());
    op.mounts.push(mount);
    let mounted = add(&mut graph, op);
    assert_eq!(ran(&world, &graph, mounted).len(), 1);
    ctx.write("README", "three");
    assert_eq!(ran(&world, &graph, mounted), [""; 0]);
    ctx.write("src/main", "other");
    assert_eq!(ran(&world, &graph, mounted).len(), 1);
}

#[test]
fn early_cutoff() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let script = |s: &str| format!("echo same > /out; : {s}");
    let one = run(&mut graph, base, &script("one"));
    let two = run(&mut graph, base, &script("two"));
    let take = |graph: &mut Graph, from| {
        let copied = file(graph, FileAction::copy(Input::Ref(base), Input::Ref(from), copy("/out", "/in")));
        run(graph, copied, "cat /in")
    };
    let (first, second) = (take(&mut graph, one), take(&mut graph, two));
    assert_eq!(ran(&world, &graph, first).len(), 4);
    // The step is another, and gives the same.
    assert_eq!(ran(&world, &graph, second), ["/bin/sh -c echo same > /out; : two"]);
}

#[test]
fn anew_when_asked() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let step = node(&mut graph, exec(base, &["sh", "-c", "date +%N > /now"]));
    let last = run(&mut graph, step.out(), "cat /now");
    assert_eq!(ran(&world, &graph, last).len(), 3);
    graph.node_mut(step).meta.ignore_cache = true;
    let again = ran(&world, &graph, last);
    assert_eq!(again.len(), 2, "what depends on it runs as well: {again:?}");
    graph.node_mut(step).meta.ignore_cache = false;
    assert_eq!(ran(&world, &graph, last), [""; 0]);
}

#[test]
fn equal_steps_run_once_at_a_time() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let slow = run(&mut graph, base, "sleep 0.3; echo ran");
    let runs: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (graph, world) = (&graph, &world);
                scope.spawn(move || {
                    let other = Executor::open(world.store.path(), Config::default()).unwrap();
                    let seen = Seen::default();
                    other.solve(graph, Some(slow), &world.session, &seen).unwrap();
                    seen.output().len()
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum()
    });
    assert_eq!(runs, 1);
}

#[test]
fn independent_steps_run_together() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let mut all = base;
    let steps: Vec<Ref> = (0..8).map(|n| run(&mut graph, base, &format!("sleep 1; echo {n} > /{n}"))).collect();
    for (n, step) in steps.into_iter().enumerate() {
        all = file(&mut graph, FileAction::copy(Input::Ref(all), Input::Ref(step), copy(&format!("/{n}"), "/")));
    }
    let begun = std::time::Instant::now();
    ran(&world, &graph, all);
    assert!(begun.elapsed().as_secs_f64() < 5.0, "{:?}", begun.elapsed());
}

#[test]
fn merges_and_diffs() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let a = run(&mut graph, base, "mkdir /d; echo a > /d/a; echo a > /same; rm /tmp/.keep");
    let b = run(&mut graph, base, "mkdir /d; echo b > /d/b; echo b > /same; rm -r /etc; mkdir /etc; echo x > /etc/x");
    let diff = |graph: &mut Graph, lower, upper| {
        graph.add(Op::Diff(Diff { lower: Some(lower), upper: Some(upper) }), None, Meta::default()).out()
    };
    let merge =
        |graph: &mut Graph, inputs: Vec<Ref>| graph.add(Op::Merge(Merge { inputs }), None, Meta::default()).out();
    let (da, db) = (diff(&mut graph, base, a), diff(&mut graph, base, b));
    let both = merge(&mut graph, vec![base, da, db]);
    let look = |graph: &Graph, root| {
        let (solved, _) = world.solve(graph, root);
        let snapshot = solved.unwrap_or_else(|e| panic!("{e}"));
        let out = Folder::new();
        world.executor.store().export_directory(&snapshot, out.path(), &FilesOptions::default()).unwrap();
        let text = std::process::Command::new("sh")
            .args(["-c", "find . -not -path './bin*' -not -path './dev*' -not -path './proc*' -not -path './sys*' | sort; cat same"])
            .current_dir(out.path())
            .output()
            .unwrap();
        String::from_utf8(text.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // What both made is there, what either removed is not, and the later one wins.
    assert_eq!(look(&graph, both), [".", "./d", "./d/a", "./d/b", "./etc", "./etc/x", "./same", "./tmp", "b"]);
    // On nothing there is nothing to remove.
    assert_eq!(look(&graph, db), [".", "./d", "./d/b", "./etc", "./etc/x", "./same", "b"]);
    let list = run(&mut graph, both, "ls /tmp /d");
    let (solved, seen) = world.solve(&graph, list);
    solved.unwrap();
    assert_eq!(seen.output(), ["/d:", "a", "b", "", "/tmp:"]);
    // Of file systems with other histories the files tell.
    let across = diff(&mut graph, a, b);
    assert_eq!(look(&graph, across), [".", "./d", "./d/b", "./etc", "./etc/x", "./same", "./tmp", "./tmp/.keep", "b"]);
}
