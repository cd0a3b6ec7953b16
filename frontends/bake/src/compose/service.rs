//! Services to targets. What a service says is checked as compose's schema does, but all of it at once.

use super::load::{self, Variables};
use super::merge::Fault;
use crate::Host;
use crate::forms;
use crate::spec::Spec;
use crate::world::MOST_HINTS;
use rbc_ast::limits::Ulimit;
use rbc_ast::plan::{Given, Map, Origin, Secret, Ssh, Text};
use rbc_source::{Diagnostic, Span, bake as codes};
use rbc_yaml::{Data, Entries, Entry, Node};
use std::collections::{BTreeMap, HashSet};

const BUILD: [&str; 26] = [
    "additional_contexts",
    "args",
    "cache_from",
    "cache_to",
    "context",
    "dockerfile",
    "dockerfile_inline",
    "entitlements",
    "extra_hosts",
    "isolation",
    "labels",
    "network",
    "no_cache",
    "no_cache_filter",
    "platforms",
    "privileged",
    "provenance",
    "pull",
    "sbom",
    "secrets",
    "shm_size",
    "ssh",
    "tags",
    "target",
    "ulimits",
    "x-bake",
];

const X_BAKE: [&str; 11] = [
    "cache-from",
    "cache-to",
    "contexts",
    "no-cache",
    "no-cache-filter",
    "output",
    "platforms",
    "pull",
    "secret",
    "ssh",
    "tags",
];

/// A declared secret.
#[derive(Default)]
pub(super) struct Declared {
    file: Text,
    environment: Text,
    external: bool,
    pub span: Option<Span>,
}

/// Names of targets have no dots.
pub(super) fn target_name(service: &str) -> String {
    service.replace('.', "_")
}

/// What a service is, seen from others.
pub(super) struct Service {
    /// None if it has no build.
    pub spec: Option<Spec>,
    pub has_image: bool,
    pub has_dockerfile_twice: Option<Span>,
    /// Services that it uses as contexts.
    pub uses: Vec<(Text, Span)>,
    /// Secrets that it uses.
    pub secrets: Vec<(Text, Span)>,
    pub key: Span,
}

