//! Results of early phases as text, for people and tests.

use rbc_ast::recipe::Step;
use rbc_source::SourceFile;

use crate::Output;

/// Tokens of a Dockerfile.
pub fn tokens(file: &SourceFile) -> String {
    rbc_grammar::dump_tokens(file)
}

/// Its concrete syntax.
pub fn cst(file: &SourceFile) -> String {
    rbc_grammar::dump_cst(file)
}

/// Its tree: a block for each stage, a line for each step, places as `line:column`.
pub fn ast(file: &SourceFile) -> String {
    let recipe = (crate::Frontend::of(file).parse)(file, &Default::default()).value;
    let mut out = String::new();
    for directive in &recipe.directives {
        out += &format!("directive {} = {}\n", directive.name, directive.value);
    }
    let step_line = |indent: &str, step: &Step| {
        let at = file.line_col(step.head.span.start as usize);
        let kind = format!("{:#?}", step.kind);
        let kind = kind.replace('\n', &format!("\n{indent}"));
        format!("{indent}{}:{} {} = {kind}\n", at.line + 1, at.col + 1, step.head.keyword)
    };
    for step in &recipe.global_args {
        out += &step_line("", step);
    }
    for (i, stage) in recipe.stages.iter().enumerate() {
        let at = file.line_col(stage.head.span.start as usize);
        let name = stage.name.as_deref().map(|n| format!(" as {n}")).unwrap_or_default();
        let platform = stage.platform.as_ref().map(|p| format!(" for {}", p.text)).unwrap_or_default();
        out += &format!("{}:{} stage {i}{name} from {}{platform}\n", at.line + 1, at.col + 1, stage.base.text);
        for step in &stage.steps {
            out += &step_line("  ", step);
        }
    }
    out
}

/// Its stages with all names resolved.
pub fn model(output: &Output) -> String {
    let mut out = String::new();
    for stage in &output.product.stages {
        out += &format!("stage {}", stage.name);
        if let Some(platform) = &stage.platform {
            out += &format!(" for {}", platform.format_all());
        }
        out += &format!(" from {}{}\n", stage.base, if stage.needed { "" } else { " (not needed)" });
        for source in &stage.sources {
            out += &format!("  takes files from {source}\n");
        }
    }
    out
}
