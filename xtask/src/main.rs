//! Chores of the project.

use std::process::ExitCode;

mod ci;
mod conformance;
mod frontend_image;
mod new_rule;
mod peers;

const HELP: &str = "cargo xtask COMMAND

  ci             installs what the tests need, then checks format, lints and documentation, and runs all tests
  example        builds examples/site to an image and a directory, with the set-up that it needs
  frontend-image builds the image of a `# syntax=` line as target/frontend-image.tar
  setup          only installs what the tests need (Debian packages)
  conformance [--cases DIR] [--json] [--list N] [--diff ID] [--only ASPECT]
                 runs the recorded cases and says what is identical
  editors        builds, tests and packages the extensions of editors (needs npm)
  bless          runs the tests and updates the files that they compare with
  bench [NAME]   runs the benchmarks
  new-rule ID NAME
                 makes the page of a new diagnostic
  tidy           formats the sources";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match &args[..] {
        ["ci"] => ci::ci(),
        ["example"] => ci::example(),
        ["frontend-image"] => frontend_image::run(),
        ["setup"] => ci::setup().map(|()| true),
        ["conformance", rest @ ..] => conformance::run(rest),
        ["editors"] => ci::editors(),
        ["bless"] => {
            ci::step("bless", "cargo", &["test", "--workspace", "--quiet"], &[("RBC_BLESS", "1")]).map(|()| true)
        }
        ["bench", rest @ ..] => {
            let mut command = vec!["bench", "--package", "rbc"];
            command.extend(rest.iter().flat_map(|name| ["--bench", name]));
            ci::step("bench", "cargo", &command, &[]).map(|()| true)
        }
        ["new-rule", id, name] => new_rule::run(id, name),
        ["tidy"] => ci::step("tidy", "cargo", &["fmt", "--all"], &[]).map(|()| true),
        ["help" | "-h" | "--help"] => {
            println!("{HELP}");
            Ok(true)
        }
        [] => Err(HELP.to_owned()),
        [command, ..] => Err(format!("there is no command {command}, or it takes other arguments\n\n{HELP}")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
