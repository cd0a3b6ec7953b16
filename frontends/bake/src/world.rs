//! Evaluation of bake's blocks: variables, functions, matrices and the arguments of targets, each when it is needed and
//! once.
//!
//! What a value needs is read off its expression before it is evaluated, branches that are not taken included, and
//! prepared first. That walk keeps its own stack, so a chain of any length needs no recursion, and it finds circles.

use crate::Environment;
use crate::arguments::{self, Argument};
use crate::csv;
use crate::forms;
use rbc_hcl::ast::{Attribute, Block, Body, Expr, ExprKind, Step, Use};
use rbc_hcl::{
    Callable, Entries, Function, Host, Lookup, Number, Scope, Type, Value, convert, evaluate, has_function,
    json_decode_as, json_encode, json_encode_as, parse_type,
};
use rbc_source::{Diagnostic, Frame, Span, bake as codes, closest, go_bool};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

type Name = Arc<str>;

/// Combinations that one matrix makes at most.
const MOST_COMBINATIONS: usize = 100_000;

/// So many wrong names are compared with the known ones; it takes time in the number of both.
pub(crate) const MOST_HINTS: usize = 100;

/// A block of a kind that can be referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Group,
    Target,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Group => "group",
            Kind::Target => "target",
        }
    }
}

/// A block, or one combination of a block's matrix.
pub(crate) struct Instance<'b> {
    pub kind: Kind,
    pub block: &'b Block,
    /// Its name: the label, or what `name` gives.
    pub name: Name,
    /// Values of the matrix.
    pub locals: Vec<(Name, Value)>,
    /// Arguments of the block, in its order.
    slots: RefCell<Vec<Slot<Argument>>>,
}

#[derive(Clone)]
enum Slot<T> {
    Waiting,
    Underway,
    Done(T),
    Failed,
}

/// A variable as `--list=variables` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: Name,
    /// Its type, if it declares one: `list of string`.
    pub ty: Option<String>,
    /// Its value as JSON, a text without quotes; none if it is null.
    pub value: Option<String>,
    /// What it is for.
    pub description: String,
    /// Where it is declared.
    pub span: Span,
}

/// Something to be prepared before a value that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    Value(Name),
    Function(Name),
    /// An argument of an instance.
    Argument(usize, usize),
}

/// To whom a fault belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// To the files as a whole: variables, functions, names.
    Global,
    /// To an instance: it cannot be built.
    Instance(usize),
}

/// All blocks of all files, and what is known of their values.
pub(crate) struct World<'b> {
    env: &'b Environment,
    host: &'b dyn Host,
    variables: HashMap<Name, &'b Block>,
    attributes: HashMap<Name, &'b Attribute>,
    functions: HashMap<Name, &'b Block>,
    /// Declarations in their order.
    variable_order: Vec<Name>,
    attribute_order: Vec<Name>,
    function_order: Vec<Name>,
    blocks: Vec<(Kind, &'b Block)>,
    pub instances: Vec<Instance<'b>>,
    by_name: HashMap<(Kind, Name), Vec<usize>>,
    /// Blocks can be referred to only after their names are known.
    blocks_ready: Cell<bool>,
    values: RefCell<HashMap<Name, Slot<Value>>>,
    types: RefCell<HashMap<Name, Type>>,
    made_functions: RefCell<HashMap<Name, Slot<Arc<Function>>>>,
    faults: RefCell<Vec<(Owner, Diagnostic)>>,
    /// Wrong names so far.
    hints: Cell<usize>,
    /// Instances that cannot be built because another cannot.
    failed_with: RefCell<Vec<(usize, usize)>>,
}

impl<'b> World<'b> {
    /// Takes the blocks of all files in, in order.
    pub(crate) fn new(bodies: &'b [Body], env: &'b Environment, host: &'b dyn Host) -> Self {
        let mut world = World {
            env,
            host,
            variables: HashMap::new(),
            attributes: HashMap::new(),
            functions: HashMap::new(),
            variable_order: Vec::new(),
            attribute_order: Vec::new(),
            function_order: Vec::new(),
            blocks: Vec::new(),
            instances: Vec::new(),
            by_name: HashMap::new(),
            blocks_ready: Cell::new(false),
            values: RefCell::default(),
            types: RefCell::default(),
            made_functions: RefCell::default(),
            faults: RefCell::default(),
            hints: Cell::new(0),
            failed_with: RefCell::default(),
        };
        for (name, value) in env.builtins() {
            world.values.borrow_mut().insert(name.into(), Slot::Done(Value::string(value)));
        }
        for body in bodies {
            world.collect(body);
        }
        world
    }

    fn collect(&mut self, body: &'b Body) {
        for block in &body.blocks {
            let labels = block.labels.len();
            let wanted = match &*block.kind {
                "target" | "group" | "variable" | "function" => 1,
                _ => {
                    self.unknown_block(block, &["target", "group", "variable", "function"], None);
                    continue;
                }
            };
            if labels != wanted {
                let message = format!("a `{}` block has one name", block.kind);
                let problem =
                    Diagnostic::new(codes::NAME, message).at(block.labels.get(1).map_or(block.kind_span, |l| l.span));
                let example = format!("write `{} \"name\" {{`", block.kind);
                self.report(Owner::Global, if labels == 0 { problem.note(example) } else { problem });
                continue;
            }
            let name = block.labels[0].text.clone();
            let reserved = self.is_reserved(&name);
            let (declared, order) = match &*block.kind {
                "target" => {
                    self.blocks.push((Kind::Target, block));
                    continue;
                }
                "group" => {
                    self.blocks.push((Kind::Group, block));
                    continue;
                }
                "variable" => (&mut self.variables, &mut self.variable_order),
                _ => (&mut self.functions, &mut self.function_order),
            };
            if !reserved && declared.insert(name.clone(), block).is_none() {
                order.push(name);
            }
        }
        for attribute in &body.attributes {
            if self.is_reserved(&attribute.name) || &*attribute.name == "function" {
                continue;
            }
            if self.attributes.insert(attribute.name.clone(), attribute).is_none() {
                self.attribute_order.push(attribute.name.clone());
            }
        }
    }

