//! `rbc frontend` alone: what goes into the image, a tenth as large as all of rbc.

use std::process::ExitCode;

fn main() -> ExitCode {
    rbc::cli::frontend::main()
}
