//! What a build may do beyond its sandbox and its working directory, and what it needs.

use crate::csv;
use crate::overrides::Allowed;
use rbc_ast::plan::{Plan, Target, Text};
use rbc_source::{Diagnostic, bake as codes};
use std::collections::BTreeSet;

/// Rights: what is granted, what is needed, or what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Steps may use the network of this machine.
    pub network_host: bool,
    /// Steps may run without a sandbox.
    pub security_insecure: bool,
    /// Steps may use any device.
    pub all_devices: bool,
    /// Steps may use these devices.
    pub devices: BTreeSet<String>,
    /// The SSH agent of the environment may be used.
    pub ssh: bool,
    /// Stale files may be deleted from an output directory.
    pub local_delete: bool,
    /// Paths that may be read; `*` is all.
    pub read: BTreeSet<String>,
    /// Paths that may be written; `*` is all.
    pub write: BTreeSet<String>,
    /// Images that may be pushed.
    pub push: BTreeSet<String>,
    /// Images that may be loaded.
    pub load: BTreeSet<String>,
}

impl Rights {
    /// Reads the values of `--allow`.
    ///
    /// # Errors
    /// If one is not known.
    pub fn parse<S: AsRef<str>>(flags: impl IntoIterator<Item = S>) -> Result<Self, Box<Diagnostic>> {
        let mut out = Rights::default();
        for flag in flags {
            let flag = flag.as_ref();
            let wrong = |why: &str| Box::new(Diagnostic::new(codes::OVERRIDE, format!("`--allow {flag}`: {why}")));
            let (key, value) = flag.split_once('=').map_or((flag, None), |(k, v)| (k, Some(v)));
            let path = || value.unwrap_or("").to_owned();
            match (key, value) {
                ("network.host", None) => out.network_host = true,
                ("security.insecure", None) => out.security_insecure = true,
                ("ssh", None) => out.ssh = true,
                ("buildx.local.delete", None) => out.local_delete = true,
                ("buildx.local.delete", Some(_)) => return Err(wrong("it takes no value")),
                ("device", None | Some("")) => out.all_devices = true,
                ("device", Some(value)) => {
                    let fields = csv::fields(value, ',').map_err(|why| wrong(&why))?;
                    out.devices.extend(fields.into_iter().next());
                }
                ("fs.read", _) => {
                    out.read.insert(path());
                }
                ("fs.write", _) => {
                    out.write.insert(path());
                }
                ("fs", _) => {
                    out.read.insert(path());
                    out.write.insert(path());
                }
                ("image.push", _) => {
                    out.push.insert(path());
                }
                ("image.load", _) => {
                    out.load.insert(path());
                }
                ("image", _) => {
                    out.push.insert(path());
                    out.load.insert(path());
                }
                _ => {
                    let known = [
                        "network.host",
                        "security.insecure",
                        "ssh",
                        "device",
                        "fs",
                        "fs.read",
                        "fs.write",
                        "image",
                        "image.push",
                        "image.load",
                        "buildx.local.delete",
                    ];
                    return Err(Box::new((*wrong("this right is not known")).suggest(key, known)));
                }
            }
        }
        Ok(out)
    }

    /// What a plan needs. Paths are as the plan has them.
    pub fn needed(plan: &Plan) -> Self {
        let mut out = Rights::default();
        for target in plan.targets.values() {
            out.add(target);
        }
        out
    }

