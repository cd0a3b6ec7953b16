//! Types: what a value is, and what a constraint asks for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A type or, with [`Type::Any`] or optional attributes inside, a type constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any type at all; as the type of a value only that of a bare `null`.
    Any,
    /// Text.
    String,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// Elements of one type in an order.
    List(Arc<Type>),
    /// Distinct elements of one type.
    Set(Arc<Type>),
    /// Values of one type by name.
    Map(Arc<Type>),
    /// Elements each with a type of its own.
    Tuple(Arc<[Type]>),
    /// Values by name, each with a type of its own.
    Object(Arc<BTreeMap<Arc<str>, Attr>>),
}

/// An attribute of an object type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Its type.
    pub ty: Type,
    /// In a constraint: it may be absent, and is null then.
    pub optional: bool,
}

impl Type {
    /// `list(ty)`.
    pub fn list(ty: Type) -> Self {
        Type::List(Arc::new(ty))
    }

    /// `set(ty)`.
    pub fn set(ty: Type) -> Self {
        Type::Set(Arc::new(ty))
    }

    /// `map(ty)`.
    pub fn map(ty: Type) -> Self {
        Type::Map(Arc::new(ty))
    }

    /// An object type from names and types, none optional.
    pub fn object<N: Into<Arc<str>>>(attrs: impl IntoIterator<Item = (N, Type)>) -> Self {
        Type::Object(Arc::new(attrs.into_iter().map(|(n, ty)| (n.into(), Attr { ty, optional: false })).collect()))
    }

    /// A tuple type.
    pub fn tuple(types: impl IntoIterator<Item = Type>) -> Self {
        Type::Tuple(types.into_iter().collect())
    }

    /// String, number or bool.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::String | Type::Number | Type::Bool)
    }

    /// List, set or map.
    pub fn is_collection(&self) -> bool {
        matches!(self, Type::List(_) | Type::Set(_) | Type::Map(_))
    }

    /// The type of the elements of a list, set or map.
    pub fn element(&self) -> Option<&Type> {
        match self {
            Type::List(ty) | Type::Set(ty) | Type::Map(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether [`Type::Any`] occurs in it.
    pub fn has_any(&self) -> bool {
        match self {
            Type::Any => true,
            Type::String | Type::Number | Type::Bool => false,
            Type::List(ty) | Type::Set(ty) | Type::Map(ty) => ty.has_any(),
            Type::Tuple(types) => types.iter().any(Type::has_any),
            Type::Object(attrs) => attrs.values().any(|a| a.ty.has_any()),
        }
    }

    /// The same type with no attribute optional: a constraint becomes the type of a value.
    #[must_use]
    pub fn exact(&self) -> Type {
        match self {
            Type::List(ty) => Type::list(ty.exact()),
            Type::Set(ty) => Type::set(ty.exact()),
            Type::Map(ty) => Type::map(ty.exact()),
            Type::Tuple(types) => types.iter().map(Type::exact).collect::<Vec<_>>().into(),
            Type::Object(attrs) => Type::object(attrs.iter().map(|(n, a)| (n.clone(), a.ty.exact()))),
            plain => plain.clone(),
        }
    }

    /// Name for messages about a value: `list of string`, `object`.
    pub fn name(&self) -> String {
        match self {
            Type::Any => "dynamic".into(),
            Type::String => "string".into(),
            Type::Number => "number".into(),
            Type::Bool => "bool".into(),
            Type::List(ty) => format!("list of {}", ty.name()),
            Type::Set(ty) => format!("set of {}", ty.name()),
            Type::Map(ty) => format!("map of {}", ty.name()),
            Type::Tuple(_) => "tuple".into(),
            Type::Object(_) => "object".into(),
        }
    }

    /// Name for messages about a constraint: `any` may stand for a type, so `list of any single type`.
    pub fn constraint_name(&self) -> String {
        let inner = |ty: &Type| if *ty == Type::Any { "any single type".into() } else { ty.constraint_name() };
        match self {
            Type::Any => "any type".into(),
            Type::List(ty) => format!("list of {}", inner(ty)),
            Type::Set(ty) => format!("set of {}", inner(ty)),
            Type::Map(ty) => format!("map of {}", inner(ty)),
            other => other.name(),
        }
    }
}

impl From<Vec<Type>> for Type {
    fn from(types: Vec<Type>) -> Self {
        Type::Tuple(types.into())
    }
}

/// As one writes it in a type expression: `list(string)`, `object({a=number})`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::String => f.write_str("string"),
            Type::Number => f.write_str("number"),
            Type::Bool => f.write_str("bool"),
            Type::List(ty) => write!(f, "list({ty})"),
            Type::Set(ty) => write!(f, "set({ty})"),
            Type::Map(ty) => write!(f, "map({ty})"),
            Type::Tuple(types) => {
                f.write_str("tuple([")?;
                for (i, ty) in types.iter().enumerate() {
                    write!(f, "{}{ty}", if i > 0 { "," } else { "" })?;
                }
                f.write_str("])")
            }
            Type::Object(attrs) => {
                f.write_str("object({")?;
                for (i, (name, attr)) in attrs.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    if attr.optional {
                        write!(f, "{comma}{name}=optional({})", attr.ty)?;
                    } else {
                        write!(f, "{comma}{name}={}", attr.ty)?;
                    }
                }
                f.write_str("})")
            }
        }
    }
}
