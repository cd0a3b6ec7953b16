//! Values.

use crate::{Number, Type};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values by name, in the order of names.
pub type Entries = BTreeMap<Arc<str>, Value>;

/// A value. Cloning is cheap: what is large is shared.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value, of a type; [`Type::Any`] for a bare `null`.
    Null(Type),
    /// Text, in Unicode normal form C.
    String(Arc<str>),
    /// A number.
    Number(Arc<Number>),
    /// True or false.
    Bool(bool),
    /// Elements of the given type.
    List(Type, Arc<[Value]>),
    /// Distinct elements of the given type, in the order of [`Value::order`].
    Set(Type, Arc<[Value]>),
    /// Values of the given type.
    Map(Type, Arc<Entries>),
    /// Elements of any types.
    Tuple(Arc<[Value]>),
    /// Values of any types.
    Object(Arc<Entries>),
}

impl Value {
    /// A text, normalized.
    pub fn string(text: impl AsRef<str>) -> Self {
        Value::String(normalized(text.as_ref()).as_ref().into())
    }

    /// A number.
    pub fn number(number: impl Into<Number>) -> Self {
        Value::Number(Arc::new(number.into()))
    }

    /// A list; the elements must be of the given type.
    pub fn list(ty: Type, elements: impl Into<Arc<[Value]>>) -> Self {
        Value::List(ty, elements.into())
    }

