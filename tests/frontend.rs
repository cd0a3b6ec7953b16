//! `rbc frontend` as the image of a `# syntax=` line, run by real daemons.

use std::path::Path;
use std::process::{Command, Output};

use crate::daemon::{Daemon, RELEASES, Release};
use crate::harness::{Scratch, rbc, root, stderr, stdout};
use crate::images::Registry;

/// The frontend's image in a registry. It is that of the example; only its program is not static, so that it brings what it is
/// linked with.
struct Frontend {
    registry: Registry,
}

impl Frontend {
    fn new() -> Frontend {
        let registry = Registry::start();
        let dir = Scratch::new();
        let program = Path::new(env!("CARGO_BIN_EXE_rbc-frontend"));
        let put = |from: &Path, name: &Path| {
            let to = dir.path().join("program").join(name.strip_prefix("/").unwrap_or(name));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        };
        put(program, Path::new("rbc"));
        let linked = Command::new("ldd").arg(program).output().unwrap();
        for path in stdout(&linked).split_whitespace().filter(|word| word.starts_with('/')) {
            put(Path::new(path), Path::new(path));
        }
        let built = rbc()
            .args(["build", "--push", "--tag", &format!("{}/rbc", registry.address()), "--build-context"])
            .arg(format!("program={}", dir.path().join("program").display()))
            .arg(root().join("examples/frontend-image"))
            .env("RBC_STORE", dir.path().join("store"))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", stderr(&built));
        Frontend { registry }
    }

    /// Writes a recipe that names the image, and gives its directory.
    fn recipe(&self, daemon: &Daemon, name: &str, text: &str) -> String {
        let text = format!("# syntax={}/rbc\n{text}", self.registry.address());
        let file = daemon.dir().file(&format!("{name}/Dockerfile"), text);
        file.parent().unwrap().to_str().unwrap().to_owned()
    }
}

fn build(daemon: &Daemon, args: &[&str]) -> Output {
    let mut command = daemon.docker(&["build", "--progress=plain", "--network=host"]);
    command.args(args).output().unwrap()
}

