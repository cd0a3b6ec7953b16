//! `rbc build --builder`: builds handed to the BuildKit in Docker's daemons.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, RELEASES, Release};
use crate::harness::{Scratch, rbc, stderr, stdout};

/// What every recipe here begins with.
const BASE: &str = "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\n";

/// A daemon, and a directory with a static busybox to build from.
struct Site(Daemon);

impl Site {
    fn start(release: Release) -> Site {
        let site = Site(Daemon::start(release));
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let busybox = busybox.expect("the tests need a static busybox: cargo xtask setup installs it");
        site.0.dir().file("app/busybox", std::fs::read(busybox).unwrap());
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.dir().path().join(name)
    }

    /// Writes a recipe that has a shell.
    fn recipe(&self, text: &str) {
        self.0.dir().file("app/Dockerfile", format!("{BASE}{text}"));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = rbc();
        command
            .current_dir(self.0.dir().path())
            .env("RBC_BUILDER", format!("docker+unix://{}", self.0.socket().display()))
            .env_remove("BUILDKIT_PROGRESS")
            // There is no bridge.
            .args(["build", "app", "--network=host", "--allow=network.host"])
            .args(args);
        command
    }

    fn build(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn fine(&self, args: &[&str]) -> Output {
        let output = self.build(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        output
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Starts a build, and waits until a text is in what it shows.
    fn begin(&self, args: &[&str], shown: &str) -> Child {
        let log = self.path("progress");
        let file = std::fs::File::create(&log).unwrap();
        let child = self.command(args).arg("--progress=plain").stderr(file).stdout(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while !std::fs::read_to_string(&log).unwrap().contains(shown) {
            let text = || std::fs::read_to_string(&log).unwrap();
            assert!(start.elapsed() < Duration::from_secs(60), "{}", text());
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }
}

/// Waits for the end of a program; fails the test if it does not come.
fn end_of(mut child: Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > Duration::from_secs(30) {
            _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process with this argument runs.
fn runs(argument: &str) -> bool {
    let folders = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    folders.map(|entry| entry.path().join("cmdline")).any(|path| {
        std::fs::read(path).is_ok_and(|line| line.split(|b| *b == 0).any(|word| word == argument.as_bytes()))
    })
}

#[test]
fn results_come_from_a_builder() {
    for release in RELEASES {
        let site = Site::start(release);
        site.recipe("RUN echo text > /file && mkdir -m 750 /dir && ln -s /file /dir/link && echo shown\n");
        // Files.
        let output = site.fine(&["-o", "out", "--progress=plain"]);
        assert!(stderr(&output).contains("shown"), "{}", stderr(&output));
        assert_eq!(site.read("out/file"), "text\n");
        assert_eq!(std::fs::read_link(site.path("out/dir/link")).unwrap(), Path::new("/file"));
        assert_eq!(std::fs::metadata(site.path("out/dir")).unwrap().permissions().mode() & 0o7777, 0o750);
        // An archive; what was built before is not built again.
        let output = site.fine(&["-o", "type=tar,dest=out.tar", "--progress=plain"]);
        assert!(stderr(&output).contains("CACHED"), "{}", stderr(&output));
        let list = Command::new("tar").arg("-tf").arg(site.path("out.tar")).output().unwrap();
        assert!(stdout(&list).contains("dir/link"), "{}", stdout(&list));
        // An image, and what is told of it.
        site.fine(&["-t", "made:1", "--iidfile", "iid", "--metadata-file", "metadata", "-q"]);
        let id = site.read("iid");
        assert_eq!(site.0.run(&["images", "-q", "--no-trunc", "made:1"]).trim(), id, "{release:?}");
        assert!(site.read("metadata").contains(&id), "{}", site.read("metadata"));
        assert_eq!(site.0.run(&["inspect", "-f", "{{json .Config.Env}}", "made:1"]).trim(), r#"["PATH=/bin"]"#);
        // Several platforms, and both at once.
        site.0.dir().file("app/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n");
        site.fine(&["--platform=linux/amd64,linux/arm64", "-o", "both"]);
        assert!(site.path("both/linux_amd64/amd64").exists() && site.path("both/linux_arm64/arm64").exists());
    }
}

#[test]
fn a_compiled_file_is_what_a_builder_runs() {
    for release in RELEASES {
        let site = Site::start(release);
        let text = "COPY <<A <<\"B\" /text/\n$PATH\nA\n$PATH\nB\nRUN <<E\nset -e\ncat /text/A /text/B > /both\nE\n\
            FROM scratch AS other\nCOPY --chown=7:8 words /kept/\n\
            FROM scratch\nCOPY --from=0 /both /\nCOPY --from=other /kept /all\nADD words/one /renamed\n";
        site.recipe(text);
        for word in ["one", "two"] {
            site.0.dir().file(&format!("app/words/{word}"), word);
        }
        let run = |args: &[&str]| {
            let mut command = rbc();
            command.current_dir(site.0.dir().path()).args(args).output().unwrap()
        };
        let compiled = run(&["compile", "app", "--network=host", "-o", "graph.pb"]);
        assert!(compiled.status.success(), "{}", stderr(&compiled));
        let socket = format!("docker+unix://{}", site.0.socket().display());
        let more = ["--local", "context=app", "--allow=network.host", "-o", "out"];
        let solved = run(&[&["solve", "graph.pb", "--builder", &socket], &more[..]].concat());
        assert!(solved.status.success(), "{release:?}: {}", stderr(&solved));
        assert_eq!(site.read("out/both"), "/bin\n$PATH\n");
        assert_eq!((site.read("out/all/two"), site.read("out/renamed")), ("two".to_owned(), "one".to_owned()));
    }
}

/// Recipes with what images differ by, if they do: owners, modes, links, whiteouts, directories that are made on the way,
/// and all that a config may say. Not among it: the mode of directories that `COPY --chmod` makes on the way, for which BuildKit has
/// changed its mind since the release in these daemons.
const IMAGES: [&str; 4] = [
    "RUN mkdir -p /a/b && echo x > /a/b/x && ln -s x /a/b/y && ln /a/b/x /a/b/z && chmod 4750 /a/b/x && chown 3:4 /a/b\n\
     RUN rm -r /a/b/z && mkdir /gone && mkfifo /pipe\nRUN rm -r /gone && mkdir /gone && chmod 1777 /gone\n",
    "WORKDIR /made/on/the/way\nCOPY --chown=5:6 words words/\nCOPY --chmod=640 words/one /one\nADD words/two /two/\n\
     COPY --link words/one /linked/one\nCOPY <<A <<B /texts/\none\nA\ntwo\nB\nRUN mkdir /words && cp /texts/* /words\n",
    "ARG WHO=nobody\nENV A=1 B=\"two words\"\nLABEL one=1 two=\"$WHO\"\nUSER 7:8\nWORKDIR rel\nWORKDIR ative\nEXPOSE 80 53/udp\n\
     VOLUME /v /w\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=5s --retries=2 CMD test -e /x\nSHELL [\"/bin/sh\", \"-ec\"]\n\
     ENTRYPOINT [\"sh\"]\nCMD echo $A\nONBUILD RUN echo later\nMAINTAINER somebody\n",
    "RUN echo 1 > /1\nFROM scratch AS files\nCOPY words /\nFROM scratch\nCOPY --from=files / /all/\nCOPY --from=0 /1 /bin/sh /\n\
     COPY --from=0 /bin /links\n",
];

/// What is in an archive of files: kinds, modes, owners, sizes, targets of links, and contents.
fn files(site: &Site, archive: &str) -> Vec<String> {
    let tar = |args: &[&str]| {
        let output = Command::new("tar").args(args).current_dir(site.0.dir().path()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let mut files: Vec<String> = Vec::new();
    for line in tar(&["tvf", archive, "--numeric-owner"]).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let size = if fields[0].starts_with('-') { fields[2] } else { "" };
        // Which of the names of a file comes first, and is no link to another, is not fixed.
        let (kind, name) = (fields[0].replace('h', "-"), fields[5].trim_end_matches('/').trim_start_matches("./"));
        let target = fields.iter().position(|field| *field == "->").map_or("", |at| fields[at + 1]);
        let hard = line.contains(" link to ");
        let size = if hard { "" } else { size };
        if !name.is_empty() && !hard {
            files.push(format!("{kind} {} {size} {name} {target}", fields[1]));
        } else if hard {
            files.push(format!("hard link {name}"));
        }
    }
    files.sort();
    files
}

#[test]
fn the_image_is_the_one_that_buildkit_makes() {
    let site = Site::start(Release::Trixie);
    for word in ["one", "two", "deep/er"] {
        site.0.dir().file(&format!("app/words/{word}"), word);
    }
    // Two of a case: what is built here, and what the daemon builds.
    let config = |name: &str| -> serde_json::Value {
        let read = |file: &str| {
            let output =
                Command::new("tar").args(["xOf", name, file]).current_dir(site.0.dir().path()).output().unwrap();
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
        };
        let mut config = read(read("manifest.json")[0]["Config"].as_str().unwrap());
        // Archives of layers may differ in times of directories that steps touch.
        config["rootfs"] = serde_json::Value::Null;
        config
    };
    for recipe in IMAGES {
        site.recipe(recipe);
        let epoch = ["--build-arg", "SOURCE_DATE_EPOCH=1700000000", "--provenance=false"];
        site.fine(
            &[
                &["--builder", "local", "-o", "type=tar,dest=here.tar", "-o", "type=docker,dest=here.docker"],
                &epoch[..],
            ]
            .concat(),
        );
        site.fine(&[&["-o", "type=tar,dest=there.tar"], &epoch[..]].concat());
        site.fine(&[&["-t", "there"], &epoch[..]].concat());
        site.0.run(&["save", "-o", site.path("there.docker").to_str().unwrap(), "there"]);
        assert_eq!(files(&site, "here.tar"), files(&site, "there.tar"), "{recipe}");
        assert_eq!(config("here.docker"), config("there.docker"), "{recipe}");
    }
}

#[test]
fn a_builder_gets_what_the_flags_give() {
    for release in RELEASES {
        let site = Site::start(release);
        let agent = site.path("agent");
        let listener = std::os::unix::net::UnixListener::bind(&agent).unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                // No keys.
                _ = stream.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 0]);
            }
        });
        site.recipe(
            "RUN --mount=type=secret,id=token cat /run/secrets/token > /token\nRUN --mount=type=ssh test -S \"$SSH_AUTH_SOCK\"\nRUN --mount=type=bind,from=other,target=/other cat /other/a /other/b > /got || cat /other/a > /got\n",
        );
        site.0.dir().file("token", "hush");
        site.0.dir().file("other/a", "one");
        site.0.dir().file("other/b", "two");
        site.0.dir().file("other/.dockerignore", "b\n");
        let ssh = format!("default={}", agent.display());
        let args =
            ["--secret", "id=token,src=token", "--ssh", &ssh, "--build-context", "other=other", "-o", "out", "-q"];
        site.fine(&args);
        assert_eq!(site.read("out/token"), "hush");
        assert_eq!(site.read("out/got"), "one");
        // What is not given is not there.
        site.recipe("RUN --mount=type=secret,id=nothing,required=true cat /run/secrets/nothing\n");
        let output = site.build(&[]);
        assert!(!output.status.success());
        assert!(stderr(&output).contains("Dockerfile:5"), "{}", stderr(&output));
    }
}

#[test]
fn a_failure_on_a_builder_is_shown_at_its_line() {
    for release in RELEASES {
        let site = Site::start(release);
        site.recipe("RUN true\nRUN echo last words && \\\n    exit 7\n");
        let output = site.build(&[]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in ["E0811", "Dockerfile:6", "status 7", "last words"] {
            assert!(text.contains(part), "{release:?}, {part}: {text}");
        }
        site.recipe("COPY missing /\n");
        let text = stderr(&site.build(&[]));
        assert!(text.contains("E0821") && text.contains("Dockerfile:5") && text.contains("missing"), "{text}");
    }
}

#[test]
fn builds_on_a_builder_go_on_side_by_side_and_can_be_stopped() {
    let site = Site::start(Release::Trixie);
    site.recipe("ARG WHO\nRUN echo $WHO > /who && sleep 1\n");
    let both: Vec<Child> = ["one", "two"]
        .map(|who| {
            let arg = format!("--build-arg=WHO={who}");
            site.command(&[&arg, "-o", who, "-q"]).stdout(Stdio::null()).spawn().unwrap()
        })
        .into();
    for child in both {
        assert_eq!(end_of(child), Some(0));
    }
    assert_eq!([site.read("one/who"), site.read("two/who")], ["one\n", "two\n"]);

    let nap = "7061";
    site.recipe(&format!("RUN echo be'gun' && sleep {nap}\n"));
    let child = site.begin(&["-o", "type=tar,dest=stopped.tar"], "begun");
    let start = Instant::now();
    while !runs(nap) {
        assert!(start.elapsed() < Duration::from_secs(10), "the command does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(end_of(child), Some(3));
    let start = Instant::now();
    while runs(nap) {
        assert!(start.elapsed() < Duration::from_secs(10), "the command goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let left: Vec<_> = std::fs::read_dir(site.0.dir().path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("stopped")), "{left:?}");
}

#[test]
fn a_builder_that_dies_ends_the_build() {
    let site = Site::start(Release::Trixie);
    site.recipe("RUN echo be'gun' && sleep 7062\n");
    let child = site.begin(&[], "begun");
    let pid = std::fs::read_to_string(site.path("pid")).unwrap();
    Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    assert!(end_of(child).is_some_and(|code| code != 0));
    assert!(site.read("progress").contains("E08"), "{}", site.read("progress"));
}

#[test]
fn a_builder_is_reached_through_a_program() {
    let site = Site::start(Release::Trixie);
    site.recipe("RUN echo through > /way\n");
    // It stands for ssh, and leads to the daemon as `ssh HOST docker system dial-stdio` would.
    let docker = site.0.docker(&[]);
    let program = docker.get_program().to_string_lossy().into_owned();
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}\nexec {program} -H unix://{} system dial-stdio\n",
        site.path("said").display(),
        site.0.socket().display()
    );
    let ssh = site.0.dir().file("bin/ssh", script);
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let others = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([site.path("bin")].into_iter().chain(std::env::split_paths(&others))).unwrap();
    let output =
        site.command(&["--builder=docker+ssh://me@far:22", "-o", "out", "-q"]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(site.read("out/way"), "through\n");
    assert_eq!(site.read("said"), "-l me -p 22 -- far docker system dial-stdio\n");
}

#[test]
fn an_old_builder_gets_what_it_can_do() {
    let site = Site::start(Release::Bookworm);
    // It knows no merges of file systems, so that this is a copy.
    site.recipe("COPY --link Dockerfile /linked\nCOPY <<END /text\nhello\nEND\n");
    site.fine(&["-o", "out", "-q"]);
    assert_eq!(site.read("out/text"), "hello\n");
    assert!(site.path("out/linked").exists());
    // What it cannot do is said before it is asked.
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let context = format!("--build-context=layout=oci-layout://app@{digest}");
    site.0.dir().file("app/index.json", "{}");
    site.recipe("COPY --from=layout /a /a\n");
    let output = site.build(&[&context, "--no-resolve"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("E0803") && text.contains("source.ocilayout"), "{text}");
}

#[test]
fn what_a_builder_keeps_is_listed_and_removed() {
    let site = Site::start(Release::Trixie);
    site.recipe("RUN echo kept > /kept\n");
    // What an image is made of is not removed before it.
    site.fine(&["-o", "type=cacheonly", "-q"]);
    let builder = format!("--builder=docker+unix://{}", site.0.socket().display());
    let cache = |args: &[&str]| {
        let output = rbc().arg("cache").args(args).arg(&builder).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    let (list, _) = cache(&["du", "--filter=description~=> /kept"]);
    assert!(list.contains("echo kept") && !list.contains("--install"), "{list}");
    let (_, said) = cache(&["prune", "--force", "--filter=description~=> /kept"]);
    assert!(said.contains("removed 1 entries"), "{said}");
    cache(&["prune", "--force", "--all"]);
    assert!(cache(&["du", "--verbose"]).0.contains("total 0B"));
}

#[test]
fn a_builder_that_is_not_there_is_an_error() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let build = |builder: &str| rbc().args(["build", ".", builder]).current_dir(dir.path()).output().unwrap();
    let output = build("--builder=unix:///nowhere.sock");
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("E0805"), "{}", stderr(&output));
    let output = build("--builder=smoke://signals");
    assert!(stderr(&output).contains("smoke://signals"), "{}", stderr(&output));
}
