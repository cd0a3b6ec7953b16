//! The command `rbc`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rbc::cli::main()
}