fn fine(daemon: &Daemon, args: &[&str]) -> String {
    let output = build(daemon, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stderr(&output)
}

#[test]
fn daemons_of_two_releases_build_with_a_syntax_line() {
    let frontend = Frontend::new();
    for release in RELEASES {
        let daemon = Daemon::start(release);
        daemon.import_base();
        let context = frontend.recipe(
            &daemon,
            "app",
            "FROM base AS build\nCOPY . /src\nRUN --mount=type=secret,id=s cat /run/secrets/s /src/a > /x && test ! -e /src/b\n\
             FROM scratch\nCOPY --from=build /x /x\nLABEL by=rbc\n",
        );
        daemon.dir().file("app/a", "file");
        daemon.dir().file("app/b", "");
        daemon.dir().file("app/.dockerignore", "b\n");
        let secret = daemon.dir().file("secret", "secret ");
        let secret = format!("id=s,src={}", secret.display());
        let out = daemon.dir().path().join("out").to_str().unwrap().to_owned();
        fine(&daemon, &["--secret", &secret, "-o", &out, &context]);
        let made = std::fs::read_to_string(daemon.dir().path().join("out/x")).unwrap();
        assert_eq!(made, "secret file", "{release:?}");
        fine(&daemon, &["--secret", &secret, "-t", "made", &context]);
        let label = daemon.run(&["inspect", "--format", "{{.Config.Labels.by}}", "made"]);
        assert_eq!(label.trim(), "rbc", "{release:?}");
    }
}

#[test]
fn errors_and_warnings_show_their_lines() {
    let frontend = Frontend::new();
    let daemon = Daemon::start(Release::Trixie);
    daemon.import_base();
    let context = frontend.recipe(&daemon, "run", "FROM base\nRUN true\nRUN echo before && \\\n    false\n");
    let failed = build(&daemon, &[&context]);
    assert!(!failed.status.success());
    let said = stderr(&failed);
    assert!(said.contains("Dockerfile:4\n"), "{said}");
    assert!(said.contains("   4 | >>> RUN echo before && \\\n   5 | >>>     false\n"), "{said}");

    let context = frontend.recipe(&daemon, "word", "FROM base\nRNU true\n");
    let failed = build(&daemon, &[&context]);
    assert!(!failed.status.success());
    let said = stderr(&failed);
    assert!(said.contains("   3 | >>> RNU true\n"), "{said}");
    assert!(said.contains("`RNU`") && said.contains("`RUN`"), "{said}");

    let context = frontend.recipe(&daemon, "image", "FROM base AS a\nFROM 127.0.0.1:1/none\n");
    let failed = build(&daemon, &[&context]);
    assert!(!failed.status.success());
    let said = stderr(&failed);
    assert!(said.contains("   3 | >>> FROM 127.0.0.1:1/none\n"), "{said}");

    let context = frontend.recipe(&daemon, "checks", "FROM base AS Upper\nCMD true\n");
    let said = fine(&daemon, &[&context]);
    assert!(said.contains("StageNameCasing: Stage name 'Upper' should be lowercase (line 2)"), "{said}");
    assert!(said.contains("JSONArgsRecommended"), "{said}");
}

#[test]
fn contexts_with_names_and_questions() {
    let frontend = Frontend::new();
    let daemon = Daemon::start(Release::Trixie);
    daemon.import_base();
    let recipe = "# What is made\nFROM lib AS made\nFROM base AS other\nARG WHAT=x\n\
                  RUN --mount=type=secret,id=key,required=true true\nFROM made\nCOPY --from=things /t /t\n";
    let context = frontend.recipe(&daemon, "app", recipe);
    daemon.dir().file("things/t", "thing");
    daemon.dir().file("things/ignored", "");
    daemon.dir().file("things/.dockerignore", "ignored\n");
    let things = format!("things={}", daemon.dir().path().join("things").display());
    let out = daemon.dir().path().join("out").to_str().unwrap().to_owned();
    let contexts = ["--build-context", "lib=docker-image://scratch", "--build-context", &things];
    fine(&daemon, &[&contexts[..], &["-o", &out, &context]].concat());
    assert_eq!(std::fs::read_to_string(daemon.dir().path().join("out/t")).unwrap(), "thing");

    // A Mockerfile is told by the word behind the image.
    let text = format!(
        "# syntax={}/rbc mockerfile\napiVersion: v1\nimages:\n- name: m\n  from: base\n  steps:\n  - run: echo mocker > /made\n",
        frontend.registry.address()
    );
    let file = daemon.dir().file("mock/image.yaml", text);
    let out = daemon.dir().path().join("mocked").to_str().unwrap().to_owned();
    fine(&daemon, &["-f", file.to_str().unwrap(), "-o", &out, file.parent().unwrap().to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(daemon.dir().path().join("mocked/made")).unwrap(), "mocker\n");

    let ask = |question: &str, more: &[&str]| {
        let mut command = daemon.docker(&["buildx", "build", &format!("--print={question}")]);
        let output = command.env("BUILDX_EXPERIMENTAL", "1").args(more).arg(&context).output().unwrap();
        assert!(output.status.success(), "{question}: {}", stderr(&output));
        stdout(&output)
    };
    let targets = ask("targets", &[]);
    assert!(targets.contains("made") && targets.contains("other"), "{targets}");
    let outline = ask("outline", &["--target", "other"]);
    assert!(outline.contains("WHAT") && outline.contains("key"), "{outline}");
}

#[test]
fn a_builder_runs_the_frontend_of_a_syntax_line() {
    let frontend = Frontend::new();
    let daemon = Daemon::start(Release::Trixie);
    daemon.import_base();
    let context = frontend.recipe(
        &daemon,
        "app",
        "FROM base AS build\nARG WHO\nRUN echo $WHO > /x\nFROM scratch\nCOPY --from=build /x /x\n",
    );
    let out = daemon.dir().path().join("out");
    let build = |more: &[&str]| {
        let mut command = rbc();
        command
            .args(["build", &context, "--network=host", "--allow=network.host", "--build-arg=WHO=it", "-q", "-o"])
            .arg(&out)
            .args(more)
            .output()
            .unwrap()
    };
    // The base image is only there, so that it is not compiled here.
    let builder = format!("--builder=docker+unix://{}", daemon.socket().display());
    let output = build(&[&builder]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(out.join("x")).unwrap(), "it\n");
    let text = stderr(&build(&["--frontend-image=an/image"]));
    assert!(text.contains("an/image") && text.contains("--builder"), "{text}");
}
