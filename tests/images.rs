//! Base images from a real registry, and the lock file.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rbc_oci::Reference;
use rbc_registry::{Client, Content, Credentials, Descriptor, Manifest, RegistryConfig, media};

use crate::harness::{Scratch, rbc, stderr, stdout};

/// Debian's docker-registry on a free port of this machine.
pub struct Registry {
    child: Child,
    address: String,
    _dir: Scratch,
}

impl Registry {
    pub fn start() -> Registry {
        let program = Path::new("/usr/bin/docker-registry");
        assert!(program.exists(), "this test needs Debian's docker-registry: cargo xtask setup installs it");
        let dir = Scratch::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let storage = dir.path().join("data");
        let config = dir.file(
            "config.yml",
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n",
                storage.display()
            ),
        );
        let child =
            Command::new(program).arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Registry { child, address, _dir: dir };
        let start = Instant::now();
        while std::net::TcpStream::connect(&registry.address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "the registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// Its host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Pushes an image of one empty layer with a config.
    pub fn push(&self, name: &str, config: &str) {
        let client = Client::new(RegistryConfig::default(), Credentials::none());
        let reference = Reference::parse_normalized(&format!("{}/{name}", self.address)).unwrap();
        let blob = |bytes: &[u8], kind: &str| {
            let descriptor = Descriptor::of(kind, bytes);
            client.push_blob(&reference, &descriptor, Content::Bytes(bytes), None).unwrap();
            descriptor
        };
        let layer = blob(&[0; 1024], media::OCI_LAYER);
        let config = blob(config.as_bytes(), media::OCI_CONFIG);
        let manifest = serde_json::to_vec(&Manifest::new(config, vec![layer])).unwrap();
        client.push_manifest(&reference, media::OCI_MANIFEST, &manifest).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin","GREETING=hello"],"WorkingDir":"/home",
"OnBuild":["RUN trigger"]},"rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#;

#[test]
fn a_registry_says_what_a_base_image_is() {
    let registry = Registry::start();
    registry.push("base:1", CONFIG);
    let dir = Scratch::new();
    dir.file("Dockerfile", format!("FROM {}/base:1\nRUN echo $GREETING\n", registry.address));
    let compile = |args: &[&str]| rbc().arg("compile").arg(dir.path()).args(args).output().unwrap();
    let output = compile(&["--platform", "linux/amd64", "--emit", "llb"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in ["/base:1@sha256:", "GREETING=hello", "cwd: \"/home\"", "ONBUILD RUN trigger"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_lock_file_stands_in_for_the_registry() {
    let registry = Registry::start();
    registry.push("base:1", CONFIG);
    let dir = Scratch::new();
    dir.file(
        "Dockerfile",
        format!(
            "FROM {}/base:1 AS a\nRUN x\nFROM a\nCOPY --from={}/base:1 /a /b\n",
            registry.address, registry.address
        ),
    );
    let run = |command: &str, args: &[&str]| {
        rbc().arg(command).arg(dir.path()).args(["--platform", "linux/amd64"]).args(args).output().unwrap()
    };
    let online = run("compile", &[]);
    assert!(online.status.success(), "{}", stderr(&online));
    let locked = run("lock", &[]);
    assert!(locked.status.success(), "{}", stderr(&locked));
    let text = std::fs::read_to_string(dir.path().join("rbc.lock")).unwrap();
    assert!(text.contains("GREETING=hello"), "{text}");
    drop(registry);
    for flag in ["--locked", "--offline"] {
        let offline = run("compile", &[flag]);
        assert!(offline.status.success(), "{}", stderr(&offline));
        assert_eq!(offline.stdout, online.stdout, "the same bytes without the registry");
    }
    // Locking again asks nobody, since every image has its entry, and changes nothing.
    assert!(run("lock", &["--offline"]).status.success());
    assert_eq!(std::fs::read_to_string(dir.path().join("rbc.lock")).unwrap(), text);
    dir.file("Dockerfile", "FROM other\n");
    let missing = run("compile", &["--locked"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("E0310") && stderr(&missing).contains("rbc lock"), "{}", stderr(&missing));
}

#[test]
fn a_missing_image_is_an_error_at_its_place() {
    let registry = Registry::start();
    let dir = Scratch::new();
    dir.file("Dockerfile", format!("# a comment\nFROM {}/nowhere:1\n", registry.address));
    let output = rbc().arg("compile").arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("Dockerfile:2:1"), "{}", stderr(&output));
}

/// A server that answers one request after the other with the same text.
fn serve(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::{BufRead as _, BufReader, Write as _};
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| !line.unwrap_or_default().is_empty()) {}
            _ = stream.write_all(answer);
        }
    });
    address
}

#[test]
fn the_time_of_a_download_dates_the_build() {
    let address = serve(b"HTTP/1.1 200 OK\r\nLast-Modified: Tue, 14 Nov 2023 22:13:21 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let dir = Scratch::new();
    dir.file(
        "Dockerfile",
        format!("FROM scratch AS src\nADD http://{address}/x /x\nFROM scratch\nCOPY --from=src /x /\n"),
    );
    let args = ["--build-arg", "SOURCE_DATE_EPOCH=src", "--emit", "image"];
    let output = rbc().arg("compile").arg(dir.path()).args(args).output().unwrap();
    assert!(stdout(&output).contains("2023-11-14T22:13:21Z"), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn a_remote_context_is_unpacked_if_it_is_an_archive() {
    let archive = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00");
    let dir = Scratch::new();
    let file = dir.file("Dockerfile", "FROM scratch\nCOPY a b\n");
    let compile =
        |url: &str| rbc().arg("compile").arg(url).arg("-f").arg(&file).args(["--emit", "llb"]).output().unwrap();
    let output = compile(&format!("http://{archive}/context.tgz"));
    assert!(stdout(&output).contains("attempt_unpack"), "{}{}", stdout(&output), stderr(&output));
    let nowhere = compile("http://127.0.0.1:1/context.tgz");
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(stderr(&nowhere).contains("E0804"), "{}", stderr(&nowhere));
}

#[test]
fn the_time_of_a_commit_dates_the_build() {
    let dir = Scratch::new();
    let repository = dir.path().join("r.git");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(dir.path())
            .args(args)
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .envs([
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@b"),
                ("GIT_COMMITTER_NAME", "a"),
                ("GIT_COMMITTER_EMAIL", "a@b"),
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    git(&["init", "-q", "r.git"]);
    dir.file("r.git/Dockerfile", "FROM scratch\nCOPY hello /\n");
    dir.file("r.git/hello", "from git");
    git(&["-C", "r.git", "add", "."]);
    git(&["-C", "r.git", "commit", "-q", "-m", "x"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The program itself: `git daemon` would start it as a child that outlives the kill.
    let programs = Command::new("git").arg("--exec-path").output().unwrap();
    let mut daemon = Command::new(Path::new(stdout(&programs).trim()).join("git-daemon"))
        .args(["--export-all", "--listen=127.0.0.1", &format!("--port={port}")])
        .arg(format!("--base-path={}", dir.path().display()))
        .arg(&repository)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let file = dir.file("Dockerfile", "FROM scratch\nCOPY a b\n");
    let output = rbc()
        .args([
            "compile",
            &format!("git://127.0.0.1:{port}/r.git"),
            "--emit",
            "image",
            "--build-arg",
            "SOURCE_DATE_EPOCH=context",
            "-f",
        ])
        .arg(file)
        .output()
        .unwrap();
    // With no local recipe, the repository's own is taken.
    let built = rbc()
        .args(["build", &format!("git://127.0.0.1:{port}/r.git"), "-o"])
        .arg(dir.path().join("out"))
        .env("RBC_STORE", dir.path().join("store"))
        .output()
        .unwrap();
    _ = daemon.kill();
    _ = daemon.wait();
    assert!(built.status.success(), "{}", stderr(&built));
    assert_eq!(std::fs::read_to_string(dir.path().join("out/hello")).unwrap(), "from git");
    assert!(stdout(&output).contains("2023-11-14T22:13:20Z"), "{}{}", stdout(&output), stderr(&output));
}
