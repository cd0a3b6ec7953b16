//! File ops, seen from the files that they leave.

mod common;

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use common::*;
use rbc_ir::{Action, ChownOpt, Copy, FileAction, Graph, Input, Mkdir, Mkfile, Ref, Rm, Symlink, UserOpt};
use rbc_local::{FilesOptions, Session, Store};

/// Everything in a result: `path mode uid:gid [-> target | =text]`.
fn look(world: &World, graph: &Graph, root: Ref) -> Vec<String> {
    let (solved, _) = world.solve(graph, root);
    let snapshot = solved.unwrap_or_else(|e| panic!("{e}"));
    listing(world.executor.store(), &snapshot)
}

fn listing(store: &Store, snapshot: &rbc_local::Snapshot) -> Vec<String> {
    let mut bytes = Vec::new();
    store.export_tar(&[(String::new(), snapshot.clone())], &mut bytes, &FilesOptions::default()).unwrap();
    let folder = Folder::new();
    std::fs::write(folder.join("x.tar"), bytes).unwrap();
    let out = folder.join("out");
    std::fs::create_dir(&out).unwrap();
    let status =
        std::process::Command::new("tar").args(["-xpf", "../x.tar", "--same-owner"]).current_dir(&out).status();
    assert!(status.unwrap().success());
    let mut lines = Vec::new();
    walk(&out, &out, &mut lines);
    lines.sort();
    lines
}

fn walk(root: &Path, dir: &Path, lines: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().display();
        let mut line = format!("{name} {:o} {}:{}", meta.mode() & 0o7777, meta.uid(), meta.gid());
        if meta.is_symlink() {
            line = format!("{name} -> {}", std::fs::read_link(&path).unwrap().display());
        } else if meta.is_file() {
            line.push_str(&format!(" ={}", std::fs::read_to_string(&path).unwrap()));
        }
        lines.push(line);
        if meta.is_dir() {
            walk(root, &path, lines);
        }
    }
}

/// A world with a directory `ctx`.
fn world(ctx: &Folder) -> World {
    let mut world = World::new();
    world.session = Session::default();
    world.session.local.insert("ctx".into(), ctx.path().into());
    world
}

/// Copies from `ctx` to an empty file system, or onto what `first` copied.
fn copied(world: &World, copies: &[Copy]) -> Vec<String> {
    let mut graph = Graph::new();
    let ctx = local(&mut graph, "ctx");
    let mut at = Input::Scratch;
    for copy in copies {
        at = Input::Ref(file(&mut graph, FileAction::copy(at, Input::Ref(ctx), copy.clone())));
    }
    let Input::Ref(at) = at else { panic!("nothing to copy") };
    look(world, &graph, at)
}

fn mkfile(path: &str, text: &str) -> Action {
    Action::Mkfile(Mkfile { path: path.into(), mode: 0o640, data: text.into(), owner: None, timestamp: -1 })
}

fn mkdir(path: &str, parents: bool) -> Action {
    Action::Mkdir(Mkdir { path: path.into(), mode: 0o750, make_parents: parents, owner: None, timestamp: -1 })
}

#[test]
fn directories_and_their_contents() {
    let ctx = Folder::new();
    ctx.write("dir/a", "A").write("dir/sub/b", "B").write("one", "1");
    symlink("sub", ctx.join("dir/link")).unwrap();
    let world = world(&ctx);
    let whole = |c: Copy| Copy { dir_copy_contents: false, ..c };
    assert_eq!(
        copied(&world, &[copy("/dir", "/out")]),
        ["out 755 0:0", "out/a 644 0:0 =A", "out/link -> sub", "out/sub 755 0:0", "out/sub/b 644 0:0 =B"]
    );
    assert_eq!(copied(&world, &[copy("/dir/", "/out/")])[0..2], ["out 755 0:0", "out/a 644 0:0 =A"]);
    // A whole directory goes into one that is there, and becomes one that is not.
    assert_eq!(
        copied(&world, &[whole(copy("/dir", "/x/"))])[0..3],
        ["x 755 0:0", "x/dir 755 0:0", "x/dir/a 644 0:0 =A"]
    );
    assert_eq!(copied(&world, &[whole(copy("/dir", "/x"))])[0..2], ["x 755 0:0", "x/a 644 0:0 =A"]);
    // A file likewise.
    assert_eq!(copied(&world, &[copy("/one", "/x/y")]), ["x 755 0:0", "x/y 644 0:0 =1"]);
    assert_eq!(copied(&world, &[copy("/one", "/x/")]), ["x 755 0:0", "x/one 644 0:0 =1"]);
    assert_eq!(copied(&world, &[copy("/dir", "/d"), copy("/one", "/d")])[2], "d/link -> sub");
    assert_eq!(copied(&world, &[copy("/dir", "/d"), copy("/one", "/d")])[3], "d/one 644 0:0 =1");
    // Links in the way lead to where they lead inside.
    assert_eq!(copied(&world, &[copy("/dir", "/"), copy("/one", "/link/")])[4], "sub/one 644 0:0 =1");
    assert_eq!(copied(&world, &[copy("/dir/link/b", "/")]), ["b 644 0:0 =B"]);
}

