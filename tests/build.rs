//! `rbc build`, as users meet it. The base image is a static busybox, made by the first build of each test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Scratch, rbc, stderr, stdout};
use crate::images::Registry;

/// A store, and a base image in an OCI layout.
pub struct Kitchen {
    dir: Scratch,
}

impl Kitchen {
    pub fn new() -> Kitchen {
        let kitchen = Kitchen { dir: Scratch::new() };
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists());
        let busybox = busybox.expect("the tests need a static busybox: cargo xtask setup installs it");
        kitchen.file("base/busybox", std::fs::read(busybox).unwrap());
        kitchen.file(
            "base/Dockerfile",
            "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\n",
        );
        kitchen.fine(&["base", "-t", "base", "-o", "type=oci,tar=false,dest=base.oci"]);
        kitchen
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        self.dir.file(name, text)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = rbc();
        command.current_dir(self.dir.path()).env("RBC_STORE", self.path("store")).env_remove("BUILDKIT_PROGRESS");
        command.arg("build").args(args);
        command
    }

    /// Builds; the base image is the context `base`.
    pub fn build(&self, args: &[&str]) -> Output {
        let base =
            if self.path("base.oci").exists() { "base=oci-layout://base.oci" } else { "none=docker-image://none" };
        self.command(args).args(["--build-context", base]).output().unwrap()
    }

    pub fn fine(&self, args: &[&str]) -> Output {
        let output = self.build(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        output
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}

const APP: &str =
    "FROM base AS build\nCOPY a /a\nRUN cat /a > /b && echo ma\"de\"\nFROM scratch\nCOPY --from=build /b /b\n";

#[test]
fn a_directory_and_a_second_build_from_the_cache() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", APP);
    kitchen.file("app/a", "one");
    let first = stderr(&kitchen.fine(&["app", "-o", "out", "--progress", "plain"]));
    assert_eq!(kitchen.read("out/b"), "one");
    assert!(first.contains("[build 2/3] RUN cat /a > /b"), "{first}");
    assert!(first.lines().any(|l| l.starts_with('#') && l.ends_with(" made")), "{first}");
    let second = stderr(&kitchen.fine(&["app", "-o", "out", "--progress", "plain"]));
    assert!(!second.contains(" made\n"), "{second}");
    assert_eq!(second.matches("CACHED").count(), 4, "{second}");
    kitchen.file("app/a", "two");
    kitchen.fine(&["app", "-o", "out"]);
    assert_eq!(kitchen.read("out/b"), "two");
    assert!(stderr(&kitchen.fine(&["app", "--no-cache", "--progress", "plain"])).contains(" made\n"));
}

#[test]
fn a_failing_step_shows_its_line_and_its_output() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN echo before && \\\n    exit 7\n");
    let output = kitchen.build(&["app"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for part in ["E0811", "exited with code 7", "app/Dockerfile:2:1", "RUN echo before", "ERROR:"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let quiet = stderr(&kitchen.build(&["app", "--progress", "quiet"]));
    assert!(quiet.contains("the last that it wrote") && quiet.contains("before"), "{quiet}");
}

#[test]
fn several_outputs_at_once() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", APP);
    kitchen.file("app/a", "one");
    let outputs =
        ["-o", "dir", "-o", "type=tar,dest=a.tar", "-o", "type=oci,dest=b.tar", "-o", "type=docker,dest=c.tar"];
    kitchen.fine(&[&["app", "-t", "app:1", "--iidfile", "id", "--metadata-file", "meta"], &outputs[..]].concat());
    assert_eq!(kitchen.read("dir/b"), "one");
    let list = |name: &str| stdout(&Command::new("tar").arg("tf").arg(kitchen.path(name)).output().unwrap());
    assert_eq!(list("a.tar"), "b\n");
    assert!(list("b.tar").contains("index.json") && !list("b.tar").contains("manifest.json"));
    assert!(list("c.tar").contains("manifest.json"));
    let (id, meta) = (kitchen.read("id"), kitchen.json("meta"));
    assert_eq!(meta["containerimage.config.digest"], id);
    assert_eq!(meta["image.name"], "docker.io/library/app:1");
    assert!(list("c.tar").contains(id.strip_prefix("sha256:").unwrap()));
    let quiet = kitchen.fine(&["app", "-q"]);
    assert_eq!(stdout(&quiet), format!("{id}\n"));
    assert_eq!(stderr(&quiet), "");
    let piped = kitchen.fine(&["app", "-o", "-"]);
    assert!(piped.stdout.len() > 1024 && piped.stdout.windows(3).any(|w| w == b"one"));
}

#[test]
fn several_platforms_make_an_index() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n");
    kitchen.file("app/amd64", "x");
    kitchen.file("app/arm64", "y");
    let two = ["app", "--platform", "linux/amd64,linux/arm64"];
    kitchen.fine(&[&two[..], &["-o", "out", "-o", "type=oci,tar=false,dest=image.oci", "-t", "two"]].concat());
    assert_eq!(kitchen.read("out/linux_amd64/arch") + &kitchen.read("out/linux_arm64/arch"), "xy");
    let top = kitchen.json("image.oci/index.json")["manifests"][0].clone();
    assert_eq!(top["mediaType"], "application/vnd.oci.image.index.v1+json");
    let digest = top["digest"].as_str().unwrap().replace(':', "/");
    let index = kitchen.json(&format!("image.oci/blobs/{digest}"));
    assert_eq!(index["manifests"][1]["platform"]["architecture"], "arm64");
    let refused = kitchen.build(&[&two[..], &["-o", "type=docker,dest=x.tar"]].concat());
    assert!(stderr(&refused).contains("one platform only"), "{}", stderr(&refused));
    assert!(!kitchen.path("x.tar").exists());
}

