//! What the blocks of a target say, before inheritance: every argument set or not.

use rbc_ast::plan::{Attest, Cache, Given, Map, Origin, Output, Policy, Resources, Secret, Ssh, Target, Text};
use rbc_source::Span;
use std::collections::{HashMap, HashSet};

/// A list that may be unset; an empty one is set.
pub(crate) type List<T> = Option<Vec<Given<T>>>;

/// A target as it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub name: Text,
    pub span: Option<Span>,
    pub description: Option<Given<Text>>,
    pub inherits: Vec<Given<Text>>,
    pub annotations: List<Text>,
    pub attest: List<Attest>,
    pub context: Option<Given<Text>>,
    pub contexts: Map<Given<Text>>,
    pub dockerfile: Option<Given<Text>>,
    pub dockerfile_inline: Option<Given<Text>>,
    pub args: Map<Given<Text>>,
    pub labels: Map<Given<Text>>,
    pub tags: List<Text>,
    pub cache_from: List<Cache>,
    pub cache_to: List<Cache>,
    pub target: Option<Given<Text>>,
    pub secrets: List<Secret>,
    pub ssh: List<Ssh>,
    pub platforms: List<Text>,
    pub outputs: List<Output>,
    pub pull: Option<Given<bool>>,
    pub no_cache: Option<Given<bool>>,
    pub network: Option<Given<Text>>,
    pub no_cache_filter: List<Text>,
    pub shm_size: Option<Given<Text>>,
    pub ulimits: List<Text>,
    pub resources: Resources,
    pub call: Option<Given<Text>>,
    pub entitlements: List<Text>,
    pub extra_hosts: Map<Given<Text>>,
    pub policy: List<Policy>,
    pub bases: Bases,
}

/// Directories that relative paths start from, when they start from the file that they are written in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases {
    /// Directory of the file that declares the target.
    pub default: Option<Text>,
    /// An absent context is that directory.
    pub use_default: bool,
    /// Directory of the file in which the context is written.
    pub context: Option<Text>,
    /// The context is that of this other target: it starts from where that does.
    pub context_of: Option<Text>,
    /// Directories of the files in which further contexts are written.
    pub contexts: Map<Text>,
}

fn replace<T: Clone>(own: &mut Option<T>, other: &Option<T>) {
    if other.is_some() {
        own.clone_from(other);
    }
}

fn append<T: Clone>(own: &mut List<T>, other: &List<T>) {
    if let Some(more) = other {
        own.get_or_insert_default().extend_from_slice(more);
    }
}

/// Appends, and lets a later entry take the place of an earlier one of the same identity.
fn merge_by<T: Clone, K: std::hash::Hash + Eq>(own: &mut List<T>, other: &List<T>, key: impl Fn(&T) -> K) {
    append(own, other);
    if let Some(list) = own {
        keep_last_by(list, key);
    }
}

fn keep_last_by<T, K: std::hash::Hash + Eq>(list: &mut Vec<Given<T>>, key: impl Fn(&T) -> K) {
    let mut places = HashMap::new();
    let mut kept: Vec<Given<T>> = Vec::with_capacity(list.len());
    for entry in list.drain(..) {
        match places.entry(key(&entry.value)) {
            std::collections::hash_map::Entry::Occupied(place) => kept[*place.get()] = entry,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(entry);
            }
        }
    }
    *list = kept;
}

/// Takes exact duplicates out as the reference does: going backwards, an entry that occurs again later stays, and the last
/// entry takes the place of the later one.
fn drop_duplicates<T: Clone + std::hash::Hash + Eq>(list: &mut Vec<Given<T>>) {
    // Mostly there are none, and comparing a few is cheaper than hashing them.
    let all_different = if list.len() <= 16 {
        (1..list.len()).all(|i| list[..i].iter().all(|e| e.value != list[i].value))
    } else {
        let mut seen = HashSet::with_capacity(list.len());
        list.iter().all(|e| seen.insert(&e.value))
    };
    if all_different {
        return;
    }
    // Places of the entries behind the current one, which are all different.
    let mut places: HashMap<T, usize> = HashMap::with_capacity(list.len());
    for i in (0..list.len()).rev() {
        let Some(j) = places.insert(list[i].value.clone(), i) else { continue };
        list.swap_remove(j);
        if let Some(moved) = list.get(j) {
            places.insert(moved.value.clone(), j);
        }
    }
}

