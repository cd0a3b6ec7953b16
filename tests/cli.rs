//! The command line, as users meet it.

use crate::harness::{Scratch, rbc, root, stderr, stdout};

#[test]
fn compiles_without_images() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch\nCOPY a /b\n");
    let graph = dir.path().join("graph.pb");
    let output = rbc().arg("compile").arg(dir.path()).arg("-o").arg(&graph).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!graph.with_file_name(".graph.pb").exists());
    let output = rbc().arg("inspect").arg(&graph).output().unwrap();
    assert!(stdout(&output).contains("local://context"), "{}", stdout(&output));
}

#[test]
fn standard_input_and_output_are_pipes() {
    let dir = Scratch::new();
    let file = dir.file("d", "FROM scratch\nCOPY <<EOF /hello\nhi\nEOF\n");
    let input = std::fs::File::open(file).unwrap();
    let compiled = rbc().args(["compile", "-"]).stdin(input).output().unwrap();
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    let graph = dir.file("graph.pb", &compiled.stdout);
    let output = rbc().args(["inspect", "-", "--json"]).stdin(std::fs::File::open(graph).unwrap()).output().unwrap();
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(json.to_string().contains("mkfile"), "{json}");
}

#[test]
fn exit_status_says_whose_fault_it_was() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch\nRUNN x\n");
    let status = |args: &[&str]| rbc().arg("compile").arg(dir.path()).args(args).output().unwrap();
    let wrong = status(&["--emit", "llb"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("RUN"), "{}", stderr(&wrong));
    assert_eq!(status(&["-f", "nowhere"]).status.code(), Some(3));
    assert_eq!(status(&["--nonsense"]).status.code(), Some(2));
}

#[test]
fn a_failed_compile_leaves_the_old_output() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch\nEXPOSE x\n");
    let graph = dir.file("graph.pb", "old");
    let output = rbc().arg("compile").arg(dir.path()).arg("-o").arg(&graph).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(graph).unwrap(), "old");
}

#[test]
fn several_errors_in_one_run() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch AS a\nEXPOSE x\nFROM scratch AS b\nSTOPSIGNAL NO\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n");
    let output = rbc().arg("compile").arg(dir.path()).args(["--emit", "llb"]).output().unwrap();
    let text = stderr(&output);
    assert!(text.contains("E0220") && text.contains("E0221"), "{text}");
}

#[test]
fn each_platform_gets_a_file() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n");
    let graph = dir.path().join("graph.pb");
    let run = |args: &[&str]| rbc().arg("compile").arg(dir.path()).args(args).output().unwrap();
    let output = run(&["--platform", "linux/amd64,linux/arm64", "-o", graph.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(dir.path().join("graph.linux-amd64.pb").exists() && dir.path().join("graph.linux-arm64.pb").exists());
    assert_eq!(run(&["--platform", "linux/amd64,linux/arm64"]).status.code(), Some(1));
}

#[test]
fn questions_are_answered_in_both_forms() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "# V the version\nARG V=1\nFROM scratch as Base\nARG V\nRUN --mount=type=secret,id=s x\n");
    let call = |method: &str| stdout(&rbc().arg("compile").arg(dir.path()).args(["--call", method]).output().unwrap());
    assert!(
        call("check")
            .contains("WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/")
    );
    assert!(
        call("outline").contains("BUILD ARG   VALUE   DESCRIPTION\nV           1       the version\n"),
        "{}",
        call("outline")
    );
    assert!(call("targets").contains("base (default)"));
    let json: serde_json::Value = serde_json::from_str(&call("outline,format=json")).unwrap();
    assert_eq!(json["secrets"][0]["name"], "s");
    let json: serde_json::Value = serde_json::from_str(&call("check,format=json")).unwrap();
    assert_eq!(json["warnings"][0]["ruleName"], "StageNameCasing");
}

#[test]
fn offline_never_asks_a_registry() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM alpine\n");
    for flag in ["--offline", "--locked"] {
        let output = rbc().arg("compile").arg(dir.path()).args([flag, "--emit", "llb"]).output().unwrap();
        assert!(!output.status.success());
        assert!(stderr(&output).contains("rbc lock"), "{}", stderr(&output));
    }
}

#[test]
fn every_phase_can_be_seen() {
    let example = root().join("examples/go-service");
    for kind in ["tokens", "cst", "ast", "model", "ir", "llb", "json", "dot", "mermaid", "image"] {
        let output = rbc().arg("compile").arg(&example).args(["--no-resolve", "--emit", kind]).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{kind}: {}", stderr(&output));
    }
}

