//! Evaluation of expressions.
//!
//! An expression gives a value or reports why not; all faults of an expression are reported, not just the first. An
//! expression that fails still has a type as far as one can tell, because conditionals and `&&`/`||` look at the type of
//! a branch that they then do not take.

use crate::ast::{BinaryOp, Call, Expr, ExprKind, For, Item, Step, UnaryOp};
use crate::convert::{convert, mismatch, possible, unify};
use crate::functions::{self, Builtin, Fault, Host, Take};
use crate::value::Entries;
use crate::{Number, Type, Value};
use rbc_source::{Diagnostic, Span, hcl as codes};
use std::sync::Arc;

/// Expressions within expressions and calls within calls, together; more is refused before the stack ends.
const DEEPEST: usize = 400;

/// What an expression can refer to, and what the world gives.
pub trait Scope {
    /// The value of a variable with as many of the steps behind it as the scope wants to take itself.
    fn variable(&self, name: &str, steps: &[Step]) -> Lookup;
    /// A function of the user's.
    fn function(&self, name: &str) -> Callable;
    /// Names of all variables, to find the one that was meant. A scope with many names may give them only so many times.
    fn variables(&self) -> Vec<Arc<str>>;
    /// Names of all functions of the user's.
    fn functions(&self) -> Vec<Arc<str>>;
    /// The scope that a function's body sees: without what only holds where the call stands.
    fn globals(&self) -> &dyn Scope;
    /// Clock, home directory and randomness.
    fn host(&self) -> &dyn Host;
}

/// What a scope knows of a variable.
pub enum Lookup {
    /// Its value, with that many steps already taken.
    Found(Value, usize),
    /// There is none of this name.
    Unknown,
    /// There is one, but it has no value, which has been reported already.
    Failed,
}

/// What a scope knows of a function of the user's.
pub enum Callable {
    /// It can be called.
    Found(Arc<Function>),
    /// There is none of this name.
    Unknown,
    /// There is one, but it is wrong, which has been reported already.
    Failed,
}

/// A function of the user's.
#[derive(Debug)]
pub struct Function {
    /// Names of its parameters.
    pub params: Vec<Arc<str>>,
    /// Name of the parameter that takes all further arguments, as a tuple.
    pub variadic: Option<Arc<str>>,
    /// Its body.
    pub result: Expr,
}

/// Why there is no value: see the diagnostics. The type is what is known all the same.
pub(crate) struct Unknown(pub Type);

pub(crate) type Outcome = Result<Value, Unknown>;

const FAILED: Outcome = Err(Unknown(Type::Any));

/// Evaluates an expression. Faults are appended to the diagnostics; without a value at least one is.
pub fn evaluate(expr: &Expr, scope: &dyn Scope, diagnostics: &mut Vec<Diagnostic>) -> Option<Value> {
    let mut evaluator = Evaluator { scope, diagnostics: std::mem::take(diagnostics), depth: 0 };
    let outcome = evaluator.eval(expr, &Locals::Root);
    *diagnostics = evaluator.diagnostics;
    outcome.ok()
}

/// Names bound within an expression, innermost first.
enum Locals<'l> {
    Root,
    Named(&'l Locals<'l>, &'l str, &'l Value),
    Element(&'l Locals<'l>, &'l Value),
}

impl<'l> Locals<'l> {
    fn find(&'l self, name: &str) -> Option<&'l Value> {
        match self {
            Locals::Root => None,
            Locals::Named(_, own, value) if *own == name => Some(value),
            Locals::Named(outer, ..) | Locals::Element(outer, _) => outer.find(name),
        }
    }

    fn element(&'l self) -> Option<&'l Value> {
        match self {
            Locals::Root => None,
            Locals::Element(_, value) => Some(value),
            Locals::Named(outer, ..) => outer.element(),
        }
    }

    fn names(&self, out: &mut Vec<Arc<str>>) {
        if let Locals::Named(_, name, _) = self {
            out.push((*name).into());
        }
        match self {
            Locals::Root => {}
            Locals::Named(outer, ..) | Locals::Element(outer, _) => outer.names(out),
        }
    }
}

struct Evaluator<'s> {
    scope: &'s dyn Scope,
    diagnostics: Vec<Diagnostic>,
    depth: usize,
}

impl Evaluator<'_> {
    fn report(&mut self, diagnostic: Diagnostic) -> Outcome {
        self.diagnostics.push(diagnostic);
        FAILED
    }

