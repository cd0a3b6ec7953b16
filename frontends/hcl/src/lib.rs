//! HCL: values, types, both syntaxes, evaluation and the function library. Stands on its own.
//!
//! [`parse`] reads the native syntax and [`parse_json`] HCL's JSON syntax into one tree, [`ast::Body`]; [`evaluate`] gives
//! the value of an expression in a [`Scope`]. Nothing here knows what a block means, and nothing reads a clock, a file or
//! the environment: what functions need of the machine comes from a [`Host`].
//!
//! The behaviour is that of HashiCorp's HCL 2 with go-cty: numbers of 512 bits, lists and tuples, maps and objects, sets,
//! typed nulls, conversion and unification, `try` and `can`.

pub mod ast;
mod convert;
mod eval;
mod functions;
mod json;
mod native;
mod number;
mod syntax;
mod template;
mod typeexpr;
mod types;
mod value;

pub use convert::{convert, mismatch, unify};
pub use eval::{Callable, Function, Lookup, Scope, convert_at, evaluate};
pub use functions::{
    Host, describe as describe_function, exists as has_function, json_decode_as, json_encode, json_encode_as,
    names as function_names,
};
pub use json::{BlockSchema, Schema, parse as parse_json};
pub use number::{NotANumber, Number};
pub use syntax::parse;
pub use typeexpr::constraint as parse_type;
pub use types::{Attr, Type};
pub use value::{Entries, Value};
