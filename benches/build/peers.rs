//! The tools that build, and what they cost.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a build took, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: f64,
    /// Of all processors, by everyone who took part.
    pub cpu: f64,
}

/// Something that builds.
pub trait Tool {
    /// Builds the context and recipe of a directory with a build argument; the result stays in the tool's cache.
    fn build(&self, dir: &Path, arg: &str) -> Cost;
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Processor time of children that have ended.
fn children() -> f64 {
    // SAFETY: the structure is plain data that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn timed(command: &mut Command) -> Cost {
    let (start, before) = (Instant::now(), children());
    let output = command.stdin(Stdio::null()).output().expect("the tool runs");
    let cost = Cost { wall: start.elapsed().as_secs_f64(), cpu: children() - before };
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    cost
}

fn free_address() -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    format!("127.0.0.1:{port}")
}

fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Debian's docker-registry.
pub struct Registry {
    child: Child,
    pub address: String,
}

impl Registry {
    pub fn start(dir: &Path) -> Registry {
        fs::create_dir_all(dir).expect("a directory");
        let address = free_address();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n",
            dir.join("data").display()
        );
        fs::write(dir.join("config.yml"), config).expect("a file");
        let mut command = Command::new("docker-registry");
        let child = quiet(command.arg("serve").arg(dir.join("config.yml"))).spawn();
        let child = child.expect("the benchmark needs Debian's docker-registry");
        wait_for("the registry", || TcpStream::connect(&address).is_ok());
        Registry { child, address }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// rbc, with a store of its own.
pub struct Rbc {
    store: PathBuf,
}

impl Rbc {
    pub fn new(store: PathBuf) -> Rbc {
        Rbc { store }
    }

    fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rbc"));
        command.arg("build").arg(dir).arg("--store").arg(&self.store).args(["--progress", "plain"]);
        command.env("DOCKER_CONFIG", "/nonexistent");
        command
    }

    pub fn push(&self, dir: &Path, name: &str) {
        timed(self.command(dir).args(["--push", "-t", name]));
    }
}

impl Tool for Rbc {
    fn build(&self, dir: &Path, arg: &str) -> Cost {
        timed(self.command(dir).args(["--build-arg", arg]))
    }
}

/// BuildKit's daemon and its client.
pub struct BuildKit {
    daemon: Child,
    client: PathBuf,
    address: String,
}

impl BuildKit {
    /// None if it is not here.
    pub fn start(dir: &Path, registry: &str) -> Option<BuildKit> {
        let place = std::env::var_os("RBC_BUILDKIT").map(PathBuf::from).unwrap_or_default();
        let client = place.join("buildctl");
        quiet(Command::new(&client).arg("--version")).status().ok()?;
        fs::create_dir_all(dir).expect("a directory");
        let config = dir.join("buildkitd.toml");
        let text = format!(
            "[worker.oci]\n  snapshotter = \"overlayfs\"\n[worker.containerd]\n  enabled = false\n[registry.\"{registry}\"]\n  http = true\n"
        );
        fs::write(&config, text).expect("a file");
        let address = format!("unix://{}", dir.join("s.sock").display());
        let mut command = Command::new(place.join("buildkitd"));
        command.arg("--config").arg(&config).arg("--root").arg(dir.join("root")).args(["--addr", &address]);
        let daemon = quiet(&mut command).spawn().ok()?;
        let ready = || quiet(Command::new(&client).args(["--addr", &address, "debug", "workers"])).status();
        wait_for("buildkitd", || ready().is_ok_and(|status| status.success()));
        Some(BuildKit { daemon, client, address })
    }

    /// Processor time of the daemon and of what it has started and waited for.
    fn cpu(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.daemon.id())).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        // utime, stime, cutime and cstime, in hundredths of a second.
        let ticks: u64 = fields.iter().skip(11).take(4).filter_map(|f| f.parse::<u64>().ok()).sum();
        ticks as f64 / 100.0
    }
}

impl Tool for BuildKit {
    fn build(&self, dir: &Path, arg: &str) -> Cost {
        let before = self.cpu();
        let mut command = Command::new(&self.client);
        command.args(["--addr", &self.address, "build", "--progress=plain", "--frontend", "dockerfile.v0"]);
        command.arg("--local").arg(format!("context={}", dir.display()));
        command.arg("--local").arg(format!("dockerfile={}", dir.display()));
        let cost = timed(command.arg("--opt").arg(format!("build-arg:{arg}")));
        Cost { cpu: cost.cpu + self.cpu() - before, ..cost }
    }
}

impl Drop for BuildKit {
    fn drop(&mut self) {
        // SAFETY: the process is ours and was not waited for. It ends its own children when it is asked to.
        unsafe { libc::kill(self.daemon.id() as i32, libc::SIGTERM) };
        _ = self.daemon.wait();
    }
}
