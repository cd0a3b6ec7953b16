//! Variables in the order of their last assignment.

use std::collections::HashMap;
use std::rc::Rc;

/// Lists up to this length are searched from end to end, which is faster than any index.
const SHORT: usize = 16;

/// A list of variables. Assigning one again moves it to the end, as LLB's environment does: the order is part of the
/// bytes of a graph.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// In a list with an index, none where a variable was assigned again or deleted.
    entries: Vec<Option<(Rc<str>, Rc<str>)>>,
    /// Where names stand, once the list is long.
    index: Option<HashMap<Rc<str>, usize>>,
}

impl Vars {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.entries.iter().position(|e| e.as_ref().is_some_and(|(n, _)| **n == *name)),
        }
    }

    /// Assigns a variable and makes it the last.
    pub fn set(&mut self, name: impl AsRef<str> + Into<Rc<str>>, value: impl Into<Rc<str>>) {
        let name = match self.take(name.as_ref()) {
            Some((name, _)) => name,
            None => name.into(),
        };
        if let Some(index) = &mut self.index {
            index.insert(name.clone(), self.entries.len());
        }
        self.entries.push(Some((name, value.into())));
        self.reindex();
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.take(name);
    }

    fn take(&mut self, name: &str) -> Option<(Rc<str>, Rc<str>)> {
        match &mut self.index {
            Some(index) => self.entries[index.remove(name)?].take(),
            None => {
                let place = self.place(name)?;
                self.entries.remove(place)
            }
        }
    }

    /// Its value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.entries[self.place(name)?].as_ref().map(|(_, v)| &**v)
    }

    /// How many entries it takes, at most.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was ever assigned.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().flatten().map(|(k, v)| (&**k, &**v))
    }

    /// All of them, in order, as their own.
    pub fn into_entries(self) -> impl Iterator<Item = (Rc<str>, Rc<str>)> {
        self.entries.into_iter().flatten()
    }

    /// As `NAME=value`, in order.
    pub fn to_strings(&self) -> Vec<String> {
        self.iter().map(|(name, value)| [name, "=", value].concat()).collect()
    }

    /// Drops the gaps once they outnumber the variables, so that assigning stays cheap however often it is done.
    fn reindex(&mut self) {
        let known = self.index.as_ref().map_or(0, HashMap::len).max(SHORT);
        if self.entries.len() <= 2 * known {
            return;
        }
        self.entries.retain(Option::is_some);
        let places = self.entries.iter().flatten().enumerate();
        self.index = Some(places.map(|(i, (name, _))| (name.clone(), i)).collect());
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

    #[test]
    fn many_are_as_few() {
        let mut vars = Vars::new();
        for i in 0..300 {
            vars.set(format!("V{}", i % 100), i.to_string());
            vars.set("A", i.to_string());
            if i % 7 == 0 {
                vars.unset("V3");
            }
        }
        assert!(vars.index.is_some() && vars.entries.len() <= 2 * vars.index.as_ref().unwrap().len());
        let names: Vec<&str> = vars.iter().map(|(k, _)| k).collect();
        assert_eq!((names.len(), names[0], names[99]), (100, "V0", "A"));
        assert_eq!((vars.value("V99"), vars.value("V3")), (Some("299"), None));
    }
}
