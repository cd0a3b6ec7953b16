//! A bound on what a recipe grows to.
//!
//! A few lines that use one another's values double with each line, and `n` variables in front of `n` commands are `n²`
//! lines of environment. Such a recipe must not eat the memory.

use std::cell::Cell;

/// What anything may grow to, in bytes. A definition of that size is many times what BuildKit takes in a message (16 MiB).
const ROOM: usize = 256 << 20;

/// By which factor a long text may grow: a line of a few letters is a vertex with a name, a place and inputs.
const FACTOR: usize = 192;

/// How much may still be added.
#[derive(Clone, Debug)]
pub struct Growth {
    left: Cell<usize>,
}

impl Growth {
    /// What a recipe of this many bytes may grow to.
    pub fn of_text(bytes: usize) -> Self {
        Growth { left: Cell::new(ROOM.saturating_add(bytes.saturating_mul(FACTOR))) }
    }

    /// Notes that as many bytes were added. False, from then on, if that is too much.
    #[must_use]
    pub fn add(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        left.is_some_and(|left| left > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_it_is_too_much_it_stays() {
        let growth = Growth::of_text(10);
        assert!(growth.add(ROOM) && growth.add(0) && growth.add(1_900));
        assert!(!growth.add(20) && !growth.add(0));
    }
}