/// Reads values and collects what is wrong with them.
pub(super) struct Reader<'r> {
    pub variables: &'r Variables,
    pub host: &'r dyn Host,
    pub secrets: &'r Map<Declared>,
    pub faults: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.faults.push(Diagnostic::new(codes::COMPOSE, message).at(span));
    }

    fn expected(&mut self, name: &str, what: &str, node: &Node) {
        let mut problem =
            Diagnostic::new(codes::COMPOSE, format!("`{name}` must be {what}, not {}", node.describe())).at(node.span);
        if what == "a text" && node.scalar().is_some() {
            problem = problem.note("write it in quotes");
        }
        self.faults.push(problem);
    }

    fn take<T>(&mut self, result: Result<T, String>, span: Span) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(span, why);
                None
            }
        }
    }

    fn text(&mut self, name: &str, node: &Node) -> Option<Text> {
        let text = node.as_text().cloned();
        if text.is_none() {
            self.expected(name, "a text", node);
        }
        text
    }

    /// A text that counts as absent when it is empty.
    fn filled(&mut self, name: &str, node: &Node) -> Option<Text> {
        self.text(name, node).filter(|t| !t.is_empty())
    }

    fn texts(&mut self, name: &str, node: &Node) -> Vec<(Text, Span)> {
        let Data::List(list) = &node.data else {
            self.expected(name, "a list of texts", node);
            return Vec::new();
        };
        list.iter().filter_map(|n| Some((self.text(name, n)?, n.span))).collect()
    }

    fn unique(&mut self, name: &str, all: &[(Text, Span)]) {
        let mut seen = HashSet::new();
        for (text, span) in all {
            if !seen.insert(text) {
                self.wrong(*span, format!("`{text}` comes twice in `{name}`"));
            }
        }
    }

    /// Names and values: a mapping, or a list of `name=value`.
    fn pairs(&mut self, name: &str, node: &Node) -> Vec<(Text, Option<Text>, Span)> {
        match &node.data {
            Data::Map(entries) => {
                let mut out = Vec::with_capacity(entries.len());
                for (key, Entry { key: span, value }) in entries {
                    if key.is_empty() {
                        self.wrong(*span, format!("a name in `{name}` is empty"));
                    } else if matches!(value.data, Data::List(_) | Data::Map(_)) {
                        self.expected(&format!("{name}.{key}"), "a text", value);
                    } else {
                        out.push((key.clone(), value.scalar(), value.span));
                    }
                }
                out
            }
            Data::List(_) => {
                let all = self.texts(name, node);
                self.unique(name, &all);
                let pair = |(text, span): (Text, Span)| match text.split_once('=') {
                    Some((key, value)) => (key.into(), Some(value.into()), span),
                    None => (text, None, span),
                };
                all.into_iter().map(pair).collect()
            }
            _ => {
                self.expected(name, "a mapping or a list of `name=value`", node);
                Vec::new()
            }
        }
    }

    /// True or false, also as a text.
    fn truth(&mut self, name: &str, node: &Node) -> Option<bool> {
        let text = match &node.data {
            Data::Bool(value) => return Some(*value),
            Data::Text(text) => text.to_lowercase(),
            _ => {
                self.expected(name, "true or false", node);
                return None;
            }
        };
        match text.as_str() {
            "true" | "y" | "yes" | "on" => Some(true),
            "false" | "n" | "no" | "off" => Some(false),
            _ => {
                self.wrong(node.span, format!("`{name}` must be true or false, not `{text}`"));
                None
            }
        }
    }

    /// All declared secrets.
    pub(super) fn declared(&mut self, node: &Node) -> Map<Declared> {
        let mut out = Map::new();
        let Some(entries) = node.as_map() else {
            self.expected("secrets", "a mapping of secrets by name", node);
            return out;
        };
        for (name, Entry { key, value }) in entries {
            self.check_name(name, *key);
            let Some(fields) = value.as_map() else {
                self.expected(name, "a mapping with `file` or `environment`", value);
                continue;
            };
            let mut secret = Declared { span: Some(*key), ..Declared::default() };
            for (field, Entry { key, value }) in fields {
                match &**field {
                    "file" => secret.file = self.text("file", value).unwrap_or_default(),
                    "environment" => secret.environment = self.text("environment", value).unwrap_or_default(),
                    "external" => secret.external = self.truth("external", value).unwrap_or_default(),
                    "name" | "driver" | "template_driver" => {
                        self.text(field, value);
                    }
                    "labels" => {
                        self.pairs("labels", value);
                    }
                    "driver_opts" if value.as_map().is_some() => {}
                    field if field.starts_with("x-") => {}
                    _ => {
                        let known = ["driver", "environment", "external", "file", "labels", "name"];
                        let problem = Diagnostic::new(codes::COMPOSE, format!("a secret has no `{field}`"));
                        self.faults.push(problem.at(*key).suggest(field, known));
                    }
                }
            }
            out.insert(name.clone(), secret);
        }
        out
    }

    /// Names of services and secrets.
    fn check_name(&mut self, name: &str, span: Span) {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || !name.bytes().all(known) {
            let problem = Diagnostic::new(codes::COMPOSE, format!("`{name}` cannot be a name")).at(span);
            self.faults.push(problem.note("names are made of letters, digits, `.`, `_` and `-`"));
        }
    }

    /// Reads a service.
    pub(super) fn service(&mut self, name: &Text, entry: &Entry) -> Service {
        let mut out = Service {
            spec: None,
            has_image: false,
            has_dockerfile_twice: None,
            uses: Vec::new(),
            secrets: Vec::new(),
            key: entry.key,
        };
        self.check_name(name, entry.key);
        let empty = Entries::new();
        let fields = match &entry.value.data {
            Data::Map(fields) => fields,
            Data::Null => &empty,
            _ => {
                self.expected(name, "a mapping", &entry.value);
                return out;
            }
        };
        let image = fields.get("image").and_then(|e| Some((self.filled("image", &e.value)?, e.value.span)));
        out.has_image = image.is_some();
        let environment = fields.get("environment").map(|e| self.pairs("environment", &e.value)).unwrap_or_default();
        self.check_names("environment", &environment);
        let environment = environment.into_iter().map(|(name, value, _)| (name, value)).collect();
        let environment = match load::service_environment(fields, self.variables, self.host, environment) {
            Ok(environment) => environment,
            Err(problem) => {
                self.faults.push(*problem);
                BTreeMap::new()
            }
        };
        if let Some(build) = fields.get("build") {
            out.spec = Some(self.build(name, entry.key, &build.value, &environment, image, &mut out));
        }
        out
    }

    fn check_names(&mut self, what: &str, pairs: &[(Text, Option<Text>, Span)]) {
        for (name, _, span) in pairs {
            if name.ends_with(char::is_whitespace) {
                self.wrong(*span, format!("a name in `{what}` ends with a space"));
            }
        }
    }

    fn build(
        &mut self,
        service: &Text,
        key: Span,
        node: &Node,
        environment: &BTreeMap<String, String>,
        image: Option<(Text, Span)>,
        out: &mut Service,
    ) -> Spec {
        let target: Text = target_name(service).into();
        let origin = |span: Span| Origin::Written { target: target.clone(), span };
        let mut spec = Spec { name: target.clone(), span: Some(key), ..Spec::default() };
        let Some(fields) = node.as_map() else {
            self.expected("build", "a path or a mapping", node);
            return spec;
        };
        let given = |value: Text, span: Span| Given::new(value, origin(span));
        let list = |all: Vec<(Text, Span)>| Some(all.into_iter().map(|(t, s)| given(t, s)).collect::<Vec<_>>());
        for (field, Entry { key, value }) in fields {
            let span = value.span;
            let name = &**field;
            let text = |reader: &mut Self| reader.filled(name, value).map(|t| given(t, span));
            match name {
                "context" => spec.context = text(self),
                "dockerfile" => spec.dockerfile = text(self),
                "dockerfile_inline" => spec.dockerfile_inline = text(self),
                "target" => spec.target = text(self),
                "network" => spec.network = text(self),
                "tags" => spec.tags = list(self.texts(name, value)).filter(|l| !l.is_empty()),
                "platforms" => spec.platforms = list(self.texts(name, value)).filter(|l| !l.is_empty()),
                "no_cache" => {
                    spec.no_cache = self.truth(name, value).filter(|v| *v).map(|v| Given::new(v, origin(span)))
                }
                "pull" => spec.pull = self.truth(name, value).filter(|v| *v).map(|v| Given::new(v, origin(span))),
                "args" => {
                    let pairs = self.pairs(name, value);
                    if matches!(value.data, Data::List(_)) {
                        self.check_names(name, &pairs);
                    }
                    for (name, value, span) in pairs {
                        let value = value
                            .or_else(|| environment.get(&*name).map(|v| v.as_str().into()))
                            .or_else(|| self.variables.get(&*name).map(|v| v.as_str().into()));
                        if let Some(value) = value {
                            spec.args.insert(name, given(value, span));
                        }
                    }
                }
                "labels" => {
                    let pairs = self.pairs(name, value).into_iter();
                    spec.labels = pairs.map(|(n, v, span)| (n, given(v.unwrap_or_default(), span))).collect();
                }
                "additional_contexts" => {
                    for (name, value, span) in self.pairs(name, value) {
                        let value = value.unwrap_or_default();
                        if let Some(service) = value.strip_prefix("service:") {
                            out.uses.push((service.into(), span));
                        }
                        spec.contexts.insert(name, given(link(&value), span));
                    }
                }
                "cache_from" | "cache_to" => {
                    let mut all = Vec::new();
                    for (text, span) in self.texts(name, value) {
                        let caches = self.take(forms::caches(&text), span).unwrap_or_default();
                        all.extend(caches.into_iter().map(|c| Given::new(c, origin(span))));
                    }
                    let list = if name == "cache_from" { &mut spec.cache_from } else { &mut spec.cache_to };
                    *list = Some(all).filter(|l| !l.is_empty());
                }
                "provenance" | "sbom" => {
                    if let Some(text) = self.filled(name, value)
                        && let Some(attest) = self.take(forms::attest(&forms::attest_flag(name, &text)), span)
                    {
                        let list = spec.attest.get_or_insert_default();
                        let at = if name == "sbom" { 0 } else { list.len() };
                        list.insert(at, Given::new(attest, origin(span)));
                    }
                }
                "shm_size" => {
                    let size = match &value.data {
                        Data::Int(size) => i64::try_from(*size).ok(),
                        Data::Text(text) => self.take(forms::size(text), span),
                        _ => {
                            self.expected(name, "a size like `64m`", value);
                            None
                        }
                    };
                    spec.shm_size = size.filter(|s| *s > 0).map(|s| given(forms::shown_size(s).into(), span));
                }
                "ssh" => {
                    let keys = self.pairs(name, value).into_iter().map(|(id, path, span)| {
                        let paths = path.filter(|p| !p.is_empty()).into_iter().collect();
                        Given::new(Ssh { id, paths }, origin(span))
                    });
                    spec.ssh = Some(keys.collect()).filter(|l: &Vec<_>| !l.is_empty());
                }
                "secrets" => self.build_secrets(value, &origin, &mut spec, out),
                "ulimits" => {
                    let limits = self.ulimits(value);
                    spec.ulimits = list(limits).filter(|l| !l.is_empty());
                }
                "extra_hosts" => {
                    let hosts = self.extra_hosts(value);
                    spec.extra_hosts =
                        hosts.into_iter().map(|(n, (ips, span))| (n, given(ips.join(",").into(), span))).collect();
                }
                "entitlements" => {
                    self.texts(name, value);
                }
                "isolation" => {
                    self.text(name, value);
                }
                "privileged" => {
                    self.truth(name, value);
                }
                "no_cache_filter" => {
                    if value.as_text().is_none() {
                        let all = self.texts(name, value);
                        self.unique(name, &all);
                    }
                }
                name if name.starts_with("x-") => {}
                _ => {
                    let problem = Diagnostic::new(codes::COMPOSE, format!("a build has no `{name}`")).at(*key);
                    self.faults.push(problem.suggest(name, BUILD));
                }
            }
        }
        if let (Some(_), Some(inline)) = (&spec.dockerfile, &spec.dockerfile_inline)
            && let Origin::Written { span, .. } = inline.origin
        {
            out.has_dockerfile_twice = Some(span);
        }
        if let Some(extension) = fields.get("x-bake") {
            self.extension(&extension.value, &origin, &mut spec);
        }
        if spec.tags.as_ref().is_none_or(Vec::is_empty)
            && let Some((image, span)) = image
        {
            spec.tags = Some(vec![given(image, span)]);
        }
        if let Some(list) = &mut spec.ssh {
            list.sort_by(|a, b| (&a.value.id, &a.value.paths).cmp(&(&b.value.id, &b.value.paths)));
        }
        spec
    }

    fn build_secrets(&mut self, node: &Node, origin: &dyn Fn(Span) -> Origin, spec: &mut Spec, out: &mut Service) {
        let Data::List(list) = &node.data else {
            self.expected("secrets", "a list of secrets", node);
            return;
        };
        for element in list {
            let Some(fields) = element.as_map() else {
                self.expected("secrets", "a list of secrets", element);
                continue;
            };
            let mut source: Text = "".into();
            for (field, Entry { key, value }) in fields {
                match &**field {
                    "source" => source = self.text("source", value).unwrap_or_default(),
                    "target" | "uid" | "gid" => {
                        self.text(field, value);
                    }
                    "mode" if matches!(value.data, Data::Int(_) | Data::Text(_)) => {}
                    field if field.starts_with("x-") => {}
                    _ => {
                        let known = ["gid", "mode", "source", "target", "uid"];
                        let problem = Diagnostic::new(codes::COMPOSE, format!("a secret of a build has no `{field}`"));
                        self.faults.push(problem.at(*key).suggest(field, known));
                    }
                }
            }
            out.secrets.push((source.clone(), element.span));
            let Some(declared) = self.secrets.get(&source) else { continue };
            if declared.external {
                let message = format!("the secret `{source}` is external, and a build cannot take such");
                self.wrong(element.span, message);
                continue;
            }
            let secret = Secret { id: source, src: declared.file.clone(), env: declared.environment.clone() };
            spec.secrets.get_or_insert_default().push(Given::new(secret, origin(element.span)));
        }
    }

    fn ulimits(&mut self, node: &Node) -> Vec<(Text, Span)> {
        let Some(entries) = node.as_map() else {
            self.expected("ulimits", "a mapping of limits by name", node);
            return Vec::new();
        };
        let mut out = Vec::with_capacity(entries.len());
        for (name, Entry { value, .. }) in entries {
            let whole = |node: Option<&Entry>| match node.map(|e| &e.value.data) {
                Some(Data::Int(value)) => Some(*value),
                _ => None,
            };
            let limits = match &value.data {
                Data::Int(both) => Some((*both, *both)),
                Data::Map(fields) => whole(fields.get("soft")).zip(whole(fields.get("hard"))),
                _ => None,
            };
            let Some((soft, hard)) = limits else {
                self.expected(name, "a whole number, or whole numbers for `soft` and `hard`", value);
                continue;
            };
            if let Some(limit) = self.take(Ulimit::parse(&format!("{name}={soft}:{hard}")), value.span) {
                out.push((limit.to_string().into(), value.span));
            }
        }
        out
    }

    fn extra_hosts(&mut self, node: &Node) -> Map<(Vec<String>, Span)> {
        let mut out: Map<(Vec<String>, Span)> = Map::new();
        match &node.data {
            Data::Map(entries) => {
                for (host, Entry { value, .. }) in entries {
                    let ips = match &value.data {
                        Data::List(_) => self.texts(host, value).into_iter().map(|(t, _)| t.to_string()).collect(),
                        _ => self.text(host, value).map(|t| vec![t.to_string()]).unwrap_or_default(),
                    };
                    out.insert(host.clone(), (ips, value.span));
                }
            }
            Data::List(_) => {
                let all = self.texts("extra_hosts", node);
                self.unique("extra_hosts", &all);
                for (text, span) in all {
                    let Some((host, ips)) = text.split_once('=').or_else(|| text.split_once(':')) else {
                        self.wrong(span, format!("`{text}` has no address; write `name=address`"));
                        continue;
                    };
                    let ips = ips.split(',').map(str::to_owned);
                    out.entry(host.into()).or_insert_with(|| (Vec::new(), span)).0.extend(ips);
                }
            }
            _ => self.expected("extra_hosts", "a mapping or a list of `name=address`", node),
        }
        for (host, (ips, span)) in &mut out {
            if host.is_empty() || host.contains([':', '=']) {
                self.faults.push(Diagnostic::new(codes::COMPOSE, format!("`{host}` is no name of a host")).at(*span));
            }
            for ip in ips {
                if let Some(inner) = ip.strip_prefix('[').and_then(|i| i.strip_suffix(']')).filter(|i| !i.is_empty()) {
                    *ip = inner.to_owned();
                }
            }
        }
        out
    }

    /// `x-bake`: what a target can say and compose cannot.
    fn extension(&mut self, node: &Node, origin: &dyn Fn(Span) -> Origin, spec: &mut Spec) {
        let fields = match &node.data {
            Data::Map(fields) => fields,
            Data::Null => return,
            _ => return self.expected("x-bake", "a mapping", node),
        };
        for (field, Entry { key, value }) in fields {
            if value.is_null() {
                continue;
            }
            let name = &**field;
            match name {
                "tags" => self.add_texts(name, value, origin, &mut spec.tags),
                "platforms" => self.add_texts(name, value, origin, &mut spec.platforms),
                "no-cache-filter" => self.add_texts(name, value, origin, &mut spec.no_cache_filter),
                "cache-from" => {
                    let all = self.entries(name, value, origin, forms::caches);
                    if !all.is_empty() {
                        spec.merge_cache_from(&Some(all));
                    }
                }
                "cache-to" => {
                    let all = self.entries(name, value, origin, forms::caches);
                    if !all.is_empty() {
                        spec.append_cache_to(all);
                    }
                }
                "output" => {
                    let all = self.entries(name, value, origin, |t| forms::output(t).map(|o| vec![o]));
                    if !all.is_empty() {
                        spec.append_outputs(all);
                    }
                }
                "secret" => {
                    let all = self.entries(name, value, origin, |t| forms::secret(t).map(|s| vec![s]));
                    spec.merge_secrets(&Some(all).filter(|l| !l.is_empty()));
                }
                "ssh" => {
                    let all = self.entries(name, value, origin, |t| Ok(vec![forms::ssh(t)]));
                    spec.merge_ssh(&Some(all).filter(|l| !l.is_empty()));
                }
                "pull" => spec.pull = self.switch(name, value).map(|v| Given::new(v, origin(value.span))),
                "no-cache" => spec.no_cache = self.switch(name, value).map(|v| Given::new(v, origin(value.span))),
                "contexts" => {
                    let Some(entries) = value.as_map() else {
                        self.expected(name, "a mapping", value);
                        continue;
                    };
                    for (name, Entry { value, .. }) in entries {
                        if matches!(value.data, Data::List(_) | Data::Map(_)) {
                            self.expected(name, "a text", value);
                            continue;
                        }
                        let context = link(&value.scalar().unwrap_or_default());
                        spec.contexts.entry(name.clone()).or_insert_with(|| Given::new(context, origin(value.span)));
                    }
                }
                _ => {
                    let problem =
                        Diagnostic::new(codes::UNKNOWN_ARGUMENT, format!("`x-bake` has no argument `{name}`"));
                    self.faults.push(problem.labelled(*key, "this has no effect").suggest(name, X_BAKE));
                }
            }
        }
    }

    /// A list, or words in a text.
    fn words(&mut self, name: &str, node: &Node) -> Vec<(Text, Span)> {
        let Data::List(list) = &node.data else {
            return match node.scalar() {
                Some(text) => text.split_whitespace().map(|w| (w.into(), node.span)).collect(),
                None => {
                    self.expected(name, "a text or a list of texts", node);
                    Vec::new()
                }
            };
        };
        let mut out = Vec::with_capacity(list.len());
        for element in list {
            match element.scalar() {
                Some(text) => out.push((text, element.span)),
                None if element.is_null() => {}
                None => self.expected(name, "a text or a list of texts", element),
            }
        }
        out
    }

    fn add_texts(
        &mut self,
        name: &str,
        node: &Node,
        origin: &dyn Fn(Span) -> Origin,
        list: &mut Option<Vec<Given<Text>>>,
    ) {
        let words = self.words(name, node);
        if words.is_empty() {
            return;
        }
        let list = list.get_or_insert_default();
        list.extend(words.into_iter().map(|(text, span)| Given::new(text, origin(span))));
        let mut seen = HashSet::new();
        list.retain(|t| seen.insert(t.value.clone()));
    }

    fn entries<T>(
        &mut self,
        name: &str,
        node: &Node,
        origin: &dyn Fn(Span) -> Origin,
        read: impl Fn(&str) -> Result<Vec<T>, String>,
    ) -> Vec<Given<T>> {
        let mut out = Vec::new();
        for (text, span) in self.words(name, node) {
            if !text.is_empty() {
                let all = self.take(read(&text), span).unwrap_or_default();
                out.extend(all.into_iter().map(|value| Given::new(value, origin(span))));
            }
        }
        out
    }

    /// True or false; of texts only those that were so in older YAML.
    fn switch(&mut self, name: &str, node: &Node) -> Option<bool> {
        match &node.data {
            Data::Bool(value) => Some(*value),
            Data::Text(text) if matches!(&**text, "y" | "Y" | "yes" | "on") => Some(true),
            Data::Text(text) if matches!(&**text, "n" | "N" | "no" | "off") => Some(false),
            _ => {
                self.expected(name, "true or false", node);
                None
            }
        }
    }
}

