//! `--print` and `--list`.

use crate::definitions::Definitions;
use crate::world::Variable;
use rbc_ast::plan::{Given, Group, Map, Plan, Policy, Resources, Target, Text};
use rbc_oci::write_json_string;
use rbc_source::{Diagnostic, bake as codes};

/// Writes JSON with two spaces a level.
struct Json {
    out: String,
    depth: usize,
    /// Something was written at this level, so that a comma is due.
    comma: bool,
}

impl Json {
    fn new() -> Self {
        Json { out: String::new(), depth: 0, comma: false }
    }

    fn line(&mut self) {
        if self.comma {
            self.out.push(',');
        }
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
        self.comma = true;
    }

    fn text(&mut self, text: &str) {
        write_json_string(&mut self.out, text);
    }

    fn key(&mut self, key: &str) {
        self.line();
        self.text(key);
        self.out.push_str(": ");
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.comma = false;
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if std::mem::replace(&mut self.comma, false) {
            self.line();
        }
        self.out.push(bracket);
        self.comma = true;
    }

    fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.open('{');
        write(self);
        self.close('}');
    }

    fn array<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.open('[');
        for item in items {
            self.line();
            write(self, item);
            self.comma = true;
        }
        self.close(']');
    }

    /// `"key": "text"`, unless it is empty.
    fn field(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            self.text(text);
        }
    }

    fn texts<'t>(&mut self, key: &str, texts: impl IntoIterator<Item = &'t str>) {
        let mut texts = texts.into_iter().peekable();
        if texts.peek().is_some() {
            self.key(key);
            self.array(texts, |json, text| json.text(text));
        }
    }

    fn map<'t>(&mut self, entries: impl IntoIterator<Item = (&'t str, &'t str)>) {
        self.object(|json| {
            for (name, value) in entries {
                json.key(name);
                json.text(value);
            }
        });
    }
}

/// The plan as a bake file in JSON: `--print`. It reads back as the same plan.
pub fn print(plan: &Plan) -> String {
    let mut json = Json::new();
    json.object(|json| {
        if !plan.groups.is_empty() {
            json.key("group");
            json.object(|json| {
                for (name, group) in &plan.groups {
                    json.key(name);
                    write_group(json, group);
                }
            });
        }
        json.key("target");
        json.object(|json| {
            for (name, target) in &plan.targets {
                json.key(name);
                write_target(json, target);
            }
        });
    });
    json.out.push('\n');
    json.out
}

fn write_group(json: &mut Json, group: &Group) {
    json.object(|json| {
        json.field("description", &escaped(&group.description));
        json.key("targets");
        json.array(&group.members, |json, member| json.text(member));
    });
}

/// `${` and `%{` begin templates where the file is read again.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains("${") || text.contains("%{") {
        text.replace("${", "$${").replace("%{", "%%{").into()
    } else {
        text.into()
    }
}

fn values(list: &[Given<Text>]) -> Vec<String> {
    list.iter().map(|t| escaped(&t.value).into_owned()).collect()
}

fn named(map: &Map<Given<Text>>) -> Vec<(String, String)> {
    map.iter().map(|(n, v)| (escaped(n).into_owned(), escaped(&v.value).into_owned())).collect()
}

