//! `rbc builder`, with real daemons.

use std::path::Path;
use std::process::{Command, Output};

use crate::daemon::{Daemon, RELEASES, Release};
use crate::harness::{Scratch, rbc, stderr, stdout};

/// `rbc builder` with a state of its own.
struct Builders {
    dir: Scratch,
}

impl Builders {
    fn new() -> Builders {
        Builders { dir: Scratch::new() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = rbc();
        command
            .arg("builder")
            .args(args)
            .env("RBC_BUILDERS", self.dir.path().join("state/builders.toml"))
            .env("BUILDX_CONFIG", self.dir.path().join("buildx"))
            .env("DOCKER_HOST", "unix:///nonexistent.sock");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn refused(&self, args: &[&str], expected: &str) {
        let before = self.state();
        let output = self.run(args);
        assert!(!output.status.success() && stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
        assert_eq!(self.state(), before, "{args:?}");
    }

    fn state(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("state/builders.toml")).unwrap_or_default()
    }
}

#[test]
fn daemons_get_names_and_tell_what_they_are() {
    let builders = Builders::new();
    let daemons = RELEASES.map(Daemon::start);
    let endpoints = daemons.each_ref().map(|daemon| format!("docker+unix://{}", daemon.socket().display()));
    assert_eq!(builders.done(&["create", "--name", "old", &endpoints[0], "--use"]), "old\n");
    assert_eq!(
        builders.done(&["create", "--name", "new", &endpoints[1], "--platform", "linux/arm64,linux/riscv64"]),
        "new\n"
    );
    let state = builders.state();
    assert!(state.contains("current = \"old\"") && state.contains("linux/arm64"), "{state}");
    let list = builders.done(&["ls"]);
    let row =
        |start: &str| list.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {list}"));
    assert!(row("old*").contains("docker") && row("local").contains("embedded"), "{list}");
    assert!(row(" \\_ old0").contains("running") && row(" \\_ old0").contains("linux/amd64"), "{list}");
    assert!(row(" \\_ new0").contains("linux/arm64*, linux/riscv64*, linux/amd64"), "{list}");
    assert!(row(" \\_ default").contains("inactive"), "{list}");
    let shown = builders.done(&["inspect", "new"]);
    assert!(shown.contains("Status:               running") && shown.contains(&endpoints[1]), "{shown}");
    let json = builders.done(&["ls", "--format", "json"]);
    let line = json.lines().find(|line| line.contains("\"old\"")).unwrap();
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((value["Current"].as_bool(), value["Nodes"][0]["Status"].as_str()), (Some(true), Some("running")));

    // Builds go to the one that is used, unless another is named.
    builders.dir.file("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /copy\n");
    for (more, elsewhere) in [(&[][..], true), (&["--builder", "new"], true), (&["--builder", "local"], false)] {
        let output = rbc()
            .args(["build", "app", "-o", "out", "--progress", "plain", "--store", "store"])
            .args(more)
            .current_dir(builders.dir.path())
            .env("RBC_BUILDERS", builders.dir.path().join("state/builders.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{more:?}: {}", stderr(&output));
        assert!(builders.dir.path().join("out/copy").exists());
        std::fs::remove_dir_all(builders.dir.path().join("out")).unwrap();
        assert_eq!(builders.dir.path().join("store").exists(), !elsewhere, "{more:?}");
    }

    // What they keep is seen and removed, and so are the builds that they remember.
    for name in ["old", "new"] {
        let cache = |args: &[&str]| {
            let mut command = rbc();
            command.arg("cache").args(args).args(["--builder", name]);
            let output = command.env("RBC_BUILDERS", builders.dir.path().join("state/builders.toml")).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            stdout(&output) + &stderr(&output)
        };
        let kept = cache(&["du"]);
        assert!(kept.contains("local source for context"), "{name}: {kept}");
        assert!(cache(&["du", "--format", "json"]).contains("\"lastUsed\""), "{name}");
        assert!(!cache(&["du", "--filter", "description~=nothing such"]).contains("local source"), "{name}");
        assert!(cache(&["prune", "--all", "--force", "--verbose"]).contains("removed"), "{name}");
        assert!(!cache(&["du"]).contains("local source for context"), "{name}");
    }
    let history = builders.done(&["history", "new"]);
    assert!(history.contains("completed"), "{history}");
    let build = history.lines().nth(1).unwrap().split(' ').next().unwrap();
    builders.refused(&["history", "new", "--forget", "none"], "remembers no build");
    builders.done(&["history", "new", "--forget", build]);
    assert!(!builders.done(&["history", "new"]).contains(build));

    // Of several nodes, each builds the platforms that it was given.
    builders.done(&["create", "--name", "farm", &endpoints[0], "--platform", "linux/amd64"]);
    builders.done(&["create", "--name", "farm", "--append", &endpoints[1], "--platform", "linux/arm64"]);
    builders.dir.file("app/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n");
    let farm = |args: &[&str]| {
        let mut command = rbc();
        command.args(["build", "app", "--builder", "farm", "--progress", "plain"]).args(args);
        let state = builders.dir.path().join("state/builders.toml");
        command.current_dir(builders.dir.path()).env("RBC_BUILDERS", state).output().unwrap()
    };
    let output = farm(&["--platform", "linux/amd64,linux/arm64", "-o", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for file in ["linux_amd64/amd64", "linux_arm64/arm64"] {
        assert!(builders.dir.path().join("out").join(file).exists(), "{file}");
    }
    let refused = farm(&["--platform", "linux/amd64,linux/arm64", "-o", "type=tar,dest=out.tar"]);
    assert!(stderr(&refused).contains("come together only in a registry"), "{}", stderr(&refused));
    let kept = |name: &str| {
        let mut command = rbc();
        command.args(["cache", "du", "--verbose", "--builder", name]);
        stdout(&command.env("RBC_BUILDERS", builders.dir.path().join("state/builders.toml")).output().unwrap())
    };
    assert!(kept("new").contains("/arm64") && !kept("new").contains("/amd64"), "{}", kept("new"));
    // One platform is built by one node, and so not parted.
    let one = farm(&["--platform", "linux/arm64", "-o", "one"]);
    assert!(one.status.success() && builders.dir.path().join("one/arm64").exists(), "{}", stderr(&one));

    // One that does not answer is told apart, and can be removed with all of its kind.
    drop(daemons);
    assert!(builders.done(&["inspect", "old"]).contains("Error:"));
    builders.done(&["rm", "--all-inactive", "--force"]);
    assert!(!builders.state().contains("[[builder]]") && !builders.state().contains("current"), "{}", builders.state());
}

#[test]
fn builders_are_made_of_nodes() {
    let builders = Builders::new();
    builders.done(&["create", "--name", "farm", "tcp://127.0.0.1:1", "--platform", "linux/amd64,linux/arm64"]);
    builders.done(&[
        "create",
        "--name",
        "farm",
        "--append",
        "tcp://127.0.0.1:2",
        "--platform",
        "linux/arm64",
        "--node",
        "arm",
    ]);
    let state = builders.state();
    // A platform is built in one place.
    assert_eq!(state.matches("linux/arm64").count(), 1, "{state}");
    builders.refused(&["create", "--name", "farm", "tcp://127.0.0.1:3"], "--append");
    builders.refused(&["create", "--name", "farm", "--append", "tcp://127.0.0.1:2"], "already");
    builders.refused(&["create", "--name", "other", "--append", "tcp://127.0.0.1:3"], "no builder `other`");
    builders.refused(&["create", "--name", "a b", "tcp://127.0.0.1:3"], "is no name");
    builders.refused(&["create", "--name", "local", "tcp://127.0.0.1:3"], "always the same");
    builders.refused(&["create", "--name", "x", "nowhere"], "it is no endpoint");
    builders.refused(&["create", "--name", "x", "--driver", "remote"], "needs an endpoint");
    builders.refused(&["create", "--name", "x", "--driver-opt", "imgae=y"], "imgae");
    builders.refused(&["create", "--name", "farm", "--leave", "--node", "none"], "no node `none`");
    builders.done(&["create", "--name", "farm", "--leave", "--node", "arm"]);
    builders.refused(&["create", "--name", "farm", "--leave", "--node", "farm0"], "last node");
    builders.refused(&["use", "fram"], "farm");
    builders.refused(&["stop", "farm"], "no container");
    builders.refused(&["inspect"], "is rbc itself");
    builders.done(&["use", "farm"]);
    builders.done(&["use", "local"]);
    assert!(!builders.state().contains("current"));
    builders.done(&["create", "--name", "tls", "tcp://h:1", "--driver-opt", "cacert=/a b,key=/k"]);
    assert!(builders.state().contains("tcp://h:1?cacert=/a%20b&key=/k"), "{}", builders.state());
    builders.dir.file("state/builders.toml", "version = 1\n[[builder]]\nname = \"x\"\ndriver = \"remot\"\n");
    let broken = builders.run(&["ls"]);
    assert!(stderr(&broken).contains("E0806") && stderr(&broken).contains("builders.toml:4:10"), "{}", stderr(&broken));
    assert_eq!(broken.status.code(), Some(1));
}

#[test]
fn builders_of_buildx_are_seen() {
    let builders = Builders::new();
    builders.dir.file(
        "buildx/instances/team",
        r#"{"Name":"team","Driver":"docker-container","Nodes":[{"Name":"team0","Endpoint":"default","Platforms":null}]}"#,
    );
    builders.dir.file("buildx/instances/cluster", r#"{"Name":"cluster","Driver":"kubernetes","Nodes":[]}"#);
    let list = builders.done(&["ls", "--timeout", "5"]);
    assert!(list.contains("docker-container://buildx_buildkit_team0") && list.contains("kubernetes"), "{list}");
    builders.done(&["use", "team"]);
    builders.refused(&["use", "cluster"], "kubernetes");
    builders.refused(&["rm", "team"], "not one of rbc's own");
}

/// A program that does as Docker's would with one container, whose BuildKit is that of a daemon. It writes down what it is
/// asked for.
const DOCKER: &str = r#"#!/usr/bin/env python3
import os, socket, sys, threading
home, daemon = os.environ["FAKE_HOME"], os.environ["FAKE_DAEMON"]
args = sys.argv[1:]
with open(home + "/calls", "a") as calls:
    calls.write(" ".join(args) + "\n")
state = home + "/container"
command = args[0] if args[0] != "volume" else "volume " + args[1]
there = os.path.exists(state)
running = there and open(state).read() == "running"
def set(text):
    open(state, "w").write(text)
if command == "container":
    if not there: sys.exit("Error: No such container: " + args[-1])
    print("true" if running else "false")
elif command in ("run", "start"): set("running")
elif command == "stop": set("stopped")
elif command == "rm": os.remove(state)
elif command == "exec":
    if not running: sys.exit("the container is not running")
    s = socket.socket(socket.AF_UNIX)
    s.connect(daemon)
    s.sendall(b"POST /grpc HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"): head += s.recv(1)
    def forward():
        while True:
            data = os.read(0, 65536)
            if not data: break
            s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    threading.Thread(target=forward, daemon=True).start()
    while True:
        data = s.recv(65536)
        if not data: break
        os.write(1, data)
"#;

#[test]
fn containers_are_made_when_they_are_needed() {
    let builders = Builders::new();
    let daemon = Daemon::start(Release::Trixie);
    let home = builders.dir.path();
    let program = builders.dir.file("bin/docker", DOCKER);
    Command::new("chmod").arg("+x").arg(&program).status().unwrap();
    let config = builders.dir.file("buildkitd.toml", "debug = true\n");
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let run = |args: &[&str]| {
        let mut command = builders.command(args);
        command.env("PATH", &path).env("FAKE_HOME", home).env("FAKE_DAEMON", daemon.socket());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let calls = || std::fs::read_to_string(home.join("calls")).unwrap_or_default();
    let options = "image=my/buildkit:1,network=host,env.HTTP_PROXY=http://p";
    let flags = ["--driver-opt", options, "--buildkitd-flags", "--debug --oci-worker-gc=false", "--buildkitd-config"];
    run(&[&["create", "--name", "mine"], &flags[..], &[config.to_str().unwrap()]].concat());
    assert!(calls().is_empty());
    run(&["start", "mine"]);
    let expected = format!(
        "run --detach --privileged --init --restart unless-stopped --name rbc_buildkit_mine0 --volume rbc_buildkit_mine0_state:/var/lib/buildkit \
        --network host --volume {}:/etc/buildkit/buildkitd.toml:ro --env HTTP_PROXY=http://p my/buildkit:1 --debug --oci-worker-gc=false\n",
        config.display()
    );
    assert!(calls().contains(&expected), "{}", calls());
    assert!(run(&["inspect", "mine"]).contains("running"));
    run(&["stop", "mine"]);
    assert!(run(&["inspect", "mine"]).contains("is not running"));
    assert!(run(&["inspect", "mine", "--bootstrap"]).contains("Platforms:"));
    run(&["rm", "mine"]);
    assert!(calls().contains("rm --force rbc_buildkit_mine0\n") && !Path::new(&home.join("container")).exists());
    assert!(calls().contains("volume rm rbc_buildkit_mine0_state\n"), "{}", calls());
}
