//! Killed at any moment, the next build is right.

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use rbc_ir::{FileAction, Graph, Input, Ref};
use rbc_local::{Config, Executor, FilesOptions, ImageOptions, ImageTarget, Part, Session};

/// Says to the test binary that it shall build in the store of this name and be killed.
const CHILD: &str = "RBC_LOCAL_TEST_BUILD";

fn graph() -> (Graph, Ref) {
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let mut at = base;
    for n in 0..4 {
        at = run(
            &mut graph,
            at,
            &format!("for i in 1 2 3 4 5; do echo {n} > /file-{n}-$i; done; mkdir /d{n}; rm -f /file-{n}-3"),
        );
    }
    let side = run(&mut graph, base, "echo side > /side");
    let all = file(&mut graph, FileAction::copy(Input::Ref(at), Input::Ref(side), copy("/side", "/")));
    (graph, all)
}

fn build(store: &std::path::Path, base: &std::path::Path) -> Result<Vec<u8>, String> {
    let executor = Executor::open(store, Config::default()).map_err(|e| e.message)?;
    let mut session = Session::default();
    session.local.insert("base".into(), base.into());
    let (graph, root) = graph();
    let snapshot = executor.solve(&graph, Some(root), &session, &rbc_local::Silent).map_err(|e| e.to_string())?;
    let options = ImageOptions { epoch: Some(1_000_000_000), rewrite_timestamps: true, ..ImageOptions::default() };
    let image = executor.store().make_image(&[Part { snapshot: snapshot.clone(), ..Part::default() }], &options);
    let image = image.map_err(|e| e.message)?;
    let mut archive = Vec::new();
    let target = ImageTarget::OciArchive(&mut archive);
    executor.store().export_image(&image, &[], target).map_err(|e| e.message)?;
    let mut files = Vec::new();
    let epoch = FilesOptions { epoch: Some(0), delete: false };
    executor.store().export_tar(&[(String::new(), snapshot)], &mut files, &epoch).map_err(|e| e.message)?;
    Ok(files)
}

/// Not a test: what the other one starts and kills.
#[test]
fn build_in_a_process_of_its_own() {
    let Some(paths) = std::env::var_os(CHILD) else { return };
    let paths: Vec<std::path::PathBuf> = std::env::split_paths(&paths).collect();
    build(&paths[0], &paths[1]).unwrap();
}

#[test]
fn killed_at_any_moment() {
    let (stores, base) = (Folder::new(), Folder::new());
    busybox(&base);
    let expected = build(&stores.join("right"), base.path()).unwrap();
    let rounds: u64 = std::env::var("RBC_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let store = stores.join("killed");
    for round in 0..rounds {
        if round % 8 == 0 {
            let _ = Command::new("rm").arg("-rf").arg(&store).status();
        }
        let paths = std::env::join_paths([store.as_path(), base.path()]).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "build_in_a_process_of_its_own"])
            .env(CHILD, paths)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(round * 7919 % 400));
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 4 == 3 {
            assert!(build(&store, base.path()).unwrap() == expected, "round {round}");
            // Nothing that was half-made is left.
            let left = std::fs::read_dir(store.join("tmp")).unwrap().count();
            assert_eq!(left, 0, "round {round}");
        }
    }
    // And no process, and no mount.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(stores.path().to_str().unwrap()));
}

#[test]
fn a_damaged_store_gives_a_right_build_or_a_clear_failure() {
    let (stores, base) = (Folder::new(), Folder::new());
    busybox(&base);
    let store = stores.join("store");
    let expected = build(&store, base.path()).unwrap();
    let damage = |script: &str| {
        let status = Command::new("sh").args(["-c", script]).current_dir(&store).status().unwrap();
        assert!(status.success(), "{script}");
    };
    for script in [
        "for f in results/*/*; do : > $f; done",
        "for f in results/*/*; do printf x >> $f; done",
        "for f in digests/*/* contexts/*; do printf x >> $f; done",
        "rm -rf layers/*",
        "rm -rf blobs/sha256/*",
        "for f in layers/*/blob-*.json; do : > $f; done",
        "rm -rf results digests contexts locks",
        "rm epoch.json",
        "printf garbage > epoch.json",
    ] {
        damage(script);
        match build(&store, base.path()) {
            Ok(files) => assert!(files == expected, "{script}"),
            Err(e) => assert!(e.contains("store") || e.contains("layer") || e.contains("write"), "{script}: {e}"),
        }
    }
    damage("printf 'rbc-store 999\n' > version");
    assert!(build(&store, base.path()).unwrap_err().contains("another version"));
}