    fn eval(&mut self, expr: &Expr, locals: &Locals<'_>) -> Outcome {
        match &expr.kind {
            ExprKind::Literal(value) => return Ok(value.clone()),
            ExprKind::Element => return locals.element().cloned().ok_or(Unknown(Type::Any)),
            _ => {}
        }
        if self.depth >= DEEPEST {
            return self.report(
                Diagnostic::new(codes::LIMIT, "this is nested too deep to be evaluated")
                    .at(expr.span)
                    .note(format!("expressions and function calls may be nested {DEEPEST} levels")),
            );
        }
        self.depth += 1;
        let outcome = match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Element => FAILED,
            ExprKind::Template(parts) => self.template(parts, locals),
            ExprKind::Wrapped(inner) | ExprKind::Parens(inner) | ExprKind::Quoted { template: inner, .. } => {
                self.eval(inner, locals)
            }
            ExprKind::Joined(tuple) => self.joined(tuple, locals),
            ExprKind::Reference { root, root_span, steps } => self.reference(root, *root_span, steps, locals),
            ExprKind::Select(source, steps) => match self.eval(source, locals) {
                Ok(value) => self.steps(value, steps),
                Err(_) => FAILED,
            },
            ExprKind::Index(collection, key) => self.index(expr.span, collection, key, locals),
            ExprKind::Call(call) => self.call(expr.span, call, locals),
            ExprKind::Conditional(parts) => self.conditional(parts, locals),
            ExprKind::Tuple(elements) => self.tuple(elements, locals),
            ExprKind::Object(items) => self.object(items, locals),
            ExprKind::For(each) => self.for_each(each, locals),
            ExprKind::Splat(source, each) => self.splat(source, each, locals),
            ExprKind::Binary(op, sides) => self.binary(expr.span, *op, sides, locals),
            ExprKind::Unary(op, operand) => self.unary(*op, operand, locals),
            ExprKind::Broken(problem) => self.report((**problem).clone()),
        };
        self.depth -= 1;
        outcome
    }

    /// Evaluates and keeps the faults apart.
    fn apart(&mut self, expr: &Expr, locals: &Locals<'_>) -> (Outcome, Vec<Diagnostic>) {
        let before = self.diagnostics.len();
        let outcome = self.eval(expr, locals);
        (outcome, self.diagnostics.split_off(before))
    }

    #[inline(never)]
    fn template(&mut self, parts: &[Expr], locals: &Locals<'_>) -> Outcome {
        let mut text = String::new();
        let mut complete = true;
        for part in parts {
            match self.eval(part, locals) {
                Ok(value) => match self.as_text(&value, part.span) {
                    Ok(piece) => text.push_str(&piece),
                    Err(Unknown(_)) => complete = false,
                },
                Err(_) => complete = false,
            }
        }
        if complete { Ok(Value::string(text)) } else { Err(Unknown(Type::String)) }
    }

    fn as_text(&mut self, value: &Value, span: Span) -> Result<Arc<str>, Unknown> {
        if value.is_null() {
            self.diagnostics.push(
                Diagnostic::new(codes::NULL, "null cannot be put into a text")
                    .labelled(span, "this is null")
                    .note("give it a value before, as `coalesce(x, \"\")` does"),
            );
            return Err(Unknown(Type::String));
        }
        match convert(value, &Type::String) {
            Ok(Value::String(text)) => Ok(text),
            Ok(_) | Err(_) => {
                self.diagnostics.push(
                    Diagnostic::new(codes::WRONG_TYPE, format!("{} cannot be put into a text", an(value)))
                        .at(span)
                        .note("`join` makes one text of a list, `jsonencode` of any value"),
                );
                Err(Unknown(Type::String))
            }
        }
    }

    #[inline(never)]
    fn joined(&mut self, tuple: &Expr, locals: &Locals<'_>) -> Outcome {
        let Ok(value) = self.eval(tuple, locals) else { return Err(Unknown(Type::String)) };
        let mut text = String::new();
        for element in value.elements().unwrap_or_default() {
            text.push_str(&self.as_text(element, tuple.span)?);
        }
        Ok(Value::string(text))
    }

    #[inline(never)]
    fn reference(&mut self, root: &Arc<str>, root_span: Span, steps: &[Step], locals: &Locals<'_>) -> Outcome {
        if let Some(value) = locals.find(root) {
            return self.steps(value.clone(), steps);
        }
        match self.scope.variable(root, steps) {
            Lookup::Found(value, taken) => self.steps(value, steps.get(taken..).unwrap_or_default()),
            Lookup::Failed => FAILED,
            Lookup::Unknown => {
                let mut names = self.scope.variables();
                locals.names(&mut names);
                self.report(
                    Diagnostic::new(codes::UNKNOWN_VARIABLE, format!("there is no variable `{root}`"))
                        .at(root_span)
                        .suggest(root, names),
                )
            }
        }
    }

    fn steps(&mut self, mut value: Value, steps: &[Step]) -> Outcome {
        for step in steps {
            let next = match step {
                Step::Attr(name, span) => attribute(&value, name, *span),
                Step::Index(key, span) => element(&value, key, *span),
            };
            match next {
                Ok(next) => value = next,
                Err(problem) => return self.report(*problem),
            }
        }
        Ok(value)
    }

    #[inline(never)]
    fn index(&mut self, span: Span, collection: &Expr, key: &Expr, locals: &Locals<'_>) -> Outcome {
        let collection = self.eval(collection, locals);
        let key_value = self.eval(key, locals);
        let (Ok(collection), Ok(key_value)) = (collection, key_value) else { return FAILED };
        match element(&collection, &key_value, key.span.join(Span { start: key.span.start, ..span })) {
            Ok(value) => Ok(value),
            Err(problem) => self.report(*problem),
        }
    }

    #[inline(never)]
    fn tuple(&mut self, elements: &[Expr], locals: &Locals<'_>) -> Outcome {
        let mut values = Vec::with_capacity(elements.len());
        let mut types = None;
        for element in elements {
            match self.eval(element, locals) {
                Ok(value) => match &mut types {
                    None => values.push(value),
                    Some(types) => Vec::push(types, value.ty()),
                },
                Err(Unknown(ty)) => {
                    types.get_or_insert_with(|| values.iter().map(Value::ty).collect::<Vec<_>>()).push(ty);
                }
            }
        }
        match types {
            None => Ok(Value::tuple(values)),
            Some(types) => Err(Unknown(types.into())),
        }
    }

    #[inline(never)]
    fn object(&mut self, items: &[Item], locals: &Locals<'_>) -> Outcome {
        let mut entries = Entries::new();
        let mut places: std::collections::HashMap<Arc<str>, Span> = std::collections::HashMap::new();
        let mut keys_known = true;
        let mut types: Vec<(Arc<str>, Type)> = Vec::new();
        for item in items {
            let key = self.eval(&item.key, locals);
            let value = self.eval(&item.value, locals);
            let Ok(key) = key else {
                keys_known = false;
                continue;
            };
            let name = match &key {
                Value::Null(_) => {
                    let problem = Diagnostic::new(codes::NULL, "a key cannot be null");
                    let _ = self.report(problem.at(item.key.span));
                    None
                }
                Value::String(name) => Some(name.clone()),
                other => match convert(other, &Type::String) {
                    Ok(Value::String(name)) => Some(name),
                    _ => {
                        let problem = Diagnostic::new(codes::WRONG_TYPE, format!("{} cannot be a key", an(other)));
                        let _ = self.report(problem.at(item.key.span).note("keys are texts"));
                        None
                    }
                },
            };
            let Some(name) = name else {
                keys_known = false;
                continue;
            };
            if item.unique
                && let Some(first) = places.insert(name.clone(), item.key.span)
            {
                let problem =
                    Diagnostic::new(codes::DUPLICATE_KEY, format!("the key {name:?} comes twice in this object"));
                let _ = self.report(problem.at(item.key.span).also(first, "first here"));
                keys_known = false;
            }
            match value {
                Ok(value) => {
                    entries.insert(name, value);
                }
                Err(Unknown(ty)) => types.push((name, ty)),
            }
        }
        if !keys_known {
            return FAILED;
        }
        if types.is_empty() {
            return Ok(Value::object(entries));
        }
        types.extend(entries.into_iter().map(|(n, v)| (n, v.ty())));
        Err(Unknown(Type::object(types)))
    }

    #[inline(never)]
    fn for_each(&mut self, each: &For, locals: &Locals<'_>) -> Outcome {
        let Ok(collection) = self.eval(&each.collection, locals) else { return FAILED };
        let Some(pairs) = collection.iterate() else {
            return self.report(if collection.is_null() {
                Diagnostic::new(codes::NULL, "`for` needs a collection").labelled(each.collection.span, "this is null")
            } else {
                Diagnostic::new(codes::WRONG_TYPE, format!("`for` cannot go through {}", an(&collection)))
                    .at(each.collection.span)
                    .note("it goes through lists, sets, tuples, maps and objects")
            });
        };
        let mut values = Vec::new();
        let mut entries = Entries::new();
        let mut groups: std::collections::BTreeMap<Arc<str>, Vec<Value>> = Default::default();
        let mut complete = true;
        for (key, value) in &pairs {
            let with_key;
            let outer = match &each.key_var {
                Some(name) => {
                    with_key = Locals::Named(locals, name, key);
                    &with_key
                }
                None => locals,
            };
            let inner = Locals::Named(outer, &each.value_var, value);
            match self.included(each, &inner) {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    complete = false;
                    continue;
                }
            }
            let Some(key_expr) = &each.key else {
                match self.eval(&each.value, &inner) {
                    Ok(value) => values.push(value),
                    Err(_) => complete = false,
                }
                continue;
            };
            let name = self.eval(key_expr, &inner).ok().and_then(|key| self.entry_name(&key, key_expr.span));
            let value = self.eval(&each.value, &inner);
            match (name, value) {
                (Some(name), Ok(value)) if each.group => groups.entry(name).or_default().push(value),
                (Some(name), Ok(value)) => {
                    if let std::collections::btree_map::Entry::Vacant(free) = entries.entry(name.clone()) {
                        free.insert(value);
                    } else {
                        complete = false;
                        self.diagnostics.push(
                            Diagnostic::new(codes::DUPLICATE_KEY, format!("two elements give the key {name:?}"))
                                .at(key_expr.span)
                                .note("write `...` behind the value to collect the values of equal keys"),
                        );
                    }
                }
                _ => complete = false,
            }
        }
        if !complete {
            return FAILED;
        }
        if each.key.is_none() {
            return Ok(Value::tuple(values));
        }
        entries.extend(groups.into_iter().map(|(name, values)| (name, Value::tuple(values))));
        Ok(Value::object(entries))
    }

    /// Whether the `if` of a `for` lets an element in; none when that failed.
    fn included(&mut self, each: &For, inner: &Locals<'_>) -> Option<bool> {
        let Some(condition) = &each.condition else { return Some(true) };
        let value = self.eval(condition, inner).ok()?;
        match convert(&value, &Type::Bool) {
            Ok(Value::Bool(include)) => Some(include),
            Ok(_) => {
                self.diagnostics
                    .push(Diagnostic::new(codes::NULL, "the condition of `for` is null").at(condition.span));
                None
            }
            Err(_) => {
                self.diagnostics.push(
                    Diagnostic::new(codes::WRONG_TYPE, format!("a condition is true or false, not {}", an(&value)))
                        .at(condition.span),
                );
                None
            }
        }
    }

    fn entry_name(&mut self, key: &Value, span: Span) -> Option<Arc<str>> {
        match convert(key, &Type::String) {
            Ok(Value::String(name)) => Some(name),
            Ok(_) => {
                self.diagnostics.push(Diagnostic::new(codes::NULL, "a key cannot be null").at(span));
                None
            }
            Err(_) => {
                let problem = Diagnostic::new(codes::WRONG_TYPE, format!("{} cannot be a key", an(key)));
                self.diagnostics.push(problem.at(span).note("keys are texts"));
                None
            }
        }
    }

    #[inline(never)]
    fn splat(&mut self, source: &Expr, each: &Expr, locals: &Locals<'_>) -> Outcome {
        let Ok(value) = self.eval(source, locals) else { return FAILED };
        let (elements, sequence): (Arc<[Value]>, bool) = match &value {
            Value::List(_, e) | Value::Set(_, e) => (e.clone(), true),
            Value::Tuple(e) => (e.clone(), false),
            Value::Null(Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
                return self.report(
                    Diagnostic::new(codes::NULL, "`*` needs a sequence").labelled(source.span, "this is null"),
                );
            }
            Value::Null(_) => (Arc::new([]), false),
            other => (Arc::new([other.clone()]), false),
        };
        let mut values = Vec::with_capacity(elements.len());
        let mut complete = true;
        for element in elements.iter() {
            match self.eval(each, &Locals::Element(locals, element)) {
                Ok(value) => values.push(value),
                Err(_) => complete = false,
            }
        }
        if !complete {
            return FAILED;
        }
        if !sequence {
            return Ok(Value::tuple(values));
        }
        let Some(first) = values.iter().find(|v| !matches!(v, Value::Null(Type::Any))) else {
            let ty = match (&value, matches!(each.kind, ExprKind::Element)) {
                (Value::List(ty, _) | Value::Set(ty, _), true) => ty.clone(),
                _ => Type::Any,
            };
            return Ok(Value::list(ty, values));
        };
        let ty = first.ty();
        if values.iter().any(|v| !v.is_of(&ty) && !matches!(v, Value::Null(Type::Any))) {
            return self.report(
                Diagnostic::new(codes::WRONG_TYPE, "the elements that `*` gives are of different types")
                    .at(each.span)
                    .note("use a `for` expression: its result may hold elements of different types"),
            );
        }
        Ok(Value::list(ty, values))
    }

    #[inline(never)]
    fn conditional(&mut self, parts: &[Expr; 3], locals: &Locals<'_>) -> Outcome {
        let [condition, yes, no] = parts;
        let (yes_value, yes_faults) = self.apart(yes, locals);
        let (no_value, no_faults) = self.apart(no, locals);
        let bare_null = |v: &Outcome| matches!(v, Ok(Value::Null(Type::Any)));
        let (yes_type, no_type) = (type_of(&yes_value), type_of(&no_value));
        let ty = if bare_null(&yes_value) {
            no_type.clone()
        } else if bare_null(&no_value) {
            yes_type.clone()
        } else if yes_type == Type::Any || no_type == Type::Any {
            Type::Any
        } else {
            match unify([&yes_type, &no_type], true) {
                Some(ty) => ty,
                None => {
                    return self.report(
                        Diagnostic::new(codes::WRONG_TYPE, "the two results of this condition have no common type")
                            .labelled(yes.span, format!("this is {}", an_type(&yes_type)))
                            .also(no.span, format!("this is {}", an_type(&no_type))),
                    );
                }
            }
        };
        let taken = match self.eval(condition, locals) {
            Ok(value) if value.is_null() => {
                let problem = Diagnostic::new(codes::NULL, "a condition is true or false");
                let _ = self.report(problem.labelled(condition.span, "this is null"));
                return Err(Unknown(ty));
            }
            Ok(value) => match convert(&value, &Type::Bool) {
                Ok(Value::Bool(taken)) => taken,
                _ => {
                    let problem =
                        Diagnostic::new(codes::WRONG_TYPE, format!("a condition is true or false, not {}", an(&value)));
                    let _ = self.report(problem.at(condition.span));
                    return Err(Unknown(ty));
                }
            },
            Err(_) => return Err(Unknown(ty)),
        };
        let (branch, value, faults) = if taken { (yes, yes_value, yes_faults) } else { (no, no_value, no_faults) };
        self.diagnostics.extend(faults);
        let Ok(value) = value else { return Err(Unknown(ty)) };
        match convert(&value, &ty) {
            Ok(value) => Ok(value),
            Err(why) => {
                let _ = self.report(
                    Diagnostic::new(codes::WRONG_TYPE, "the result does not fit the type of the other one")
                        .labelled(branch.span, why),
                );
                Err(Unknown(ty))
            }
        }
    }

    #[inline(never)]
    fn binary(&mut self, span: Span, op: BinaryOp, sides: &[Expr; 2], locals: &Locals<'_>) -> Outcome {
        let (want, result) = match op {
            BinaryOp::Or | BinaryOp::And => (Type::Bool, Type::Bool),
            BinaryOp::Equal | BinaryOp::NotEqual => (Type::Any, Type::Bool),
            BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => {
                (Type::Number, Type::Bool)
            }
            _ => (Type::Number, Type::Number),
        };
        let (left, left_faults) = self.apart(&sides[0], locals);
        let left = self.operand(left, &want, &sides[0]);
        let (right, right_faults) = self.apart(&sides[1], locals);
        let right = self.operand(right, &want, &sides[1]);
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            _ => {
                self.diagnostics.extend(left_faults);
                self.diagnostics.extend(right_faults);
                return Err(Unknown(result));
            }
        };
        // What decides alone lets the faults of the other side go.
        let decides = match op {
            BinaryOp::Or => Some(true),
            BinaryOp::And => Some(false),
            _ => None,
        };
        if let Some(decisive) = decides {
            for side in [&left, &right] {
                if matches!(side, Ok(Value::Bool(b)) if *b == decisive) {
                    return Ok(Value::Bool(decisive));
                }
            }
        }
        self.diagnostics.extend(left_faults);
        self.diagnostics.extend(right_faults);
        let (Ok(left), Ok(right)) = (left, right) else { return Err(Unknown(result)) };
        if want != Type::Any {
            for (value, side) in [(&left, &sides[0]), (&right, &sides[1])] {
                if value.is_null() {
                    let _ = self.report(null_operand(side.span));
                    return Err(Unknown(result));
                }
            }
        }
        match compute(op, &left, &right) {
            Some(value) => Ok(value),
            None => {
                let _ = self.report(
                    Diagnostic::new(codes::CALL_FAILED, "this operation has no result")
                        .at(span)
                        .note("zero by zero and infinities against one another give no number"),
                );
                Err(Unknown(result))
            }
        }
    }

    /// An operand converted to what the operator works on; none if it cannot be.
    fn operand(&mut self, outcome: Outcome, want: &Type, side: &Expr) -> Option<Outcome> {
        match outcome {
            Ok(value) => match convert(&value, want) {
                Ok(value) => Some(Ok(value)),
                Err(_) => {
                    let _ = self.report(wrong_operand(&value, want, side.span));
                    None
                }
            },
            Err(Unknown(ty)) => possible(&ty, want, true).then(|| Err(Unknown(want.clone()))),
        }
    }

    #[inline(never)]
    fn unary(&mut self, op: UnaryOp, operand: &Expr, locals: &Locals<'_>) -> Outcome {
        let want = match op {
            UnaryOp::Negate => Type::Number,
            UnaryOp::Not => Type::Bool,
        };
        let Ok(value) = self.eval(operand, locals) else { return Err(Unknown(want)) };
        let problem = match convert(&value, &want) {
            Ok(Value::Number(number)) => return Ok(Value::number(number.negated())),
            Ok(Value::Bool(value)) => return Ok(Value::Bool(!value)),
            Ok(_) => null_operand(operand.span),
            Err(_) => wrong_operand(&value, &want, operand.span),
        };
        let _ = self.report(problem);
        Err(Unknown(want))
    }

    #[inline(never)]
    fn call(&mut self, span: Span, call: &Call, locals: &Locals<'_>) -> Outcome {
        if let Some(builtin) = functions::find(&call.name) {
            return self.call_builtin(span, call, builtin, locals);
        }
        let function = match self.scope.function(&call.name) {
            Callable::Found(function) => function,
            Callable::Failed => return FAILED,
            Callable::Unknown => {
                let mut names: Vec<Arc<str>> = functions::names().map(Into::into).collect();
                names.extend(self.scope.functions());
                return self.report(
                    Diagnostic::new(codes::UNKNOWN_FUNCTION, format!("there is no function `{}`", call.name))
                        .at(call.name_span)
                        .suggest(&call.name, names),
                );
            }
        };
        let args = self.expanded(call, locals)?;
        let required = function.params.len();
        self.check_count(span, call, &args, required, function.variadic.is_some(), |i| {
            function.params.get(i).map(|p| p.to_string())
        })?;
        let mut values = Vec::with_capacity(args.len());
        let mut complete = true;
        for (i, arg) in args.iter().enumerate() {
            match self.argument(arg, locals) {
                Ok(value) if value.is_null() => {
                    let name = function.params.get(i).or(function.variadic.as_ref());
                    let problem = Diagnostic::new(
                        codes::NULL,
                        format!("the argument {} of `{}` is null", quoted(name.map_or("", |n| n)), call.name),
                    );
                    let _ = self.report(problem.at(arg.span()));
                    complete = false;
                }
                Ok(value) => values.push(value),
                Err(_) => complete = false,
            }
        }
        if !complete {
            return FAILED;
        }
        let rest = Value::tuple(values.split_off(required.min(values.len())));
        let before = self.diagnostics.len();
        let depth = self.depth;
        let mut inner = Evaluator {
            scope: self.scope.globals(),
            diagnostics: std::mem::take(&mut self.diagnostics),
            depth: depth + 1,
        };
        let outcome = inner.with_params(&function, &values, &rest, &Locals::Root);
        self.diagnostics = inner.diagnostics;
        for fault in &mut self.diagnostics[before..] {
            let message = format!("while calling `{}`", call.name);
            fault.trace.insert(0, rbc_source::Frame { span, message });
        }
        outcome.map_err(|_| Unknown(Type::Any))
    }

    /// Binds parameters one by one, then evaluates the body.
    fn with_params(&mut self, function: &Function, values: &[Value], rest: &Value, locals: &Locals<'_>) -> Outcome {
        let bound = function.params.len() - values.len().min(function.params.len());
        match (function.params.get(bound), values.split_first()) {
            (Some(name), Some((value, others))) => {
                self.with_params(function, others, rest, &Locals::Named(locals, name, value))
            }
            _ => match &function.variadic {
                Some(name) => self.eval(&function.result, &Locals::Named(locals, name, rest)),
                None => self.eval(&function.result, locals),
            },
        }
    }

    /// The arguments, the elements of a last one with `...` among them.
    fn expanded<'c>(&mut self, call: &'c Call, locals: &Locals<'_>) -> Result<Vec<Arg<'c>>, Unknown> {
        let Some((last, others)) = call.args.split_last().filter(|_| call.expand) else {
            return Ok(call.args.iter().map(Arg::Written).collect());
        };
        let value = self.eval(last, locals)?;
        let Some(elements) = value.elements() else {
            let _ = self.report(if value.is_null() {
                Diagnostic::new(codes::NULL, "`...` needs a list").labelled(last.span, "this is null")
            } else {
                Diagnostic::new(codes::WRONG_TYPE, format!("`...` needs a list, a set or a tuple, not {}", an(&value)))
                    .at(last.span)
            });
            return Err(Unknown(Type::Any));
        };
        let expanded = elements.iter().map(|v| Arg::Given(v.clone(), last.span));
        Ok(others.iter().map(Arg::Written).chain(expanded).collect())
    }

    fn check_count(
        &mut self,
        span: Span,
        call: &Call,
        args: &[Arg<'_>],
        required: usize,
        variadic: bool,
        name: impl Fn(usize) -> Option<String>,
    ) -> Result<(), Unknown> {
        let (count, least) = (args.len(), if variadic { "at least " } else { "" });
        let arguments = if required == 1 { "argument" } else { "arguments" };
        let given = match count {
            0 => "none is given".into(),
            1 => "1 is given".into(),
            _ => format!("{count} are given"),
        };
        let message = format!("`{}` takes {least}{required} {arguments}, but {given}", call.name);
        let problem = Diagnostic::new(codes::ARGUMENTS, message);
        if count < required {
            let missing: Vec<String> = (count..required).filter_map(&name).map(|n| format!("`{n}`")).collect();
            let close = Span { start: span.end.saturating_sub(1), ..span };
            let _ = self.report(problem.labelled(close, format!("{} missing here", missing.join(", "))));
            return Err(Unknown(Type::Any));
        }
        if count > required && !variadic {
            let first = args.get(required).map_or(span, Arg::span);
            let _ = self.report(problem.labelled(first, "this is one too many"));
            return Err(Unknown(Type::Any));
        }
        Ok(())
    }

    fn argument(&mut self, arg: &Arg<'_>, locals: &Locals<'_>) -> Outcome {
        match arg {
            Arg::Written(expr) => self.eval(expr, locals),
            Arg::Given(value, _) => Ok(value.clone()),
        }
    }

    fn call_builtin(&mut self, span: Span, call: &Call, builtin: &'static Builtin, locals: &Locals<'_>) -> Outcome {
        let args = self.expanded(call, locals)?;
        let params = builtin.params;
        self.check_count(span, call, &args, params.len(), builtin.rest.is_some(), |i| {
            params.get(i).map(|p| p.name.to_owned())
        })?;
        match builtin.take {
            Take::Values(run) => {
                let mut values = Vec::with_capacity(args.len());
                let mut complete = true;
                for (i, arg) in args.iter().enumerate() {
                    let Some(param) = params.get(i).or(builtin.rest.as_ref()) else { continue };
                    let Ok(value) = self.argument(arg, locals) else {
                        complete = false;
                        continue;
                    };
                    match convert(&value, &param.want.ty()) {
                        Ok(value) if value.is_null() && !param.nulls => {
                            let message = format!("the argument `{}` of `{}` is null", param.name, call.name);
                            let _ = self.report(Diagnostic::new(codes::NULL, message).at(arg.span()));
                            complete = false;
                        }
                        Ok(value) => values.push(value),
                        Err(why) => {
                            let message = format!("the argument `{}` of `{}` does not fit", param.name, call.name);
                            let _ = self.report(Diagnostic::new(codes::ARGUMENTS, message).labelled(arg.span(), why));
                            complete = false;
                        }
                    }
                }
                if !complete {
                    return FAILED;
                }
                match run(&values, self.scope.host()) {
                    Ok(value) => Ok(value),
                    Err(fault) => self.call_failed(span, call, &args, builtin, fault),
                }
            }
            Take::Try => self.attempt(span, &args, locals),
            Take::Can => {
                let Some(arg) = args.first() else { return FAILED };
                let before = self.diagnostics.len();
                let outcome = self.argument(arg, locals);
                self.diagnostics.truncate(before);
                Ok(Value::Bool(outcome.is_ok()))
            }
            Take::Convert => self.converted(call, &args, locals),
        }
    }

    fn call_failed(
        &mut self,
        span: Span,
        call: &Call,
        args: &[Arg<'_>],
        builtin: &'static Builtin,
        fault: Fault,
    ) -> Outcome {
        self.report(match fault {
            Fault::Argument(i, why) => {
                let name = builtin.params.get(i).or(builtin.rest.as_ref()).map_or("", |p| p.name);
                let place = args.get(i).map_or(span, Arg::span);
                Diagnostic::new(codes::ARGUMENTS, format!("the argument `{name}` of `{}` does not fit", call.name))
                    .labelled(place, why)
            }
            Fault::Call(why) => Diagnostic::new(codes::CALL_FAILED, format!("`{}` failed: {why}", call.name)).at(span),
        })
    }

    /// `try`: the first argument that can be evaluated.
    fn attempt(&mut self, span: Span, args: &[Arg<'_>], locals: &Locals<'_>) -> Outcome {
        let before = self.diagnostics.len();
        for arg in args {
            if let Ok(value) = self.argument(arg, locals) {
                self.diagnostics.truncate(before);
                return Ok(value);
            }
        }
        let faults = self.diagnostics.split_off(before);
        if args.is_empty() {
            return self.report(Diagnostic::new(codes::ARGUMENTS, "`try` takes at least 1 argument").at(span));
        }
        let mut problem =
            Diagnostic::new(codes::CALL_FAILED, "none of the expressions of this `try` can be evaluated").at(span);
        for fault in faults {
            if let Some(place) = &fault.primary {
                problem = problem.also(place.span, fault.message);
            }
        }
        self.report(problem)
    }

    /// `convert(value, type)`: the second argument is a type, not a value.
    fn converted(&mut self, call: &Call, args: &[Arg<'_>], locals: &Locals<'_>) -> Outcome {
        let [value, Arg::Written(ty)] = args else { return FAILED };
        let value_span = value.span();
        let value = self.argument(value, locals);
        let ty = crate::typeexpr::constraint(ty, &mut self.diagnostics);
        let (Ok(value), Some(ty)) = (value, ty) else { return FAILED };
        match convert(&value, &ty) {
            Ok(value) => Ok(value),
            Err(why) => {
                let message = format!("the argument `value` of `{}` cannot become {}", call.name, ty);
                self.report(Diagnostic::new(codes::ARGUMENTS, message).labelled(value_span, why))
            }
        }
    }
}

/// An argument: an expression, or a value that `...` took from one.
enum Arg<'c> {
    Written(&'c Expr),
    Given(Value, Span),
}

impl Arg<'_> {
    fn span(&self) -> Span {
        match self {
            Arg::Written(expr) => expr.span,
            Arg::Given(_, span) => *span,
        }
    }
}

fn type_of(outcome: &Outcome) -> Type {
    match outcome {
        Ok(value) => value.ty(),
        Err(Unknown(ty)) => ty.clone(),
    }
}

fn compute(op: BinaryOp, left: &Value, right: &Value) -> Option<Value> {
    let numbers = |f: fn(&Number, &Number) -> Result<Number, crate::number::NotANumber>| {
        f(left.as_number()?, right.as_number()?).ok().map(Value::number)
    };
    let compare = |f: fn(std::cmp::Ordering) -> bool| Some(Value::Bool(f(left.as_number()?.cmp(right.as_number()?))));
    match op {
        BinaryOp::Or => Some(Value::Bool(left.as_bool()? || right.as_bool()?)),
        BinaryOp::And => Some(Value::Bool(left.as_bool()? && right.as_bool()?)),
        BinaryOp::Equal => Some(Value::Bool(left.equals(right))),
        BinaryOp::NotEqual => Some(Value::Bool(!left.equals(right))),
        BinaryOp::Less => compare(std::cmp::Ordering::is_lt),
        BinaryOp::LessOrEqual => compare(std::cmp::Ordering::is_le),
        BinaryOp::Greater => compare(std::cmp::Ordering::is_gt),
        BinaryOp::GreaterOrEqual => compare(std::cmp::Ordering::is_ge),
        BinaryOp::Plus => numbers(Number::plus),
        BinaryOp::Minus => numbers(Number::minus),
        BinaryOp::Times => numbers(Number::times),
        BinaryOp::Divide => numbers(Number::divided_by),
        BinaryOp::Modulo => numbers(Number::modulo),
    }
}

fn null_operand(span: Span) -> Diagnostic {
    Diagnostic::new(codes::NULL, "an operand is null").at(span)
}

fn wrong_operand(value: &Value, want: &Type, span: Span) -> Diagnostic {
    let problem = Diagnostic::new(codes::WRONG_TYPE, format!("this operator needs {}", an_type(want)))
        .labelled(span, format!("this is {}", an(value)));
    if *want == Type::Number && value.as_str().is_some() {
        problem.note("texts are joined by a template: `\"${a}${b}\"`")
    } else {
        problem
    }
}

/// Names that are compared with a wrong one at most: a file may have as many wrong ones as there are names.
const MOST_NAMES: usize = 100;

/// `value.name`.
fn attribute(value: &Value, name: &Arc<str>, span: Span) -> Result<Value, Box<Diagnostic>> {
    match value {
        Value::Object(entries) | Value::Map(_, entries) => entries.get(name).cloned().ok_or_else(|| {
            let what = if matches!(value, Value::Map(..)) {
                "this map has no element"
            } else {
                "this object has no attribute"
            };
            Box::new(
                Diagnostic::new(codes::NO_ELEMENT, format!("{what} `{name}`"))
                    .at(span)
                    .suggest(name, entries.keys().take(MOST_NAMES)),
            )
        }),
        Value::Null(_) => Err(Box::new(
            Diagnostic::new(codes::NULL, format!("there is nothing to take `{name}` from"))
                .labelled(span, "what stands before this is null"),
        )),
        other => {
            let problem = Diagnostic::new(codes::NO_ELEMENT, format!("{} has no attributes", an(other))).at(span);
            Err(Box::new(match other.elements() {
                Some(elements) if elements.iter().any(|e| e.entries().is_some_and(|e| e.contains_key(name))) => problem
                    .note(format!(
                        "its elements have: write `[*].{name}` for all of them or `[0].{name}` for the first"
                    )),
                _ => problem,
            }))
        }
    }
}

/// `collection[key]`.
fn element(collection: &Value, key: &Value, span: Span) -> Result<Value, Box<Diagnostic>> {
    let no_element = |message: String| Box::new(Diagnostic::new(codes::NO_ELEMENT, message).at(span));
    if collection.is_null() {
        return Err(Box::new(
            Diagnostic::new(codes::NULL, "there is nothing to take an element from")
                .labelled(span, "what stands before this is null"),
        ));
    }
    if key.is_null() {
        return Err(Box::new(Diagnostic::new(codes::NULL, "an index cannot be null").at(span)));
    }
    match collection {
        Value::List(_, elements) | Value::Tuple(elements) => {
            let number = match convert(key, &Type::Number) {
                Ok(Value::Number(number)) => number,
                _ => return Err(no_element(format!("an index into a list is a number, not {}", an(key)))),
            };
            let count = elements.len();
            let found = number.to_i64().and_then(|i| usize::try_from(i).ok()).and_then(|i| elements.get(i));
            found.cloned().ok_or_else(|| {
                no_element(if !number.is_integer() {
                    format!("an index into a list is a whole number, not {number}")
                } else if number.is_negative() {
                    format!("an index counts from 0 and cannot be {number}")
                } else if count == 0 {
                    "this list is empty".into()
                } else {
                    format!("there is no element {number}: the last one is {}", count - 1)
                })
            })
        }
        Value::Map(_, entries) | Value::Object(entries) => {
            let name = match convert(key, &Type::String) {
                Ok(Value::String(name)) => name,
                _ => return Err(no_element(format!("a key is a text, not {}", an(key)))),
            };
            entries.get(&name).cloned().ok_or_else(|| {
                let problem = Diagnostic::new(codes::NO_ELEMENT, format!("there is no element {name:?}")).at(span);
                Box::new(problem.suggest(&name, entries.keys().take(MOST_NAMES)))
            })
        }
        Value::Set(..) => Err(Box::new(
            (*no_element("the elements of a set have no index".into())).note("go through them with `for` or `[*]`"),
        )),
        other => Err(no_element(format!("{} has no elements", an(other)))),
    }
}

/// A value with its article, for messages.
fn an(value: &Value) -> String {
    match value {
        Value::Null(_) => "null".into(),
        other => an_type(&other.ty()),
    }
}

fn an_type(ty: &Type) -> String {
    let name = ty.name();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// Converts a value at a place, reporting when it cannot be.
pub fn convert_at(
    value: &Value,
    want: &Type,
    span: Span,
    what: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    match convert(value, want) {
        Ok(value) => Some(value),
        Err(why) => {
            let have = value.ty();
            let why = if why.is_empty() { mismatch(&have, want) } else { why };
            diagnostics.push(
                Diagnostic::new(codes::WRONG_TYPE, format!("{what} must be {}", an_type(want))).labelled(span, why),
            );
            None
        }
    }
}