fn write_target(json: &mut Json, target: &Target) {
    let text = |json: &mut Json, key: &str, given: &Option<Given<Text>>| {
        if let Some(given) = given {
            json.key(key);
            json.text(&escaped(&given.value));
        }
    };
    let list = |json: &mut Json, key: &str, list: &[Given<Text>]| {
        json.texts(key, values(list).iter().map(String::as_str));
    };
    let map = |json: &mut Json, key: &str, map: &Map<Given<Text>>| {
        if !map.is_empty() {
            json.key(key);
            json.map(named(map).iter().map(|(n, v)| (n.as_str(), v.as_str())));
        }
    };
    json.object(|json| {
        text(json, "description", &target.description);
        list(json, "annotations", &target.annotations);
        if !target.attest.is_empty() {
            json.key("attest");
            json.array(&target.attest, |json, attest| {
                let attest = &attest.value;
                let mut entries: Vec<(&str, Option<&str>)> =
                    attest.attrs.iter().map(|(n, v)| (&**n, Some(&**v))).collect();
                entries.retain(|(n, _)| *n != "type" && !(*n == "disabled" && attest.disabled));
                entries.push(("type", Some(&attest.kind)));
                if attest.disabled {
                    entries.push(("disabled", None));
                }
                entries.sort();
                json.object(|json| {
                    for (name, value) in entries {
                        json.key(&escaped(name));
                        match value {
                            Some(value) => json.text(&escaped(value)),
                            None => json.out.push_str("true"),
                        }
                    }
                });
            });
        }
        text(json, "context", &target.context);
        map(json, "contexts", &target.contexts);
        text(json, "dockerfile", &target.dockerfile);
        text(json, "dockerfile-inline", &target.dockerfile_inline);
        map(json, "args", &target.args);
        map(json, "labels", &target.labels);
        list(json, "tags", &target.tags);
        for (key, caches) in [("cache-from", &target.cache_from), ("cache-to", &target.cache_to)] {
            if !caches.is_empty() {
                json.key(key);
                json.array(caches, |json, cache| {
                    write_attrs(json, &cache.value.attrs, &[("type", &cache.value.kind)]);
                });
            }
        }
        text(json, "target", &target.target);
        if !target.secrets.is_empty() {
            json.key("secret");
            json.array(&target.secrets, |json, secret| {
                json.object(|json| {
                    json.field("id", &escaped(&secret.value.id));
                    json.field("src", &escaped(&secret.value.src));
                    json.field("env", &escaped(&secret.value.env));
                });
            });
        }
        if !target.ssh.is_empty() {
            json.key("ssh");
            json.array(&target.ssh, |json, ssh| {
                json.object(|json| {
                    json.field("id", &escaped(&ssh.value.id));
                    let paths: Vec<_> = ssh.value.paths.iter().map(|p| escaped(p)).collect();
                    json.texts("paths", paths.iter().map(|p| &**p));
                });
            });
        }
        list(json, "platforms", &target.platforms);
        if !target.outputs.is_empty() {
            json.key("output");
            json.array(&target.outputs, |json, output| {
                let output = &output.value;
                let mut more: Vec<(&str, &str)> = vec![("type", &output.kind)];
                if !output.dest.is_empty() {
                    more.push(("dest", &output.dest));
                }
                write_attrs(json, &output.attrs, &more);
            });
        }
        for (key, flag) in [("pull", &target.pull), ("no-cache", &target.no_cache)] {
            if let Some(flag) = flag {
                json.key(key);
                json.out.push_str(if flag.value { "true" } else { "false" });
            }
        }
        text(json, "network", &target.network);
        list(json, "no-cache-filter", &target.no_cache_filter);
        text(json, "shm-size", &target.shm_size);
        list(json, "ulimits", &target.ulimits);
        if !target.resources.is_empty() {
            json.key("resources");
            write_resources(json, &target.resources);
        }
        text(json, "call", &target.call);
        list(json, "entitlements", &target.entitlements);
        map(json, "extra-hosts", &target.extra_hosts);
        if !target.policy.is_empty() {
            json.key("policy");
            json.array(&target.policy, |json, policy| write_policy(json, &policy.value));
        }
    });
}

fn write_attrs(json: &mut Json, attrs: &Map<Text>, more: &[(&str, &str)]) {
    let own = attrs.iter().map(|(n, v)| (&**n, &**v)).filter(|(n, _)| !more.iter().any(|(m, _)| m == n));
    let mut entries: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
    entries.sort();
    let escaped: Vec<_> = entries.iter().map(|(n, v)| (escaped(n), escaped(v))).collect();
    json.map(escaped.iter().map(|(n, v)| (&**n, &**v)));
}

