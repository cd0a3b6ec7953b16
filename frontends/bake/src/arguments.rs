//! The arguments of a target: their names, how their values are read, and what a reference to one of them gives.

use crate::forms;
use crate::spec::{List, Spec};
use rbc_ast::plan::{Attest, Cache, Given, Map, Origin, Output, Policy, Resources, Secret, Ssh, Text};
use rbc_hcl::ast::{Expr, ExprKind};
use rbc_hcl::{Entries, Type, Value, convert};
use rbc_source::{Diagnostic, Span, bake as codes, go_bool};
use std::collections::HashMap;
use std::sync::Arc;

/// How an argument is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    Texts,
    /// Texts by name, of which some may be null.
    TextsByName,
    Entries(Entry),
    Resources,
}

/// A structured element of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Attest,
    Cache,
    Secret,
    Ssh,
    Output,
    Policy,
}

/// How `--set` sets an argument.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// The last value counts.
    Value,
    /// Values add up; `+=` adds to those of the file.
    List,
    /// An entry by its name.
    Named,
    /// A part by its name, which cannot be added to.
    Part,
}

/// All arguments of a target that are values, and the keys by which `--set` sets each. `matrix` and `name` are not here: they
/// make targets.
const ARGUMENTS: [(&str, Kind, &[(&str, Set)]); 29] = [
    ("annotations", Kind::Texts, &[("annotations", Set::List)]),
    ("args", Kind::TextsByName, &[("args", Set::Named)]),
    ("attest", Kind::Entries(Entry::Attest), &[("attest", Set::List)]),
    ("cache-from", Kind::Entries(Entry::Cache), &[("cache-from", Set::List)]),
    ("cache-to", Kind::Entries(Entry::Cache), &[("cache-to", Set::List)]),
    ("call", Kind::Text, &[("call", Set::Value)]),
    ("context", Kind::Text, &[("context", Set::Value)]),
    ("contexts", Kind::TextsByName, &[("contexts", Set::Named)]),
    ("description", Kind::Text, &[]),
    ("dockerfile", Kind::Text, &[("dockerfile", Set::Value)]),
    ("dockerfile-inline", Kind::Text, &[]),
    ("entitlements", Kind::Texts, &[("entitlements", Set::List)]),
    ("extra-hosts", Kind::TextsByName, &[("extra-hosts", Set::Named)]),
    ("inherits", Kind::Texts, &[]),
    ("labels", Kind::TextsByName, &[("labels", Set::Named)]),
    ("network", Kind::Text, &[("network", Set::Value)]),
    ("no-cache", Kind::Bool, &[("no-cache", Set::Value)]),
    ("no-cache-filter", Kind::Texts, &[("no-cache-filter", Set::List)]),
    ("output", Kind::Entries(Entry::Output), &[("output", Set::List), ("push", Set::Value), ("load", Set::Value)]),
    ("platforms", Kind::Texts, &[("platform", Set::List)]),
    ("policy", Kind::Entries(Entry::Policy), &[("policy", Set::List)]),
    ("pull", Kind::Bool, &[("pull", Set::Value)]),
    ("resources", Kind::Resources, &[("resources", Set::Part)]),
    ("secret", Kind::Entries(Entry::Secret), &[("secrets", Set::List), ("secret", Set::Part)]),
    ("shm-size", Kind::Text, &[("shm-size", Set::Value)]),
    ("ssh", Kind::Entries(Entry::Ssh), &[("ssh", Set::List)]),
    ("tags", Kind::Texts, &[("tags", Set::List)]),
    ("target", Kind::Text, &[("target", Set::Value)]),
    ("ulimits", Kind::Texts, &[("ulimits", Set::List)]),
];

/// Names of all arguments.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ARGUMENTS.iter().map(|(name, ..)| *name)
}

/// Keys of `--set`.
pub(crate) fn set_keys() -> impl Iterator<Item = (&'static str, Set)> {
    ARGUMENTS.iter().flat_map(|(_, _, keys)| keys.iter().copied())
}

fn kind(name: &str) -> Option<Kind> {
    ARGUMENTS.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind)
}

/// Whether a target has an argument of this name.
pub(crate) fn is_known(name: &str) -> bool {
    kind(name).is_some()
}