#[test]
fn secrets_reach_their_step_and_nothing_else() {
    let kitchen = Kitchen::new();
    kitchen.file(
        "app/Dockerfile",
        "FROM base\nRUN --mount=type=secret,id=s cat /run/secrets/s; wc -c < /run/secrets/s > /n\n",
    );
    kitchen.file("token", "hunter22");
    let output = kitchen.fine(&[
        "app",
        "--secret",
        "id=s,src=token",
        "-o",
        "type=tar,dest=out.tar",
        "-t",
        "x",
        "-o",
        "type=oci,dest=oci.tar",
    ]);
    let log = stderr(&output);
    assert!(!log.contains("hunter22") && log.contains("***"), "{log}");
    let leaked = Command::new("grep")
        .args(["-rl", "hunter22", "store", "out.tar", "oci.tar"])
        .current_dir(kitchen.dir.path())
        .output()
        .unwrap();
    assert_eq!(stdout(&leaked), "");
    kitchen.fine(&["app", "--no-cache", "--secret", "id=s,src=token", "-o", "out"]);
    assert_eq!(kitchen.read("out/n"), "8\n");
    let from_env = kitchen.command(&[
        "app",
        "--build-context",
        "base=oci-layout://base.oci",
        "--no-cache",
        "--secret",
        "id=s,env=TOKEN",
        "-o",
        "out",
    ]);
    let mut from_env = from_env;
    assert!(from_env.env("TOKEN", "abc").status().unwrap().success());
    assert_eq!(kitchen.read("out/n"), "3\n");
}

#[test]
fn flags_that_cannot_be_are_refused_before_anything_is_built() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN touch /x\n");
    for (args, part) in [
        (&["-o", "type=nothing,dest=x"][..], "there is no output of the type `nothing`"),
        (&["-o", "type=local,dest=x,compression=gzip"], "has no parameter `compression`"),
        (&["-o", "type=oci"], "needs a destination"),
        (&["-o", "type=image,compression=lzma"], "it is `gzip`, `zstd` or `uncompressed`"),
        (&["-t", "UPPER"], "UPPER"),
        (&["--secret", "id=s,src=nowhere"], "nowhere"),
        (&["--annotation", "nothing"], "write KEY=VALUE"),
        (&["-o", "-", "-o", "type=oci,dest=-"], "two outputs cannot go to standard output"),
        (&["--ssh", "default=token"], "token"),
        (&["--provenance=mode=max"], "attestations are not made here"),
        (&["--sbom"], "attestations are not made here"),
    ] {
        let output = kitchen.build(&[&["app"], args].concat());
        assert!(!output.status.success() && stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("#1"), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn rights_beyond_the_sandbox_must_be_allowed() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN --network=host true\n");
    let refused = kitchen.build(&["app"]);
    assert!(
        stderr(&refused).contains("E0820") && stderr(&refused).contains("--allow network.host"),
        "{}",
        stderr(&refused)
    );
    kitchen.fine(&["app", "--allow", "network.host", "--provenance=false", "--sbom=false"]);
}

#[test]
fn progress_for_programs() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN echo hello\n");
    let output = kitchen.fine(&["app", "--progress", "rawjson"]);
    let text = stderr(&output);
    let mut seen = (false, false);
    for line in text.lines().filter(|l| l.starts_with('{')) {
        let status: serde_json::Value = serde_json::from_str(line).unwrap();
        let vertex = &status["vertexes"][0];
        seen.0 |= vertex["name"] == "[1/2] RUN echo hello" && vertex["completed"].is_string();
        seen.1 |= status["logs"][0]["data"] == "aGVsbG8K";
    }
    assert_eq!(seen, (true, true), "{text}");
}

