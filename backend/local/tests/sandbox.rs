//! Commands and the world that they see.

mod common;

use common::*;
use rbc_ir::{CacheMount, Graph, Mount, MountKind, NetMode, SecretMount, TmpfsMount, Ulimit};

#[test]
fn a_command_runs_in_a_world_of_its_own() {
    let world = World::new();
    assert_eq!(world.shell("echo hello; echo there >&2"), ["hello", "there"]);
    assert_eq!(
        world.shell("hostname; cat /etc/hosts | head -1; pwd; echo $HOME; id -u"),
        ["buildkitsandbox", "127.0.0.1\tlocalhost buildkitsandbox", "/", "/root", "0"]
    );
    assert_eq!(
        world.shell("ls /dev | tr '\\n' ' '"),
        ["core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "]
    );
    assert_eq!(world.shell("cd /proc; ls -d [0-9]* | wc -l | awk '{print ($1 < 8)}'"), ["1"]);
    assert_eq!(
        world
            .shell("grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; grep NoNewPrivs /proc/self/status"),
        ["CapEff:\t00000000a80425fb", "Seccomp:\t2", "NoNewPrivs:\t0"]
    );
    // What would tell of the machine or change it.
    assert_eq!(
        world.shell(
            "cat /proc/timer_list 2>/dev/null | wc -c; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo no"
        ),
        ["0", "no"]
    );
    assert_eq!(
        world.shell("(mkdir /sys/x) 2>/dev/null || echo no; mount -t tmpfs x /tmp 2>/dev/null || echo no"),
        ["no", "no"]
    );
    assert_eq!(world.shell("unshare -U true 2>/dev/null || echo no"), ["no"]);
    assert_eq!(world.shell("ls /proc/self/fd | tr '\\n' ' '"), ["0 1 2 3 "]);
    assert_eq!(world.shell("umask; ulimit -c >/dev/null; readlink /proc/self/ns/pid | grep -c pid"), ["0022", "1"]);
}

#[test]
fn orphans_are_buried_and_nobody_outlives_the_command() {
    let world = World::new();
    let out = world.shell(
        "(sh -c 'sleep 0.01 & exit' &) ; sleep 0.2; cat /proc/[0-9]*/stat | grep -c ') Z '; sleep 1000 & echo done",
    );
    assert_eq!(out, ["0", "done"]);
}

#[test]
fn how_it_ends() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let failing = run(&mut graph, base, "echo before; exit 7");
    let killed = run(&mut graph, base, "kill -9 $$");
    let mut tolerant = exec(base, &["sh", "-c", "exit 3"]);
    tolerant.meta.valid_exit_codes = vec![0, 3];
    let tolerant = add(&mut graph, tolerant);
    let absent = add(&mut graph, exec(base, &["nothing-of-that-name"]));
    let mut nowhere = exec(base, &["true"]);
    nowhere.meta.user = "nobody".into();
    let nowhere = add(&mut graph, nowhere);

    let e = world.solve(&graph, failing).0.unwrap_err();
    assert_eq!((e.exit_code, e.tail.as_slice()), (Some(7), &b"before\n"[..]));
    assert!(e.vertex.is_some() && e.at.is_some());
    assert_eq!(world.solve(&graph, killed).0.unwrap_err().exit_code, Some(137));
    world.solve(&graph, tolerant).0.unwrap();
    let e = world.solve(&graph, absent).0.unwrap_err();
    assert!(e.to_string().contains("`nothing-of-that-name` cannot be executed"), "{e}");
    let e = world.solve(&graph, nowhere).0.unwrap_err();
    assert!(e.to_string().contains("no user `nobody`"), "{e}");
}

#[test]
fn users_and_directories() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let mut op = exec(
        base,
        &["sh", "-c", "id; pwd; echo $HOME; grep CapEff /proc/self/status; touch mine; stat -c '%u:%g %a' ."],
    );
    op.meta.user = "web".into();
    op.meta.cwd = "/new/place".into();
    let run = add(&mut graph, op);
    let (solved, seen) = world.solve(&graph, run);
    solved.unwrap();
    assert_eq!(
        seen.output(),
        [
            "uid=33(web) gid=34(web) groups=34(web),40(log)",
            "/new/place",
            "/srv",
            "CapEff:\t0000000000000000",
            "33:34 755",
        ]
    );
}

