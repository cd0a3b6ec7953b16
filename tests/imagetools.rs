//! `rbc image` on a real registry, beside the real buildx.

use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Scratch, rbc, root, stderr, stdout};
use crate::images::Registry;

fn image(args: &[&str]) -> Output {
    rbc().arg("image").args(args).output().unwrap()
}

fn done(args: &[&str]) -> String {
    let output = image(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// What buildx prints, with trailing blanks taken away.
fn imagetools(dir: &Path, args: &[&str]) -> String {
    let trixie = root().join("target/peers/trixie/usr");
    let plugins = dir.join("cli-plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    _ = std::os::unix::fs::symlink(
        trixie.join("libexec/docker/cli-plugins/docker-buildx"),
        plugins.join("docker-buildx"),
    );
    let output = Command::new(trixie.join("bin/docker"))
        .args(["buildx", "imagetools"])
        .args(args)
        .env("DOCKER_CONFIG", dir)
        .output()
        .expect("this test needs trixie's buildx: cargo xtask setup unpacks it");
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    trimmed(&stdout(&output))
}

fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A registry with an image for each of three platforms, and their names.
fn registry() -> (Registry, Vec<String>) {
    let registry = Registry::start();
    let names = ["amd64", "arm64", "s390x"].map(|architecture| {
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"linux","config":{{"Env":["A={architecture}"]}},
            "rootfs":{{"type":"layers","diff_ids":[]}}}}"#
        );
        registry.push(&format!("{architecture}:1"), &config);
        format!("{}/{architecture}:1", registry.address())
    });
    (registry, names.to_vec())
}

#[test]
fn indexes_are_those_of_buildx() {
    let (registry, names) = registry();
    let dir = Scratch::new();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for args in [
        vec!["create", "--dry-run", names[0], names[1]],
        vec!["create", "--dry-run", names[2]],
        vec![
            "create",
            "--dry-run",
            "--annotation",
            "index:a=b",
            "--annotation",
            "manifest-descriptor[linux/arm64]:c=d",
            names[0],
            names[1],
        ],
    ] {
        assert_eq!(trimmed(&done(&args)), imagetools(dir.path(), &args), "{args:?}");
    }
    let all = format!("{}/all:1", registry.address());
    done(&["create", "-t", &all, names[0], names[1]]);
    assert_eq!(trimmed(&done(&["inspect", &all])), imagetools(dir.path(), &["inspect", &all]));
    for format in ["{{.Name}}", "{{.Manifest}}", "{{json (index .Image \"linux/arm64\").Config.Env}}"] {
        let args = ["inspect", all.as_str(), "--format", format];
        assert_eq!(done(&args).trim_end(), imagetools(dir.path(), &args).trim_end(), "{format}");
    }
    done(&["create", "--append", "-t", &all, names[2]]);
    for platform in ["linux/amd64", "linux/arm64", "linux/s390x"] {
        assert!(done(&["inspect", &all]).contains(platform), "{platform}");
    }
}

#[test]
fn copies_are_whole() {
    let (registry, names) = registry();
    let dir = Scratch::new();
    let all = format!("{}/all:1", registry.address());
    done(&["create", "-t", &all, &names[0], &names[1]]);
    let raw = |name: &str| done(&["inspect", "--raw", name]);
    // To another repository, to a layout, and from there to another registry.
    let other = Registry::start();
    let (beside, far) = (format!("{}/copy:2", registry.address()), format!("{}/far/copy:3", other.address()));
    let layout = format!("oci-layout://{}:x", dir.path().join("layout").display());
    done(&["copy", &all, &beside, &layout]);
    done(&["copy", &layout, &far]);
    for copy in [&beside, &layout, &far] {
        assert_eq!(raw(copy), raw(&all), "{copy}");
        assert!(done(&["inspect", copy, "--format", "json"]).contains("A=arm64"), "{copy}");
    }
    // One platform of several is another image.
    let one = format!("{}/one:1", other.address());
    done(&["copy", "--platform", "linux/arm64", &all, &one]);
    assert!(raw(&one).contains("arm64") && !raw(&one).contains("amd64"));
    // It can be pulled: everything that it needs is there.
    let context = dir.file("context/Dockerfile", format!("FROM {far}\nCOPY Dockerfile /\n"));
    let built = rbc()
        .args(["build", "--progress", "quiet", "-o"])
        .args([&dir.path().join("out"), context.parent().unwrap()])
        .env("RBC_STORE", dir.path().join("store"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", stderr(&built));
}

#[test]
fn what_cannot_be_made_is_refused_and_nothing_is_written() {
    let (registry, names) = registry();
    let all = format!("{}/all:1", registry.address());
    for (args, expected) in [
        (vec!["create", "-t", &all], "nothing to make an image of"),
        (vec!["create", &names[0]], "has no name"),
        (vec!["create", "-t", &all, "--platform", "linux/riscv64", &names[0]], "linux/riscv64"),
        (vec!["create", "-t", &all, &names[0], "nothing:here:or/there"], "E0301"),
        (vec!["create", "-t", &all, "--annotation", "manifest:a=b", &names[0]], "manifest"),
        (vec!["copy", "oci-layout:///nonexistent", &all], "E0309"),
        (vec!["copy", &all, &all], "E0303"),
        (vec!["inspect", &names[0], "--format", "{{range .X}}"], "is not understood"),
    ] {
        let output = image(&args);
        assert!(!output.status.success() && stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
    assert!(!image(&["inspect", &all]).status.success());
}
