//! W0306: a cache mount keeps what a package manager downloads from build to build, outside of the image.
//!
//! Who empties the cache in the same RUN, or keeps none, has decided otherwise and is left alone.

use rbc_source::{Applicability, Diagnostic, Edit, Span, practice};

use super::{Rule, RuleScope};
use crate::sheet::Flow;
use crate::shell::{Command, Script};

pub(super) const RULE: Rule = Rule { code: practice::CACHE_MOUNT_MISSING, on: true, scope: RuleScope::Build, check };

/// A package manager.
struct Tool {
    names: &'static [&'static str],
    /// Arguments of which one means that it downloads; none if it always does.
    args: &'static [&'static str],
    /// Where root's cache is, in the usual images.
    target: &'static str,
    /// Its files do not bear two users at a time.
    locked: bool,
}

const TOOLS: [Tool; 17] = [
    tool(&["pip", "pip3"], &["install", "download", "wheel"], "/root/.cache/pip"),
    tool(&["uv"], &["sync", "pip"], "/root/.cache/uv"),
    tool(&["poetry"], &["install"], "/root/.cache/pypoetry"),
    tool(&["npm"], &["ci", "install", "i"], "/root/.npm"),
    tool(&["yarn"], &["install"], "/usr/local/share/.cache/yarn"),
    tool(&["pnpm"], &["install", "i"], "/root/.local/share/pnpm/store"),
    tool(&["go"], &["build", "install", "test", "mod"], "/root/.cache/go-build"),
    tool(&["cargo"], &["build", "install", "fetch", "test"], "/usr/local/cargo/registry"),
    tool(&["mvn", "mvnw"], &[], "/root/.m2"),
    tool(&["gradle", "gradlew"], &[], "/root/.gradle"),
    tool(&["composer"], &["install", "update"], "/root/.composer/cache"),
    tool(&["dotnet"], &["restore", "build", "publish"], "/root/.nuget/packages"),
    locked(&["apt-get"], &["install"], "/var/cache/apt"),
    locked(&["dnf", "microdnf"], &["install"], "/var/cache/libdnf5"),
    locked(&["yum"], &["install"], "/var/cache/yum"),
    locked(&["zypper"], &["install", "in"], "/var/cache/zypp"),
    locked(&["apk"], &["add"], "/var/cache/apk"),
];

const fn tool(names: &'static [&'static str], args: &'static [&'static str], target: &'static str) -> Tool {
    Tool { names, args, target, locked: false }
}

const fn locked(names: &'static [&'static str], args: &'static [&'static str], target: &'static str) -> Tool {
    Tool { names, args, target, locked: true }
}

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (run, script) in flow.runs() {
        let has_cache = run.mounts().iter().any(|mount| mount.kind() == "cache");
        let found =
            script.commands.iter().find_map(|command| Some((command, TOOLS.iter().find(|tool| tool.loads(command))?)));
        let Some((command, tool)) = found.filter(|_| !has_cache && !decided(script)) else { continue };
        let mut mount = format!("--mount=type=cache,target={}", tool.target);
        if tool.locked {
            mount.push_str(",sharing=locked");
        }
        let insert =
            Edit { span: Span::point(flow.file.id(), run.keyword_span().end as usize), text: format!(" {mount}") };
        findings.push(
            Diagnostic::new(RULE.code, format!("{} downloads everything anew in each build", command.name))
                .at(script.span(flow.file.id(), &first_words(command)))
                .note(format!("`RUN {mount}` keeps it, outside of the image"))
                .fix("mount a cache", vec![insert], Applicability::Unsafe),
        );
    }
    findings
}

impl Tool {
    fn loads(&self, command: &Command) -> bool {
        let name = command.name.rsplit('/').next().unwrap_or_default();
        self.names.contains(&name) && (self.args.is_empty() || command.has_arg(self.args))
    }
}

/// Whether the script says what is to become of the cache.
fn decided(script: &Script<'_>) -> bool {
    script.commands.iter().any(|command| {
        let off = command.flags().any(|flag| flag.starts_with("no-cache"));
        let empties = command.has_arg(&["clean", "cc", "purge", "prune"]) || &*command.name == "rm";
        off || empties
    }) || script.text.contains("PIP_NO_CACHE_DIR")
}

fn first_words(command: &Command) -> std::ops::Range<usize> {
    command.name_range.start..command.args.first().map_or(command.name_range.end, |arg| arg.range.end)
}

#[cfg(test)]
mod tests {
    use crate::testing::{fixed, places};

    #[test]
    fn mounts() {
        assert_eq!(
            fixed("W0306", "FROM a:1\nRUN npm ci\n"),
            "FROM a:1\nRUN --mount=type=cache,target=/root/.npm npm ci\n"
        );
        for fine in [
            "RUN npm ci && npm cache clean --force",
            "RUN --mount=type=cache,target=/x npm ci",
            "RUN npm run build",
            "RUN apk add --no-cache x",
        ] {
            assert!(places("W0306", &format!("FROM a:1\n{fine}\n")).is_empty(), "{fine}");
        }
    }
}
