//! The program as a whole: `rbc compile` of a project with a lock file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rbc_oci::{Platform, Reference};
use rbc_registry::Lock;

use crate::clock::measure_process;
use crate::input::{self, Build};
use crate::time;

/// How often each is run.
const RUNS: u32 = 100;

/// Measures the program beside the least that a process can do.
pub fn measure(own: &[PathBuf], files: &[&String]) -> Result<(), Box<dyn std::error::Error>> {
    println!("\nOne process, `rbc compile --locked`: wall least and median, CPU, most memory");
    let report = |name: &str, command: &dyn Fn() -> Command| -> std::io::Result<()> {
        let cost = measure_process(RUNS, command)?;
        let (min, median, cpu) = (time(cost.min), time(cost.median), time(cost.cpu));
        println!("{name:<24} {min:>10} {median:>10} {cpu:>10} {:>7.1} MiB", cost.peak as f64 / 1024.0);
        Ok(())
    };
    report("/bin/true", &|| Command::new("/bin/true"))?;
    report("rbc --version", &|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rbc"));
        command.arg("--version").stdout(Stdio::null());
        command
    })?;
    for file in own.iter().map(PathBuf::as_path).chain(files.iter().map(Path::new)) {
        let build = Build::read(file)?;
        let project = Project::new(&build)?;
        report(&build.name, &|| project.compile())?;
    }
    Ok(())
}

/// A directory with a Dockerfile and its lock, gone in the end.
struct Project(PathBuf);

impl Project {
    fn new(build: &Build) -> Result<Project, Box<dyn std::error::Error>> {
        let dir = std::env::temp_dir().join(format!("rbc-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let project = Project(dir);
        std::fs::write(project.0.join("Dockerfile"), build.file.text())?;
        let mut lock = Lock::new();
        let platform = Platform::new("linux", "amd64");
        let compiled = rbc::compile(build.input(), &mut Asked { lock: &mut lock, platform: &platform });
        if let Some(error) = compiled.errors.first() {
            return Err(format!("{}: {}", build.name, error.message).into());
        }
        std::fs::write(project.0.join("rbc.lock"), lock.to_toml())?;
        Ok(project)
    }

    fn compile(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rbc"));
        command.args(["compile", "--locked", "-o"]).arg(self.0.join("graph.pb")).arg(&self.0);
        command.stderr(Stdio::null());
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes images up and locks them.
struct Asked<'a> {
    lock: &'a mut Lock,
    platform: &'a Platform,
}

impl rbc::Host for Asked<'_> {
    fn image(&mut self, wanted: &rbc_lower::questions::ImageQuestion) -> Result<rbc::Found, rbc_source::Diagnostic> {
        let reference = Reference::parse_normalized(&wanted.reference).map_err(|e| e.diagnostic(&wanted.reference))?;
        let platform = wanted.platform.as_ref().unwrap_or(self.platform);
        self.lock.insert(&reference, platform, input::digest(), input::CONFIG.into()).map_err(|e| *e)?;
        input::Memory::default().image(wanted)
    }

    fn ignore(&mut self, _local: &str) -> Result<Option<String>, rbc_source::Diagnostic> {
        Ok(None)
    }

    fn is_archive(&mut self, _url: &str) -> Result<bool, rbc_source::Diagnostic> {
        Ok(false)
    }

    fn time(&mut self, _: &rbc_lower::questions::SourceQuestion) -> Result<Option<i64>, rbc_source::Diagnostic> {
        Ok(None)
    }
}