/// The value of an argument, read; null is as if it were absent.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    Unset,
    Text(Text),
    Bool(bool),
    Texts(Vec<(Text, Span)>),
    TextsByName(Vec<(Text, Option<Text>, Span)>),
    Attest(Vec<(Attest, Span)>),
    Cache(Vec<(Cache, Span)>),
    Secret(Vec<(Secret, Span)>),
    Ssh(Vec<(Ssh, Span)>),
    Output(Vec<(Output, Span)>),
    Policy(Vec<(Policy, Span)>),
    Resources(Box<Resources>),
}

/// Places of elements and entries, where they are written one by one.
struct Places<'e> {
    whole: Span,
    expr: &'e Expr,
    by_name: Option<HashMap<&'e str, Span>>,
}

impl<'e> Places<'e> {
    fn new(expr: &'e Expr) -> Self {
        Places { whole: expr.span, expr, by_name: None }
    }

    fn element(&self, i: usize) -> Span {
        self.expr.as_list().and_then(|l| l.get(i)).map_or(self.whole, |e| e.span)
    }

    fn entry(&mut self, name: &str) -> Span {
        let expr = self.expr;
        let names = self.by_name.get_or_insert_with(|| match &expr.kind {
            ExprKind::Object(items) => items
                .iter()
                .filter_map(|item| match &item.key.kind {
                    ExprKind::Literal(key) => Some((key.as_str()?, item.value.span)),
                    ExprKind::Quoted { text, .. } => Some((&**text, item.value.span)),
                    _ => None,
                })
                .collect(),
            _ => HashMap::new(),
        });
        names.get(name).copied().unwrap_or(self.whole)
    }
}

/// Reads the value of an argument. Faults are reported, and none is given then.
pub(crate) fn read(name: &str, value: &Value, expr: &Expr, diagnostics: &mut Vec<Diagnostic>) -> Option<Argument> {
    let kind = kind(name)?;
    let before = diagnostics.len();
    let argument = Reader { name, places: Places::new(expr), diagnostics }.read(kind, value);
    (diagnostics.len() == before).then_some(argument)
}

