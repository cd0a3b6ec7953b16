//! The tree of both syntaxes.

use crate::Value;
use rbc_source::{Diagnostic, Span};
use std::sync::Arc;

/// Arguments and blocks between braces, or of a whole file.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// `name = value`, in order.
    pub attributes: Vec<Attribute>,
    /// Blocks, in order.
    pub blocks: Vec<Block>,
}

impl Body {
    /// The argument of a name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| &*a.name == name)
    }
}

/// `name = value`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name is written.
    pub name_span: Span,
    /// Its value.
    pub value: Expr,
}

impl Attribute {
    /// The whole of it.
    pub fn span(&self) -> Span {
        self.name_span.join(self.value.span)
    }
}

/// `kind "label" { ... }`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its kind.
    pub kind: Arc<str>,
    /// Where the kind is written.
    pub kind_span: Span,
    /// Its labels.
    pub labels: Vec<Label>,
    /// What is between the braces.
    pub body: Body,
    /// The whole block.
    pub span: Span,
}

impl Block {
    /// Kind and labels.
    pub fn head(&self) -> Span {
        self.labels.last().map_or(self.kind_span, |l| self.kind_span.join(l.span))
    }
}

/// A label of a block.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its text.
    pub text: Arc<str>,
    /// Where it is written, quotes included.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where it is written.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number, a text without interpolation, `true`, `false`, `null`.
    Literal(Value),
    /// A text with interpolations: the parts become strings and are joined.
    Template(Vec<Expr>),
    /// `"${x}"`: the value of `x` as it is.
    Wrapped(Box<Expr>),
    /// `%{for}` in a template: the elements of a tuple become strings and are joined.
    Joined(Box<Expr>),
    /// A string of the JSON syntax: a template, but where a keyword, a call or a reference is expected its text is that.
    Quoted {
        /// The text without JSON's escapes.
        text: Arc<str>,
        /// The template.
        template: Box<Expr>,
    },
    /// A variable and what is selected from it by constant steps: `a.b[0]`.
    Reference {
        /// The variable's name.
        root: Arc<str>,
        /// Where the name is written.
        root_span: Span,
        /// What is selected.
        steps: Vec<Step>,
    },
    /// Constant steps from any expression: `f(x).a`.
    Select(Box<Expr>, Vec<Step>),
    /// `collection[key]` with a computed key.
    Index(Box<Expr>, Box<Expr>),
    /// A function call.
    Call(Box<Call>),
    /// `condition ? yes : no`.
    Conditional(Box<[Expr; 3]>),
    /// `[a, b]`.
    Tuple(Vec<Expr>),
    /// `{a = b}`.
    Object(Vec<Item>),
    /// `[for ...]` or `{for ...}`.
    For(Box<For>),
    /// `source[*].each` or `source.*.each`; in `each`, [`ExprKind::Element`] stands for the element.
    Splat(Box<Expr>, Box<Expr>),
    /// The current element of the innermost splat.
    Element,
    /// `a + b`.
    Binary(BinaryOp, Box<[Expr; 2]>),
    /// `-a` or `!a`.
    Unary(UnaryOp, Box<Expr>),
    /// `(a)`.
    Parens(Box<Expr>),
    /// What could not be parsed within a JSON string: evaluating it reports why.
    Broken(Box<Diagnostic>),
}

/// A constant step of a traversal.
#[derive(Clone, Debug)]
pub enum Step {
    /// `.name`.
    Attr(Arc<str>, Span),
    /// `[key]` with a literal key, or `.0`.
    Index(Value, Span),
}

impl Step {
    /// Where it is written.
    pub fn span(&self) -> Span {
        match self {
            Step::Attr(_, span) | Step::Index(_, span) => *span,
        }
    }
}

/// A function call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's name; parts of a namespaced one are joined by `::`.
    pub name: Arc<str>,
    /// Where the name is written.
    pub name_span: Span,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// The last argument is followed by `...`: its elements are the last arguments.
    pub expand: bool,
}

/// `key = value` in an object.
#[derive(Clone, Debug)]
pub struct Item {
    /// The key; a bare name is a literal here.
    pub key: Expr,
    /// In the JSON syntax a key must not come twice; in the native one the last wins.
    pub unique: bool,
    /// The value.
    pub value: Expr,
}