/// Takes empty texts and repetitions out.
fn tidy(list: &mut List<Text>) {
    if let Some(list) = list {
        let mut seen = HashSet::new();
        list.retain(|t| !t.value.is_empty() && seen.insert(t.value.clone()));
    }
}

impl Spec {
    /// Takes over what another says: a later block of the same name, a parent, or the target itself on top of its parents.
    pub(crate) fn merge(&mut self, other: &Spec) {
        if other.bases.default.is_some() {
            self.bases.default.clone_from(&other.bases.default);
            self.bases.use_default = other.bases.use_default;
        }
        if other.context.is_some() {
            self.context.clone_from(&other.context);
            self.bases.context.clone_from(&other.bases.context);
            self.bases.context_of.clone_from(&other.bases.context_of);
        }
        for (name, value) in &other.contexts {
            self.contexts.insert(name.clone(), value.clone());
            match other.bases.contexts.get(name) {
                Some(base) => self.bases.contexts.insert(name.clone(), base.clone()),
                None => self.bases.contexts.remove(name),
            };
        }
        if other.span.is_some() {
            self.span = other.span;
        }
        replace(&mut self.description, &other.description);
        replace(&mut self.dockerfile, &other.dockerfile);
        replace(&mut self.dockerfile_inline, &other.dockerfile_inline);
        replace(&mut self.tags, &other.tags);
        replace(&mut self.target, &other.target);
        replace(&mut self.call, &other.call);
        replace(&mut self.platforms, &other.platforms);
        replace(&mut self.cache_to, &other.cache_to);
        replace(&mut self.outputs, &other.outputs);
        replace(&mut self.pull, &other.pull);
        replace(&mut self.no_cache, &other.no_cache);
        replace(&mut self.network, &other.network);
        replace(&mut self.shm_size, &other.shm_size);
        for (own, other) in [
            (&mut self.args, &other.args),
            (&mut self.labels, &other.labels),
            (&mut self.extra_hosts, &other.extra_hosts),
        ] {
            own.extend(other.iter().map(|(n, v)| (n.clone(), v.clone())));
        }
        self.merge_attest(&other.attest);
        self.merge_secrets(&other.secrets);
        self.merge_ssh(&other.ssh);
        self.merge_cache_from(&other.cache_from);
        append(&mut self.annotations, &other.annotations);
        append(&mut self.no_cache_filter, &other.no_cache_filter);
        append(&mut self.ulimits, &other.ulimits);
        append(&mut self.entitlements, &other.entitlements);
        append(&mut self.policy, &other.policy);
        self.inherits.extend_from_slice(&other.inherits);
        let (own, more) = (&mut self.resources, &other.resources);
        replace(&mut own.memory, &more.memory);
        replace(&mut own.memory_swap, &more.memory_swap);
        replace(&mut own.cpu_shares, &more.cpu_shares);
        replace(&mut own.cpu_period, &more.cpu_period);
        replace(&mut own.cpu_quota, &more.cpu_quota);
        replace(&mut own.cpuset_cpus, &more.cpuset_cpus);
        replace(&mut own.cpuset_mems, &more.cpuset_mems);
    }

    /// Adds attestations; of one type the last counts.
    pub(crate) fn merge_attest(&mut self, other: &List<Attest>) {
        if other.is_some() {
            merge_by(&mut self.attest, other, |a| a.kind.clone());
        }
    }

    /// Adds secrets; of one id the last counts.
    pub(crate) fn merge_secrets(&mut self, other: &List<Secret>) {
        if other.is_some() {
            merge_by(&mut self.secrets, other, |s| s.id.clone());
        }
    }