#[test]
fn a_shell_opens_where_a_step_failed() {
    use std::io::Write as _;
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nENV WHERE=here\nWORKDIR /w\nRUN echo made > it && exit 3\n");
    let mut command = kitchen.command(&["app", "--on-error=shell", "--build-context", "base=oci-layout://base.oci"]);
    let pipes = || std::process::Stdio::piped();
    let mut child = command.stdin(pipes()).stdout(pipes()).stderr(pipes()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"cat it; pwd; echo $WHERE; exit 9\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output), "made\n/w\nhere\n", "{}", stderr(&output));
    assert!(stderr(&output).contains("E0811"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn any_definition_is_solved() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM scratch\nCOPY a /b\n");
    kitchen.file("app/a", "text");
    let run = |args: &[&str]| {
        rbc().current_dir(kitchen.dir.path()).env("RBC_STORE", kitchen.path("store")).args(args).output().unwrap()
    };
    assert!(run(&["compile", "app", "-o", "graph.pb"]).status.success());
    let solved = run(&["solve", "graph.pb", "--local", "context=app", "-o", "out"]);
    assert!(solved.status.success(), "{}", stderr(&solved));
    assert_eq!(kitchen.read("out/b"), "text");
    std::fs::remove_file(kitchen.path("app/a")).unwrap();
    let failed = run(&["solve", "graph.pb", "--local", "context=app"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).contains("Dockerfile:2:1") && stderr(&failed).contains("COPY a /b"), "{}", stderr(&failed));
    let missing = run(&["solve", "graph.pb"]);
    assert!(stderr(&missing).contains("was not given the directory `context`"), "{}", stderr(&missing));
}

#[test]
fn what_is_kept_is_listed_and_removed() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN --mount=type=cache,target=/c echo x > /c/x\nRUN echo kept > /k\n");
    kitchen.fine(&["app"]);
    let cache = |args: &[&str]| {
        let output = rbc().arg("cache").args(args).env("RBC_STORE", kitchen.path("store")).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let list = cache(&["du"]);
    assert!(list.contains("echo kept > /k") && list.contains("exec.cachemount"), "{list}");
    assert_eq!(cache(&["du", "--filter", "type=exec.cachemount"]).lines().count(), 3);
    cache(&["prune", "--filter", "description~=echo kept"]);
    let again = stderr(&kitchen.fine(&["app", "--progress", "plain"]));
    assert!(again.contains("RUN echo kept > /k\n#3 DONE"), "{again}");
    cache(&["prune", "--until", "1h"]);
    assert!(stderr(&kitchen.fine(&["app", "--progress", "plain"])).contains("RUN echo kept > /k\n#3 CACHED"));
    cache(&["prune", "--all", "--keep-storage", "0"]);
    assert!(cache(&["du"]).ends_with("total 0B\n"), "{}", cache(&["du", "--verbose"]));
    kitchen.fine(&["app"]);
}

#[test]
fn an_image_is_pushed_and_built_upon() {
    let registry = Registry::start();
    let kitchen = Kitchen::new();
    let name = format!("{}/team/base:1", registry.address());
    kitchen.fine(&["base", "-t", &name, "--push", "--metadata-file", "meta"]);
    let digest = kitchen.json("meta")["containerimage.digest"].as_str().unwrap().to_owned();
    kitchen.file("app/Dockerfile", format!("FROM {name}\nRUN echo upon > /it\n"));
    let output = kitchen.fine(&["app", "--store", "other", "-o", "out", "--progress", "plain"]);
    assert_eq!(kitchen.read("out/it"), "upon\n");
    assert!(stderr(&output).contains(&digest), "{}", stderr(&output));
    let zstd =
        format!("type=image,name={},push=true,compression=zstd,force-compression=true", name.replace(":1", ":zstd"));
    kitchen.fine(&["app", "-o", &zstd]);
    let unnamed = kitchen.build(&["app", "--push"]);
    assert!(stderr(&unnamed).contains("without a name cannot be pushed"), "{}", stderr(&unnamed));
}

#[test]
fn results_are_the_same_without_root() {
    // Who is not root already has run all other tests so.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN id -u > /id && mkdir /d && chmod 700 /d && rm /bin/vi\n");
    let outputs = ["-o", "type=oci,dest=a.tar", "--metadata-file", "meta", "--build-arg", "SOURCE_DATE_EPOCH=1"];
    let reproducible = ["-o", "type=oci,dest=b.tar,rewrite-timestamp=true"];
    let args = [&["app"], &outputs[2..], &reproducible[..]].concat();
    kitchen.fine(&args);
    let with = kitchen.json("meta")["containerimage.digest"].clone();
    let nobody = Scratch::new();
    let status = Command::new("sh")
        .args(["-c", "cp -r base base.oci app \"$1\" && chown -R 65534:65534 \"$1\"", "sh"])
        .arg(nobody.path())
        .current_dir(kitchen.dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    // The program may lie where nobody else may look.
    let program = nobody.path().join("rbc");
    std::fs::copy(env!("CARGO_BIN_EXE_rbc"), &program).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args([&["build"], &args[..], &["--build-context", "base=oci-layout://base.oci"]].concat())
        .current_dir(nobody.path())
        .env("HOME", nobody.path())
        .env("RBC_STORE", nobody.path().join("store"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let meta = std::fs::read(nobody.path().join("meta")).unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
    assert_eq!(meta["containerimage.digest"], with);
}

#[test]
fn an_interrupt_stops_everything() {
    let kitchen = Kitchen::new();
    kitchen.file("app/Dockerfile", "FROM base\nRUN echo begun && sleep 1000\n");
    let mut command = kitchen.command(&["app", "--progress", "plain", "--build-context", "base=oci-layout://base.oci"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.ends_with(" begun\n") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0);
    }
    // SAFETY: the process is ours and was not waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let start = std::time::Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    line.clear();
    std::io::Read::read_to_string(&mut log, &mut line).unwrap();
    assert!(line.contains("E0818"), "{line}");
}

#[test]
fn results_go_to_other_machines() {
    let registry = Registry::start();
    let kitchen = Kitchen::new();
    // What COPY takes is the same on the other machine, though the context is not.
    kitchen.file(
        "app/Dockerfile",
        "FROM base AS a\nCOPY a /a\nRUN cat /a > /b\nFROM base\nCOPY --from=a /b /b\nRUN cat /b > /c\nCOPY other /o\n",
    );
    kitchen.file("app/a", "one");
    kitchen.file("app/other", "one");
    let name = |tag: &str| format!("{}/app:{tag}", registry.address());
    let (cache, image) = (name("cache"), name("inline"));
    kitchen.fine(&[
        "app",
        "--cache-to",
        "type=local,dest=cache,mode=max",
        "--cache-to",
        &format!("type=registry,ref={cache},mode=max"),
    ]);
    kitchen.fine(&["app", "-t", &image, "--push", "--cache-to", "type=inline", "--cache-to", "type=local,dest=min"]);
    kitchen.file("app/other", "two");
    let inline = format!("type=registry,ref={image}");
    for (number, from) in ["type=local,src=cache", &cache, "type=local,src=min", &inline].into_iter().enumerate() {
        let (store, out) = (format!("store{number}"), format!("out{number}"));
        let args = ["app", "--store", &store, "--cache-from", from, "-o", &out, "--progress", "plain"];
        let log = stderr(&kitchen.fine(&args));
        let ran = |step: &str| {
            let number = log.lines().find(|l| l.ends_with(step)).unwrap().split(' ').next().unwrap();
            !log.contains(&format!("{number} CACHED"))
        };
        assert_eq!(kitchen.read(&format!("{out}/c")), "one");
        // The last step is in every cache; that of the other stage only in those of all steps.
        assert!(!ran("RUN cat /b > /c"), "{from}: {log}");
        assert_eq!(ran("RUN cat /a > /b"), number > 1, "{from}: {log}");
    }
    let missing = kitchen.fine(&["app", "--cache-from", "type=local,src=nowhere", "--progress", "plain"]);
    assert!(stderr(&missing).contains("WARNING: "), "{}", stderr(&missing));
    let cache = |store: &str, args: &[&str]| {
        let output = rbc()
            .arg("cache")
            .args(args)
            .current_dir(kitchen.dir.path())
            .env("RBC_STORE", kitchen.path(store))
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    };
    cache("store", &["export", "type=local,dest=all"]);
    cache("fresh", &["import", "type=local,src=all"]);
    let log = stderr(&kitchen.fine(&["app", "--store", "fresh", "--progress", "plain"]));
    assert_eq!(log.matches("CACHED").count(), 6, "{log}");
}