    /// A list of texts.
    pub fn strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        Value::List(Type::String, texts.into_iter().map(Value::string).collect())
    }

    /// A set: equal elements become one. The elements must be of the given type.
    pub fn set(ty: Type, elements: impl IntoIterator<Item = Value>) -> Self {
        let mut elements: Vec<Value> = elements.into_iter().collect();
        elements.sort_by(Value::order);
        elements.dedup_by(|a, b| a.equals(b));
        Value::Set(ty, elements.into())
    }

    /// A map; the values must be of the given type.
    pub fn map(ty: Type, entries: Entries) -> Self {
        Value::Map(ty, Arc::new(entries))
    }

    /// A tuple.
    pub fn tuple(elements: impl Into<Arc<[Value]>>) -> Self {
        Value::Tuple(elements.into())
    }

    /// An object.
    pub fn object(entries: Entries) -> Self {
        Value::Object(Arc::new(entries))
    }

    /// A bare `null`.
    pub fn null() -> Self {
        Value::Null(Type::Any)
    }

    /// Its type.
    pub fn ty(&self) -> Type {
        match self {
            Value::Null(ty) => ty.clone(),
            Value::String(_) => Type::String,
            Value::Number(_) => Type::Number,
            Value::Bool(_) => Type::Bool,
            Value::List(ty, _) => Type::list(ty.clone()),
            Value::Set(ty, _) => Type::set(ty.clone()),
            Value::Map(ty, _) => Type::map(ty.clone()),
            Value::Tuple(elements) => Type::tuple(elements.iter().map(Value::ty)),
            Value::Object(entries) => Type::object(entries.iter().map(|(n, v)| (n.clone(), v.ty()))),
        }
    }

    /// Whether its type is the given one, optional attributes of which do not count.
    pub fn is_of(&self, ty: &Type) -> bool {
        match (self, ty) {
            (Value::Null(own), ty) => *own == *ty,
            (Value::String(_), Type::String) | (Value::Number(_), Type::Number) | (Value::Bool(_), Type::Bool) => true,
            (Value::List(own, _), Type::List(want))
            | (Value::Set(own, _), Type::Set(want))
            | (Value::Map(own, _), Type::Map(want)) => *own == **want,
            (Value::Tuple(elements), Type::Tuple(types)) => {
                elements.len() == types.len() && elements.iter().zip(types.iter()).all(|(v, t)| v.is_of(t))
            }
            (Value::Object(entries), Type::Object(attrs)) => {
                entries.len() == attrs.len()
                    && entries.iter().zip(attrs.iter()).all(|((n, v), (m, a))| n == m && v.is_of(&a.ty))
            }
            _ => false,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null(_))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// True or false.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Elements of a list, set or tuple.
    pub fn elements(&self) -> Option<&[Value]> {
        match self {
            Value::List(_, e) | Value::Set(_, e) | Value::Tuple(e) => Some(e),
            _ => None,
        }
    }

    /// Entries of a map or object.
    pub fn entries(&self) -> Option<&Entries> {
        match self {
            Value::Map(_, e) | Value::Object(e) => Some(e),
            _ => None,
        }
    }

    /// Keys and values, as `for` and functions see them: positions for lists and tuples, elements themselves for sets, names
    /// for maps and objects. None for what cannot be iterated.
    pub fn iterate(&self) -> Option<Vec<(Value, Value)>> {
        match self {
            Value::List(_, e) | Value::Tuple(e) => {
                Some(e.iter().enumerate().map(|(i, v)| (Value::number(i), v.clone())).collect())
            }
            Value::Set(_, e) => Some(e.iter().map(|v| (v.clone(), v.clone())).collect()),
            Value::Map(_, e) | Value::Object(e) => {
                Some(e.iter().map(|(k, v)| (Value::String(k.clone()), v.clone())).collect())
            }
            _ => None,
        }
    }

    /// How many elements or entries there are.
    pub fn length(&self) -> Option<usize> {
        self.elements().map(<[Value]>::len).or_else(|| self.entries().map(BTreeMap::len))
    }

    /// Equality as `==` has it: of the same type and the same content; two nulls are equal whatever their types, and values
    /// of different types are never equal.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null(_), Value::Null(_)) => true,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::List(at, a), Value::List(bt, b)) | (Value::Set(at, a), Value::Set(bt, b)) => {
                at == bt && a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.equals(y))
            }
            (Value::Tuple(a), Value::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.equals(y))
            }
            (Value::Map(at, a), Value::Map(bt, b)) => at == bt && entries_equal(a, b),
            (Value::Object(a), Value::Object(b)) => entries_equal(a, b),
            _ => false,
        }
    }

    /// The order in which a set gives its elements: text by bytes, numbers by size, false before true, null last, anything
    /// else by a stable written form.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Null(_), Value::Null(_)) => Ordering::Equal,
            (Value::Null(_), _) => Ordering::Greater,
            (_, Value::Null(_)) => Ordering::Less,
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            _ => {
                let (mut a, mut b) = (String::new(), String::new());
                self.write_key(&mut a);
                other.write_key(&mut b);
                a.cmp(&b)
            }
        }
    }

    /// A written form that orders structured set elements as the reference does: strings quoted, numbers to ten digits,
    /// structures in brackets with `;` behind every element.
    fn write_key(&self, out: &mut String) {
        match self {
            Value::Null(_) => out.push('~'),
            Value::String(text) => out.push_str(&format!("{text:?}")),
            Value::Number(number) => out.push_str(&number.format('g', Some(10))),
            Value::Bool(value) => out.push(if *value { 'T' } else { 'F' }),
            Value::Map(_, entries) => {
                out.push('{');
                for (key, value) in entries.iter() {
                    out.push_str(&format!("{key:?}:"));
                    value.write_key(out);
                    out.push(';');
                }
                out.push('}');
            }
            Value::List(_, elements) | Value::Set(_, elements) => write_keys('[', elements.iter(), ']', out),
            Value::Tuple(elements) => write_keys('<', elements.iter(), '>', out),
            Value::Object(entries) => write_keys('<', entries.values(), '>', out),
        }
    }

    /// For messages: what it is, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Value::Null(_) => "null".into(),
            other => other.ty().name(),
        }
    }
}

fn write_keys<'v>(open: char, values: impl Iterator<Item = &'v Value>, close: char, out: &mut String) {
    out.push(open);
    for value in values {
        value.write_key(out);
        out.push(';');
    }
    out.push(close);
}

fn entries_equal(a: &Entries, b: &Entries) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((k, x), (l, y))| k == l && x.equals(y))
}

/// Unicode normal form C, in which texts are kept so that equal-looking ones are equal.
pub(crate) fn normalized(text: &str) -> Cow<'_, str> {
    use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::string(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_ordered_and_distinct() {
        let set = Value::set(Type::String, ["b", "a", "b"].map(Value::from));
        assert_eq!(set.length(), Some(2));
        assert_eq!(set.elements().and_then(|e| e[0].as_str()), Some("a"));
    }

    #[test]
    fn equality_needs_equal_types() {
        assert!(!Value::from("1").equals(&Value::number(1i64)));
        assert!(Value::null().equals(&Value::Null(Type::String)));
        assert!(!Value::tuple([Value::from("a")]).equals(&Value::strings(["a"])));
    }

    #[test]
    fn texts_are_normalized() {
        assert!(Value::from("e\u{301}").equals(&Value::from("\u{e9}")));
    }
}