fn write_resources(json: &mut Json, resources: &Resources) {
    json.object(|json| {
        for (key, text) in [("memory", &resources.memory), ("memory-swap", &resources.memory_swap)] {
            if let Some(text) = text {
                json.key(key);
                json.text(&escaped(&text.value));
            }
        }
        for (key, number) in [
            ("cpu-shares", &resources.cpu_shares),
            ("cpu-period", &resources.cpu_period),
            ("cpu-quota", &resources.cpu_quota),
        ] {
            if let Some(number) = number {
                json.key(key);
                json.out.push_str(&number.value.to_string());
            }
        }
        for (key, text) in [("cpuset-cpus", &resources.cpuset_cpus), ("cpuset-mems", &resources.cpuset_mems)] {
            if let Some(text) = text {
                json.key(key);
                json.text(&escaped(&text.value));
            }
        }
    });
}

/// A policy as a bake file has it. One with several files has no form as an object, so it is a text then.
fn write_policy(json: &mut Json, policy: &Policy) {
    let truth = |on: bool| if on { "true" } else { "false" };
    let mut parts: Vec<(&str, &str)> = policy.files.iter().map(|f| ("filename", &**f)).collect();
    if policy.reset {
        parts.push(("reset", "true"));
    }
    if policy.disabled {
        parts.push(("disabled", "true"));
    }
    parts.extend(policy.strict.map(|s| ("strict", truth(s))));
    parts.extend(policy.log_level.as_deref().map(|l| ("log-level", l)));
    if policy.files.len() > 1 {
        let fields: Vec<String> = parts
            .iter()
            .map(|(n, v)| {
                let field = format!("{n}={v}");
                if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
            })
            .collect();
        json.text(&escaped(&fields.join(",")));
        return;
    }
    parts.sort();
    let parts: Vec<_> = parts.iter().map(|(n, v)| (*n, escaped(v))).collect();
    json.map(parts.iter().map(|(n, v)| (*n, &**v)));
}

/// What `--list` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Targets and groups.
    Targets,
    /// Variables.
    Variables,
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// A line an entry, columns aligned by tabs.
    Table,
    /// An array of objects.
    Json,
}

/// Reads the value of `--list`: `targets`, `variables`, `type=targets,format=json`.
///
/// # Errors
/// If it cannot be understood.
pub fn parse_list(text: &str) -> Result<(List, ListFormat), Box<Diagnostic>> {
    let wrong = |why: String| {
        let problem = Diagnostic::new(codes::OVERRIDE, format!("`--list {text}`: {why}"));
        Box::new(problem.note("write `targets` or `variables`, or `type=targets,format=json`"))
    };
    let fields = crate::csv::fields(text, ',').map_err(wrong)?;
    let (mut kind, mut format) = (String::new(), String::new());
    if fields.len() == 1 && fields[0] == text && !text.starts_with("type=") {
        kind = text.to_owned();
    } else {
        for field in &fields {
            let (key, value) =
                field.split_once('=').ok_or_else(|| wrong(format!("`{field}` is not of the form `key=value`")))?;
            match key.to_lowercase().trim() {
                "type" => kind = value.into(),
                "format" => format = value.into(),
                other => return Err(wrong(format!("`{other}` is not known"))),
            }
        }
    }
    let list = match kind.as_str() {
        "targets" => List::Targets,
        "variables" => List::Variables,
        other => return Err(wrong(format!("`{other}` cannot be listed"))),
    };
    let format = match format.as_str() {
        "" | "table" => ListFormat::Table,
        "json" => ListFormat::Json,
        other => return Err(wrong(format!("`{other}` is no format"))),
    };
    Ok((list, format))
}

/// A target or group as it is listed.
struct Entry {
    name: Text,
    description: String,
    group: bool,
}

