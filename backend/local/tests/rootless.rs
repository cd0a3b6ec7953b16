//! Building as a user, in a process of its own: a user namespace can be entered only before there are threads.

mod common;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use common::*;
use rbc_ir::{ChownOpt, Copy, FileAction, Graph, Input, NetMode, UserOpt};
use rbc_local::rootless::{Identity, enter};
use rbc_local::{Config, Executor, FilesOptions, ImageOptions, Part, Session};

/// Says to the process who it is to be.
const ROLE: &str = "RBC_LOCAL_TEST_ROLE";
/// Who builds. If the machine has subordinate ids for it, they are used.
const USER: u32 = 1500;

fn main() {
    // As cargo test and nextest ask for.
    if std::env::args().any(|a| a == "--list") {
        println!("rootless: test");
        return;
    }
    match std::env::var(ROLE).as_deref() {
        Ok("alone") => build(false),
        Ok("mapped") => build(true),
        _ => start(),
    }
}

fn start() {
    if !rustix::process::geteuid().is_root() {
        println!("test rootless ... ignored: it is run as root, and becomes a user itself");
        return;
    }
    for role in ["alone", "mapped"] {
        let (home, base) = (Folder::new(), Folder::new());
        busybox(&base);
        std::os::unix::fs::chown(home.path(), Some(USER), Some(USER)).unwrap();
        // The program may lie where the user must not look.
        let program = home.join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = Command::new(&program);
        command.uid(USER).gid(USER).env(ROLE, role).env("HOME", home.path()).env("BASE", base.path());
        let output = command.current_dir("/").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{role}: {text}");
        print!("test rootless {role} ... {text}");
    }
}

fn build(subordinate: bool) {
    let identity = match enter(subordinate) {
        Ok(identity) => identity,
        Err(e) => {
            println!("ignored: {}", e.message);
            return;
        }
    };
    if subordinate && identity == Identity::Alone {
        println!("ignored: there are no subordinate ids for user {USER}");
        return;
    }
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let executor = Executor::open(&home.join("store"), Config::default()).unwrap();
    let mut session = Session::default();
    session.local.insert("base".into(), std::env::var_os("BASE").unwrap().into());
    let solve = |graph: &Graph, root| {
        let seen = Seen::default();
        let solved = executor.solve(graph, Some(root), &session, &seen);
        (solved.unwrap_or_else(|e| panic!("{e}\n{}", seen.lines().join("\n"))), seen)
    };
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let script = "id -u; ls /dev | tr '\\n' ' '; echo; grep CapEff /proc/self/status; cat /proc/1/comm >/dev/null; \
                  rm -rf /srv /etc/passwd /etc/group; mkdir /srv; echo x > /etc/x; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo no; echo > /dev/null";
    let first = run(&mut graph, base, script);
    let (snapshot, seen) = solve(&graph, first);
    let devices = "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ";
    assert_eq!(seen.output(), ["0", devices, "CapEff:\t00000000a80425fb", "no"]);
    let mut lonely = exec(first, &["sh", "-c", "ip -o link | wc -l; ls /etc; test -d /sys/class/net/lo && echo lo"]);
    lonely.network = NetMode::None;
    let lonely = add(&mut graph, lonely);
    assert_eq!(solve(&graph, lonely).1.output(), ["1", "hosts", "resolv.conf", "x", "lo"]);
    if identity == Identity::Mapped {
        let mut op = exec(base, &["sh", "-c", "id -u; id -g; touch /tmp/mine; chown 5:6 /tmp/x 2>&1 | wc -l"]);
        op.meta.user = "web".into();
        let root = file(
            &mut graph,
            FileAction::copy(
                Input::Ref(base),
                Input::Ref(base),
                Copy { owner: Some(ChownOpt { user: Some(UserOpt::Id(33)), group: None }), ..copy("/tmp", "/") },
            ),
        );
        op.mounts[0].input = Some(root);
        let user = add(&mut graph, op);
        let (_, seen) = solve(&graph, user);
        assert_eq!(seen.output()[..2], ["33", "34"]);
        let chown = run(&mut graph, base, "touch /f; chown 5:6 /f; stat -c %u:%g /f");
        assert_eq!(solve(&graph, chown).1.output(), ["5:6"]);
    }
    let out = home.join("out");
    executor.store().export_directory(&snapshot, &out, &FilesOptions::default()).unwrap();
    assert!(out.join("etc/x").exists() && !out.join("etc/passwd").exists());
    let made = executor.store().make_image(&[Part { snapshot, ..Part::default() }], &ImageOptions::default()).unwrap();
    assert_eq!(made.manifests[0].1.layers.len(), 2);
    println!("ok");
}
