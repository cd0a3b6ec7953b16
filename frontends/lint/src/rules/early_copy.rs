//! W0303: what is copied before the dependencies are installed decides whether they are installed anew.

use rbc_grammar::Keyword;
use rbc_source::{Diagnostic, Span, practice};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement, unquoted};
use crate::shell::Command;

pub(super) const RULE: Rule = Rule { code: practice::EARLY_COPY, on: true, scope: RuleScope::Build, check };

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    // The stage, and the place of the COPY of everything that it had and that no install followed yet.
    let mut copied: (usize, Option<Span>) = (0, None);
    let mut installed = false;
    for statement in &flow.statements {
        if copied.0 != statement.stage {
            (copied, installed) = ((statement.stage, None), false);
        }
        match statement.keyword {
            Some(Keyword::Copy | Keyword::Add) if copied.1.is_none() && !installed => copied.1 = broad(statement),
            Some(Keyword::Run) if !installed => {
                let script = statement.script();
                let Some((command, files)) = script.commands.iter().find_map(|c| Some((c, lists(c)?))) else {
                    continue;
                };
                installed = true;
                if let Some(copy) = copied.1 {
                    findings.push(
                        Diagnostic::new(RULE.code, "any change to the context installs the dependencies anew")
                            .at(copy)
                            .also(script.span(flow.file.id(), &command.range), "installed here")
                            .note(format!("copy {files} first, install, and then copy the rest")),
                    );
                }
            }
            _ => {}
        }
    }
    findings
}

/// Where a statement copies all of the context.
fn broad(statement: &Statement<'_>) -> Option<Span> {
    let (sources, _) = statement.transfer()?;
    let all = sources.iter().find(|source| matches!(unquoted(&source.text), "." | "./" | "/" | "*" | "./*"))?;
    let excludes = statement.flags().any(|flag| flag.name == "exclude");
    (statement.from().is_none() && !excludes).then(|| statement.at(all))
}

/// The files by which a command knows what to install, if it installs what those list.
fn lists(command: &Command) -> Option<&'static str> {
    let operands: Vec<&str> = command.operands(&["C", "prefix", "cwd", "dir"]).map(|arg| &*arg.text).collect();
    let first = operands.first().copied().unwrap_or_default();
    let only = operands.len() <= 1;
    Some(match &*command.name {
        "npm" if matches!(first, "ci" | "install" | "i") && only => "package.json and package-lock.json",
        "yarn" if matches!(first, "" | "install") && only && !command.has_flag(&["version", "v"]) => {
            "package.json and yarn.lock"
        }
        "pnpm" if matches!(first, "install" | "i") && only => "package.json and pnpm-lock.yaml",
        "bun" if first == "install" && only => "package.json and bun.lock",
        "poetry" if first == "install" => "pyproject.toml and poetry.lock",
        "pipenv" if matches!(first, "install" | "sync") && only => "Pipfile and Pipfile.lock",
        "uv" if first == "sync" => "pyproject.toml and uv.lock",
        "bundle" if matches!(first, "" | "install") => "Gemfile and Gemfile.lock",
        "composer" if first == "install" => "composer.json and composer.lock",
        "go" if operands.starts_with(&["mod", "download"]) => "go.mod and go.sum",
        "cargo" if first == "fetch" => "Cargo.toml and Cargo.lock",
        "dotnet" if first == "restore" => "the project files",
        "mix" if first == "deps.get" => "mix.exs and mix.lock",
        "mvn" if operands.iter().any(|goal| goal.starts_with("dependency:")) => "pom.xml",
        _ if command.is_pip_install() && command.has_arg(&["-r", "--requirement"]) => "the requirements file",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::places;

    #[test]
    fn order() {
        let found = |rest: &str| places("W0303", &format!("FROM a:1\n{rest}\n"));
        assert_eq!(found("WORKDIR /x\nCOPY . .\nRUN a && npm ci && npm run build"), [(3, 6), (4, 10)]);
        assert_eq!(found("COPY . /x\nRUN pip install -r requirements.txt").len(), 2);
        assert!(found("COPY package.json .\nRUN npm ci\nCOPY . .\nRUN npm ci --omit=dev").is_empty());
        assert!(found("COPY . .\nRUN npm install -g x").is_empty());
        assert!(found("COPY --from=b . .\nRUN npm ci").is_empty());
        assert!(found("COPY . .\nFROM b:1\nRUN npm ci").is_empty());
    }
}