    fn is_reserved(&self, name: &str) -> bool {
        name == "target" || name == "group" || self.env.builtins().iter().any(|(n, _)| *n == name)
    }

    /// Whether another wrong name is compared with the known ones.
    fn may_hint(&self) -> bool {
        self.hints.set(self.hints.get() + 1);
        self.hints.get() <= MOST_HINTS
    }

    fn report(&self, owner: Owner, diagnostic: Diagnostic) {
        self.faults.borrow_mut().push((owner, diagnostic));
    }

    fn report_all(&self, owner: Owner, diagnostics: Vec<Diagnostic>) {
        self.faults.borrow_mut().extend(diagnostics.into_iter().map(|d| (owner, d)));
    }

    fn unknown_block(&self, block: &Block, known: &[&str], hint: Option<String>) {
        let mut problem = Diagnostic::new(codes::UNKNOWN_BLOCK, format!("there are no `{}` blocks here", block.kind))
            .labelled(block.head(), "this has no effect")
            .suggest(&block.kind, known);
        problem.notes.extend(hint);
        self.report(Owner::Global, problem);
    }

    fn unknown_argument(&self, attribute: &Attribute, place: &str, known: &[&str]) {
        let message = format!("a {place} has no argument `{}`", attribute.name);
        let mut problem =
            Diagnostic::new(codes::UNKNOWN_ARGUMENT, message).labelled(attribute.name_span, "this has no effect");
        if let Some(near) = closest(&attribute.name, known) {
            let edit = rbc_source::Edit { span: attribute.name_span, text: near.clone() };
            problem = problem.note(format!("did you mean `{near}`?")).fix(
                format!("write `{near}`"),
                vec![edit],
                rbc_source::Applicability::Unsafe,
            );
        }
        self.report(Owner::Global, problem);
    }

    /// Evaluates everything.
    pub(crate) fn evaluate(&mut self) {
        for name in &self.variable_order {
            self.prepare(Node::Value(name.clone()), None);
        }
        for name in &self.function_order {
            self.prepare(Node::Function(name.clone()), None);
        }
        for name in &self.variable_order {
            self.check_variable_block(name);
        }
        self.instances = self.name_instances();
        for (i, instance) in self.instances.iter().enumerate() {
            self.by_name.entry((instance.kind, instance.name.clone())).or_default().push(i);
        }
        self.blocks_ready.set(true);
        for (kind, block) in &self.blocks {
            self.check_block(*kind, block);
        }
        for (i, instance) in self.instances.iter().enumerate() {
            for slot in 0..instance.block.body.attributes.len() {
                self.prepare(Node::Argument(i, slot), None);
            }
        }
        for name in &self.attribute_order {
            self.prepare(Node::Value(name.clone()), None);
        }
    }

    /// Faults so far, in order of discovery, each with its owner.
    pub(crate) fn take_faults(&self) -> Vec<(Owner, Diagnostic)> {
        self.faults.take()
    }

    /// Pairs of instances: the first cannot be built because the second cannot.
    pub(crate) fn take_failed_with(&self) -> Vec<(usize, usize)> {
        self.failed_with.take()
    }

