//! `--explain`: where each value of a target comes from.

use rbc_ast::plan::{Attest, Given, Map, Origin, Policy, Resources, Secret, Ssh, Target, Text};
use rbc_source::{Sources, Span};
use std::fmt::Write as _;

/// An argument of a target with its value and where that comes from.
struct Row {
    name: String,
    value: String,
    from: String,
}

/// Where each value of a target comes from: the target's name and place, and a line a value. Lists have a line an element.
pub fn explain(target: &Target, sources: &Sources) -> String {
    let mut out = String::new();
    _ = write!(out, "target {}", target.name);
    if let Some(span) = target.span {
        _ = write!(out, ", {}", place(span, sources));
    }
    if target.linked {
        out.push_str(", built for the targets that use it");
    }
    out.push('\n');
    let mut table = Table { target, sources, rows: Vec::new() };
    table.fill();
    let width = |of: fn(&Row) -> &str| {
        // One long value must not push all the others away.
        const WIDEST: usize = 48;
        table.rows.iter().map(|r| of(r).chars().count()).filter(|n| *n <= WIDEST).max().unwrap_or(0)
    };
    let (names, values) = (width(|r| &r.name), width(|r| &r.value));
    for row in &table.rows {
        _ = writeln!(out, "  {:names$}  {:values$}  {}", row.name, row.value, row.from);
    }
    out
}

fn place(span: Span, sources: &Sources) -> String {
    let file = sources.get(span.file);
    let at = file.line_col(span.start as usize);
    format!("{}:{}:{}", file.name(), at.line + 1, at.col + 1)
}

struct Table<'t> {
    target: &'t Target,
    sources: &'t Sources,
    rows: Vec<Row>,
}

impl Table<'_> {
    fn row<T>(&mut self, name: &str, given: &Given<T>, value: impl FnOnce(&T) -> String) {
        let from = match &given.origin {
            Origin::Default => "default".to_owned(),
            Origin::Written { target, span } if *target == self.target.name => place(*span, self.sources),
            Origin::Written { target, span } => format!("{}, inherited from {target}", place(*span, self.sources)),
            Origin::Flag(flag) => flag.to_string(),
            Origin::Environment(name) => format!("{name} of the environment"),
            Origin::Implied(why) => (*why).to_owned(),
        };
        // A text of several lines is shown by its first.
        let value = value(&given.value);
        let value = match value.trim_end().split_once('\n') {
            Some((first, rest)) => format!("{first} ... ({} more lines)", rest.lines().count()),
            None => value.trim_end().to_owned(),
        };
        self.rows.push(Row { name: name.to_owned(), value, from });
    }

    fn text(&mut self, name: &str, given: &Option<Given<Text>>) {
        if let Some(given) = given {
            self.row(name, given, Text::to_string);
        }
    }

    fn shown<T: ToString>(&mut self, name: &str, given: &Option<Given<T>>) {
        if let Some(given) = given {
            self.row(name, given, T::to_string);
        }
    }

    fn list<T>(&mut self, name: &str, list: &[Given<T>], value: impl Fn(&T) -> String) {
        for given in list {
            self.row(name, given, &value);
        }
    }

    fn map(&mut self, name: &str, map: &Map<Given<Text>>) {
        for (key, given) in map {
            self.row(&format!("{name}.{key}"), given, Text::to_string);
        }
    }

    fn fill(&mut self) {
        let t = self.target;
        self.text("description", &t.description);
        self.list("annotations", &t.annotations, Text::to_string);
        self.list("attest", &t.attest, attest);
        self.text("context", &t.context);
        self.map("contexts", &t.contexts);
        self.text("dockerfile", &t.dockerfile);
        self.text("dockerfile-inline", &t.dockerfile_inline);
        self.map("args", &t.args);
        self.map("labels", &t.labels);
        self.list("tags", &t.tags, Text::to_string);
        self.list("cache-from", &t.cache_from, |c| fields(&c.kind, &[], &c.attrs));
        self.list("cache-to", &t.cache_to, |c| fields(&c.kind, &[], &c.attrs));
        self.text("target", &t.target);
        self.list("secret", &t.secrets, secret);
        self.list("ssh", &t.ssh, ssh);
        self.list("platforms", &t.platforms, Text::to_string);
        self.list("output", &t.outputs, |o| fields(&o.kind, &[("dest", &o.dest)], &o.attrs));
        self.shown("pull", &t.pull);
        self.shown("no-cache", &t.no_cache);
        self.text("network", &t.network);
        self.list("no-cache-filter", &t.no_cache_filter, Text::to_string);
        self.text("shm-size", &t.shm_size);
        self.list("ulimits", &t.ulimits, Text::to_string);
        let Resources { memory, memory_swap, cpu_shares, cpu_period, cpu_quota, cpuset_cpus, cpuset_mems } =
            &t.resources;
        self.text("resources.memory", memory);
        self.text("resources.memory-swap", memory_swap);
        self.shown("resources.cpu-shares", cpu_shares);
        self.shown("resources.cpu-period", cpu_period);
        self.shown("resources.cpu-quota", cpu_quota);
        self.text("resources.cpuset-cpus", cpuset_cpus);
        self.text("resources.cpuset-mems", cpuset_mems);
        self.text("call", &t.call);
        self.list("entitlements", &t.entitlements, Text::to_string);
        self.map("extra-hosts", &t.extra_hosts);
        self.list("policy", &t.policy, policy);
    }
}

/// `type=kind,name=value`: named fields that are not empty, then further ones.
fn fields(kind: &str, named: &[(&str, &str)], attrs: &Map<Text>) -> String {
    let named = named.iter().copied().filter(|(_, v)| !v.is_empty());
    let all = [("type", kind)].into_iter().chain(named).chain(attrs.iter().map(|(n, v)| (&**n, &**v)));
    all.map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(",")
}

fn attest(attest: &Attest) -> String {
    fields(&attest.kind, if attest.disabled { &[("disabled", "true")] } else { &[] }, &attest.attrs)
}

fn secret(secret: &Secret) -> String {
    let parts = [("id", &secret.id), ("src", &secret.src), ("env", &secret.env)];
    let given = parts.iter().filter(|(_, v)| !v.is_empty());
    given.map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(",")
}

fn ssh(ssh: &Ssh) -> String {
    let id = if ssh.id.is_empty() { "default" } else { &ssh.id };
    if ssh.paths.is_empty() { id.to_owned() } else { format!("{id}={}", ssh.paths.join(",")) }
}

fn policy(policy: &Policy) -> String {
    let mut parts: Vec<String> = policy.files.iter().map(|f| format!("filename={f}")).collect();
    for (name, on) in [("reset", policy.reset), ("disabled", policy.disabled)] {
        if on {
            parts.push(format!("{name}=true"));
        }
    }
    parts.extend(policy.strict.map(|strict| format!("strict={strict}")));
    parts.extend(policy.log_level.as_ref().map(|level| format!("log-level={level}")));
    parts.join(",")
}