#[test]
fn wildcards_and_patterns() {
    let ctx = Folder::new();
    ctx.write("a.txt", "a").write("b.txt", "b").write("c.log", "c").write("d/e.txt", "e").write("d/f/g.txt", "g");
    let world = world(&ctx);
    assert_eq!(copied(&world, &[copy("/*.txt", "/o/")]), ["o 755 0:0", "o/a.txt 644 0:0 =a", "o/b.txt 644 0:0 =b"]);
    assert_eq!(copied(&world, &[copy("/nothing*", "/o/")]), [""; 0]);
    let strict = Copy { allow_empty_wildcard: false, ..copy("/nothing*", "/o/") };
    let mut graph = Graph::new();
    let source = local(&mut graph, "ctx");
    let failing = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), strict));
    assert!(world.solve(&graph, failing).0.unwrap_err().to_string().contains("nothing matches `/nothing*`"));
    let missing = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy("/gone", "/o/")));
    assert!(world.solve(&graph, missing).0.unwrap_err().to_string().contains("there is no `/gone` to copy"));
    let included = Copy { include_patterns: vec!["**/g.txt".into()], ..copy("/", "/o") };
    assert_eq!(copied(&world, &[included]), ["o 755 0:0", "o/d 755 0:0", "o/d/f 755 0:0", "o/d/f/g.txt 644 0:0 =g"]);
    let excluded = Copy { exclude_patterns: vec!["*.txt".into(), "d/*".into(), "!d/e.txt".into()], ..copy("/", "/o") };
    assert_eq!(copied(&world, &[excluded]), ["o 755 0:0", "o/c.log 644 0:0 =c", "o/d 755 0:0", "o/d/e.txt 644 0:0 =e"]);
    let required = Copy { required_paths: vec!["/d/none".into()], ..copy("/", "/o") };
    let missing = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), required));
    assert!(world.solve(&graph, missing).0.unwrap_err().to_string().contains("/d/none"));
}

#[test]
fn owners_modes_and_times() {
    let ctx = Folder::new();
    ctx.write("etc/passwd", "web:x:33:34::/:/\n").write("etc/group", "log:x:40:\n").write("d/f", "x");
    let world = world(&ctx);
    let mut graph = Graph::new();
    let source = local(&mut graph, "ctx");
    let base = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy("/etc", "/etc")));
    let named = |name: &str| Some(UserOpt::Name { name: name.into(), input: Input::Ref(base) });
    let with = |graph: &mut Graph, c: Copy| file(graph, FileAction::copy(Input::Ref(base), Input::Ref(source), c));
    let owned = with(
        &mut graph,
        Copy {
            owner: Some(ChownOpt { user: named("web"), group: named("log") }),
            mode: 0o4711,
            timestamp: 1_000_000_000_000_000_000,
            ..copy("/d", "/new/")
        },
    );
    let lines = look(&world, &graph, owned);
    assert_eq!(lines[3..], ["new 711 33:40", "new/f 4711 33:40 =x"]);
    let symbolic = with(
        &mut graph,
        Copy {
            owner: Some(ChownOpt { user: named("web"), group: None }),
            mode_str: "go-r,u+X".into(),
            ..copy("/d", "/new/")
        },
    );
    assert_eq!(look(&world, &graph, symbolic)[3..], ["new 755 33:34", "new/f 600 33:34 =x"]);
    let unknown = with(
        &mut graph,
        Copy { owner: Some(ChownOpt { user: named("nobody"), group: Some(UserOpt::Id(7)) }), ..copy("/d/f", "/") },
    );
    assert_eq!(look(&world, &graph, unknown)[3], "f 644 0:7 =x");

    let (solved, _) = world.solve(&graph, owned);
    let out = Folder::new();
    world.executor.store().export_directory(&solved.unwrap(), out.path(), &FilesOptions::default()).unwrap();
    assert_eq!(std::fs::metadata(out.join("new/f")).unwrap().mtime(), 1_000_000_000);
    assert_eq!(std::fs::metadata(out.join("new")).unwrap().mtime(), 1_000_000_000);
}

