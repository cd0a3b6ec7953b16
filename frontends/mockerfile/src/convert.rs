//! A recipe as the Dockerfile that means the same.

use rbc_ast::recipe::{CommandLine, Heredoc, Recipe, Step, StepKind};

/// The Dockerfile of a recipe. Where the recipe is broken, what is broken is left out.
pub fn dockerfile(recipe: &Recipe) -> String {
    let mut out = String::new();
    for step in &recipe.global_args {
        write(&mut out, step);
    }
    for stage in &recipe.stages {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&stage.head.code);
        out.push('\n');
        for step in &stage.steps {
            write(&mut out, step);
        }
    }
    out
}

fn write(out: &mut String, step: &Step) {
    if matches!(step.kind, StepKind::Error) {
        return;
    }
    out.push_str(&step.head.code);
    out.push('\n');
    for heredoc in heredocs(&step.kind) {
        out.push_str(&heredoc.body);
        out.push_str(&heredoc.name);
        out.push('\n');
    }
}

fn heredocs(kind: &StepKind) -> &[Heredoc] {
    match kind {
        StepKind::Run(run) => &run.command.heredocs,
        StepKind::Copy(copy) => &copy.transfer.files,
        StepKind::Add(add) => &add.transfer.files,
        StepKind::Cmd(CommandLine { heredocs, .. }) | StepKind::Entrypoint(CommandLine { heredocs, .. }) => heredocs,
        _ => &[],
    }
}
