//! `--set pattern.key[.name][+]=value`, and the flags that are short for it.

use crate::arguments::{Set, set_keys};
use crate::definitions::Definitions;
use crate::environment::Environment;
use crate::forms;
use crate::spec::Spec;
use rbc_ast::plan::{Given, Origin, Output, Policy, Text};
use rbc_context::path;
use rbc_source::{Diagnostic, bake as codes, closest, go_bool};
use std::collections::HashMap;

/// What the command asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Targets, groups and patterns; empty for `default`.
    pub targets: Vec<String>,
    /// `--set`, in order.
    pub set: Vec<String>,
    /// `--push`.
    pub push: bool,
    /// `--load`.
    pub load: bool,
    /// `--call`: name and parameters, as `outline,format=json`; `--check` is `lint`.
    pub call: Option<String>,
    /// `--no-cache`, if it is given.
    pub no_cache: Option<bool>,
    /// `--pull`, if it is given.
    pub pull: Option<bool>,
    /// `--sbom`.
    pub sbom: Option<String>,
    /// `--provenance`.
    pub provenance: Option<String>,
    /// `--policy`.
    pub policy: Vec<String>,
}

/// What `--call` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// `lint`, `outline`, `targets`, ...
    pub name: String,
    /// `json`, `text`, ...
    pub format: Option<String>,
    /// The status of the command is not that of the call.
    pub ignore_status: bool,
}

impl Call {
    /// Reads the value of `--call`; none for a plain build.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn parse(text: &str) -> Result<Option<Call>, Box<Diagnostic>> {
        let wrong = |why: String| {
            let problem = Diagnostic::new(codes::OVERRIDE, format!("`--call {text}`: {why}"));
            Box::new(problem.note("write a method and parameters, as `--call outline,format=json`"))
        };
        if text.is_empty() {
            return Ok(None);
        }
        let mut call = Call::default();
        for field in crate::csv::fields(text, ',').map_err(wrong)? {
            match field.split_once('=') {
                Some(("format", value)) => call.format = Some(value.into()),
                Some(("ignorestatus", value)) => {
                    call.ignore_status =
                        go_bool(value).ok_or_else(|| wrong(format!("`{value}` is neither true nor false")))?;
                }
                Some((key, _)) => return Err(wrong(format!("`{key}` is no parameter"))),
                None if call.name.is_empty() => call.name = field,
                None => return Err(wrong(format!("`{field}` is a second method"))),
            }
        }
        if call.name == "check" {
            call.name = "lint".into();
        }
        Ok((call.name != "build").then_some(call))
    }
}

/// A value for one argument of one target.
#[derive(Clone, Debug)]
struct Override {
    key: String,
    sub: Option<String>,
    value: Text,
    list: Vec<Text>,
    append: bool,
    flag: Text,
}

/// Access to files that flags ask for, which needs no further permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Paths that are read.
    pub read: Vec<Text>,
    /// Paths that are written.
    pub write: Vec<Text>,
}

/// All overrides, by target and in the order of their flags.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    by_target: HashMap<Text, Vec<Override>>,
    /// No policy is evaluated.
    pub no_policy: bool,
}

impl Overrides {
    /// Reads all flags of a request.
    pub(crate) fn new(
        request: &Request,
        definitions: &Definitions,
        env: &Environment,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut out = Overrides::default();
        let mut add = |flag: &str, text: &str| {
            if let Err(problem) = out.add(flag, text, definitions, env) {
                diagnostics.push(*problem);
            }
        };
        for text in &request.set {
            add(&format!("--set {text}"), text);
        }
        if request.push {
            add("--push", "*.push=true");
        }
        if request.load {
            add("--load", "*.load=true");
        }
        let call = match request.call.as_deref().map(Call::parse).transpose() {
            Ok(call) => call.flatten(),
            Err(problem) => {
                diagnostics.push(*problem);
                None
            }
        };
        let mut out_of = |flag: String, text: String| {
            if let Err(problem) = out.add(&flag, &text, definitions, env) {
                diagnostics.push(*problem);
            }
        };
        if let Some(call) = call {
            out_of(format!("--call {}", call.name), format!("*.call={}", call.name));
        }
        if let Some(on) = request.no_cache {
            out_of(format!("--no-cache={on}"), format!("*.no-cache={on}"));
        }
        if let Some(on) = request.pull {
            out_of(format!("--pull={on}"), format!("*.pull={on}"));
        }
        for (kind, value) in [("sbom", &request.sbom), ("provenance", &request.provenance)] {
            if let Some(value) = value.as_ref().filter(|v| !v.is_empty()) {
                out_of(format!("--{kind} {value}"), format!("*.attest={}", forms::attest_flag(kind, value)));
            }
        }
        match policies(&request.policy) {
            Ok(Policies::Off) => out.no_policy = true,
            Ok(Policies::On) => {
                for text in &request.policy {
                    if let Err(problem) =
                        out.add(&format!("--policy {text}"), &format!("*.policy+={text}"), definitions, env)
                    {
                        diagnostics.push(*problem);
                    }
                }
            }
            Err(why) => diagnostics.push(Diagnostic::new(codes::OVERRIDE, why)),
        }
        out
    }

