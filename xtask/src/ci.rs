//! `cargo xtask ci`: everything that must hold, with the set-up that it needs.

use std::path::Path;
use std::process::Command;

/// Programs that tests drive, with the Debian package of each.
const PROGRAMS: [(&str, &str); 7] = [
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/usr/bin/htpasswd", "apache2-utils"),
    ("/usr/bin/chromium", "chromium"),
    ("/bin/busybox", "busybox-static"),
    ("/usr/bin/shellcheck", "shellcheck"),
    ("/usr/bin/git", "git"),
    ("/usr/bin/python3", "python3"),
];

/// Runs one command of the gate and says how long it took.
pub fn step(name: &str, program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    println!("== {name}");
    let start = std::time::Instant::now();
    let status = Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .status()
        .map_err(|e| format!("{program} cannot be run: {e}"))?;
    println!("== {name}: {:.0} s", start.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(format!("{name} failed: {program} {}", args.join(" "))) }
}

/// Installs what the tests need and is not there.
pub fn setup() -> Result<(), String> {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let noninteractive = [("DEBIAN_FRONTEND", "noninteractive")];
    step("package lists", "apt-get", &["update", "-qq"], &noninteractive)?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(missing);
    step("packages", "apt-get", &args, &noninteractive)
}

/// The gate.
pub fn ci() -> Result<bool, String> {
    setup()?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    step("format", &cargo, &["fmt", "--all", "--check"], &[])?;
    step("lints", &cargo, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], &[])?;
    step("documentation", &cargo, &["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    step("tests", &cargo, &["test", "--workspace", "--quiet"], &[])?;
    Ok(true)
}