#[test]
fn help_and_completions_come_from_the_same_definitions() {
    let help = stdout(&rbc().args(["compile", "--help"]).output().unwrap());
    for flag in ["--build-arg", "--target", "--platform", "--add-host", "--no-cache-filter", "--opt", "--locked"] {
        assert!(help.contains(flag), "{flag}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&rbc().args(["completion", shell]).output().unwrap());
        assert!(script.contains("no-cache-filter"), "{shell}");
    }
    let dir = Scratch::new();
    assert!(rbc().arg("man").arg(dir.path()).status().unwrap().success());
    assert!(dir.path().join("rbc-compile.1").exists());
}

#[test]
fn a_graph_is_drawn_in_each_form() {
    let dir = Scratch::new();
    let example = root().join("examples/go-service");
    for (name, part) in [("g.svg", "<svg"), ("g.html", "<!doctype html>"), ("g.dot", "digraph"), ("g.mmd", "flowchart")]
    {
        let file = dir.path().join(name);
        let output = rbc().arg("graph").arg(&example).arg("--no-resolve").arg("-o").arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.to_lowercase().contains(part) && text.contains("go mod download"), "{name}");
    }
    let wrong = rbc().arg("graph").arg(&example).args(["--no-resolve", "-o", "g.png"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
}

#[test]
fn passes_are_chosen_limited_and_explained() {
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM scratch\nWORKDIR /x\nWORKDIR /y\nWORKDIR /z\n");
    let compile = |args: &[&str]| rbc().current_dir(dir.path()).arg("compile").args(args).output().unwrap();
    let files = |args: &[&str]| stdout(&compile(&[args, &["--emit", "ir"]].concat())).matches(" = file [").count();
    assert_eq!((files(&[]), files(&["-O1"]), files(&["-O2"])), (3, 3, 1));
    assert_eq!(files(&["-O2", "--opt-bisect-limit", "1"]), 2);
    assert_eq!(files(&["--passes", "fuse"]), 1);
    let remarks = compile(&["-O2", "--remarks", "--message-format", "json", "-o", "graph.pb"]);
    assert!(stdout(&remarks).contains("R0401"), "{}", stdout(&remarks));
    let before = stdout(&compile(&["--emit", "ir=graph.ir", "-O2", "--emit-after", "parallel"]));
    assert_eq!(before.matches(" = file [").count(), 3);
    dir.file("graph.ir", &before);
    let opt = rbc().current_dir(dir.path()).args(["opt", "-O2", "graph.ir", "--time-passes"]).output().unwrap();
    assert_eq!(stdout(&opt).matches(" = file [").count(), 1);
    assert!(stderr(&opt).contains("ms  fuse"), "{}", stderr(&opt));
    let wrong = compile(&["--passes", "fuze"]);
    assert!(stderr(&wrong).contains("prune, downloads"), "{}", stderr(&wrong));
}

#[test]
fn a_file_is_linted_and_its_fixes_applied() {
    let dir = Scratch::new();
    let untidy = "FROM alpine:3.20 as base\nRUN sudo make\n";
    let file = dir.file("Dockerfile", untidy);
    let lint = |args: &[&str]| rbc().current_dir(dir.path()).arg("lint").args(args).output().unwrap();
    let found = lint(&[]);
    assert_eq!(found.status.code(), Some(1));
    for part in ["W0102", "Dockerfile:1:18", "W0204", "Dockerfile:2:5"] {
        assert!(stderr(&found).contains(part), "{part} in {}", stderr(&found));
    }
    assert!(lint(&["--no-fail"]).status.success());
    let diff = lint(&["--diff"]);
    assert_eq!(diff.status.code(), Some(1));
    assert!(stdout(&diff).contains("+FROM alpine:3.20 AS base\n"), "{}", stdout(&diff));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), untidy, "a diff changes nothing");
    lint(&["--fix"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "FROM alpine:3.20 AS base\nRUN sudo make\n");
    let sarif: serde_json::Value = serde_json::from_str(&stdout(&lint(&["--message-format", "sarif"]))).unwrap();
    assert!(sarif.to_string().contains("W0204"), "{sarif}");
    dir.file(".hadolint.yaml", "failure-threshold: error\nignored: [DL3004]\n");
    assert!(lint(&[]).status.success());
    dir.file(".hadolint.yaml", "ignored: [");
    let broken = lint(&[]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(stderr(&broken).contains(".hadolint.yaml"), "{}", stderr(&broken));
}

#[test]
fn directories_and_patterns_are_linted_by_their_settings() {
    let dir = Scratch::new();
    let text = "FROM alpine:3.20 as base\nMAINTAINER me\nRUN echo $FOO\n";
    for name in ["a/Dockerfile", "vendor/Dockerfile", "test/deep/app.Dockerfile", "old/Dockerfile", "a/Dockerfile.md"] {
        dir.file(name, text);
    }
    dir.file(".gitignore", "vendor/\n");
    dir.file("rbc.toml", "[lint]\nexclude = ['old/**']\n[lint.per-file.'test/**']\nignore = ['all']\n");
    let lint = |args: &[&str]| rbc().current_dir(dir.path()).arg("lint").args(args).output().unwrap();
    let all = stdout(&lint(&["--format", "gnu"]));
    let expected = "rbc:a/Dockerfile:1: FromAsCasing warning: 'as' and 'FROM' keywords' casing do not match\n\
                    rbc:a/Dockerfile:2: MaintainerDeprecated error: Maintainer instruction is deprecated in favor of using label\n\
                    rbc:a/Dockerfile:3: SC2086 info: Double quote to prevent globbing and word splitting.\n";
    assert_eq!(all, expected, "one finding a fault, of files that count");
    let named =
        stdout(&lint(&["--format", "gnu", "--no-shellcheck", "--select", "MaintainerDeprecated", "vendor/Dockerfile"]));
    assert_eq!(named.lines().count(), 1, "what is named counts: {named}");
    assert_eq!(stdout(&lint(&["--format", "gnu", "--ignore", "DL4000,FromAsCasing,SC2", "**/Docker*"])), "");
    for format in ["gitlab", "checkstyle", "junit", "sonarqube", "codeclimate", "codacy", "json", "sarif", "github"] {
        let output = lint(&["--format", format]);
        assert!(stdout(&output).contains("a/Dockerfile"), "{format}: {}", stdout(&output));
        assert_eq!(output.status.success(), format.starts_with("cod"), "{format}");
    }
    assert!(stderr(&lint(&["nowhere/*"])).contains("no file fits"));
    dir.file("rbc.toml", "[lint]\nignore = ['DL9999']\n");
    let wrong = lint(&[]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("rbc.toml:2:11"), "{}", stderr(&wrong));
    let formatted = rbc().current_dir(dir.path()).args(["fmt", "--check"]).output().unwrap();
    let names: Vec<String> = stderr(&formatted).lines().map(|l| l.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["a/Dockerfile", "old/Dockerfile", "test/deep/app.Dockerfile"]);
}

#[test]
fn other_languages_are_linted_by_themselves_and_hcl_is_formatted() {
    let dir = Scratch::new();
    let bake = "target \"a\" {\n  dockefile = \"x\"\n}\ntarget \"b\" {\n  inherits = [\"c\"]\n}\n";
    let mocker = "apiVersion: v1alpha1\nimages:\n- name: a\n  form: b\n";
    dir.file("docker-bake.hcl", bake);
    dir.file("Mockerfile.yaml", mocker);
    let run = |args: &[&str]| rbc().current_dir(dir.path()).args(args).output().unwrap();
    let found = stdout(&run(&["lint", "--format", "gnu"]));
    for part in ["docker-bake.hcl:2: W0601", "docker-bake.hcl:5: E06", "Mockerfile.yaml:4: E07"] {
        assert!(found.contains(part), "{part} in {found}");
    }
    assert!(!found.contains("DL3"), "{found}");
    assert!(!stdout(&run(&["lint", "--format", "gnu", "--ignore", "W0601"])).contains("W0601"));
    dir.file("docker-bake.hcl", bake.replace(" = ", "="));
    assert_eq!(run(&["fmt", "--check"]).status.code(), Some(1));
    let formatted = run(&["fmt", "docker-bake.hcl", "Mockerfile.yaml"]);
    assert!(formatted.status.success() && stderr(&formatted).matches("left as it is").count() == 1);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!((read("Mockerfile.yaml").as_str(), read("docker-bake.hcl").as_str()), (mocker, bake));
    assert!(run(&["fmt", "--check"]).status.success());
    let mut from_stdin = rbc();
    let mut child = from_stdin
        .args(["fmt", "-", "--stdin-filename", "x/y.hcl"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a=1\n").unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), "a = 1\n");
}

/// The hooks for pre-commit and the action name commands that there are.
#[test]
fn hooks_run() {
    let hooks = std::fs::read_to_string(root().join(".pre-commit-hooks.yaml")).unwrap();
    let entries: Vec<&str> = hooks.lines().filter_map(|line| line.trim().strip_prefix("entry: rbc ")).collect();
    assert_eq!(entries, ["lint", "fmt"]);
    let dir = Scratch::new();
    dir.file("Dockerfile", "FROM alpine:3.20\n");
    for entry in entries {
        let output = rbc().current_dir(dir.path()).args([entry, "Dockerfile"]).output().unwrap();
        assert!(output.status.success(), "{entry}: {}", stderr(&output));
    }
    let action = std::fs::read_to_string(root().join("action.yml")).unwrap();
    assert!(action.contains("run: rbc lint --format github $ARGUMENTS $PATHS"));
}

#[test]
fn formatting_keeps_the_build() {
    let dir = Scratch::new();
    let untidy = "from alpine:3.20\nRUN echo a && \\\n  \n  echo b   \nCOPY   a    b\nEXPOSE   80\n";
    let file = dir.file("Dockerfile", untidy);
    let run = |args: &[&str]| rbc().current_dir(dir.path()).args(args).output().unwrap();
    let digests = || {
        let text = stdout(&run(&["compile", "--no-resolve", "--emit", "llb"]));
        let digests: Vec<String> = text.lines().filter(|l| l.contains("sha256:")).map(str::to_owned).collect();
        assert!(!digests.is_empty(), "{text}");
        digests
    };
    let before = digests();
    assert_eq!(run(&["fmt", "--check"]).status.code(), Some(1));
    let diff = run(&["fmt", "--diff"]);
    assert_eq!(diff.status.code(), Some(1));
    assert!(stdout(&diff).contains("+FROM alpine:3.20\n"), "{}", stdout(&diff));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), untidy);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("Dockerfile", &link).unwrap();
    assert!(run(&["fmt", "link"]).status.success());
    assert!(link.is_symlink());
    assert_ne!(std::fs::read_to_string(&file).unwrap(), untidy);
    assert!(run(&["fmt", "--check"]).status.success());
    assert_eq!(digests(), before);
}

#[test]
fn an_editor_is_served() {
    use std::io::Write as _;
    let text = "FROM alpine:3.20 as base\n";
    let document =
        serde_json::json!({"uri": "file:///Dockerfile", "languageId": "dockerfile", "version": 1, "text": text});
    let messages = [
        serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}),
        serde_json::json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}),
        serde_json::json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}}),
        serde_json::json!({"jsonrpc": "2.0", "id": 2, "method": "shutdown"}),
        serde_json::json!({"jsonrpc": "2.0", "method": "exit"}),
    ];
    let mut command = rbc();
    let (input, output) = (std::process::Stdio::piped(), std::process::Stdio::piped());
    let mut server = command.args(["lsp", "--stdio"]).stdin(input).stdout(output).spawn().unwrap();
    let mut pipe = server.stdin.take().unwrap();
    for message in messages {
        let body = message.to_string();
        write!(pipe, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }
    drop(pipe);
    let output = server.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(stdout(&output).contains("textDocument/publishDiagnostics"), "{}", stdout(&output));
    assert!(stdout(&output).contains("W0102"), "{}", stdout(&output));
}

#[test]
fn a_picture_shows_all_platforms() {
    let dir = Scratch::new();
    let text = "FROM --platform=$BUILDPLATFORM scratch AS tools\nCOPY tools /\nFROM scratch\nARG TARGETARCH\n\
                COPY --from=tools /tools/$TARGETARCH /tool\n";
    dir.file("Dockerfile", text);
    let file = dir.path().join("graph.dot");
    let draw = |platforms: &str| {
        let mut command = rbc();
        let output =
            command.args(["graph", "--platform", platforms, "-o"]).arg(&file).arg(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::read_to_string(&file).unwrap()
    };
    let (one, two) = (draw("linux/arm64"), draw("linux/arm64,linux/amd64"));
    let count = |text: &str, what: &str| text.matches(what).count();
    assert_eq!((count(&one, "COPY tools /"), count(&one, "COPY /tools/a"), count(&one, "result")), (1, 1, 1), "{one}");
    // What both need is there once.
    assert_eq!((count(&two, "COPY tools /"), count(&two, "COPY /tools/a"), count(&two, "result")), (1, 2, 2), "{two}");
    assert!(two.contains("result\\nlinux/arm64"), "{two}");
}