struct Reader<'r> {
    name: &'r str,
    places: Places<'r>,
    diagnostics: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Span, why: impl Into<String>) {
        let message = format!("`{}` cannot take this value", self.name);
        self.diagnostics.push(Diagnostic::new(codes::VALUE, message).labelled(span, why));
    }

    fn read(&mut self, kind: Kind, value: &Value) -> Argument {
        match kind {
            Kind::Text => match convert(value, &Type::String) {
                Ok(Value::String(text)) => return Argument::Text(text),
                Ok(_) if self.name == "description" => self.wrong(self.places.whole, "it is null; leave it out"),
                Ok(_) => {}
                Err(why) => self.wrong(self.places.whole, why),
            },
            Kind::Bool => match convert(value, &Type::Bool) {
                Ok(Value::Bool(value)) => return Argument::Bool(value),
                Ok(_) => {}
                Err(why) => self.wrong(self.places.whole, why),
            },
            Kind::Texts => return self.texts(value),
            Kind::TextsByName => return self.texts_by_name(value),
            Kind::Entries(entry) => return self.entries(entry, value),
            Kind::Resources => return self.resources(value),
        }
        Argument::Unset
    }

    fn texts(&mut self, value: &Value) -> Argument {
        let list = match convert(value, &Type::list(Type::String)) {
            Ok(list) => list,
            Err(why) => {
                // One bad element is pointed at, a wrong kind of value as a whole.
                let bad = value.elements().and_then(|e| e.iter().position(|v| convert(v, &Type::String).is_err()));
                let span = bad.map_or(self.places.whole, |i| self.places.element(i));
                self.wrong(span, why);
                return Argument::Unset;
            }
        };
        let Some(elements) = list.elements() else { return Argument::Unset };
        let mut out = Vec::with_capacity(elements.len());
        for (i, element) in elements.iter().enumerate() {
            let span = self.places.element(i);
            match element {
                Value::String(text) => out.push((text.clone(), span)),
                _ => self.wrong(span, "this element is null"),
            }
        }
        Argument::Texts(out)
    }

    fn texts_by_name(&mut self, value: &Value) -> Argument {
        let map = match convert(value, &Type::map(Type::String)) {
            Ok(map) => map,
            Err(why) => {
                let bad = value.entries().and_then(|e| e.iter().find(|(_, v)| convert(v, &Type::String).is_err()));
                let span = match bad {
                    Some((name, _)) => self.places.entry(name),
                    None => self.places.whole,
                };
                self.wrong(span, why);
                return Argument::Unset;
            }
        };
        let Some(entries) = map.entries() else { return Argument::Unset };
        let mut out = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let span = self.places.entry(name);
            match value {
                Value::String(text) => out.push((name.clone(), Some(text.clone()), span)),
                _ if self.name == "contexts" => self.wrong(span, "this context is null"),
                _ => out.push((name.clone(), None, span)),
            }
        }
        Argument::TextsByName(out)
    }

    fn entries(&mut self, entry: Entry, value: &Value) -> Argument {
        let elements: &[Value] = match value {
            Value::Null(_) => {
                self.wrong(self.places.whole, "it is null; leave it out, or write `[]`");
                return Argument::Unset;
            }
            Value::List(_, e) | Value::Tuple(e) => e,
            other => {
                let why = format!("a list is required, but this is {}", other.describe());
                self.wrong(self.places.whole, why);
                return Argument::Unset;
            }
        };
        let mut all = Entered::new(entry);
        for (i, element) in elements.iter().enumerate() {
            let span = self.places.element(i);
            let done = match element {
                Value::String(text) if text.is_empty() => Ok(()),
                Value::String(text) => all.add_text(text, span),
                Value::Null(_) => Err("this element is null".into()),
                other => all.add_value(other, span),
            };
            if let Err(why) = done {
                self.wrong(span, why);
            }
        }
        all.argument()
    }

    fn resources(&mut self, value: &Value) -> Argument {
        let mut out = Resources::default();
        let Some(entries) = value.entries() else {
            self.wrong(self.places.whole, format!("an object is required, but this is {}", value.describe()));
            return Argument::Unset;
        };
        for (name, value) in entries {
            let span = self.places.entry(name);
            let origin = Origin::Written { target: "".into(), span };
            let text = |v: &Value| convert(v, &Type::String).map(|v| v.as_str().map(Text::from));
            let whole = |v: &Value| match convert(v, &Type::Number) {
                Ok(Value::Number(n)) => n.to_i64().map(Some).ok_or_else(|| format!("{n} is no whole number")),
                Ok(_) => Ok(None),
                Err(why) => Err(why),
            };
            let given_text = |v: &Value| Ok(text(v)?.map(|t| Given::new(t, origin.clone())));
            let given_whole = |v: &Value| Ok(whole(v)?.map(|n| Given::new(n, origin.clone())));
            let done: Result<(), String> = match &**name {
                "memory" => given_text(value).map(|v| out.memory = v),
                "memory-swap" => given_text(value).map(|v| out.memory_swap = v),
                "cpu-shares" => given_whole(value).map(|v| out.cpu_shares = v),
                "cpu-period" => given_whole(value).map(|v| out.cpu_period = v),
                "cpu-quota" => given_whole(value).map(|v| out.cpu_quota = v),
                "cpuset-cpus" => given_text(value).map(|v| out.cpuset_cpus = v),
                "cpuset-mems" => given_text(value).map(|v| out.cpuset_mems = v),
                _ => Ok(()),
            };
            if let Err(why) = done {
                self.wrong(span, why);
            }
        }
        Argument::Resources(Box::new(out))
    }
}

/// Elements of a list of structured entries, as they are read.
enum Entered {
    Attest(Vec<(Attest, Span)>),
    Cache(Vec<(Cache, Span)>),
    Secret(Vec<(Secret, Span)>),
    Ssh(Vec<(Ssh, Span)>),
    Output(Vec<(Output, Span)>),
    Policy(Vec<(Policy, Span)>),
}

impl Entered {
    fn new(entry: Entry) -> Self {
        match entry {
            Entry::Attest => Entered::Attest(Vec::new()),
            Entry::Cache => Entered::Cache(Vec::new()),
            Entry::Secret => Entered::Secret(Vec::new()),
            Entry::Ssh => Entered::Ssh(Vec::new()),
            Entry::Output => Entered::Output(Vec::new()),
            Entry::Policy => Entered::Policy(Vec::new()),
        }
    }

    fn argument(self) -> Argument {
        match self {
            Entered::Attest(all) => Argument::Attest(all),
            Entered::Cache(all) => Argument::Cache(all),
            Entered::Secret(all) => Argument::Secret(all),
            Entered::Ssh(all) => Argument::Ssh(all),
            Entered::Output(all) => Argument::Output(all),
            Entered::Policy(all) => Argument::Policy(all),
        }
    }