#[test]
fn making_and_removing() {
    let ctx = Folder::new();
    let world = world(&ctx);
    let mut graph = Graph::new();
    let chain = |actions: Vec<Action>| -> Vec<FileAction> {
        let last = actions.len() - 1;
        let action = |(at, action)| FileAction {
            input: if at == 0 { Input::Scratch } else { Input::Action(at as u32 - 1) },
            secondary: Input::Scratch,
            output: (at == last).then_some(0),
            action,
        };
        actions.into_iter().enumerate().map(action).collect()
    };
    let link = |from: &str, to: &str| {
        Action::Symlink(Symlink { oldpath: to.into(), newpath: from.into(), owner: None, timestamp: -1 })
    };
    let rm = |path: &str, wildcard, lenient| {
        Action::Rm(Rm { path: path.into(), allow_not_found: lenient, allow_wildcard: wildcard })
    };
    let made = files(
        &mut graph,
        chain(vec![
            mkdir("/a/b", true),
            mkfile("/a/b/f1", "one"),
            mkfile("/a/b/f2", "two"),
            link("/l", "/a/b"),
            mkfile("/l/f3", "three"),
            rm("/a/b/f[12]", true, false),
            rm("/none", false, true),
            mkdir("/a", false),
            link("/etc", "../../../../../../etc"),
        ]),
    );
    assert_eq!(
        look(&world, &graph, made),
        ["a 750 0:0", "a/b 750 0:0", "a/b/f3 640 0:0 =three", "etc -> ../../../../../../etc", "l -> /a/b"]
    );
    let failing = |actions: Vec<Action>| {
        let mut graph = Graph::new();
        let node = files(&mut graph, chain(actions));
        world.solve(&graph, node).0.unwrap_err().to_string()
    };
    assert!(failing(vec![rm("/none", false, false)]).contains("cannot remove `/none`"));
    assert!(failing(vec![mkdir("/x/y", false)]).contains("cannot make the directory `/x/y`"));
    assert!(failing(vec![mkfile("/x/y", "")]).contains("cannot make the file `/x/y`"));
    assert!(failing(vec![rm("/", false, false)]).contains("root"));
    // Removing what a link leads to removes the link.
    let kept = files(
        &mut graph,
        chain(vec![mkdir("/d", false), mkfile("/d/f", "x"), link("/l", "d"), rm("/l", false, false)]),
    );
    assert_eq!(look(&world, &graph, kept), ["d 750 0:0", "d/f 640 0:0 =x"]);
}

#[test]
fn what_is_in_the_way() {
    let ctx = Folder::new();
    ctx.write("f/x", "dir").write("g", "file");
    let world = world(&ctx);
    let mut graph = Graph::new();
    let source = local(&mut graph, "ctx");
    let base = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy("/", "/")));
    for (src, dest) in [("/g", "/f/x/"), ("/f", "/g")] {
        let node = file(&mut graph, FileAction::copy(Input::Ref(base), Input::Ref(source), copy(src, dest)));
        assert!(world.solve(&graph, node).0.is_err(), "{src} to {dest}");
    }
    let force = |c: Copy| Copy { always_replace_existing_dest_paths: true, ..c };
    let node = file(&mut graph, FileAction::copy(Input::Ref(base), Input::Ref(source), force(copy("/f", "/g"))));
    assert_eq!(look(&world, &graph, node)[2..], ["g 755 0:0", "g/x 644 0:0 =dir"]);
}

#[test]
fn the_context_stays_what_it_was_and_is_not_escaped() {
    let ctx = Folder::new();
    let outside = Folder::new();
    outside.write("secret", "secret");
    ctx.write("in", "in");
    symlink(outside.path(), ctx.join("abs")).unwrap();
    symlink(format!("../{}", outside.path().file_name().unwrap().to_str().unwrap()), ctx.join("rel")).unwrap();
    let world = world(&ctx);
    for path in ["/abs/secret", "/rel/secret", "/../in/../../secret", "/abs/../secret"] {
        let mut graph = Graph::new();
        let source = local(&mut graph, "ctx");
        let node = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy(path, "/")));
        assert!(world.solve(&graph, node).0.is_err(), "{path}");
    }
    assert_eq!(copied(&world, &[copy("/../../in", "/")]), ["in 644 0:0 =in"]);
    // And a destination does not leave its file system.
    let mut graph = Graph::new();
    let source = local(&mut graph, "ctx");
    let base = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy("/", "/")));
    let node = file(&mut graph, FileAction::copy(Input::Ref(base), Input::Ref(source), copy("/in", "/abs/in")));
    let inside = outside.path().strip_prefix("/").unwrap().display().to_string();
    assert!(look(&world, &graph, node).iter().any(|l| *l == format!("{inside}/in 644 0:0 =in")));
    assert!(!outside.join("in").exists());
}

#[test]
fn hard_links_and_special_files() {
    let ctx = Folder::new();
    ctx.write("a", "x");
    std::fs::hard_link(ctx.join("a"), ctx.join("b")).unwrap();
    let status = std::process::Command::new("mkfifo").arg(ctx.join("pipe")).status().unwrap();
    assert!(status.success());
    let world = world(&ctx);
    let mut graph = Graph::new();
    let source = local(&mut graph, "ctx");
    let node = file(&mut graph, FileAction::copy(Input::Scratch, Input::Ref(source), copy("/", "/")));
    let (solved, _) = world.solve(&graph, node);
    let out = Folder::new();
    world.executor.store().export_directory(&solved.unwrap(), out.path(), &FilesOptions::default()).unwrap();
    let ino = |name: &str| std::fs::metadata(out.join(name)).unwrap().ino();
    assert_eq!(ino("a"), ino("b"));
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&std::fs::metadata(out.join("pipe")).unwrap().file_type()));
}
