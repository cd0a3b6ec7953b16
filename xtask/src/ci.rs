//! `cargo xtask ci`: everything that must hold, with the set-up that it needs.

use std::path::Path;
use std::process::Command;

use crate::peers;

/// What images in examples and tests are made of.
const BUSYBOX: (&str, &str) = ("/bin/busybox", "busybox-static");

/// Programs that tests drive, with the Debian package of each.
const PROGRAMS: [(&str, &str); 8] = [
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/usr/bin/htpasswd", "apache2-utils"),
    ("/usr/bin/chromium", "chromium"),
    ("/usr/sbin/dockerd", "docker.io"),
    BUSYBOX,
    ("/usr/bin/shellcheck", "shellcheck"),
    ("/usr/bin/git", "git"),
    ("/usr/bin/python3", "python3"),
];

/// Runs one command of the gate and says how long it took.
pub fn step(name: &str, program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    step_in(name, Path::new("."), program, args, env)
}

/// Runs one command in a directory and says how long it took.
pub fn step_in(name: &str, dir: &Path, program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    println!("== {name}");
    let start = std::time::Instant::now();
    let status = Command::new(program)
        .args(args)
        .current_dir(dir)
        .envs(env.iter().copied())
        .status()
        .map_err(|e| format!("{program} cannot be run: {e}"))?;
    println!("== {name}: {:.0} s", start.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(format!("{name} failed: {program} {}", args.join(" "))) }
}

/// Installs what the tests need and is not there.
pub fn setup() -> Result<(), String> {
    install(&PROGRAMS)?;
    peers::trixie()
}

fn install(programs: &[(&str, &str)]) -> Result<(), String> {
    let missing: Vec<&str> =
        programs.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let noninteractive = [("DEBIAN_FRONTEND", "noninteractive")];
    step("package lists", "apt-get", &["update", "-qq"], &noninteractive)?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(missing);
    step("packages", "apt-get", &args, &noninteractive)
}

/// Builds the example of the README, to an image and to a directory below `target`.
pub fn example() -> Result<bool, String> {
    install(&[BUSYBOX])?;
    let tools = Path::new(BUSYBOX.0).parent().unwrap_or(Path::new("/")).display();
    let (tools, out) = (format!("tools={tools}"), ["type=oci,dest=target/site.tar", "target/site"]);
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let build = ["build", "examples/site", "--build-context", &tools, "--output", out[0], "--output", out[1]];
    step("example", &cargo, &[&["run", "--release", "--quiet", "--"], &build[..]].concat(), &[])?;
    println!("the image is target/site.tar, and its files are in {}", out[1]);
    Ok(true)
}

/// Builds, tests and packages what is below `editors`.
pub fn editors() -> Result<bool, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    step("server", &cargo, &["build", "--quiet", "--package", "rbc"], &[])?;
    let npm = |args: &[&str]| step("VS Code", "npm", &[&["--prefix", "editors/vscode"], args].concat(), &[]);
    npm(&["ci", "--no-audit", "--no-fund"])?;
    npm(&["test"])?;
    npm(&["run", "package"])?;
    Ok(true)
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
