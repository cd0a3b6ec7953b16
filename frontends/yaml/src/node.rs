//! Values, each with its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use rbc_source::Span;

/// A text that many values share.
pub(crate) type Text = Arc<str>;

/// A value and where it is written.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is written.
    pub span: Span,
    /// The value.
    pub data: Data,
    /// What a tag says about it.
    pub mark: Mark,
}

/// What a value does to the one that an earlier file gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// It is merged into it.
    #[default]
    None,
    /// `!reset`: it takes it away.
    Reset,
    /// `!override`: it takes its place.
    Override,
}

/// An entry of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key is written.
    pub key: Span,
    /// The value.
    pub value: Node,
}

/// The entries of a mapping, by name.
pub type Entries = BTreeMap<Text, Entry>;

/// A value.
#[derive(Clone, Debug)]
pub enum Data {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float(f64),
    /// A date, in the form in which it counts as a text.
    Time(Text),
    /// A text.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping.
    Map(Entries),
}

impl Node {
    /// A value at a place.
    pub fn new(span: Span, data: Data) -> Self {
        Node { span, data, mark: Mark::None }
    }

    /// A text at a place.
    pub fn text(span: Span, text: impl Into<Text>) -> Self {
        Node::new(span, Data::Text(text.into()))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&Text> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    /// The entries, if it is a mapping.
    pub fn as_map(&self) -> Option<&Entries> {
        if let Data::Map(map) = &self.data { Some(map) } else { None }
    }

    /// The entries, if it is a mapping.
    pub fn as_map_mut(&mut self) -> Option<&mut Entries> {
        if let Data::Map(map) = &mut self.data { Some(map) } else { None }
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// What it is, with an article.
    pub fn describe(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "true or false",
            Data::Int(_) | Data::Float(_) => "a number",
            Data::Time(_) => "a date",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// A scalar as a text; none for nothing, a list or a mapping.
    pub fn scalar(&self) -> Option<Text> {
        Some(match &self.data {
            Data::Bool(value) => value.to_string().into(),
            Data::Int(value) => value.to_string().into(),
            Data::Float(value) => float(*value).into(),
            Data::Time(text) | Data::Text(text) => text.clone(),
            Data::Null | Data::List(_) | Data::Map(_) => return None,
        })
    }
}

/// An entry of a mapping whose key has no place of its own.
pub fn entry(value: Node) -> Entry {
    Entry { key: value.span, value }
}

/// A number as few digits as say it, with an exponent if that is below -4 or above 20.
fn float(value: f64) -> String {
    let short = format!("{value:e}");
    let Some((digits, exponent)) = short.split_once('e') else { return short };
    match exponent.parse::<i32>() {
        Ok(exponent) if value != 0.0 && !(-4..21).contains(&exponent) => {
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_texts() {
        let cases = [(1.1, "1.1"), (1e3, "1000"), (-0.0, "-0"), (1e21, "1e+21"), (1.5e-5, "1.5e-05"), (1e-4, "0.0001")];
        for (value, text) in cases {
            assert_eq!(float(value), text);
        }
    }
}
