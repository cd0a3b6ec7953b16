//! The environment of a stage, which is made of that of its image and of its arguments.

use std::collections::HashMap;
use std::rc::Rc;

use rbc_sema::Vars;

/// A name and its value.
type Shared = Rc<str>;

/// Lists up to this length are searched from end to end, which is faster than an index.
const SHORT: usize = 32;

/// The environment of an image as its config lists it: a variable that is assigned again stays where it is. A list from
/// elsewhere may have a name several times, of which the first is assigned and the last is seen, and entries without `=`.
#[derive(Clone, Debug, Default)]
struct ImageVars {
    entries: Vec<(Shared, Option<Shared>)>,
    /// Where each name stands first, once the list is long.
    first: Option<HashMap<Shared, usize>>,
    /// Where names that are there several times stand last.
    last: HashMap<Shared, usize>,
}

impl ImageVars {
    fn of(env: &[String]) -> Self {
        let mut vars = ImageVars::default();
        for entry in env {
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (Shared::from(name), Some(value.into())),
                None => (entry.as_str().into(), None),
            };
            if vars.place(&name).is_some() {
                vars.last.insert(name.clone(), vars.entries.len());
            }
            vars.push(name, value);
        }
        vars
    }

    fn place(&self, name: &str) -> Option<usize> {
        match &self.first {
            Some(first) => first.get(name).copied(),
            None => self.entries.iter().position(|(n, _)| **n == *name),
        }
    }

    fn push(&mut self, name: Shared, value: Option<Shared>) {
        let place = self.entries.len();
        self.entries.push((name.clone(), value));
        match &mut self.first {
            Some(first) => _ = first.entry(name).or_insert(place),
            None if place < SHORT => {}
            None => {
                let first = self.first.insert(HashMap::new());
                for (i, (name, _)) in self.entries.iter().enumerate() {
                    first.entry(name.clone()).or_insert(i);
                }
            }
        }
    }

    fn set(&mut self, name: Shared, value: Shared) {
        match self.place(&name) {
            Some(place) => self.entries[place].1 = Some(value),
            None => self.push(name, Some(value)),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let place = match self.last.get(name) {
            Some(place) => *place,
            None => self.place(name)?,
        };
        Some(self.entries[place].1.as_deref().unwrap_or_default())
    }

    /// The first `count` entries but for those whose name comes again.
    fn seen(&self, count: usize) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries[..count].iter().enumerate();
        let entries = entries.filter(|(i, (name, _))| self.last.get(name).is_none_or(|last| last == i));
        entries.map(|(_, (name, value))| (&**name, value.as_deref().unwrap_or_default()))
    }
}

/// The environment of a stage.
///
/// The order of variables is that of their last assignment, and every stage begins by assigning all variables of its image
/// again. So arguments of the stages below come first, then the image's variables, then what the stage assigned itself.
/// The parts are kept apart: then a stage costs as much as it assigns, and not as much as it inherits.
#[derive(Clone, Debug, Default)]
pub(crate) struct StageEnv {
    /// Arguments of the stages below that are no variables of the image.
    below: Rc<Vars>,
    /// The image's variables.
    image: Rc<ImageVars>,
    /// How many of the image's entries were there when the stage began.
    listed: usize,
    /// What this stage assigned, in arguments and in variables of the image.
    own: Vars,
}

impl StageEnv {
    /// That of an image whose config has these entries.
    pub fn of(env: &[String]) -> Self {
        StageEnv { image: Rc::new(ImageVars::of(env)), ..StageEnv::default() }
    }

    /// Begins a stage on what was inherited. An image without `PATH` gets this one.
    pub fn begin(&mut self, path: Option<&str>) {
        if let Some(path) = path.filter(|_| self.image.place("PATH").is_none()) {
            Rc::make_mut(&mut self.image).set("PATH".into(), path.into());
            self.forget("PATH");
        }
        self.seal();
    }

    /// Ends a stage: all are now as those that start from it see them.
    pub fn seal(&mut self) {
        for (name, value) in std::mem::take(&mut self.own).into_entries() {
            if self.image.place(&name).is_some() {
                self.forget(&name);
            } else {
                Rc::make_mut(&mut self.below).set(name, value);
            }
        }
        self.listed = self.image.entries.len();
    }

