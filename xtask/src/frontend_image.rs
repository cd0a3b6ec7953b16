//! `cargo xtask frontend-image`: the image of a `# syntax=` line, as it is released.

use std::path::Path;
use std::process::Command;

use crate::ci::step;

/// Builds the program and puts it into an image in an OCI archive.
pub fn run() -> Result<bool, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let target = target();
    // Static, so that the image holds nothing else. musl is that anyway.
    let env = [("RUSTFLAGS", "-C target-feature=+crt-static")];
    let build = ["build", "--quiet", "--profile=image", "--bin=rbc-frontend", "--target", &target];
    step("program", &cargo, &build, &env)?;
    let (from, dir) = (format!("target/{target}/image/rbc-frontend"), Path::new("target/frontend-image"));
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    std::fs::create_dir_all(dir).map_err(failed)?;
    std::fs::copy(&from, dir.join("rbc")).map_err(|e| format!("{from}: {e}"))?;
    let program = format!("program={}", dir.display());
    let output = "type=oci,dest=target/frontend-image.tar";
    let build = ["build", "examples/frontend-image", "--build-context", &program, "--output", output];
    step("image", &cargo, &[&["run", "--quiet", "--bin=rbc", "--"], &build[..]].concat(), &[])?;
    println!("the image is target/frontend-image.tar");
    Ok(true)
}

/// What the program is built for: this machine with musl, if rustup has installed that, or else with glibc.
fn target() -> String {
    let of = |libc: &str| format!("{}-unknown-linux-{libc}", std::env::consts::ARCH);
    let musl = of("musl");
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", &musl]).output();
    let libraries = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if !libraries.is_empty() && Path::new(&libraries).exists() { musl } else { of("gnu") }
}