    fn add_text(&mut self, text: &str, span: Span) -> Result<(), String> {
        match self {
            Entered::Attest(all) => all.push((forms::attest(text)?, span)),
            Entered::Cache(all) => all.extend(forms::caches(text)?.into_iter().map(|c| (c, span))),
            Entered::Secret(all) => all.push((forms::secret(text)?, span)),
            Entered::Ssh(all) => all.push((forms::ssh(text), span)),
            Entered::Output(all) => all.push((forms::output(text)?, span)),
            Entered::Policy(all) => all.push((forms::policy(text)?, span)),
        }
        Ok(())
    }

    fn add_value(&mut self, value: &Value, span: Span) -> Result<(), String> {
        if value.entries().is_none() {
            return Err(format!("a text or an object is required, but this is {}", value.describe()));
        }
        match self {
            Entered::Attest(all) => all.push((attest_of(value)?, span)),
            Entered::Cache(all) => {
                let (kind, attrs) = typed(value)?;
                all.push((Cache { kind, attrs }, span));
            }
            Entered::Secret(all) => {
                let part = |name: &str| text_part(value, name);
                all.push((Secret { id: part("id")?, src: part("src")?, env: part("env")? }, span));
            }
            Entered::Ssh(all) => all.push((ssh_of(value)?, span)),
            Entered::Output(all) => {
                let (kind, mut attrs) = typed(value)?;
                let dest = attrs.remove("dest").unwrap_or_default();
                all.push((Output { kind, dest, attrs }, span));
            }
            Entered::Policy(all) => {
                let mut pairs: Vec<(Text, Text)> = Vec::new();
                for (name, value) in value.entries().into_iter().flatten() {
                    match convert(value, &Type::String)? {
                        Value::String(text) if !text.is_empty() => pairs.push((name.clone(), text)),
                        _ => {}
                    }
                }
                all.push((forms::policy_of(pairs.iter().map(|(k, v)| (&**k, &**v)))?, span));
            }
        }
        Ok(())
    }
}

/// All entries as texts.
fn texts_of(value: &Value) -> Result<Map<Text>, String> {
    let map = convert(value, &Type::map(Type::String))?;
    let mut out = Map::new();
    for (name, value) in map.entries().into_iter().flatten() {
        match value {
            Value::String(text) => {
                out.insert(name.clone(), text.clone());
            }
            _ => return Err(format!("`{name}` is null")),
        }
    }
    Ok(out)
}

/// The entry `type`, and the others.
fn typed(value: &Value) -> Result<(Text, Map<Text>), String> {
    let mut attrs = texts_of(value)?;
    match attrs.remove("type").filter(|t| !t.is_empty()) {
        Some(kind) => Ok((kind, attrs)),
        None => Err("`type` is required".into()),
    }
}

fn attest_of(value: &Value) -> Result<Attest, String> {
    let mut attrs = texts_of(value)?;
    let kind = attrs.remove("type").unwrap_or_default();
    let disabled = match attrs.remove("disabled") {
        Some(text) => go_bool(&text).ok_or_else(|| format!("`disabled` is true or false, not `{text}`"))?,
        None => false,
    };
    Ok(Attest { kind, disabled, attrs })
}

/// A part that is a text; empty when it is absent or null.
fn text_part(value: &Value, name: &str) -> Result<Text, String> {
    let Some(part) = value.entries().and_then(|e| e.get(name)) else { return Ok("".into()) };
    match convert(part, &Type::String) {
        Ok(Value::String(text)) => Ok(text),
        Ok(_) => Ok("".into()),
        Err(why) => Err(format!("`{name}`: {why}")),
    }
}

fn ssh_of(value: &Value) -> Result<Ssh, String> {
    let mut paths = Vec::new();
    if let Some(part) = value.entries().and_then(|e| e.get("paths")) {
        let list = convert(part, &Type::list(Type::String)).map_err(|why| format!("`paths`: {why}"))?;
        for path in list.elements().unwrap_or_default() {
            paths.push(path.as_str().ok_or("a path is null")?.into());
        }
    }
    Ok(Ssh { id: text_part(value, "id")?, paths })
}