    fn add(
        &mut self,
        flag: &str,
        text: &str,
        definitions: &Definitions,
        env: &Environment,
    ) -> Result<(), Box<Diagnostic>> {
        let wrong = |why: String| Box::new(Diagnostic::new(codes::OVERRIDE, format!("`{flag}`: {why}")));
        let (path, value) = text.split_once('=').map_or((text, None), |(p, v)| (p, Some(v)));
        let (path, append) = path.strip_suffix('+').map_or((path, false), |p| (p, true));
        let mut parts = path.splitn(3, '.');
        let pattern = parts.next().unwrap_or("");
        let Some(key) = parts.next() else {
            let hint = "write `--set TARGET.KEY=value`";
            return Err(Box::new((*wrong("a target and a key are expected before `=`".into())).note(hint)));
        };
        let sub = parts.next();
        if value.is_none() && key != "args" {
            return Err(wrong(format!("a value is expected: `{path}=...`")));
        }
        let names =
            matching(pattern, definitions).map_err(|problem| Box::new((*problem).note(format!("in `{flag}`"))))?;
        let Some((_, set)) = set_keys().find(|(known, _)| *known == key) else {
            let mut problem = *wrong(format!("`{key}` is no key that can be set"));
            if let Some(near) = closest(key, set_keys().map(|(known, _)| known)) {
                problem = problem.note(format!("did you mean `{near}`?"));
            }
            return Err(Box::new(problem));
        };
        if matches!(set, Set::Named | Set::Part) && sub.is_none() {
            return Err(wrong(format!("`{key}` needs a name: `{pattern}.{key}.NAME=value`")));
        }
        if set == Set::Part && append {
            return Err(wrong(format!("`{key}` cannot be appended to")));
        }
        let value: Text = match value {
            Some(value) => value.into(),
            None => match sub.and_then(|name| env.process(name)) {
                Some(value) => value.into(),
                None => return Ok(()),
            },
        };
        for name in names {
            let overrides = self.by_target.entry(name).or_default();
            let at = overrides.iter().position(|o| o.key == key && o.sub.as_deref() == sub);
            let i = at.unwrap_or_else(|| {
                overrides.push(Override {
                    key: key.into(),
                    sub: sub.map(Into::into),
                    value: "".into(),
                    list: Vec::new(),
                    append: false,
                    flag: flag.into(),
                });
                overrides.len() - 1
            });
            let own = &mut overrides[i];
            own.flag = flag.into();
            own.append = append;
            if set == Set::List {
                own.list.push(value.clone());
            } else {
                own.value = value.clone();
            }
        }
        Ok(())
    }

    /// Applies the overrides of a target to it. Gives what is wrong with them.
    pub(crate) fn apply(&self, spec: &mut Spec, allowed: &mut Allowed) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let Some(overrides) = self.by_target.get(&spec.name) else { return faults };
        // Secrets are replaced before single ones are changed.
        let (late, early): (Vec<_>, Vec<_>) = overrides.iter().partition(|o| o.key == "secret");
        for o in early.into_iter().chain(late) {
            if let Err(why) = o.apply(spec, allowed) {
                faults.push(Diagnostic::new(codes::OVERRIDE, format!("`{}`: {why}", o.flag)));
            }
        }
        faults
    }
}

/// Targets that a name or pattern means.
fn matching(pattern: &str, definitions: &Definitions) -> Result<Vec<Text>, Box<Diagnostic>> {
    if let Some(&i) = definitions.target_index.get(pattern) {
        return Ok(vec![definitions.targets[i].name.clone()]);
    }
    let mut out = Vec::new();
    for name in definitions.target_names() {
        match path::matches(pattern, name) {
            Ok(true) => out.push(name.clone()),
            Ok(false) => {}
            Err(_) => {
                let problem = Diagnostic::new(codes::OVERRIDE, format!("`{pattern}` is no pattern"));
                return Err(Box::new(problem.note("a pattern has `*`, `?` and `[a-z]`")));
            }
        }
    }
    if out.is_empty() {
        let problem = Diagnostic::new(codes::NO_TARGET, format!("no target matches `{pattern}`"));
        return Err(Box::new(problem.suggest(pattern, definitions.target_names())));
    }
    Ok(out)
}