    fn add(&mut self, target: &Target) {
        for entitlement in &target.entitlements {
            match &*entitlement.value {
                "network.host" => self.network_host = true,
                "security.insecure" => self.security_insecure = true,
                "device" => self.all_devices = true,
                other => {
                    if let Some(value) = other.strip_prefix("device=") {
                        let first = csv::fields(value, ',').ok().and_then(|f| f.into_iter().next());
                        self.devices.extend(first);
                    }
                }
            }
        }
        let mut read = |path: &Text| {
            self.read.insert(path.to_string());
        };
        let local = |path: &str| {
            !crate::lookup::is_remote(path) && !path.starts_with("target:") && !path.starts_with("docker-image:")
        };
        if let Some(context) = target.context.as_ref().filter(|c| local(&c.value)) {
            read(&context.value);
            if let Some(file) =
                target.dockerfile.as_ref().filter(|d| local(&d.value) && target.dockerfile_inline.is_none())
            {
                read(&rbc_context::path::join(&[&context.value, &file.value]).into());
            }
        }
        for context in target.contexts.values().filter(|c| local(&c.value)) {
            let path = context.value.strip_prefix("cwd://").unwrap_or(&context.value);
            read(&path.into());
        }
        for cache in target.cache_from.iter().filter(|c| &*c.value.kind == "local") {
            cache.value.attrs.get("src").into_iter().for_each(&mut read);
        }
        for secret in target.secrets.iter().filter(|s| !s.value.src.is_empty()) {
            read(&secret.value.src);
        }
        for ssh in &target.ssh {
            ssh.value.paths.iter().for_each(&mut read);
            self.ssh |= ssh.value.paths.is_empty();
        }
        for output in &target.outputs {
            let output = &output.value;
            if matches!(&*output.kind, "local" | "tar" | "oci" | "docker")
                && !output.dest.is_empty()
                && &*output.dest != "-"
            {
                self.write.insert(output.dest.to_string());
            }
            self.local_delete |= &*output.kind == "local" && output.attrs.get("mode").is_some_and(|m| &**m == "delete");
        }
        for cache in target.cache_to.iter().filter(|c| &*c.value.kind == "local") {
            self.write.extend(cache.value.attrs.get("dest").map(|d| d.to_string()));
        }
    }

    /// What is needed and not granted. `within` says whether the first path lies in the second, after links are followed;
    /// paths that flags name are granted, and so is the working directory, whose path the caller adds to the granted ones.
    pub fn missing(&self, granted: &Rights, allowed: &Allowed, within: impl Fn(&str, &str) -> bool) -> Rights {
        let paths = |needed: &BTreeSet<String>, granted: &BTreeSet<String>, flags: &[Text]| {
            let covered = |path: &&String| {
                granted.iter().any(|g| g == "*" || within(path, g)) || flags.iter().any(|f| within(path, f))
            };
            needed.iter().filter(|p| !covered(p)).cloned().collect()
        };
        Rights {
            network_host: self.network_host && !granted.network_host,
            security_insecure: self.security_insecure && !granted.security_insecure,
            all_devices: self.all_devices && !granted.all_devices,
            devices: if granted.all_devices {
                BTreeSet::new()
            } else {
                self.devices.difference(&granted.devices).cloned().collect()
            },
            ssh: self.ssh && !granted.ssh,
            local_delete: self.local_delete && !granted.local_delete,
            read: paths(&self.read, &granted.read, &allowed.read),
            write: paths(&self.write, &granted.write, &allowed.write),
            push: BTreeSet::new(),
            load: BTreeSet::new(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Rights::default()
    }

    /// The flags that grant these rights, and what each is about.
    pub fn flags(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut add = |flag: &str, about: &str| out.push((format!("--allow={flag}"), about.to_owned()));
        if self.network_host {
            add("network.host", "steps use the network of this machine");
        }
        if self.security_insecure {
            add("security.insecure", "steps run without a sandbox and can change this machine");
        }
        if self.all_devices {
            add("device", "steps use devices of this machine");
        }
        for device in &self.devices {
            add(&format!("device={device}"), &format!("steps use the device {device}"));
        }
        if self.ssh {
            add("ssh", "steps use the SSH agent");
        }
        if self.local_delete {
            add("buildx.local.delete", "stale files are deleted from an output directory");
        }
        for path in self.read.intersection(&self.write) {
            add(&format!("fs={path}"), &format!("{path} is read and written"));
        }
        for path in self.read.difference(&self.write) {
            add(&format!("fs.read={path}"), &format!("{path} is read"));
        }
        for path in self.write.difference(&self.read) {
            add(&format!("fs.write={path}"), &format!("{path} is written"));
        }
        out
    }
}