/// A context that is another service is that service's target.
fn link(context: &str) -> Text {
    match context.strip_prefix("service:").or_else(|| context.strip_prefix("target:")) {
        Some(other) => format!("target:{}", target_name(other)).into(),
        None => context.into(),
    }
}

/// Whether services fit together and with what is declared beside them.
pub(super) fn check_consistency(
    services: &Map<Service>,
    secrets: &Map<Declared>,
    report: &mut dyn FnMut(Option<&Text>, Fault),
) {
    let fault = |span: Span, message: String| Box::new(Diagnostic::new(codes::COMPOSE, message).at(span));
    let mut hints = 0;
    let mut hint = |problem: Diagnostic, name: &str, known: &mut dyn Iterator<Item = &Text>| {
        hints += 1;
        Box::new(if hints <= MOST_HINTS { problem.suggest(name, known) } else { problem })
    };
    for (name, service) in services {
        if service.spec.is_none() && !service.has_image {
            report(None, fault(service.key, format!("the service `{name}` has neither `image` nor `build`")));
        }
        if let Some(span) = service.has_dockerfile_twice {
            let message = "`dockerfile` and `dockerfile_inline` exclude one another".to_owned();
            report(Some(name), fault(span, message));
        }
        for (other, span) in &service.uses {
            match services.get(other) {
                None => {
                    let problem = *fault(*span, format!("there is no service `{other}`"));
                    report(Some(name), hint(problem, other, &mut services.keys()));
                }
                Some(other_service) if other_service.spec.is_none() => {
                    report(Some(name), fault(*span, format!("the service `{other}` has no `build`")));
                }
                Some(_) => {}
            }
        }
        for (secret, span) in &service.secrets {
            if !secrets.contains_key(secret) {
                let problem = *fault(*span, format!("there is no secret `{secret}` under `secrets`"));
                report(Some(name), hint(problem, secret, &mut secrets.keys()));
            }
        }
    }
    for (name, secret) in secrets {
        if !secret.external
            && secret.file.is_empty()
            && secret.environment.is_empty()
            && let Some(span) = secret.span
        {
            report(None, fault(span, format!("the secret `{name}` has neither `file` nor `environment`")));
        }
    }
}