/// `--list`.
pub fn list(definitions: &Definitions, list: List, format: ListFormat) -> String {
    match (list, format) {
        (List::Targets, ListFormat::Table) => table(
            &["TARGET", "DESCRIPTION"],
            entries(definitions).into_iter().map(|e| vec![e.name.to_string(), e.description]),
        ),
        (List::Targets, ListFormat::Json) => {
            let entries = entries(definitions);
            if entries.is_empty() {
                return "null\n".into();
            }
            let mut json = Json::new();
            json.array(entries, |json, entry| {
                json.object(|json| {
                    json.key("name");
                    json.text(&entry.name);
                    json.field("description", &entry.description);
                    if entry.group {
                        json.key("group");
                        json.out.push_str("true");
                    }
                });
            });
            json.out.push('\n');
            json.out
        }
        (List::Variables, ListFormat::Table) => table(
            &["VARIABLE", "TYPE", "VALUE", "DESCRIPTION"],
            definitions.variables.iter().map(|v| {
                let value = v.value.clone().unwrap_or_else(|| "<null>".into());
                vec![v.name.to_string(), v.ty.clone().unwrap_or_default(), value, v.description.clone()]
            }),
        ),
        (List::Variables, ListFormat::Json) if !definitions.has_blocks => "null\n".into(),
        (List::Variables, ListFormat::Json) => {
            let mut json = Json::new();
            json.array(&definitions.variables, |json, variable: &Variable| {
                json.object(|json| {
                    json.key("name");
                    json.text(&variable.name);
                    json.field("description", &variable.description);
                    json.field("type", variable.ty.as_deref().unwrap_or(""));
                    if let Some(value) = &variable.value {
                        json.key("value");
                        json.text(value);
                    }
                });
            });
            json.out.push('\n');
            json.out
        }
    }
}

/// Targets and groups by name; those whose names begin with `_` are for other targets to inherit.
fn entries(definitions: &Definitions) -> Vec<Entry> {
    let targets = definitions.targets.iter().map(|t| Entry {
        name: t.name.clone(),
        description: t.description.as_ref().map_or(String::new(), |d| d.value.to_string()),
        group: false,
    });
    let groups = definitions.groups.iter().map(|(name, group)| {
        let mut members: Vec<&str> = group.members.iter().map(|m| &**m).collect();
        members.sort_unstable();
        let members = members.join(", ");
        let description = match (group.description.is_empty(), members.is_empty()) {
            (true, _) => members,
            (false, true) => group.description.to_string(),
            (false, false) => format!("{} ({members})", group.description),
        };
        Entry { name: name.clone(), description, group: true }
    });
    let mut out: Vec<Entry> = targets.chain(groups).filter(|e| !e.name.starts_with('_')).collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

/// Columns padded by tabs of eight, as Go's tabwriter does it: cells of a column that follow one another line up.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|h| (*h).to_owned()).collect();
    let mut lines: Vec<Vec<String>> = vec![head];
    for row in rows {
        // A line break within a cell breaks the line.
        let mut cells = vec![String::new()];
        for (i, cell) in row.iter().enumerate() {
            if i > 0 {
                cells.push(String::new());
            }
            for (n, line) in cell.split('\n').enumerate() {
                if n > 0 {
                    lines.push(std::mem::replace(&mut cells, vec![String::new()]));
                }
                for (k, part) in line.split('\t').enumerate() {
                    if k > 0 {
                        cells.push(String::new());
                    }
                    if let Some(last) = cells.last_mut() {
                        last.push_str(part);
                    }
                }
            }
        }
        lines.push(cells);
    }
    let mut out = vec![String::new(); lines.len()];
    pad(&lines, 0..lines.len(), 0, &mut out);
    let mut text = String::new();
    for line in out {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Writes one column and what follows it. The last cell of a line ends it and belongs to no column.
fn pad(lines: &[Vec<String>], range: std::ops::Range<usize>, column: usize, out: &mut [String]) {
    let mut i = range.start;
    while i < range.end {
        if column + 1 >= lines[i].len() {
            if let Some(last) = lines[i].get(column) {
                out[i].push_str(last);
            }
            i += 1;
            continue;
        }
        let start = i;
        while i < range.end && column + 1 < lines[i].len() {
            i += 1;
        }
        let widest = lines[start..i].iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
        // One more for the gap, then up to the next stop; a column of empty cells takes no room.
        let width = if widest == 0 { 0 } else { (widest + 1).div_ceil(8) * 8 };
        for n in start..i {
            let cell = &lines[n][column];
            out[n].push_str(cell);
            let used = cell.chars().count();
            let tabs = if width == 0 { usize::from(column + 1 < lines[n].len()) } else { (width - used).div_ceil(8) };
            out[n].extend(std::iter::repeat_n('\t', tabs));
        }
        pad(lines, start..i, column + 1, out);
    }
}
