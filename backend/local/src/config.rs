//! Settings of the executor.

use std::sync::Arc;

use rbc_registry::Client;

/// Settings of the executor.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How many vertices run at a time; 0 is as many as do well: commands often wait, for the network or for one another.
    pub parallel: usize,
    /// The most bytes that a layer may decompress to; `None` is 4 GiB and 250 times its size.
    pub layer_max: Option<u64>,
    /// Who fetches images; without it, only what is at hand can be used.
    pub registry: Option<Arc<Client>>,
}

impl Config {
    pub(crate) fn parallel(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        if self.parallel > 0 { self.parallel } else { (4 * cores).max(32) }
    }
}
