//! Mockerfiles: they compile to the graph of the Dockerfile that they are converted to, and their faults point into them.

use std::process::Output;

use crate::harness::{Scratch, rbc, root, stderr, stdout};

fn run(dir: &Scratch, args: &[&str]) -> Output {
    rbc().current_dir(dir.path()).args(args).output().unwrap()
}

/// Digests of all vertices of a target, and the image's config.
fn compiled(dir: &Scratch, frontend: &str, target: &str) -> (Vec<String>, String) {
    let base = ["compile", "--no-resolve", "--frontend", frontend, "--target", target];
    let emit = |kind: &str| {
        let output = run(dir, &[&base[..], &["--emit", kind]].concat());
        assert!(output.status.success(), "{frontend} {target}: {}", stderr(&output));
        stdout(&output)
    };
    let mut digests: Vec<String> = emit("llb")
        .split(|c: char| !c.is_ascii_alphanumeric() && c != ':')
        .filter(|w| w.starts_with("sha256:") && w.len() == 71)
        .map(str::to_owned)
        .collect();
    digests.sort();
    digests.dedup();
    assert!(!digests.is_empty());
    (digests, emit("image"))
}

fn is_same_as_its_dockerfile(text: &str, targets: &[&str]) {
    let dir = Scratch::new();
    dir.file("Dockerfile", text);
    let made = run(&dir, &["convert", "Dockerfile", "--frontend", "mockerfile"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let ours: Vec<_> = targets.iter().map(|target| compiled(&dir, "mockerfile", target)).collect();
    // In the same place, since names and places of files show in the graph.
    dir.file("Dockerfile", made.stdout.as_slice());
    for (ours, target) in ours.into_iter().zip(targets) {
        assert_eq!(ours, compiled(&dir, "dockerfile", target), "{target}\n{}", stdout(&made));
    }
}

#[test]
fn the_example_is_its_dockerfile() {
    let text = std::fs::read_to_string(root().join("examples/mockerfile/Mockerfile.yaml")).unwrap();
    is_same_as_its_dockerfile(&text, &["tools", "build", "build.work", "app"]);
}

#[test]
fn odd_values_survive_the_conversion() {
    let text = r##"
apiVersion: v1
args: {A: "x y", B: null}
images:
- name: one
  from: alpine:3.20
  platform: linux/amd64
  shell: [/bin/sh, -ec]
  env: {Q: 'say "hi" \$A $A', E: "", C: 'C:\dir\'}
  steps:
  - '["not", "exec"]'
  - "--flag-like"
  - "# no comment"
  - ends in a backslash \
  - |
    cat <<EOF
    EOF
    $A
  - echo a   b
  - {copy: ["a b", c], to: "/d e/", chown: "1:2", chmod: 644}
  - {copy: /etc/passwd, from: "busybox:1", to: /x}
  - {run: ls, mounts: ["type=secret,id=s,target=/s", "type=bind,from=busybox:1,target=/b"], network: none}
  - {env: {Z: 1}}
  - {user: me}
  - {workdir: /w}
  labels: {a: "1 2", "b c": d}
  expose: [443/tcp, 80]
  volumes: ["/v 1"]
  stopsignal: SIGINT
  cmd: echo $HOME
- name: two
  parent: one
  output: /x
  entrypoint: ["/bin/a \"b\""]
"##;
    is_same_as_its_dockerfile(text, &["one", "two", "two.work"]);
}

#[test]
fn the_first_version() {
    let text = r##"#syntax=r2d4/mocker
apiVersion: v1alpha1
images:
- name: demo
  from: ubuntu:24.04
  package:
    repo:
    - deb [arch=amd64] http://packages.example.org/apt stable main
    - deb http://other.example.org/apt stable main
    gpg: https://packages.example.org/key.gpg
    install: [git, "docker-ce=17.12.0~ce-0~ubuntu"]
  external:
  - src: https://dl.example.org/tool
    dst: /usr/local/bin/tool
    sha256: b5066f7250beb023a3eb7511c5699be4dbff57637ac4a78ce63bde6e66c26ac4
  - src: https://dl.example.org/helm.tar.gz
    dst: /tmp/helm
    install: [install /tmp/helm/helm /usr/local/bin/helm]
"##;
    is_same_as_its_dockerfile(text, &["demo"]);
    let dir = Scratch::new();
    dir.file("Mockerfile.yaml", text);
    let llb = stdout(&run(&dir, &["compile", "--no-resolve", "--emit", "llb"]));
    assert!(llb.contains("https://dl.example.org/helm.tar.gz") && llb.contains("http.checksum"), "{llb}");
    assert!(!llb.contains("curl") && !llb.contains("apt-key"), "{llb}");
    let newer = text.replace("  package:", "  platform: linux/amd64\n  package:");
    dir.file("Mockerfile.yaml", newer);
    let output = run(&dir, &["compile", "--no-resolve", "--emit", "llb"]);
    assert!(stderr(&output).contains("write `apiVersion: v1`"), "{}", stderr(&output));
}

#[test]
fn faults_point_into_the_yaml() {
    let dir = Scratch::new();
    let text = "apiVersion: v1\nimages:\n- name: a\n  from: alpine\n  step: [x]\n- name: b\n  parent: aa\n  external:\n  - {src: ftp://x, dst: /y}\n  package: {install: [-oX=1]}\n";
    dir.file("Mockerfile.yaml", text);
    let output = run(&dir, &["compile", "--no-resolve", "--emit", "llb"]);
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "Mockerfile.yaml:5:3",
        "did you mean `steps`?",
        "there is no image `aa` in the file",
        "Mockerfile.yaml:9:11",
        "`-oX=1` is no name of a package",
    ] {
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
    }
    for (text, part) in [
        ("apiVersion: v1\nimages:\n- {name: a, parent: b}\n- {name: b, parent: a}\n", "parents of one another"),
        ("apiVersion: v1\nimages:\n- {name: a, parent: a}\n", "parents of one another"),
        ("apiVersion: v2\nimages:\n- {from: a}\n", "the versions are"),
        ("apiVersion: v1\nimages:\n- {from: a}\n- {from: b}\n", "needs a `name`"),
        ("apiVersion: v1\nimages: [\n", "E0701"),
        ("apiVersion: v1\nimages: 3\n", "an image is a mapping"),
    ] {
        dir.file("Mockerfile.yaml", text);
        let output = run(&dir, &["compile", "--no-resolve", "--emit", "llb"]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
    }
}

#[test]
fn pages_of_codes_hold_true() {
    let dir = Scratch::new();
    for id in ["E0701", "E0702", "E0703"] {
        let page = std::fs::read_to_string(root().join(format!("docs/codes/{id}.md"))).unwrap();
        for block in page.split("\n```").skip(1).step_by(2) {
            let (info, text) = block.split_once('\n').unwrap();
            dir.file("Mockerfile.yaml", text);
            let output = run(&dir, &["compile", "--no-resolve", "--emit", "llb"]);
            assert_eq!(output.status.success(), info == "yaml,ok", "{id}: {}", stderr(&output));
            assert!(info == "yaml,ok" || stderr(&output).contains(id), "{id}: {}", stderr(&output));
        }
    }
}

#[test]
fn it_is_built_and_baked() {
    let dir = Scratch::new();
    dir.file("Mockerfile.yaml", "apiVersion: v1\nimages:\n- name: base\n  from: scratch\n  steps: [{copy: f, to: /x/f}]\n- name: app\n  from: scratch\n  parent: base\n  output: /x\n");
    let store = Scratch::new();
    dir.file("f", "hello\n");
    dir.file(
        "docker-bake.hcl",
        "target \"default\" {\n  dockerfile = \"Mockerfile.yaml\"\n  output = [\"baked\"]\n}\n",
    );
    for args in [&["build", "-o", "built"][..], &["bake"]] {
        let output = rbc().current_dir(dir.path()).env("RBC_STORE", store.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }
    for name in ["built/x/f", "baked/x/f"] {
        assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), "hello\n", "{name}");
    }
}
