//! Docker's daemons from Debian's packages, each with the BuildKit that is in it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Scratch, root, stderr, stdout};

/// Which daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Docker 20.10, with a BuildKit that lacks much; installed.
    Bookworm,
    /// Docker 26.1, unpacked below `target` by `cargo xtask setup`.
    Trixie,
}

pub const RELEASES: [Release; 2] = [Release::Bookworm, Release::Trixie];

impl Release {
    /// Where its programs are; the first one wins.
    fn folders(self) -> Vec<PathBuf> {
        match self {
            Release::Bookworm => vec!["/usr/sbin".into(), "/usr/bin".into()],
            Release::Trixie => {
                ["usr/sbin", "usr/bin"].iter().map(|folder| root().join("target/peers/trixie").join(folder)).collect()
            }
        }
    }

    fn path(self) -> std::ffi::OsString {
        let others = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(self.folders().into_iter().chain(std::env::split_paths(&others))).unwrap()
    }
}

/// A daemon with a socket, a store and a client of its own, gone when it is dropped.
pub struct Daemon {
    release: Release,
    child: Child,
    dir: Scratch,
}

impl Daemon {
    pub fn start(release: Release) -> Daemon {
        let folders = release.folders();
        let program = folders[0].join("dockerd");
        assert!(program.exists(), "{} is not there: cargo xtask setup installs it", program.display());
        let dir = Scratch::new();
        let at = |name: &str| dir.path().join(name).into_os_string();
        // The client finds its BuildKit plugin in its own configuration.
        std::fs::create_dir_all(dir.path().join("config/cli-plugins")).unwrap();
        if release == Release::Trixie {
            let plugin = root().join("target/peers/trixie/usr/libexec/docker/cli-plugins/docker-buildx");
            std::os::unix::fs::symlink(plugin, dir.path().join("config/cli-plugins/docker-buildx")).unwrap();
        }
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(["--bridge=none", "--iptables=false", "--data-root"])
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("--host")
            .arg(format!("unix://{}", dir.path().join("docker.sock").display()))
            .env("PATH", release.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Daemon { release, child, dir };
        let start = Instant::now();
        while UnixStream::connect(daemon.socket()).is_err() || !daemon.answers() {
            let log = || std::fs::read_to_string(daemon.dir.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "{release:?} does not start:\n{}", log());
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "{release:?} ended:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        daemon
    }

    fn answers(&self) -> bool {
        self.docker(&["version"]).output().is_ok_and(|output| output.status.success())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// A directory of its own, for whatever a test needs.
    pub fn dir(&self) -> &Scratch {
        &self.dir
    }

    /// The client of the same release, with BuildKit on.
    pub fn docker(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.release.folders()[1].join("docker"));
        command
            .args(args)
            .env("PATH", self.release.path())
            .env("DOCKER_CONFIG", self.dir.path().join("config"))
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
            .env("DOCKER_BUILDKIT", "1")
            .env_remove("DOCKER_CONTEXT")
            .stdin(Stdio::null());
        command
    }

    /// Runs the client, and fails the test if it does.
    pub fn run(&self, args: &[&str]) -> String {
        let output: Output = self.docker(args).output().unwrap();
        assert!(output.status.success(), "docker {args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Gives it an image `base` of a static busybox, which no registry is asked for.
    pub fn import_base(&self) {
        let rootfs = self.dir.path().join("rootfs");
        std::fs::create_dir_all(rootfs.join("bin")).unwrap();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let busybox = busybox.expect("the tests need a static busybox: cargo xtask setup installs it");
        std::fs::copy(busybox, rootfs.join("bin/busybox")).unwrap();
        for applet in
            ["sh", "cat", "ls", "cp", "mkdir", "sleep", "true", "false", "echo", "id", "test", "stat", "sort", "find"]
        {
            std::os::unix::fs::symlink("busybox", rootfs.join("bin").join(applet)).unwrap();
        }
        for folder in ["etc", "tmp", "proc", "sys", "dev"] {
            std::fs::create_dir_all(rootfs.join(folder)).unwrap();
        }
        let archive = self.dir.path().join("rootfs.tar");
        let status = Command::new("tar").arg("-C").arg(&rootfs).arg("-cf").arg(&archive).arg(".").status().unwrap();
        assert!(status.success());
        self.run(&["import", "--change", "ENV PATH=/bin", archive.to_str().unwrap(), "base:latest"]);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It ends its containerd and lets go of its mounts if it is asked to.
        let pid = self.child.id();
        _ = Command::new("kill").arg(pid.to_string()).status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        _ = self.child.kill();
        _ = self.child.wait();
        // What a killed one left running, and mounted.
        let containerd = self.dir.path().join("exec/containerd/containerd.pid");
        if let Ok(pid) = std::fs::read_to_string(containerd) {
            _ = Command::new("kill").arg("-9").arg(pid.trim()).stderr(Stdio::null()).status();
        }
        for line in std::fs::read_to_string("/proc/self/mounts").unwrap_or_default().lines().rev() {
            if let Some(at) = line.split(' ').nth(1).filter(|at| Path::new(at).starts_with(self.dir.path())) {
                _ = Command::new("umount").arg("-l").arg(at).stderr(Stdio::null()).status();
            }
        }
    }
}

#[test]
fn daemons_of_two_releases_build() {
    for release in RELEASES {
        let daemon = Daemon::start(release);
        daemon.import_base();
        let context = daemon.dir().file("context/Dockerfile", "FROM base\nRUN echo hello > /x\n");
        daemon.run(&["build", "--network=host", "-t", "made", context.parent().unwrap().to_str().unwrap()]);
    }
}
