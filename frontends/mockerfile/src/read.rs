//! YAML values as what they should be.

use rbc_source::{Diagnostic, Span, mockerfile as codes};
use rbc_yaml::{Data, Entry, Node};

/// A text and where it is written.
#[derive(Clone, Debug)]
pub struct Text {
    pub text: String,
    pub span: Span,
}

/// A key of a mapping.
pub struct Key {
    pub name: &'static str,
    /// Only files of version `v1` have it.
    pub new: bool,
}

/// A mapping whose keys are known.
pub struct Reader<'n, 'f> {
    node: &'n Node,
    faults: &'f mut Vec<Diagnostic>,
}

pub fn fault(faults: &mut Vec<Diagnostic>, span: Span, message: String) {
    faults.push(Diagnostic::new(codes::VALUE, message).at(span));
}

impl<'n, 'f> Reader<'n, 'f> {
    /// Reads a mapping, and reports keys that are not known; none if it is none.
    pub fn new(
        what: &str,
        node: &'n Node,
        keys: &[Key],
        newest: bool,
        faults: &'f mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let Some(map) = node.as_map() else {
            fault(faults, node.span, format!("{what} is a mapping, not {}", node.describe()));
            return None;
        };
        for (name, Entry { key, .. }) in map {
            match keys.iter().find(|known| *known.name == **name) {
                Some(known) if known.new && !newest => {
                    let problem = Diagnostic::new(codes::VALUE, format!("`{name}` is a key of version `v1`")).at(*key);
                    faults.push(problem.note("write `apiVersion: v1` at the top of the file"));
                }
                Some(_) => {}
                None => {
                    let problem = Diagnostic::new(codes::VALUE, format!("{what} has no key `{name}`")).at(*key);
                    faults.push(problem.suggest(name, keys.iter().map(|k| k.name)));
                }
            }
        }
        Some(Reader { node, faults })
    }

    /// The value of a key, unless it is not there or null.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        Some(&self.node.as_map()?.get(key)?.value).filter(|node| !node.is_null())
    }

    /// A text of one line.
    pub fn line(&mut self, key: &str) -> Option<Text> {
        let node = self.get(key)?;
        line(key, node, self.faults)
    }

    /// Texts of one line; one alone stands for a list of it.
    pub fn lines(&mut self, key: &str) -> Vec<Text> {
        let mut out = Vec::new();
        for node in self.list(key) {
            out.extend(line(key, node, self.faults));
        }
        out
    }

    /// The elements of a list; anything else stands for a list of it.
    pub fn list(&self, key: &str) -> &'n [Node] {
        match self.get(key) {
            Some(Node { data: Data::List(list), .. }) => list,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        }
    }

    /// Texts of one line by name; null is none.
    pub fn pairs(&mut self, key: &str) -> Vec<(Text, Option<Text>)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Some(map) = node.as_map() else {
            fault(self.faults, node.span, format!("`{key}` is a mapping, not {}", node.describe()));
            return Vec::new();
        };
        let mut entries: Vec<_> = map.iter().collect();
        // In the order of the file: one may use another.
        entries.sort_by_key(|(_, entry)| entry.key.start);
        let mut out = Vec::new();
        for (name, entry) in entries {
            let value = if entry.value.is_null() { None } else { line(name, &entry.value, self.faults) };
            out.push((Text { text: name.to_string(), span: entry.key }, value));
        }
        out
    }

    /// True or false.
    pub fn truth(&mut self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Node { data: Data::Bool(on), .. } => Some(*on),
            node => {
                fault(self.faults, node.span, format!("`{key}` is true or false, not {}", node.describe()));
                None
            }
        }
    }

    /// Where the mapping is.
    pub fn span(&self) -> Span {
        self.node.span
    }

    pub fn faults(&mut self) -> &mut Vec<Diagnostic> {
        self.faults
    }
}

/// A scalar as a text of one line.
pub fn line(what: &str, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Text> {
    let text = text(what, node, faults)?;
    if text.text.trim_end().contains(['\n', '\r']) {
        fault(faults, node.span, format!("`{what}` is a text of one line"));
        return None;
    }
    Some(Text { text: text.text.trim_end().to_owned(), span: text.span })
}

/// A scalar as a text.
pub fn text(what: &str, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Text> {
    let Some(text) = node.scalar() else {
        fault(faults, node.span, format!("`{what}` is a text, not {}", node.describe()));
        return None;
    };
    Some(Text { text: text.to_string(), span: node.span })
}