/// A `for` expression.
#[derive(Clone, Debug)]
pub struct For {
    /// Name for the key.
    pub key_var: Option<Arc<str>>,
    /// Name for the value.
    pub value_var: Arc<str>,
    /// What is iterated.
    pub collection: Expr,
    /// Key of the result, which makes it an object.
    pub key: Option<Expr>,
    /// Value of the result.
    pub value: Expr,
    /// `...`: values of equal keys are collected.
    pub group: bool,
    /// `if`.
    pub condition: Option<Expr>,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// An operator before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// What an expression refers to from outside.
#[derive(Clone, Copy, Debug)]
pub enum Use<'e> {
    /// A variable, with the steps taken from it.
    Variable(&'e Arc<str>, Span, &'e [Step]),
    /// A function.
    Function(&'e Arc<str>, Span),
}

impl Expr {
    /// An expression at a place.
    pub fn new(span: Span, kind: ExprKind) -> Self {
        Expr { span, kind }
    }

    /// The single bare name that it is, as a keyword: `string`, `null`.
    pub fn keyword(&self) -> Option<Arc<str>> {
        match &self.kind {
            ExprKind::Reference { root, steps, .. } if steps.is_empty() => Some(root.clone()),
            ExprKind::Literal(Value::Null(_)) => Some("null".into()),
            ExprKind::Literal(Value::Bool(true)) => Some("true".into()),
            ExprKind::Literal(Value::Bool(false)) => Some("false".into()),
            ExprKind::Quoted { text, .. } if is_identifier(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The elements, if it is written as a list.
    pub fn as_list(&self) -> Option<&[Expr]> {
        match &self.kind {
            ExprKind::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The variable and constant steps, if it is nothing else.
    pub fn as_reference(&self) -> Option<(&Arc<str>, &[Step])> {
        match &self.kind {
            ExprKind::Reference { root, steps, .. } => Some((root, steps)),
            _ => None,
        }
    }

    /// Calls `visit` with everything it refers to that is not bound inside it, in the order of the text. What stands in
    /// branches that are not taken counts too.
    pub fn uses<'e>(&'e self, visit: &mut dyn FnMut(Use<'e>)) {
        self.uses_within(&mut Vec::new(), visit);
    }

    fn uses_within<'e>(&'e self, bound: &mut Vec<&'e str>, visit: &mut dyn FnMut(Use<'e>)) {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Element | ExprKind::Broken(_) => {}
            ExprKind::Template(parts) | ExprKind::Tuple(parts) => {
                for part in parts {
                    part.uses_within(bound, visit);
                }
            }
            ExprKind::Wrapped(inner)
            | ExprKind::Joined(inner)
            | ExprKind::Parens(inner)
            | ExprKind::Unary(_, inner)
            | ExprKind::Select(inner, _)
            | ExprKind::Quoted { template: inner, .. } => inner.uses_within(bound, visit),
            ExprKind::Reference { root, root_span, steps } => {
                if !bound.contains(&&**root) {
                    visit(Use::Variable(root, *root_span, steps));
                }
            }
            ExprKind::Index(a, b) | ExprKind::Splat(a, b) => {
                a.uses_within(bound, visit);
                b.uses_within(bound, visit);
            }
            ExprKind::Call(call) => {
                visit(Use::Function(&call.name, call.name_span));
                for arg in &call.args {
                    arg.uses_within(bound, visit);
                }
            }
            ExprKind::Conditional(parts) => parts.iter().for_each(|p| p.uses_within(bound, visit)),
            ExprKind::Binary(_, parts) => parts.iter().for_each(|p| p.uses_within(bound, visit)),
            ExprKind::Object(items) => {
                for item in items {
                    item.key.uses_within(bound, visit);
                    item.value.uses_within(bound, visit);
                }
            }
            ExprKind::For(f) => {
                f.collection.uses_within(bound, visit);
                let depth = bound.len();
                bound.extend(f.key_var.as_deref());
                bound.push(&f.value_var);
                for part in f.key.iter().chain([&f.value]).chain(&f.condition) {
                    part.uses_within(bound, visit);
                }
                bound.truncate(depth);
            }
        }
    }
}

/// Whether a text is a name as HCL has them: a letter or `_`, then letters, digits, `_` and `-`.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
