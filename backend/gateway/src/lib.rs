//! The side of a frontend in BuildKit's gateway API (`moby.buildkit.v1.frontend.LLBBridge`), over standard input and output.
//!
//! Whoever implements a frontend reads its [`Environment`], opens a [`Gateway`], solves and reads through it, and gives
//! the result back with [`Gateway::finish`]. Calls block; those that may run at the same time have a form for several.

mod connection;
mod environment;
mod gateway;

pub use connection::Connection;
pub use environment::Environment;
pub use gateway::{Gateway, ImageAnswer, ImageRequest, Warning};
pub use rbc_proto::Status;
pub use rbc_proto::gateway::Result as Built;
pub use rbc_rpc::code;