    /// All variables, by name.
    pub(crate) fn list_variables(&self) -> Vec<Variable> {
        let values = self.values.borrow();
        let types = self.types.borrow();
        let mut out: Vec<Variable> = self
            .variables
            .iter()
            .map(|(name, block)| {
                let ty = types.get(name);
                let value = match values.get(name) {
                    Some(Slot::Done(value)) if !value.is_null() => shown(value, ty),
                    _ => None,
                };
                Variable {
                    name: name.clone(),
                    ty: ty.map(Type::constraint_name),
                    value,
                    description: self.description_of(block),
                    span: block.head(),
                }
            })
            .collect();
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    fn description_of(&self, block: &Block) -> String {
        let Some(attribute) = block.body.attribute("description") else { return String::new() };
        match &attribute.value.kind {
            ExprKind::Literal(value) => {
                convert(value, &Type::String).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
            }
            ExprKind::Quoted { text, .. } => text.to_string(),
            _ => evaluate(&attribute.value, &self.global(), &mut Vec::new())
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default(),
        }
    }

    fn global(&self) -> Sight<'_, 'b> {
        Sight { world: self, locals: &[] }
    }

    // ---- the walk over what needs what

    fn state(&self, node: &Node) -> State {
        fn of<T>(slot: Option<&Slot<T>>) -> State {
            match slot {
                None | Some(Slot::Waiting) => State::Waiting,
                Some(Slot::Underway) => State::Underway,
                Some(Slot::Done(_)) => State::Done,
                Some(Slot::Failed) => State::Failed,
            }
        }
        match node {
            Node::Value(name) => of(self.values.borrow().get(name)),
            Node::Function(name) => of(self.made_functions.borrow().get(name)),
            Node::Argument(i, slot) => {
                self.instances.get(*i).map_or(State::Failed, |i| of(i.slots.borrow().get(*slot)))
            }
        }
    }

    fn begin(&self, node: &Node) {
        match node {
            Node::Value(name) => {
                self.values.borrow_mut().insert(name.clone(), Slot::Underway);
            }
            Node::Function(name) => {
                self.made_functions.borrow_mut().insert(name.clone(), Slot::Underway);
            }
            Node::Argument(i, slot) => {
                if let Some(instance) = self.instances.get(*i)
                    && let Some(slot) = instance.slots.borrow_mut().get_mut(*slot)
                {
                    *slot = Slot::Underway;
                }
            }
        }
    }

    /// Evaluates a node after all that it needs.
    fn prepare(&self, start: Node, from: Option<Span>) {
        if self.state(&start) != State::Waiting {
            return;
        }
        struct Level {
            node: Node,
            needs: std::vec::IntoIter<(Node, Span)>,
            at: Option<Span>,
        }
        self.begin(&start);
        let needs = self.needs(&start).into_iter();
        let mut stack = vec![Level { node: start, needs, at: from }];
        while let Some(level) = stack.last_mut() {
            let Some((next, span)) = level.needs.next() else {
                let node = level.node.clone();
                stack.pop();
                self.complete(&node);
                continue;
            };
            match self.state(&next) {
                State::Done => {}
                State::Failed => self.fails_with(&level.node, &next),
                State::Underway => {
                    let start = stack.iter().position(|l| l.node == next).unwrap_or(0);
                    let mut circle: Vec<(&Node, Span)> =
                        stack[start..].iter().skip(1).filter_map(|l| Some((&l.node, l.at?))).collect();
                    circle.push((&next, span));
                    self.report_circle(&next, &circle, &stack.iter().map(|l| l.node.clone()).collect::<Vec<_>>());
                }
                State::Waiting => {
                    self.begin(&next);
                    let needs = self.needs(&next).into_iter();
                    stack.push(Level { node: next, needs, at: Some(span) });
                }
            }
        }
    }

    fn fails_with(&self, node: &Node, needed: &Node) {
        if let (Node::Argument(i, _), Node::Argument(j, _)) = (node, needed)
            && i != j
        {
            self.failed_with.borrow_mut().push((*i, *j));
        }
    }

    fn report_circle(&self, node: &Node, circle: &[(&Node, Span)], stack: &[Node]) {
        let Some((_, last)) = circle.last() else { return };
        let mut problem = Diagnostic::new(codes::CYCLE, format!("{} needs itself", self.describe(node)))
            .labelled(*last, "here the circle closes");
        for (step, span) in &circle[..circle.len() - 1] {
            problem = problem.also(*span, format!("by way of {}", self.describe(step)));
        }
        let owners: Vec<usize> =
            stack.iter().filter_map(|n| if let Node::Argument(i, _) = n { Some(*i) } else { None }).collect();
        match owners.first() {
            Some(first) if matches!(node, Node::Argument(..)) => {
                for pair in owners.windows(2) {
                    self.failed_with.borrow_mut().push((pair[0], pair[1]));
                    self.failed_with.borrow_mut().push((pair[1], pair[0]));
                }
                self.report(Owner::Instance(*first), problem);
            }
            _ => self.report(Owner::Global, problem),
        }
        for node in stack {
            if circle.iter().any(|(n, _)| *n == node) || circle.len() == 1 {
                self.fail(node);
            }
        }
    }

    fn describe(&self, node: &Node) -> String {
        match node {
            Node::Value(name) if self.variables.contains_key(name) => format!("the variable `{name}`"),
            Node::Value(name) => format!("`{name}`"),
            Node::Function(name) => format!("the function `{name}`"),
            Node::Argument(i, slot) => match self.instances.get(*i) {
                Some(instance) => {
                    let argument = instance.block.body.attributes.get(*slot).map_or("", |a| &a.name);
                    format!("`{}.{}.{argument}`", instance.kind.name(), instance.name)
                }
                None => "this".into(),
            },
        }
    }

    /// What a node refers to. References that are wrong as they are written are reported.
    fn needs(&self, node: &Node) -> Vec<(Node, Span)> {
        match node {
            Node::Value(name) => match (self.attributes.get(name), self.variables.get(name)) {
                (Some(attribute), _) => self.needs_of(&attribute.value, &[], Owner::Global),
                (None, Some(block)) => match block.body.attribute("default") {
                    Some(default) => self.needs_of(&default.value, &[], Owner::Global),
                    None => Vec::new(),
                },
                (None, None) => Vec::new(),
            },
            Node::Function(name) => {
                let Some(block) = self.functions.get(name) else { return Vec::new() };
                let Some(result) = block.body.attribute("result") else { return Vec::new() };
                let params: Vec<(Name, Value)> =
                    self.params(block).0.into_iter().map(|name| (name, Value::null())).collect();
                self.needs_of(&result.value, &params, Owner::Global)
            }
            Node::Argument(i, slot) => {
                let Some(instance) = self.instances.get(*i) else { return Vec::new() };
                let Some(attribute) = instance.block.body.attributes.get(*slot) else { return Vec::new() };
                if !is_argument(instance.kind, &attribute.name) {
                    return Vec::new();
                }
                self.needs_of(&attribute.value, &instance.locals, Owner::Instance(*i))
            }
        }
    }

    fn needs_of(&self, expr: &Expr, locals: &[(Name, Value)], owner: Owner) -> Vec<(Node, Span)> {
        if matches!(expr.kind, ExprKind::Literal(_)) {
            return Vec::new();
        }
        let mut out = Vec::new();
        expr.uses(&mut |used| match used {
            Use::Function(name, span) => {
                if !has_function(name) && self.functions.contains_key(name) {
                    out.push((Node::Function(name.clone()), span));
                }
            }
            Use::Variable(root, span, steps) => {
                let kind = match &**root {
                    "target" => Kind::Target,
                    "group" => Kind::Group,
                    _ => {
                        let known = self.attributes.contains_key(root) || self.variables.contains_key(root);
                        if known && !locals.iter().any(|(n, _)| n == root) {
                            out.push((Node::Value(root.clone()), span));
                        }
                        return;
                    }
                };
                if self.blocks_ready.get() {
                    self.needs_of_block(kind, span, steps, owner, &mut out);
                }
            }
        });
        out
    }

    fn needs_of_block(&self, kind: Kind, span: Span, steps: &[Step], owner: Owner, out: &mut Vec<(Node, Span)>) {
        let Some(Step::Attr(name, name_span)) = steps.first() else {
            let message = format!("`{0}` is referred to by name and argument: `{0}.NAME.ARGUMENT`", kind.name());
            self.report(owner, Diagnostic::new(codes::VALUE, message).at(span));
            return;
        };
        let Some(found) = self.by_name.get(&(kind, name.clone())) else { return };
        for &i in found {
            let body = &self.instances[i].block.body;
            for (slot, attribute) in body.attributes.iter().enumerate() {
                let wanted = match steps.get(1) {
                    Some(Step::Attr(argument, _)) => attribute.name == *argument,
                    _ => true,
                };
                if wanted {
                    out.push((Node::Argument(i, slot), span.join(*name_span)));
                }
            }
        }
    }

    fn fail(&self, node: &Node) {
        match node {
            Node::Value(name) => {
                self.values.borrow_mut().insert(name.clone(), Slot::Failed);
            }
            Node::Function(name) => {
                self.made_functions.borrow_mut().insert(name.clone(), Slot::Failed);
            }
            Node::Argument(i, slot) => {
                if let Some(instance) = self.instances.get(*i)
                    && let Some(slot) = instance.slots.borrow_mut().get_mut(*slot)
                {
                    *slot = Slot::Failed;
                }
            }
        }
    }

    /// Evaluates a node whose needs are met.
    fn complete(&self, node: &Node) {
        if self.state(node) == State::Failed {
            return;
        }
        match node {
            Node::Value(name) => {
                let slot = self.value_of(name).map_or(Slot::Failed, Slot::Done);
                self.values.borrow_mut().insert(name.clone(), slot);
            }
            Node::Function(name) => {
                let slot = self.make_function(name).map_or(Slot::Failed, |f| Slot::Done(Arc::new(f)));
                self.made_functions.borrow_mut().insert(name.clone(), slot);
            }
            Node::Argument(i, slot) => {
                let Some(instance) = self.instances.get(*i) else { return };
                let done = match instance.block.body.attributes.get(*slot) {
                    Some(attribute) => self.argument_of(*i, instance, attribute).map_or(Slot::Failed, Slot::Done),
                    None => Slot::Failed,
                };
                if let Some(slot) = instance.slots.borrow_mut().get_mut(*slot) {
                    *slot = done;
                }
            }
        }
    }

    // ---- variables

    /// The value of a variable or of an argument at the top of a file.
    fn value_of(&self, name: &Name) -> Option<Value> {
        let variable = self.variables.get(name).copied();
        let mut faults = Vec::new();
        let (default, ty) = match (self.attributes.get(name), variable) {
            (Some(attribute), _) => (Some(&attribute.value), None),
            (None, Some(block)) => {
                let ty = match block.body.attribute("type").map(|a| &a.value) {
                    Some(expr) if !expr_is_null(expr) => {
                        let parsed = parse_type(expr, &mut faults);
                        self.report_all(Owner::Global, std::mem::take(&mut faults));
                        Some(parsed?)
                    }
                    _ => None,
                };
                (block.body.attribute("default").map(|a| &a.value), ty)
            }
            (None, None) => return None,
        };
        if let (Some(ty), true) = (&ty, variable.is_some()) {
            self.types.borrow_mut().insert(name.clone(), ty.clone());
        }
        let given = variable.and_then(|_| self.given(name, ty.is_some()));
        let mut value = match default {
            None if given.is_none() => {
                return Some(ty.map_or(Value::from(""), |ty| Value::Null(ty.exact())));
            }
            None => None,
            Some(expr) => {
                let value = evaluate(expr, &self.global(), &mut faults);
                self.report_all(Owner::Global, std::mem::take(&mut faults));
                let value = value?;
                Some(match &ty {
                    None => value,
                    Some(ty) => match convert(&value, ty) {
                        Ok(value) => value,
                        Err(why) => {
                            let message = format!("the default of the variable `{name}` does not fit its type `{ty}`");
                            self.report(
                                Owner::Global,
                                Diagnostic::new(codes::VARIABLE, message).labelled(expr.span, why),
                            );
                            return None;
                        }
                    },
                })
            }
        };
        if let Some((from, text, json)) = given {
            match self.overridden(ty.as_ref(), value.as_ref(), &text, json) {
                Ok(new) => value = Some(new),
                Err(why) => {
                    let message = format!("{from} does not fit the variable `{name}`: {why}");
                    let mut problem = Diagnostic::new(codes::VARIABLE, message);
                    if let Some(block) = variable {
                        problem = problem.labelled(block.head(), "declared here");
                    }
                    self.report(Owner::Global, problem);
                    return None;
                }
            }
        }
        value
    }

    /// The text that a flag or the environment gives for a variable, from where, and whether it is JSON.
    fn given(&self, name: &str, typed: bool) -> Option<(String, String, bool)> {
        let plain = self.env.lookup(name).map(|(from, text)| (from, text, false));
        if plain.is_some() && !typed {
            return plain;
        }
        let json = format!("{name}_JSON");
        if self.variables.contains_key(&*json) || self.env.builtins().iter().any(|(n, _)| *n == json) {
            return plain;
        }
        self.env.lookup(&json).map(|(from, text)| (from, text, true)).or(plain)
    }

    /// A variable's value from a text: JSON or CSV for a type that is no primitive.
    fn overridden(&self, ty: Option<&Type>, default: Option<&Value>, text: &str, json: bool) -> Result<Value, String> {
        match (ty, default.map(Value::ty)) {
            (Some(ty), _) if json => json_decode_as(text, ty),
            (Some(ty @ (Type::List(_) | Type::Set(_) | Type::Tuple(_) | Type::Map(_))), _) => from_csv(text, ty),
            (Some(ty), _) if ty.is_primitive() => primitive(text, ty),
            (Some(ty), _) => Err(format!(
                "a value of type `{ty}` can only be given as JSON, by a variable with `_JSON` behind its name"
            )),
            (None, None | Some(Type::Any)) => Ok(Value::string(text)),
            (None, Some(ty)) if ty.is_primitive() => primitive(text, &ty),
            (None, Some(ty)) => Err(format!(
                "its default is {}, and only a variable with a `type` can take one from outside",
                ty.name()
            )),
        }
    }

    /// Conditions and unknown arguments of a variable.
    fn check_variable_block(&self, name: &Name) {
        let Some(block) = self.variables.get(name) else { return };
        const KNOWN: [&str; 3] = ["default", "description", "type"];
        for attribute in &block.body.attributes {
            if !KNOWN.contains(&&*attribute.name) {
                let mut known = KNOWN.to_vec();
                known.push("validation");
                self.unknown_argument(attribute, "variable", &known);
            }
        }
        for inner in &block.body.blocks {
            if &*inner.kind == "validation" {
                self.validate(name, inner);
            } else {
                self.unknown_block(inner, &["validation"], None);
            }
        }
    }

    fn validate(&self, name: &Name, block: &Block) {
        for attribute in &block.body.attributes {
            if !matches!(&*attribute.name, "condition" | "error_message") {
                let message = format!("a validation has no argument `{}`", attribute.name);
                let problem = Diagnostic::new(codes::VALIDATION, message).at(attribute.name_span);
                self.report(Owner::Global, problem.suggest(&attribute.name, ["condition", "error_message"]));
            }
        }
        let Some(condition) = block.body.attribute("condition").map(|a| &a.value) else {
            let problem = Diagnostic::new(codes::MISSING, "a validation needs a `condition`");
            self.report(Owner::Global, problem.at(block.head()));
            return;
        };
        for (node, span) in self.needs_of(condition, &[], Owner::Global) {
            self.prepare(node, Some(span));
        }
        let mut faults = Vec::new();
        let value = evaluate(condition, &self.global(), &mut faults);
        self.report_all(Owner::Global, faults);
        let Some(value) = value else { return };
        match convert(&value, &Type::Bool) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => {
                let message = block.body.attribute("error_message").and_then(|a| {
                    for (node, span) in self.needs_of(&a.value, &[], Owner::Global) {
                        self.prepare(node, Some(span));
                    }
                    let value = evaluate(&a.value, &self.global(), &mut Vec::new())?;
                    value.as_str().map(str::to_owned)
                });
                let message =
                    message.unwrap_or_else(|| format!("the variable `{name}` has a value that it cannot have"));
                let problem = Diagnostic::new(codes::VALIDATION, message.trim_end_matches('.').to_owned());
                self.report(Owner::Global, problem.labelled(condition.span, format!("`{name}` does not satisfy this")));
            }
            _ => {
                let message = format!("a condition is true or false, not {}", value.describe());
                self.report(Owner::Global, Diagnostic::new(codes::VALIDATION, message).at(condition.span));
            }
        }
    }