#[test]
fn networks_and_limits() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let mut op =
        exec(base, &["sh", "-c", "ip -o link | wc -l; ip -o addr show lo | grep -c 127.0.0.1; ulimit -n; ulimit -Hn"]);
    op.network = NetMode::None;
    op.meta.ulimits = vec![Ulimit { name: "nofile".into(), soft: 100, hard: 200 }];
    let run = add(&mut graph, op);
    let (solved, seen) = world.solve(&graph, run);
    solved.unwrap();
    assert_eq!(seen.output(), ["1", "1", "100", "200"]);
}

#[test]
fn mounts() {
    let mut world = World::new();
    world.session.secrets.insert("key".into(), b"s3cret\n".to_vec());
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let with = |graph: &mut Graph, script: &str, mounts: Vec<Mount>| {
        let mut op = exec(base, &["sh", "-c", script]);
        op.mounts.extend(mounts);
        add(graph, op)
    };
    let secret = SecretMount { id: "key".into(), uid: 33, gid: 34, mode: 0o440, optional: false };
    let secret = Mount::without_input("/run/secrets/key", MountKind::Secret(secret));
    let script =
        "stat -c '%u:%g %a' /run/secrets/key; cat /run/secrets/key; (echo x > /run/secrets/key) 2>/dev/null || echo no";
    let run = with(&mut graph, script, vec![secret]);
    let (solved, seen) = world.solve(&graph, run);
    solved.unwrap();
    assert_eq!(seen.output(), ["33:34 440", "***", "no"]);

    let tmpfs = Mount::without_input("/scratch", MountKind::Tmpfs(TmpfsMount { size: 1 << 20 }));
    let run = with(
        &mut graph,
        "stat -f -c %T /scratch; (dd if=/dev/zero of=/scratch/x bs=64k count=32) 2>/dev/null || echo full",
        vec![tmpfs],
    );
    let (solved, seen) = world.solve(&graph, run);
    solved.unwrap();
    assert_eq!(seen.output(), ["tmpfs", "full"]);

    let cache =
        || Mount::without_input("/cache", MountKind::Cache(CacheMount { id: "c".into(), ..Default::default() }));
    let first = with(&mut graph, "echo kept > /cache/file", vec![cache()]);
    let second = with(&mut graph, "cat /cache/file; rm /cache/file", vec![cache()]);
    world.solve(&graph, first).0.unwrap();
    let (solved, seen) = world.solve(&graph, second);
    solved.unwrap();
    assert_eq!(seen.output(), ["kept"]);

    let mut read_only = Mount::bind("/ro", Some(base));
    (read_only.readonly, read_only.selector) = (true, "/etc".into());
    let mut writable = Mount::bind("/rw", Some(base));
    writable.selector = "etc".into();
    let script = "cat /ro/group | head -1; (touch /ro/x) 2>/dev/null || echo no; touch /rw/x && echo yes";
    let run = with(&mut graph, script, vec![read_only, writable]);
    let (solved, seen) = world.solve(&graph, run);
    let snapshot = solved.unwrap();
    assert_eq!(seen.output(), ["root:x:0:", "no", "yes"]);
    let layer = world.executor.store().root().join("layers").join(snapshot.layers()[1].id()).join("fs");
    let mut left: Vec<_> =
        std::fs::read_dir(layer).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["dev", "etc", "proc", "sys"], "as with runc, what is mounted on in every container stays");
}

#[test]
fn a_secret_that_is_missing() {
    let world = World::new();
    let mut graph = Graph::new();
    let base = base(&mut graph);
    for optional in [true, false] {
        let secret = SecretMount { id: "none".into(), optional, mode: 0o400, ..Default::default() };
        let mut op = exec(base, &["sh", "-c", "test -e /secret || echo absent"]);
        op.mounts.push(Mount::without_input("/secret", MountKind::Secret(secret)));
        let run = add(&mut graph, op);
        let (solved, seen) = world.solve(&graph, run);
        match optional {
            true => {
                solved.unwrap();
                assert_eq!(seen.output(), ["absent"]);
            }
            false => assert!(solved.unwrap_err().to_string().contains("not given the secret `none`")),
        }
    }
}

#[test]
fn cancelling_kills_everything() {
    let mut world = World::new();
    let cancel = rbc_local::Cancel::new().unwrap();
    world.session.cancel = Some(cancel.clone());
    let mut graph = Graph::new();
    let base = base(&mut graph);
    let run = run(&mut graph, base, "trap '' TERM INT; echo started; sleep 1000");
    let begun = std::time::Instant::now();
    let (solved, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            cancel.cancel();
        });
        world.solve(&graph, run)
    });
    assert!(solved.unwrap_err().to_string().contains("cancelled"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}
