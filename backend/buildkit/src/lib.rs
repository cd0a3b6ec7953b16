//! The client of a BuildKit: a daemon that builds elsewhere.
//!
//! [`Daemon`] is a connection. What it builds is a definition of LLB; what it needs for that (files, secrets, credentials)
//! it asks of a session, which gives what it was told to and nothing else. The interface blocks; inside, one thread waits
//! for all streams.

mod daemon;
mod endpoint;
mod error;
mod session;
mod solve;
#[cfg(test)]
mod tls_tests;
mod transport;

pub use daemon::Daemon;
pub use endpoint::{Endpoint, Tls};
pub use error::Failure;
pub use session::{Session, Target};
pub use solve::{Build, Capabilities, Export, Frontend, Outcome, Watch};

/// A name that nobody else has, for a build or a session. BuildKit's are 25 letters and digits.
fn id() -> String {
    let mut bytes = [0_u8; 25];
    // Without randomness the clock and the process must do.
    if rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty()).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seed = now.as_nanos() ^ u128::from(std::process::id()) << 64;
        bytes[..16].copy_from_slice(&seed.to_le_bytes());
    }
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    bytes.iter().map(|byte| char::from(letters[usize::from(*byte) % letters.len()])).collect()
}