    // ---- functions

    /// Names of the parameters of a function block, the variadic one last; and whether there is such.
    fn params(&self, block: &Block) -> (Vec<Name>, bool) {
        let mut names = Vec::new();
        if let Some(params) = block.body.attribute("params") {
            names.extend(params.value.as_list().unwrap_or_default().iter().filter_map(Expr::keyword));
        }
        let variadic = block.body.attribute("variadic_params").and_then(|a| a.value.keyword());
        let has_variadic = variadic.is_some();
        names.extend(variadic);
        (names, has_variadic)
    }

    fn make_function(&self, name: &Name) -> Option<Function> {
        let block = self.functions.get(name)?;
        let wrong = |span: Span, message: String| {
            self.report(Owner::Global, Diagnostic::new(codes::FUNCTION, message).at(span));
        };
        let mut complete = true;
        for attribute in &block.body.attributes {
            if !matches!(&*attribute.name, "params" | "variadic_params" | "result") {
                let message = format!("a function has no argument `{}`", attribute.name);
                let problem = Diagnostic::new(codes::FUNCTION, message).at(attribute.name_span);
                self.report(Owner::Global, problem.suggest(&attribute.name, ["params", "variadic_params", "result"]));
                complete = false;
            }
        }
        for inner in &block.body.blocks {
            wrong(inner.head(), format!("a function has no `{}` blocks", inner.kind));
            complete = false;
        }
        if has_function(name) {
            let message = format!("`{name}` is a function of the library, which is used instead of this one");
            let problem = Diagnostic::new(codes::UNKNOWN_BLOCK, message);
            self.report(Owner::Global, problem.labelled(block.head(), "this has no effect"));
        }
        let Some(params) = block.body.attribute("params") else {
            wrong(block.head(), format!("the function `{name}` needs `params`: the names of its parameters"));
            return None;
        };
        let Some(result) = block.body.attribute("result") else {
            wrong(block.head(), format!("the function `{name}` needs a `result`"));
            return None;
        };
        let Some(list) = params.value.as_list() else {
            wrong(params.value.span, "`params` is a list of names: `[a, b]`".into());
            return None;
        };
        for param in list {
            if param.keyword().is_none() {
                wrong(param.span, "a parameter is a plain name".into());
                complete = false;
            }
        }
        if let Some(variadic) = block.body.attribute("variadic_params")
            && variadic.value.keyword().is_none()
        {
            wrong(variadic.value.span, "`variadic_params` is one plain name".into());
            complete = false;
        }
        let (mut names, has_variadic) = self.params(block);
        if complete {
            complete = self.check_uses(name, &result.value, &names);
        }
        let variadic = if has_variadic { names.pop() } else { None };
        complete.then(|| Function { params: names, variadic, result: result.value.clone() })
    }

