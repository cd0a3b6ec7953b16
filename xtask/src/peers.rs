//! Docker daemons for the tests: this Debian's own, and that of trixie, unpacked below `target`.

use std::fs;
use std::path::Path;

use crate::ci::step_in as step;

/// The packages of trixie that are unpacked, not installed: they ask for a newer C library, of which these use nothing. Its runc does,
/// so the daemon takes that of this machine.
const PACKAGES: [&str; 4] = ["docker.io", "docker-cli", "docker-buildx", "containerd"];

const SOURCE: &str =
    "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n";

/// Unpacks trixie's Docker to `target/peers/trixie`, where `tests/daemon.rs` looks for it.
pub fn trixie() -> Result<(), String> {
    let home = Path::new("target/peers/trixie");
    if home.join("usr/sbin/dockerd").exists() {
        return Ok(());
    }
    let work = std::env::current_dir().map_err(|e| e.to_string())?.join("target/peers/apt");
    let fault = |e: std::io::Error| format!("{}: {e}", work.display());
    for folder in ["lists/partial", "cache/archives/partial", "unpacked"] {
        fs::create_dir_all(work.join(folder)).map_err(fault)?;
    }
    fs::write(work.join("trixie.list"), SOURCE).map_err(fault)?;
    // Lists and cache of its own: the machine's own release stays what it is.
    let own = |key: &str, value: &str| format!("-o{key}={}", work.join(value).display());
    let options = [
        own("Dir::Etc::sourcelist", "trixie.list"),
        "-oDir::Etc::sourceparts=-".to_owned(),
        own("Dir::State::lists", "lists"),
        own("Dir::Cache", "cache"),
        "-oAPT::Sandbox::User=root".to_owned(),
    ];
    let apt = |name: &str, command: &[&str]| {
        let args: Vec<&str> = options.iter().map(String::as_str).chain(command.iter().copied()).collect();
        step(name, &work, "apt-get", &args, &[("DEBIAN_FRONTEND", "noninteractive")])
    };
    apt("package lists of trixie", &["update", "-qq"])?;
    apt("packages of trixie", &[&["download", "-qq"], &PACKAGES[..]].concat())?;
    let unpacked = work.join("unpacked");
    for entry in fs::read_dir(&work).map_err(fault)?.flatten() {
        let package = entry.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            let (from, to) = (package.to_string_lossy(), unpacked.to_string_lossy());
            step("unpack", &work, "dpkg-deb", &["-x", &from, &to], &[])?;
        }
    }
    fs::rename(&unpacked, home).map_err(fault)?;
    fs::remove_dir_all(&work).map_err(fault)
}