enum Policies {
    On,
    Off,
}

/// What the `--policy` flags say together.
fn policies(flags: &[String]) -> Result<Policies, String> {
    let mut out = Policies::On;
    for flag in flags {
        let policy = forms::policy(flag).map_err(|why| format!("`--policy {flag}`: {why}"))?;
        if !policy.files.is_empty() {
            return Err(format!("`--policy {flag}`: policy files are named in the bake file, not by a flag"));
        }
        if policy.reset {
            return Err(format!("`--policy {flag}`: what a policy resets is said in the bake file, not by a flag"));
        }
        if policy.disabled {
            if policy.strict.is_some() || policy.log_level.is_some() || flags.len() > 1 {
                return Err(format!("`--policy {flag}`: `disabled` cannot be combined with other parameters"));
            }
            out = Policies::Off;
        }
    }
    Ok(out)
}

impl Override {
    fn given<T>(&self, value: T) -> Given<T> {
        Given::new(value, Origin::Flag(self.flag.clone()))
    }

    fn texts(&self) -> Vec<Given<Text>> {
        self.list.iter().map(|t| self.given(t.clone())).collect()
    }

    /// The elements of the list that are not empty, read one by one.
    fn entries<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<Given<T>>, String> {
        self.list.iter().filter(|t| !t.is_empty()).map(|t| read(t).map(|v| self.given(v))).collect()
    }

    fn truth(&self) -> Result<bool, String> {
        go_bool(&self.value).ok_or_else(|| format!("`{}` is neither true nor false", self.value))
    }

    fn apply(&self, spec: &mut Spec, allowed: &mut Allowed) -> Result<(), String> {
        let text = || Some(self.given(self.value.clone()));
        let name = || Text::from(self.sub.as_deref().unwrap_or(""));
        match self.key.as_str() {
            "context" => {
                spec.context = text();
            }
            "dockerfile" => spec.dockerfile = text(),
            "target" => spec.target = text(),
            "call" => spec.call = text(),
            "shm-size" => spec.shm_size = text(),
            "network" => spec.network = text(),
            "args" => {
                spec.args.insert(name(), self.given(self.value.clone()));
            }
            "contexts" => {
                spec.contexts.insert(name(), self.given(self.value.clone()));
            }
            "labels" => {
                spec.labels.insert(name(), self.given(self.value.clone()));
            }
            "extra-hosts" => {
                spec.extra_hosts.insert(name(), self.given(self.value.clone()));
            }
            "no-cache" => spec.no_cache = Some(self.given(self.truth()?)),
            "pull" => spec.pull = Some(self.given(self.truth()?)),
            "tags" => extend(&mut spec.tags, self.texts(), self.append),
            "platform" => extend(&mut spec.platforms, self.texts(), self.append),
            "no-cache-filter" => extend(&mut spec.no_cache_filter, self.texts(), self.append),
            "ulimits" => extend(&mut spec.ulimits, self.texts(), self.append),
            "entitlements" => extend(&mut spec.entitlements, self.texts(), true),
            "annotations" => extend(&mut spec.annotations, self.texts(), true),
            "policy" => {
                let all: Vec<Given<Policy>> =
                    self.list.iter().map(|t| forms::policy(t).map(|p| self.given(p))).collect::<Result<_, _>>()?;
                extend(&mut spec.policy, all, self.append);
            }
            "attest" => spec.merge_attest(&Some(self.entries(forms::attest)?)),
            "cache-from" | "cache-to" => self.apply_caches(spec, allowed)?,
            "secrets" => {
                let all = self.entries(forms::secret)?;
                allowed.read.extend(all.iter().map(|s| s.value.src.clone()).filter(|p| !p.is_empty()));
                if self.append {
                    spec.merge_secrets(&Some(all));
                } else {
                    spec.secrets = Some(all);
                }
            }
            "secret" => {
                let new = forms::secret(&self.value)?;
                let id = name();
                if !new.id.is_empty() && new.id != id {
                    return Err(format!("the secret is `{id}`, and not `{}`", new.id));
                }
                let secrets = spec.secrets.iter_mut().flatten();
                let Some(own) = secrets.into_iter().find(|s| s.value.id == id) else {
                    return Err(format!("the target `{}` has no secret `{id}`", spec.name));
                };
                if !new.src.is_empty() {
                    allowed.read.push(new.src.clone());
                }
                own.value.src = new.src;
                own.value.env = new.env;
                own.origin = Origin::Flag(self.flag.clone());
            }
            "ssh" => {
                let all = self.entries(|t| Ok(forms::ssh(t)))?;
                if self.append {
                    spec.merge_ssh(&Some(all));
                } else {
                    spec.ssh = Some(all);
                }
                allowed.read.extend(spec.ssh.iter().flatten().flat_map(|s| s.value.paths.clone()));
            }
            "output" => {
                let all = self.entries(forms::output)?;
                if self.append {
                    spec.append_outputs(all);
                } else {
                    spec.outputs = Some(all);
                }
                let dests = spec.outputs.iter().flatten().map(|o| o.value.dest.clone());
                allowed.write.extend(dests.filter(|d| !d.is_empty()));
            }
            "resources" => self.apply_resource(spec)?,
            "push" => self.apply_push(spec, self.truth()?),
            "load" if self.truth()? => self.apply_load(spec),
            _ => {}
        }
        Ok(())
    }