    /// Within a function every name must exist, wherever it stands.
    fn check_uses(&self, function: &Name, body: &Expr, params: &[Name]) -> bool {
        let mut complete = true;
        body.uses(&mut |used| {
            let problem = match used {
                Use::Function(name, span) if !has_function(name) && !self.functions.contains_key(name) => {
                    let known = rbc_hcl::function_names().map(Name::from).chain(self.functions.keys().cloned());
                    let known = known.take(if self.may_hint() { usize::MAX } else { 0 });
                    Diagnostic::new(rbc_source::hcl::UNKNOWN_FUNCTION, format!("there is no function `{name}`"))
                        .at(span)
                        .suggest(name, known)
                }
                Use::Variable(name, span, _) if !params.contains(name) && !self.exists(name) => {
                    let known = params.iter().chain(self.variables.keys()).chain(self.attributes.keys());
                    let known = known.take(if self.may_hint() { usize::MAX } else { 0 });
                    Diagnostic::new(rbc_source::hcl::UNKNOWN_VARIABLE, format!("there is no variable `{name}`"))
                        .at(span)
                        .suggest(name, known)
                }
                _ => return,
            };
            complete = false;
            let block = self.functions.get(function).map_or(body.span, |b| b.head());
            self.report(Owner::Global, problem.within(block, format!("while declaring the function `{function}`")));
        });
        complete
    }

