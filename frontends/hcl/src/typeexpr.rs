//! Type expressions: `list(string)`, `object({a = optional(number)})`.

use crate::ast::{Call, Expr, ExprKind};
use crate::{Attr, Type, json};
use rbc_source::{Diagnostic, Span, hcl as codes};
use std::collections::BTreeMap;
use std::sync::Arc;

const FORMS: &str = "a type is `string`, `number`, `bool`, `any`, `list(T)`, `set(T)`, `map(T)`, `tuple([T, ...])` or `object({name = T, ...})`";

/// The type constraint that an expression is written as.
pub fn constraint(expr: &Expr, diagnostics: &mut Vec<Diagnostic>) -> Option<Type> {
    if let ExprKind::Quoted { text, .. } = &expr.kind {
        return constraint(&json::as_code(text, expr.span), diagnostics);
    }
    if let Some(word) = expr.keyword() {
        return match &*word {
            "string" => Some(Type::String),
            "number" => Some(Type::Number),
            "bool" => Some(Type::Bool),
            "any" => Some(Type::Any),
            "list" | "set" | "map" => {
                not_a_type(diagnostics, expr.span, format!("`{word}` needs the type of its elements: `{word}(string)`"))
            }
            "object" => not_a_type(
                diagnostics,
                expr.span,
                "`object` needs the types of its attributes: `object({name = string})`".into(),
            ),
            "tuple" => not_a_type(
                diagnostics,
                expr.span,
                "`tuple` needs the types of its elements: `tuple([string, number])`".into(),
            ),
            other => {
                let names = ["string", "number", "bool", "any", "list", "set", "map", "tuple", "object"];
                let problem = Diagnostic::new(codes::TYPE_EXPRESSION, format!("`{other}` is no type")).at(expr.span);
                diagnostics.push(problem.suggest(other, names).note(FORMS));
                None
            }
        };
    }
    let ExprKind::Call(call) = &expr.kind else {
        let problem = Diagnostic::new(codes::TYPE_EXPRESSION, "this is no type").at(expr.span);
        let literal = matches!(&expr.kind, ExprKind::Literal(v) if v.as_str().is_some());
        let problem = if literal { problem.note("write the type without quotes") } else { problem };
        diagnostics.push(problem.note(FORMS));
        return None;
    };
    match &*call.name {
        "list" => Some(Type::list(constraint(only_argument(call, expr.span, diagnostics)?, diagnostics)?)),
        "set" => Some(Type::set(constraint(only_argument(call, expr.span, diagnostics)?, diagnostics)?)),
        "map" => Some(Type::map(constraint(only_argument(call, expr.span, diagnostics)?, diagnostics)?)),
        "tuple" => {
            let argument = only_argument(call, expr.span, diagnostics)?;
            let Some(types) = argument.as_list() else {
                return not_a_type(diagnostics, argument.span, "`tuple` takes a list of types".into());
            };
            let types: Vec<Option<Type>> = types.iter().map(|t| constraint(t, diagnostics)).collect();
            Some(types.into_iter().collect::<Option<Vec<Type>>>()?.into())
        }
        "object" => object(only_argument(call, expr.span, diagnostics)?, diagnostics),
        "optional" => not_a_type(
            diagnostics,
            call.name_span,
            "`optional` stands only before the type of an object's attribute".into(),
        ),
        "string" | "number" | "bool" | "any" => {
            not_a_type(diagnostics, expr.span, format!("`{}` takes no arguments", call.name))
        }
        other => not_a_type(diagnostics, expr.span, format!("`{other}` is no type")),
    }
}

fn not_a_type(diagnostics: &mut Vec<Diagnostic>, span: Span, message: String) -> Option<Type> {
    diagnostics.push(Diagnostic::new(codes::TYPE_EXPRESSION, message).at(span).note(FORMS));
    None
}

fn only_argument<'c>(call: &'c Call, span: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<&'c Expr> {
    match call.args.as_slice() {
        [one] if !call.expand => Some(one),
        _ => {
            let message = format!("`{}` takes exactly one argument", call.name);
            diagnostics.push(Diagnostic::new(codes::TYPE_EXPRESSION, message).at(span).note(FORMS));
            None
        }
    }
}

fn object(expr: &Expr, diagnostics: &mut Vec<Diagnostic>) -> Option<Type> {
    let ExprKind::Object(items) = &expr.kind else {
        let message = "`object` takes names and types: `object({name = string})`";
        diagnostics.push(Diagnostic::new(codes::TYPE_EXPRESSION, message).at(expr.span));
        return None;
    };
    let mut attrs: BTreeMap<Arc<str>, Attr> = BTreeMap::new();
    let mut complete = true;
    for item in items {
        let name = match &item.key.kind {
            ExprKind::Literal(value) => value.as_str().map(Arc::from),
            _ => item.key.keyword(),
        };
        let Some(name) = name.filter(|n: &Arc<str>| crate::ast::is_identifier(n)) else {
            let message = "an attribute of an object type has a plain name";
            diagnostics.push(Diagnostic::new(codes::TYPE_EXPRESSION, message).at(item.key.span));
            complete = false;
            continue;
        };
        let written;
        let value = match &item.value.kind {
            ExprKind::Quoted { text, .. } => {
                written = json::as_code(text, item.value.span);
                &written
            }
            _ => &item.value,
        };
        let (inner, optional) = match &value.kind {
            ExprKind::Call(call) if &*call.name == "optional" => match call.args.as_slice() {
                [one] => (one, true),
                _ => {
                    let message = "`optional` takes exactly one argument: the type of the attribute";
                    diagnostics.push(Diagnostic::new(codes::TYPE_EXPRESSION, message).at(value.span));
                    complete = false;
                    continue;
                }
            },
            _ => (value, false),
        };
        match constraint(inner, diagnostics) {
            Some(ty) => {
                if attrs.insert(name.clone(), Attr { ty, optional }).is_some() {
                    let message = format!("the attribute `{name}` comes twice");
                    diagnostics.push(Diagnostic::new(codes::TYPE_EXPRESSION, message).at(item.key.span));
                    complete = false;
                }
            }
            None => complete = false,
        }
    }
    complete.then(|| Type::Object(Arc::new(attrs)))
}