    fn apply_caches(&self, spec: &mut Spec, allowed: &mut Allowed) -> Result<(), String> {
        let mut all = Vec::new();
        for text in self.list.iter().filter(|t| !t.is_empty()) {
            all.extend(forms::caches(text)?.into_iter().map(|c| self.given(c)));
        }
        let path = |list: &Option<Vec<Given<rbc_ast::plan::Cache>>>, key: &str| -> Vec<Text> {
            let local = list.iter().flatten().filter(|c| &*c.value.kind == "local");
            local.filter_map(|c| c.value.attrs.get(key).cloned()).collect()
        };
        if self.key == "cache-from" {
            if self.append {
                spec.merge_cache_from(&Some(all));
            } else {
                spec.cache_from = Some(all);
            }
            allowed.read.extend(path(&spec.cache_from, "src"));
        } else {
            if self.append {
                spec.append_cache_to(all);
            } else {
                spec.cache_to = Some(all);
            }
            allowed.write.extend(path(&spec.cache_to, "dest"));
        }
        Ok(())
    }

    fn apply_resource(&self, spec: &mut Spec) -> Result<(), String> {
        let text = || Some(self.given(self.value.clone()));
        let number = || {
            let parsed = self.value.parse::<i64>();
            parsed.map(|n| Some(self.given(n))).map_err(|_| format!("`{}` is no whole number", self.value))
        };
        let own = &mut spec.resources;
        match self.sub.as_deref().unwrap_or("") {
            "memory" => own.memory = text(),
            "memory-swap" => own.memory_swap = text(),
            "cpu-shares" => own.cpu_shares = number()?,
            "cpu-period" => own.cpu_period = number()?,
            "cpu-quota" => own.cpu_quota = number()?,
            "cpuset-cpus" => own.cpuset_cpus = text(),
            "cpuset-mems" => own.cpuset_mems = text(),
            other => return Err(format!("`{other}` is no resource")),
        }
        Ok(())
    }

    /// With push, images are pushed, and there is one if there is nothing else; without, nothing is pushed.
    fn apply_push(&self, spec: &mut Spec, push: bool) {
        let outputs = spec.outputs.get_or_insert_default();
        if !push {
            let mut i = 0;
            while i < outputs.len() {
                match &*outputs[i].value.kind {
                    "registry" => {
                        outputs.swap_remove(i);
                        continue;
                    }
                    "image" => set_attr(&mut outputs[i], "push", "false", &self.flag),
                    _ => {}
                }
                i += 1;
            }
            return;
        }
        let only_docker = outputs.iter().all(|o| &*o.value.kind == "docker");
        for output in outputs.iter_mut().filter(|o| &*o.value.kind == "image") {
            set_attr(output, "push", "true", &self.flag);
        }
        if only_docker {
            let attrs = [("push".into(), "true".into())].into();
            outputs.push(self.given(Output { kind: "image".into(), dest: "".into(), attrs }));
        }
    }

    /// The image is loaded, unless the results go to files.
    fn apply_load(&self, spec: &mut Spec) {
        let outputs = spec.outputs.get_or_insert_default();
        for output in outputs.iter() {
            match &*output.value.kind {
                "docker" if output.value.dest.is_empty() => return,
                "docker" | "image" | "registry" | "oci" => {}
                _ => return,
            }
        }
        outputs.push(self.given(Output { kind: "docker".into(), ..Output::default() }));
    }
}

fn extend<T>(own: &mut Option<Vec<Given<T>>>, more: Vec<Given<T>>, append: bool) {
    if append {
        own.get_or_insert_default().extend(more);
    } else {
        *own = Some(more);
    }
}

fn set_attr(output: &mut Given<Output>, name: &str, value: &str, flag: &Text) {
    output.value.attrs.insert(name.into(), value.into());
    output.origin = Origin::Flag(flag.clone());
}