impl Argument {
    /// Puts it into a target.
    pub(crate) fn put(self, name: &str, spec: &mut Spec, span: Span) {
        let target = spec.name.clone();
        let origin = |span: Span| Origin::Written { target: target.clone(), span };
        let list = |texts: Vec<(Text, Span)>| -> List<Text> {
            Some(texts.into_iter().map(|(t, span)| Given::new(t, origin(span))).collect())
        };
        match (name, self) {
            (_, Argument::Unset) => {}
            ("description", Argument::Text(text)) => {
                spec.description = (!text.is_empty()).then(|| Given::new(text, origin(span)));
            }
            ("context", Argument::Text(text)) => spec.context = Some(Given::new(text, origin(span))),
            ("dockerfile", Argument::Text(text)) => spec.dockerfile = Some(Given::new(text, origin(span))),
            ("dockerfile-inline", Argument::Text(text)) => {
                spec.dockerfile_inline = Some(Given::new(text, origin(span)))
            }
            ("target", Argument::Text(text)) => spec.target = Some(Given::new(text, origin(span))),
            ("network", Argument::Text(text)) => spec.network = Some(Given::new(text, origin(span))),
            ("shm-size", Argument::Text(text)) => spec.shm_size = Some(Given::new(text, origin(span))),
            ("call", Argument::Text(text)) => spec.call = Some(Given::new(text, origin(span))),
            ("pull", Argument::Bool(value)) => spec.pull = Some(Given::new(value, origin(span))),
            ("no-cache", Argument::Bool(value)) => spec.no_cache = Some(Given::new(value, origin(span))),
            ("inherits", Argument::Texts(texts)) => spec.inherits = list(texts).unwrap_or_default(),
            ("annotations", Argument::Texts(texts)) => spec.annotations = list(texts),
            ("tags", Argument::Texts(texts)) => spec.tags = list(texts),
            ("platforms", Argument::Texts(texts)) => spec.platforms = list(texts),
            ("no-cache-filter", Argument::Texts(texts)) => spec.no_cache_filter = list(texts),
            ("ulimits", Argument::Texts(texts)) => spec.ulimits = list(texts),
            ("entitlements", Argument::Texts(texts)) => spec.entitlements = list(texts),
            (name, Argument::TextsByName(entries)) => {
                let map = match name {
                    "args" => &mut spec.args,
                    "labels" => &mut spec.labels,
                    "extra-hosts" => &mut spec.extra_hosts,
                    _ => &mut spec.contexts,
                };
                *map = entries.into_iter().filter_map(|(n, v, span)| Some((n, Given::new(v?, origin(span))))).collect();
            }
            (_, Argument::Attest(all)) => spec.attest = Some(given(all, origin)),
            ("cache-from", Argument::Cache(all)) => spec.cache_from = Some(given(all, origin)),
            (_, Argument::Cache(all)) => spec.cache_to = Some(given(all, origin)),
            (_, Argument::Secret(all)) => spec.secrets = Some(given(all, origin)),
            (_, Argument::Ssh(all)) => spec.ssh = Some(given(all, origin)),
            (_, Argument::Output(all)) => spec.outputs = Some(given(all, origin)),
            (_, Argument::Policy(all)) => spec.policy = Some(given(all, origin)),
            (_, Argument::Resources(resources)) => spec.resources = written_by(*resources, &target),
            (_, Argument::Text(_) | Argument::Bool(_) | Argument::Texts(_)) => {}
        }
    }