    /// Adds SSH agents; of one id the last counts.
    pub(crate) fn merge_ssh(&mut self, other: &List<Ssh>) {
        if other.is_some() {
            merge_by(&mut self.ssh, other, |s| s.id.clone());
        }
    }

    /// Adds caches to read, without duplicates.
    pub(crate) fn merge_cache_from(&mut self, other: &List<Cache>) {
        if let Some(more) = other {
            let list = self.cache_from.get_or_insert_default();
            list.extend_from_slice(more);
            drop_duplicates(list);
        }
    }

    /// Adds caches to write, without duplicates.
    pub(crate) fn append_cache_to(&mut self, more: Vec<Given<Cache>>) {
        let list = self.cache_to.get_or_insert_default();
        list.extend(more);
        drop_duplicates(list);
    }

    /// Adds outputs, without duplicates.
    pub(crate) fn append_outputs(&mut self, more: Vec<Given<Output>>) {
        let list = self.outputs.get_or_insert_default();
        list.extend(more);
        drop_duplicates(list);
    }

    /// Brings the result of merging into its final form.
    pub(crate) fn normalize(&mut self) {
        for list in
            [&mut self.annotations, &mut self.tags, &mut self.platforms, &mut self.no_cache_filter, &mut self.ulimits]
        {
            tidy(list);
        }
        if let Some(list) = &mut self.attest {
            keep_last_by(list, |a| a.kind.clone());
        }
        if let Some(list) = &mut self.secrets {
            keep_last_by(list, |s| s.id.clone());
        }
        if let Some(list) = &mut self.ssh {
            keep_last_by(list, |s| s.id.clone());
        }
        for list in [&mut self.cache_from, &mut self.cache_to].into_iter().flatten() {
            drop_duplicates(list);
        }
        if let Some(list) = &mut self.outputs {
            drop_duplicates(list);
        }
        // What is empty now is as if it were unset.
        self.attest.take_if(|l| l.is_empty());
        self.secrets.take_if(|l| l.is_empty());
        self.ssh.take_if(|l| l.is_empty());
        self.cache_from.take_if(|l| l.is_empty());
        self.cache_to.take_if(|l| l.is_empty());
        self.outputs.take_if(|l| l.is_empty());
        if self.network.as_ref().is_some_and(|n| &*n.value == "host") {
            let implied = Given::new("network.host".into(), Origin::Implied("network = \"host\""));
            self.entitlements.get_or_insert_default().push(implied);
        }
        tidy(&mut self.entitlements);
        self.contexts.retain(|_, value| !value.value.is_empty());
    }

    /// The target of a plan.
    pub(crate) fn into_target(self) -> Target {
        Target {
            name: self.name,
            span: self.span,
            linked: false,
            description: self.description,
            annotations: self.annotations.unwrap_or_default(),
            attest: self.attest.unwrap_or_default(),
            context: self.context,
            contexts: self.contexts,
            dockerfile: self.dockerfile,
            dockerfile_inline: self.dockerfile_inline,
            args: self.args,
            labels: self.labels,
            tags: self.tags.unwrap_or_default(),
            cache_from: self.cache_from.unwrap_or_default(),
            cache_to: self.cache_to.unwrap_or_default(),
            target: self.target,
            secrets: self.secrets.unwrap_or_default(),
            ssh: self.ssh.unwrap_or_default(),
            platforms: self.platforms.unwrap_or_default(),
            outputs: self.outputs.unwrap_or_default(),
            pull: self.pull,
            no_cache: self.no_cache,
            network: self.network,
            no_cache_filter: self.no_cache_filter.unwrap_or_default(),
            shm_size: self.shm_size,
            ulimits: self.ulimits.unwrap_or_default(),
            resources: self.resources,
            call: self.call,
            entitlements: self.entitlements.unwrap_or_default(),
            extra_hosts: self.extra_hosts,
            policy: self.policy.unwrap_or_default(),
        }
    }
}