    fn forget(&mut self, name: &str) {
        if self.below.value(name).is_some() {
            Rc::make_mut(&mut self.below).unset(name);
        }
    }

    /// How many entries there are, at most.
    pub fn len(&self) -> usize {
        self.below.len() + self.image.entries.len() + self.own.len()
    }

    /// Assigns a variable of the image.
    pub fn set(&mut self, name: impl Into<Shared>, value: impl Into<Shared>) {
        let (name, value) = (name.into(), value.into());
        Rc::make_mut(&mut self.image).set(name.clone(), value.clone());
        self.own.set(name, value);
    }

    /// Assigns an argument, which the image does not get to know.
    pub fn set_arg(&mut self, name: Shared, value: Shared) {
        self.own.set(name, value);
    }

    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.own.value(name).or_else(|| self.image.value(name)).or_else(|| self.below.value(name))
    }

    /// All variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let inherited = self.below.iter().chain(self.image.seen(self.listed));
        inherited.filter(|(name, _)| self.own.value(name).is_none()).chain(self.own.iter())
    }

    /// As `NAME=value`, in order.
    pub fn to_strings(&self) -> Vec<String> {
        self.iter().map(|(name, value)| [name, "=", value].concat()).collect()
    }

    /// The variables of the image as its config has them.
    pub fn of_image(&self) -> Vec<String> {
        let entry = |(name, value): &(Shared, Option<Shared>)| match value {
            Some(value) => [name, "=", value].concat(),
            None => name.to_string(),
        };
        self.image.entries.iter().map(entry).collect()
    }
}

impl rbc_word::Env for StageEnv {
    fn get(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.iter().map(|(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    /// What the reference does: one list for the image, and one in which assigning moves to the end.
    #[derive(Default)]
    struct Plain {
        image: Vec<String>,
        vars: Vars,
    }

    impl Plain {
        fn begin(&mut self) {
            for entry in &self.image {
                let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
                self.vars.set(name, value);
            }
        }

        fn set(&mut self, name: &str, value: &str) {
            let entry = format!("{name}={value}");
            match self.image.iter_mut().find(|e| e.split('=').next() == Some(name)) {
                Some(old) => *old = entry,
                None => self.image.push(entry),
            }
            self.vars.set(name, value);
        }
    }

    #[test]
    fn as_if_every_stage_assigned_all_again() {
        let mut random = 7_u32;
        for round in 0..300 {
            let odd = strings(&["A=1", "B", "A=2", "=x", "C=3"]);
            let base = if round % 2 == 0 { odd } else { Vec::new() };
            let mut plain = Plain { image: base.clone(), ..Plain::default() };
            let mut env = StageEnv::of(&base);
            plain.begin();
            env.begin(None);
            for step in 0..round {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (kind, name) = (random >> 24 & 3, format!("{}", char::from(b'A' + (random >> 16 & 15) as u8)));
                // Some names to fill long lists with.
                let name = if random >> 12 & 3 == 0 { format!("{name}{step}") } else { name };
                let value = step.to_string();
                match kind {
                    0 => {
                        plain.begin();
                        env.begin(None);
                    }
                    1 => {
                        plain.vars.set(name.as_str(), value.as_str());
                        env.set_arg(name.as_str().into(), value.into());
                    }
                    _ => {
                        plain.set(&name, &value);
                        env.set(name.as_str(), value);
                    }
                }
                assert_eq!(env.value(&name), plain.vars.value(&name));
            }
            assert_eq!(env.to_strings(), plain.vars.to_strings());
            assert_eq!(env.of_image(), plain.image);
        }
    }

    #[test]
    fn a_path_is_given_where_there_is_none() {
        let mut env = StageEnv::default();
        env.begin(Some("/bin"));
        assert_eq!(env.to_strings(), ["PATH=/bin"]);
        let mut env = StageEnv::of(&strings(&["PATH"]));
        env.begin(Some("/bin"));
        assert_eq!((env.to_strings(), env.of_image()), (strings(&["PATH="]), strings(&["PATH"])));
    }
}