    /// What an expression sees that refers to it.
    pub(crate) fn value(&self, name: &str) -> Value {
        match self {
            Argument::Unset => unset(name),
            Argument::Text(text) => Value::String(text.clone()),
            Argument::Bool(value) => Value::Bool(*value),
            Argument::Texts(texts) => {
                Value::list(Type::String, texts.iter().map(|(t, _)| Value::String(t.clone())).collect::<Vec<_>>())
            }
            Argument::TextsByName(entries) => {
                let null = Value::Null(Type::String);
                let value = |v: &Option<Text>| v.clone().map_or(null.clone(), Value::String);
                Value::map(Type::String, entries.iter().map(|(n, v, _)| (n.clone(), value(v))).collect())
            }
            Argument::Attest(all) => maps(all.iter().map(|(a, _)| {
                let disabled = a.disabled.then(|| ("disabled", Text::from("true")));
                with_attrs(&a.attrs, [("type", a.kind.clone())].into_iter().chain(disabled))
            })),
            Argument::Cache(all) => maps(all.iter().map(|(c, _)| with_attrs(&c.attrs, [("type", c.kind.clone())]))),
            Argument::Output(all) => maps(
                all.iter().map(|(o, _)| with_attrs(&o.attrs, [("type", o.kind.clone()), ("dest", o.dest.clone())])),
            ),
            Argument::Policy(all) => maps(all.iter().map(|(p, _)| {
                let flag = |name, on: bool| on.then(|| (name, Text::from("true")));
                let parts = [
                    p.files.first().map(|f| ("filename", f.clone())),
                    flag("reset", p.reset),
                    flag("disabled", p.disabled),
                    p.strict.map(|s| ("strict", Text::from(if s { "true" } else { "false" }))),
                    p.log_level.clone().map(|l| ("log-level", l)),
                ];
                with_attrs(&Map::new(), parts.into_iter().flatten())
            })),
            Argument::Secret(all) => objects(
                secret_type(),
                all.iter().map(|(s, _)| {
                    [("id", &s.id), ("src", &s.src), ("env", &s.env)]
                        .map(|(n, v)| (n.into(), Value::String(v.clone())))
                        .into()
                }),
            ),
            Argument::Ssh(all) => objects(
                ssh_type(),
                all.iter().map(|(s, _)| {
                    [("id", Value::String(s.id.clone())), ("paths", Value::strings(&s.paths))]
                        .map(|(n, v)| (n.into(), v))
                        .into()
                }),
            ),
            Argument::Resources(r) => {
                let text = |v: &Option<Given<Text>>| {
                    v.as_ref().map_or(Value::Null(Type::String), |v| Value::String(v.value.clone()))
                };
                let number =
                    |v: &Option<Given<i64>>| v.as_ref().map_or(Value::Null(Type::Number), |v| Value::number(v.value));
                let entries: Entries = [
                    ("memory", text(&r.memory)),
                    ("memory-swap", text(&r.memory_swap)),
                    ("cpu-shares", number(&r.cpu_shares)),
                    ("cpu-period", number(&r.cpu_period)),
                    ("cpu-quota", number(&r.cpu_quota)),
                    ("cpuset-cpus", text(&r.cpuset_cpus)),
                    ("cpuset-mems", text(&r.cpuset_mems)),
                ]
                .map(|(n, v)| (n.into(), v))
                .into();
                Value::object(entries)
            }
        }
    }
}

fn given<T>(all: Vec<(T, Span)>, origin: impl Fn(Span) -> Origin) -> Vec<Given<T>> {
    all.into_iter().map(|(value, span)| Given::new(value, origin(span))).collect()
}

fn written_by(mut resources: Resources, target: &Text) -> Resources {
    let mark = |origin: &mut Origin| {
        if let Origin::Written { target: own, .. } = origin {
            own.clone_from(target);
        }
    };
    let texts =
        [&mut resources.memory, &mut resources.memory_swap, &mut resources.cpuset_cpus, &mut resources.cpuset_mems];
    let numbers = [&mut resources.cpu_shares, &mut resources.cpu_period, &mut resources.cpu_quota];
    texts.into_iter().flatten().for_each(|given| mark(&mut given.origin));
    numbers.into_iter().flatten().for_each(|given| mark(&mut given.origin));
    resources
}

fn with_attrs(attrs: &Map<Text>, more: impl IntoIterator<Item = (&'static str, Text)>) -> Entries {
    let own = attrs.iter().map(|(n, v)| (n.clone(), Value::String(v.clone())));
    own.chain(more.into_iter().map(|(n, v)| (Arc::from(n), Value::String(v)))).collect()
}

fn maps(all: impl Iterator<Item = Entries>) -> Value {
    let ty = Type::map(Type::String);
    Value::list(ty, all.map(|e| Value::map(Type::String, e)).collect::<Vec<_>>())
}

fn objects(ty: Type, all: impl Iterator<Item = Entries>) -> Value {
    Value::list(ty, all.map(Value::object).collect::<Vec<_>>())
}

fn secret_type() -> Type {
    Type::object([("id", Type::String), ("src", Type::String), ("env", Type::String)])
}

fn ssh_type() -> Type {
    Type::object([("id", Type::String), ("paths", Type::list(Type::String))])
}

/// What an expression sees of an argument that is not set.
pub(crate) fn unset(name: &str) -> Value {
    match kind(name) {
        Some(Kind::Text) if name == "description" => Value::from(""),
        Some(Kind::Text) | None => Value::Null(Type::String),
        Some(Kind::Bool) => Value::Null(Type::Bool),
        Some(Kind::Texts) => Value::Null(Type::list(Type::String)),
        Some(Kind::TextsByName) => Value::Null(Type::map(Type::String)),
        Some(Kind::Entries(Entry::Secret)) => Value::list(secret_type(), Vec::new()),
        Some(Kind::Entries(Entry::Ssh)) => Value::list(ssh_type(), Vec::new()),
        Some(Kind::Entries(_)) => Value::list(Type::map(Type::String), Vec::new()),
        Some(Kind::Resources) => Value::Null(Type::Any),
    }
}
