//! DL3025: a command in shell form is a child of a shell, which passes no signals on.

use rbc_grammar::{Keyword, Text};
use rbc_source::{Applicability, Diagnostic, Edit, hadolint};

use super::{Rule, RuleScope};
use crate::sheet::{Flow, Statement};

pub(super) const RULE: Rule = Rule { code: hadolint::DL3025, on: true, scope: RuleScope::Build, check };

/// Commands of the shell itself.
const BUILTINS: [&str; 13] =
    ["exec", "command", "cd", "source", ".", "set", "export", "eval", "exit", "ulimit", "umask", "trap", "builtin"];

fn check(flow: &Flow<'_>) -> Vec<Diagnostic> {
    let commands = flow.statements.iter().filter_map(|statement| Some((statement, shell_form(statement)?)));
    commands
        .map(|(statement, text)| {
            let span = statement.at(text);
            let finding = Diagnostic::new(RULE.code, "a command in shell form gets no signals")
                .labelled(span, "write it as a JSON array");
            match exec_form(statement, text) {
                Some(array) => {
                    let edit = Edit { span, text: array };
                    finding.fix("write it as a JSON array", vec![edit], Applicability::Unsafe)
                }
                None => finding,
            }
        })
        .collect()
}

/// The command of an instruction that should be in exec form and is not.
fn shell_form<'s, 'd>(statement: &'s Statement<'d>) -> Option<&'s Text<'d>> {
    let text = match statement.keyword? {
        Keyword::Cmd | Keyword::Entrypoint => statement.text()?,
        Keyword::Healthcheck => statement.words().get(1)?,
        _ => return None,
    };
    // An empty array resets the command.
    let is_empty_array = text.text.split_whitespace().collect::<String>() == "[]";
    (!statement.is_json() && !is_empty_array).then_some(text)
}

/// The command as a JSON array, if it is so plain that no shell is needed for it.
fn exec_form(statement: &Statement<'_>, text: &Text<'_>) -> Option<String> {
    if statement.keyword == Some(Keyword::Healthcheck)
        || text.text.contains(['$', '`', '*', '?', '~', '#', '[', '{', '\\'])
    {
        return None;
    }
    let script = statement.script();
    let [command] = &*script.commands else { return None };
    // Operators and redirections are no part of the words, so they would stand before, between or behind them.
    let mut at = 0;
    let words = std::iter::once(&command.name_range).chain(command.args.iter().map(|arg| &arg.range));
    for word in words {
        if !script.text.get(at..word.start)?.trim().is_empty() {
            return None;
        }
        at = word.end;
    }
    let first = script.text.split_whitespace().next()?;
    if !script.text.get(at..)?.trim().is_empty() || BUILTINS.contains(&first) {
        return None;
    }
    let words = std::iter::once(&*command.name).chain(command.args.iter().map(|arg| &*arg.text));
    let words: Vec<String> = words.map(|word| serde_json::Value::from(word).to_string()).collect();
    Some(format!("[{}]", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use crate::testing::fixed;

    #[test]
    fn arrays() {
        let command =
            |text: &str| fixed("DL3025", &format!("FROM a:1\nCMD {text}\n")).lines().nth(1).unwrap().to_owned();
        assert_eq!(command("nginx -g 'daemon off;'"), r#"CMD ["nginx", "-g", "daemon off;"]"#);
        assert_eq!(command("nginx -g \"daemon off\""), r#"CMD ["nginx", "-g", "daemon off"]"#);
        for shell in ["exec a", "a $B", "a && b", "A=1 b", "a > b", "a | b", "a *", "cd b"] {
            assert_eq!(command(shell), format!("CMD {shell}"));
        }
    }
}
