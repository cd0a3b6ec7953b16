//! Variables in the order of their last assignment.

use std::collections::HashMap;
use std::rc::Rc;

/// A list of variables. Assigning one again moves it to the end, as LLB's environment does: the order is part of the
/// bytes of a graph.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// None where a variable was assigned again or deleted.
    entries: Vec<Option<(Rc<str>, Rc<str>)>>,
    places: HashMap<Rc<str>, usize>,
}

impl Vars {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Assigns a variable and makes it the last.
    pub fn set(&mut self, name: &str, value: impl Into<Rc<str>>) {
        match self.places.get_mut(name) {
            Some(place) => {
                let old = self.entries[*place].take();
                *place = self.entries.len();
                let name = old.map_or_else(|| name.into(), |(name, _)| name);
                self.entries.push(Some((name, value.into())));
                self.shrink();
            }
            None => {
                let name: Rc<str> = name.into();
                self.places.insert(name.clone(), self.entries.len());
                self.entries.push(Some((name, value.into())));
            }
        }
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        if let Some(place) = self.places.remove(name) {
            self.entries[place] = None;
        }
    }

    /// Its value.
    pub fn value(&self, name: &str) -> Option<&str> {
        let place = *self.places.get(name)?;
        self.entries[place].as_ref().map(|(_, v)| &**v)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().flatten().map(|(k, v)| (&**k, &**v))
    }

    /// As `NAME=value`, in order.
    pub fn to_strings(&self) -> Vec<String> {
        self.iter().map(|(k, v)| format!("{k}={v}")).collect()
    }

    /// Drops the gaps once they outnumber the variables, so that assigning stays cheap however often it is done.
    fn shrink(&mut self) {
        if self.entries.len() < 32 || self.entries.len() < 2 * self.places.len() {
            return;
        }
        self.entries.retain(Option::is_some);
        for (i, (name, _)) in self.entries.iter().flatten().enumerate() {
            if let Some(place) = self.places.get_mut(name) {
                *place = i;
            }
        }
    }
}

impl rbc_word::Env for Vars {
    fn get(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.iter().map(|(k, _)| k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_counts_and_orders() {
        let mut vars = Vars::new();
        for (k, v) in [("A", "1"), ("B", "2"), ("A", "3"), ("C", "4")] {
            vars.set(k, v);
        }
        assert_eq!(vars.to_strings(), ["B=2", "A=3", "C=4"]);
        vars.unset("A");
        assert_eq!(vars.value("A"), None);
        for i in 0..1000 {
            vars.set("B", i.to_string());
        }
        assert_eq!(vars.to_strings(), ["C=4", "B=999"]);
        assert!(vars.entries.len() < 64);
    }
}