    fn exists(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
            || self.variables.contains_key(name)
            || self.values.borrow().contains_key(name)
    }

    // ---- blocks

    /// One instance a block, or one for each combination of its matrix.
    fn name_instances(&self) -> Vec<Instance<'b>> {
        let mut out = Vec::with_capacity(self.blocks.len());
        for &(kind, block) in &self.blocks {
            let label = &block.labels[0];
            if !is_name(&label.text) {
                self.report(Owner::Global, wrong_name(&label.text).at(label.span));
                continue;
            }
            let matrix = block.body.attribute("matrix");
            let name = block.body.attribute("name");
            if kind == Kind::Group {
                for attribute in [matrix, name].into_iter().flatten() {
                    let message = format!("a group cannot have `{}`", attribute.name);
                    self.report(Owner::Global, Diagnostic::new(codes::MATRIX, message).at(attribute.name_span));
                }
            }
            let ((None, None) | (Some(_), _)) = (matrix, name) else {
                if kind == Kind::Target
                    && let Some(name) = name
                {
                    let problem =
                        Diagnostic::new(codes::MATRIX, "`name` makes names for a `matrix`, and there is none");
                    self.report(
                        Owner::Global,
                        problem.at(name.name_span).note("a target without a matrix has the name of its block"),
                    );
                }
                continue;
            };
            let combinations = match matrix.filter(|_| kind == Kind::Target) {
                Some(matrix) => match self.combinations(&matrix.value) {
                    Some(combinations) => combinations,
                    None => continue,
                },
                None => vec![Vec::new()],
            };
            let mut seen: HashMap<Name, ()> = HashMap::new();
            for locals in combinations {
                let own = match name.filter(|_| matrix.is_some()) {
                    Some(name) => match self.computed_name(&name.value, &locals) {
                        Some(own) => own,
                        None => break,
                    },
                    None => label.text.clone(),
                };
                if seen.insert(own.clone(), ()).is_some() {
                    let problem =
                        Diagnostic::new(codes::NAME, format!("two combinations of the matrix have the name `{own}`"));
                    let place = name.map_or(label.span, |n| n.value.span);
                    let problem = problem.at(place);
                    self.report(
                        Owner::Global,
                        match name {
                            None => problem.note("give each a name of its own: `name = \"app-${version}\"`"),
                            Some(_) => problem.note("use all keys of the matrix in the name"),
                        },
                    );
                    break;
                }
                let slots = RefCell::new(vec![Slot::Waiting; block.body.attributes.len()]);
                out.push(Instance { kind, block, name: own, locals, slots });
            }
        }
        out
    }

    /// All combinations of a matrix; the first key, by name, varies fastest.
    fn combinations(&self, expr: &Expr) -> Option<Vec<Vec<(Name, Value)>>> {
        let value = self.evaluate_now(expr, &[])?;
        let wrong = |message: String| {
            self.report(Owner::Global, Diagnostic::new(codes::MATRIX, message).at(expr.span));
            None
        };
        let Some(entries) = value.entries() else {
            return wrong(format!("a matrix is a map of lists, not {}", value.describe()));
        };
        let mut out: Vec<Vec<(Name, Value)>> = vec![Vec::new()];
        for (key, values) in entries {
            let Some(values) = values.iterate() else {
                return wrong(format!("`{key}` of the matrix must be a list, not {}", values.describe()));
            };
            if out.len().saturating_mul(values.len()) > MOST_COMBINATIONS {
                return wrong(format!("the matrix has more than {MOST_COMBINATIONS} combinations"));
            }
            let mut wider = Vec::with_capacity(out.len() * values.len());
            for (_, value) in &values {
                for combination in &out {
                    let mut longer = combination.clone();
                    longer.push((key.clone(), value.clone()));
                    wider.push(longer);
                }
            }
            out = wider;
        }
        Some(out)
    }

    fn computed_name(&self, expr: &Expr, locals: &[(Name, Value)]) -> Option<Name> {
        let value = self.evaluate_now(expr, locals)?;
        match convert(&value, &Type::String) {
            Ok(Value::String(name)) if is_name(&name) => Some(name),
            Ok(Value::String(name)) => {
                self.report(
                    Owner::Global,
                    wrong_name(&name).at(expr.span).note("`sanitize(x)` replaces what cannot be in a name"),
                );
                None
            }
            _ => {
                let message = format!("a name is a text, not {}", value.describe());
                self.report(Owner::Global, Diagnostic::new(codes::NAME, message).at(expr.span));
                None
            }
        }
    }

    /// Prepares what an expression needs and evaluates it.
    fn evaluate_now(&self, expr: &Expr, locals: &[(Name, Value)]) -> Option<Value> {
        for (node, span) in self.needs_of(expr, locals, Owner::Global) {
            self.prepare(node, Some(span));
        }
        let mut faults = Vec::new();
        let value = evaluate(expr, &Sight { world: self, locals }, &mut faults);
        self.report_all(Owner::Global, faults);
        value
    }

    /// Reports what has no effect in a block.
    fn check_block(&self, kind: Kind, block: &Block) {
        for attribute in &block.body.attributes {
            match kind {
                Kind::Target
                    if !arguments::is_known(&attribute.name) && !matches!(&*attribute.name, "matrix" | "name") =>
                {
                    let known: Vec<&str> = arguments::names().chain(["matrix", "name"]).collect();
                    self.unknown_argument(attribute, "target", &known);
                }
                Kind::Group if !matches!(&*attribute.name, "targets" | "description" | "matrix" | "name") => {
                    self.unknown_argument(attribute, "group", &["targets", "description"]);
                }
                _ => {}
            }
        }
        for inner in &block.body.blocks {
            let argument = arguments::is_known(&inner.kind) && kind == Kind::Target;
            let hint = argument.then(|| format!("`{0}` is an argument: write `{0} = {{`", inner.kind));
            self.unknown_block(inner, &[], hint);
        }
    }

    fn argument_of(&self, i: usize, instance: &Instance<'b>, attribute: &Attribute) -> Option<Argument> {
        if !is_argument(instance.kind, &attribute.name) {
            return Some(Argument::Unset);
        }
        let owner = Owner::Instance(i);
        let mut faults = Vec::new();
        let sight = Sight { world: self, locals: &instance.locals };
        let value = evaluate(&attribute.value, &sight, &mut faults);
        let argument = value.and_then(|value| match instance.kind {
            Kind::Target => arguments::read(&attribute.name, &value, &attribute.value, &mut faults),
            Kind::Group if &*attribute.name == "description" => {
                arguments::read("description", &value, &attribute.value, &mut faults)
            }
            // Members of a group are read as any list of texts.
            Kind::Group => arguments::read("tags", &value, &attribute.value, &mut faults).filter(|a| {
                let set = matches!(a, Argument::Texts(_));
                if !set {
                    faults.push(Diagnostic::new(codes::VALUE, "`targets` of a group is null").at(attribute.value.span));
                }
                set
            }),
        });
        if !instance.locals.is_empty() {
            let message = format!("while evaluating `{}` of the matrix", instance.name);
            for fault in &mut faults {
                fault.trace.insert(0, Frame { span: instance.block.head(), message: message.clone() });
            }
        }
        self.report_all(owner, faults);
        argument
    }

    /// All arguments of an instance that were read, taken out of it.
    pub(crate) fn take_arguments(&self, i: usize) -> Vec<(Name, Argument, Span)> {
        let Some(instance) = self.instances.get(i) else { return Vec::new() };
        let slots = instance.slots.take();
        let attributes = &instance.block.body.attributes;
        slots
            .into_iter()
            .zip(attributes)
            .filter_map(|(slot, attribute)| match slot {
                Slot::Done(argument) => Some((attribute.name.clone(), argument, attribute.value.span)),
                _ => None,
            })
            .collect()
    }

    /// What `target.NAME` or `group.NAME` is, with one more step if that is an argument.
    fn block_value(&self, kind: Kind, steps: &[Step]) -> Lookup {
        if !self.blocks_ready.get() {
            return Lookup::Unknown;
        }
        let Some(Step::Attr(name, _)) = steps.first() else { return Lookup::Failed };
        let Some(&i) = self.by_name.get(&(kind, name.clone())).and_then(|all| all.last()) else {
            // An object of the name that may be meant says best what is there.
            let names = self.by_name.keys().filter(|(k, _)| *k == kind).map(|(_, n)| n);
            let near = self.may_hint().then(|| closest(name, names)).flatten();
            let near = near.map(|n| (n.into(), Value::null())).into_iter().collect();
            return Lookup::Found(Value::object(near), 0);
        };
        let value = |argument: &str| -> Option<Value> {
            match (kind, argument) {
                (_, "name") => return Some(Value::String(name.clone())),
                (Kind::Group, "targets" | "description") => {}
                (Kind::Target, argument) if arguments::is_known(argument) => {}
                _ => return None,
            }
            let body = &self.instances[i].block.body;
            let own = if kind == Kind::Group && argument == "targets" { "tags" } else { argument };
            Some(match body.attributes.iter().position(|a| &*a.name == argument) {
                None => arguments::unset(own),
                Some(slot) => match self.instances[i].slots.borrow().get(slot) {
                    Some(Slot::Done(argument)) => argument.value(own),
                    _ => return None,
                },
            })
        };
        if let Some(Step::Attr(argument, _)) = steps.get(1) {
            let failed =
                self.instances[i].block.body.attributes.iter().position(|a| a.name == *argument).is_some_and(|slot| {
                    matches!(
                        self.instances[i].slots.borrow().get(slot),
                        Some(Slot::Failed | Slot::Underway | Slot::Waiting)
                    )
                });
            if failed {
                return Lookup::Failed;
            }
            if let Some(value) = value(argument) {
                return Lookup::Found(value, 2);
            }
        }
        let names: Vec<&str> = match kind {
            Kind::Group => vec!["name", "description", "targets"],
            Kind::Target => arguments::names().chain(["name"]).collect(),
        };
        let entries: Entries = names.into_iter().filter_map(|n| Some((n.into(), value(n)?))).collect();
        Lookup::Found(Value::object(entries), 1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Underway,
    Done,
    Failed,
}

/// What an expression sees: the world, and the values of a matrix on top.
struct Sight<'s, 'b> {
    world: &'s World<'b>,
    locals: &'s [(Name, Value)],
}

impl Scope for Sight<'_, '_> {
    fn variable(&self, name: &str, steps: &[Step]) -> Lookup {
        match name {
            "target" => return self.world.block_value(Kind::Target, steps),
            "group" => return self.world.block_value(Kind::Group, steps),
            _ => {}
        }
        if let Some((_, value)) = self.locals.iter().find(|(n, _)| **n == *name) {
            return Lookup::Found(value.clone(), 0);
        }
        match self.world.values.borrow().get(name) {
            Some(Slot::Done(value)) => Lookup::Found(value.clone(), 0),
            Some(_) => Lookup::Failed,
            None => Lookup::Unknown,
        }
    }

    fn function(&self, name: &str) -> Callable {
        match self.world.made_functions.borrow().get(name) {
            Some(Slot::Done(function)) => Callable::Found(function.clone()),
            Some(_) => Callable::Failed,
            None => Callable::Unknown,
        }
    }

    fn variables(&self) -> Vec<Name> {
        if !self.world.may_hint() {
            return Vec::new();
        }
        let own = self.locals.iter().map(|(n, _)| n.clone());
        own.chain(self.world.values.borrow().keys().cloned()).collect()
    }

    fn functions(&self) -> Vec<Name> {
        if self.world.may_hint() { self.world.functions.keys().cloned().collect() } else { Vec::new() }
    }

    fn globals(&self) -> &dyn Scope {
        self.world
    }

    fn host(&self) -> &dyn Host {
        self.world.host
    }
}

/// The world without the values of a matrix: what a function's body sees.
impl Scope for World<'_> {
    fn variable(&self, name: &str, steps: &[Step]) -> Lookup {
        self.global().variable(name, steps)
    }

    fn function(&self, name: &str) -> Callable {
        self.global().function(name)
    }

    fn variables(&self) -> Vec<Name> {
        self.global().variables()
    }

    fn functions(&self) -> Vec<Name> {
        self.global().functions()
    }

    fn globals(&self) -> &dyn Scope {
        self
    }

    fn host(&self) -> &dyn Host {
        self.host
    }
}

