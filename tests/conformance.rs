//! Recorded answers of the reference, where they lie beside the repository.

use std::process::Command;

use crate::harness::{root, stderr, stdout};

/// Every recorded case is as recorded, but for the known differences, which `xtask/known-differences.toml` explains.
#[test]
fn recorded_cases() {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--package", "xtask", "--", "conformance"])
        .current_dir(root())
        .output()
        .unwrap();
    println!("{}", stdout(&output));
    assert!(output.status.success(), "{}\n{}", stdout(&output), stderr(&output));
}
