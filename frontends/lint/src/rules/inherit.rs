//! A fact about a stage that stages built on it have, too.

use std::collections::HashSet;

use crate::sheet::Statement;

/// Whether something holds for the stage that one is in.
#[derive(Default)]
pub(super) struct Inherited {
    /// Stages for which it holds, by name or, if they have none, by image.
    holds: HashSet<String>,
    current: String,
}

impl Inherited {
    /// Goes on to a stage, if the statement opens one.
    pub fn see(&mut self, statement: &Statement<'_>) {
        let Some(base) = &statement.base else { return };
        let inherited = self.holds.contains(&base.image.name.to_lowercase());
        let name = base.name.as_ref().map_or(base.image.name, |name| &name.text);
        self.current = name.to_lowercase();
        match inherited {
            true => self.holds.insert(self.current.clone()),
            false => self.holds.remove(&self.current),
        };
    }

    /// Makes it hold for the stage.
    pub fn set(&mut self) {
        self.holds.insert(self.current.clone());
    }

    /// Whether it holds.
    pub fn is_set(&self) -> bool {
        self.holds.contains(&self.current)
    }
}