fn is_argument(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Target => arguments::is_known(name),
        Kind::Group => matches!(name, "targets" | "description"),
    }
}

/// Whether targets and groups can have this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn wrong_name(name: &str) -> Diagnostic {
    Diagnostic::new(codes::NAME, format!("`{name}` cannot be a name"))
        .note("names are made of letters, digits, `_` and `-`")
}

fn expr_is_null(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(value) => value.is_null(),
        ExprKind::Parens(inner) => expr_is_null(inner),
        _ => false,
    }
}

/// A value as the list of variables shows it.
fn shown(value: &Value, ty: Option<&Type>) -> Option<String> {
    match ty {
        Some(Type::String) => json_encode(value).ok().map(|text| text.trim_matches('"').to_owned()),
        Some(ty) => json_encode_as(value, ty).ok(),
        None => match convert(value, &Type::String) {
            Ok(text) => text.as_str().map(str::to_owned),
            Err(_) => json_encode(value).ok(),
        },
    }
}

/// A primitive from a text: numbers have a machine's precision here.
fn primitive(text: &str, ty: &Type) -> Result<Value, String> {
    match ty {
        Type::String => Ok(Value::string(text)),
        Type::Bool => go_bool(text).map(Value::Bool).ok_or_else(|| format!("`{text}` is neither true nor false")),
        Type::Number => forms::float(text)
            .and_then(Number::from_f64)
            .map(Value::number)
            .ok_or_else(|| format!("`{text}` is no number")),
        other => Err(format!("a value of type `{other}` can only be given as JSON")),
    }
}

