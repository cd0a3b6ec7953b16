//! Tables that the program knows of itself.

use super::{Failure, write_output};

/// `rbc passes`.
pub fn passes() -> Result<(), Failure> {
    let mut out = String::from("pass            preserves  does\n");
    for pass in rbc_ir::PASSES {
        out += &format!("{:<15} {:<10} {}\n", pass.name, format!("{:?}", pass.preserves).to_lowercase(), pass.about);
    }
    Ok(write_output(None, out.as_bytes())?)
}