/// A collection of primitives from comma-separated values; entries of a map are `key:value`.
fn from_csv(text: &str, ty: &Type) -> Result<Value, String> {
    if text.is_empty() {
        // Nothing between commas is no element at all, so that a list can be emptied from outside.
        return match ty {
            Type::List(ty) => Ok(Value::list((**ty).clone(), Vec::new())),
            Type::Set(ty) => Ok(Value::set((**ty).clone(), Vec::new())),
            Type::Map(ty) => Ok(Value::map((**ty).clone(), Entries::new())),
            other => Err(format!("a value of type `{other}` cannot be empty")),
        };
    }
    let fields = csv::fields(text, ',')?;
    let nested = |ty: &Type| -> Result<(), String> {
        if ty.is_primitive() {
            Ok(())
        } else {
            Err("only lists of texts, numbers and bools can be given by commas; use JSON, by a variable with `_JSON` behind its name".into())
        }
    };
    let all = |ty: &Type| fields.iter().map(|f| primitive(f, ty)).collect::<Result<Vec<_>, _>>();
    match ty {
        Type::List(ty) => {
            nested(ty)?;
            Ok(Value::list((**ty).clone(), all(ty)?))
        }
        Type::Set(ty) => {
            nested(ty)?;
            Ok(Value::set((**ty).clone(), all(ty)?))
        }
        Type::Tuple(types) => {
            if types.len() != fields.len() {
                return Err(format!("{} elements are needed, not {}", types.len(), fields.len()));
            }
            let mut out = Vec::with_capacity(fields.len());
            for (field, ty) in fields.iter().zip(types.iter()) {
                nested(ty)?;
                out.push(primitive(field, ty)?);
            }
            Ok(Value::tuple(out))
        }
        Type::Map(ty) => {
            nested(ty)?;
            let mut out = Entries::new();
            for field in &fields {
                match csv::fields(field, ':')?.as_slice() {
                    [key, value] => {
                        out.insert(key.as_str().into(), primitive(value, ty)?);
                    }
                    _ => return Err(format!("`{field}` is not of the form `key:value`")),
                }
            }
            Ok(Value::map((**ty).clone(), out))
        }
        other => Err(format!("a value of type `{other}` can only be given as JSON")),
    }
}
