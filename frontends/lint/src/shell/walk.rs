//! From shuck's tree to commands.
//!
//! The parser bounds how deep blocks and substitutions nest; chains of operators, which it allows to be long, are walked
//! in a loop.

use std::borrow::Cow;
use std::ops::Range;

use shuck_ast::{
    ArrayElem, Assignment, AssignmentValue, BinaryOp, BourneParameterExpansion, BuiltinCommand,
    CommandSubstitutionSyntax, CompoundCommand, ConditionalExpr, DeclOperand, File, HeredocBodyPart,
    ParameterExpansion, ParameterExpansionSyntax, ParameterOp, Pattern, PatternPart, Redirect, RedirectTarget,
    SimpleCommand, Span, Stmt, StmtSeq, Word, WordPart, WordPartNode,
};

use super::{Arg, Command};

/// The commands and pipe signs of a script; none if it is no shell script after all.
pub(super) fn commands(file: &File, text: &str) -> Option<(Vec<Command>, Vec<Range<usize>>)> {
    let mut walk = Walk { text, commands: Vec::new(), pipes: Vec::new(), foreign: false };
    walk.statements(&file.body);
    (!walk.foreign).then_some((walk.commands, walk.pipes))
}

/// Commands that run what follows them: their name is that of what they run.
const WRAPPERS: [&str; 4] = ["busybox", "builtin", "command", "exec"];

struct Walk<'s> {
    text: &'s str,
    commands: Vec<Command>,
    pipes: Vec<Range<usize>>,
    /// Something is written that no shell takes.
    foreign: bool,
}

fn range(span: Span) -> Range<usize> {
    span.start.offset()..span.end.offset()
}

impl Walk<'_> {
    fn statements(&mut self, sequence: &StmtSeq) {
        for (i, statement) in sequence.iter().enumerate() {
            self.foreign |= i > 0 && !self.is_separated(statement);
            self.statement(statement);
        }
    }

    /// Whether something ends what is in front of a statement: the parser takes `a(b)` for two.
    fn is_separated(&self, statement: &Stmt) -> bool {
        let before = self.text.get(..statement.span.start.offset()).unwrap_or_default();
        before.trim_end_matches([' ', '\t', '(', '{']).ends_with(['\n', ';', '&'])
    }

    fn statement(&mut self, statement: &Stmt) {
        // `a && b && c` is `(a && b) && c`: go down on the left, then work off what is on the right.
        let mut right = Vec::new();
        let mut first = statement;
        while let shuck_ast::Command::Binary(binary) = &first.command {
            right.push((first, binary));
            first = &binary.left;
        }
        self.command(&first.command);
        self.redirects(&first.redirects);
        while let Some((statement, binary)) = right.pop() {
            if matches!(binary.op, BinaryOp::Pipe | BinaryOp::PipeAll) {
                self.pipes.push(range(binary.op_span));
            }
            self.statement(&binary.right);
            self.redirects(&statement.redirects);
        }
    }

    fn command(&mut self, command: &shuck_ast::Command) {
        use shuck_ast::Command as C;
        match command {
            C::Simple(simple) => self.simple(simple),
            C::Builtin(builtin) => self.builtin(builtin),
            C::Decl(declaration) => {
                let args = declaration.operands.iter().map(|operand| match operand {
                    DeclOperand::Flag(word) | DeclOperand::Dynamic(word) => self.arg(word),
                    DeclOperand::Name(name) => self.raw(name.span),
                    DeclOperand::Assignment(assignment) => self.raw(assignment.span),
                });
                let args = args.collect();
                self.push(declaration.variant.to_string(), declaration.variant_span, args, declaration.span);
                self.assignments(&declaration.assignments);
                for operand in &declaration.operands {
                    match operand {
                        DeclOperand::Flag(word) | DeclOperand::Dynamic(word) => self.word(word),
                        DeclOperand::Assignment(assignment) => self.assignment(assignment),
                        DeclOperand::Name(_) => {}
                    }
                }
            }
            // Only reached by way of `statement`, which takes these apart.
            C::Binary(binary) => {
                self.statement(&binary.left);
                self.statement(&binary.right);
            }
            C::Compound(compound) => self.compound(compound),
            C::Function(function) => self.statement(&function.body),
            C::AnonymousFunction(function) => {
                self.statement(&function.body);
                self.words(&function.args);
            }
        }
    }

    fn simple(&mut self, simple: &SimpleCommand) {
        if let Some(name) = self.literal(&simple.name).filter(|name| !name.is_empty() && name != "[") {
            let effective = match WRAPPERS.contains(&&*name) {
                true => self.wrapped(&name, &simple.args),
                false => None,
            };
            let args = simple.args.iter().map(|word| self.arg(word)).collect();
            match effective {
                None => self.push(name, simple.name.span, args, simple.span),
                Some(Some(name)) => self.push(name, simple.name.span, args, simple.span),
                // It runs something that is not written out.
                Some(None) => {}
            }
        }
        self.assignments(&simple.assignments);
        self.word(&simple.name);
        self.words(&simple.args);
    }

    /// What a wrapper runs, if it runs anything; none within if that is not written out.
    fn wrapped(&self, wrapper: &str, args: &[Word]) -> Option<Option<String>> {
        let is_flag = |word: &Word| self.slice(word.span).starts_with('-');
        let mut args = args.iter();
        let mut first = args.next()?;
        if wrapper == "exec" {
            while is_flag(first) {
                // `exec -a name`: the flag's value.
                if self.slice(first.span).ends_with('a') {
                    args.next();
                }
                first = args.next()?;
            }
        }
        (!is_flag(first)).then(|| self.literal(first))
    }

    fn builtin(&mut self, builtin: &BuiltinCommand) {
        let (name, first, rest, assignments, span) = match builtin {
            BuiltinCommand::Break(c) => ("break", &c.depth, &c.extra_args, &c.assignments, c.span),
            BuiltinCommand::Continue(c) => ("continue", &c.depth, &c.extra_args, &c.assignments, c.span),
            BuiltinCommand::Return(c) => ("return", &c.code, &c.extra_args, &c.assignments, c.span),
            BuiltinCommand::Exit(c) => ("exit", &c.code, &c.extra_args, &c.assignments, c.span),
        };
        let words: Vec<&Word> = first.iter().chain(rest).collect();
        let args = words.iter().map(|word| self.arg(word)).collect();
        self.push(name.to_owned(), span, args, span);
        self.assignments(assignments);
        for word in words {
            self.word(word);
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) {
        use CompoundCommand as C;
        match compound {
            C::If(c) => {
                self.statements(&c.condition);
                self.statements(&c.then_branch);
                for (condition, branch) in &c.elif_branches {
                    self.statements(condition);
                    self.statements(branch);
                }
                if let Some(branch) = &c.else_branch {
                    self.statements(branch);
                }
            }
            C::For(c) => {
                self.words(c.words.as_deref().unwrap_or_default());
                self.statements(&c.body);
            }
            C::Repeat(c) => {
                self.word(&c.count);
                self.statements(&c.body);
            }
            C::Foreach(c) => {
                self.words(&c.words);
                self.statements(&c.body);
            }
            C::ArithmeticFor(c) => self.statements(&c.body),
            C::While(c) => {
                self.statements(&c.condition);
                self.statements(&c.body);
            }
            C::Until(c) => {
                self.statements(&c.condition);
                self.statements(&c.body);
            }
            C::Case(c) => {
                self.word(&c.word);
                for case in &c.cases {
                    case.patterns.iter().for_each(|pattern| self.pattern(pattern));
                    self.statements(&case.body);
                }
            }
            C::Select(c) => {
                self.words(&c.words);
                self.statements(&c.body);
            }
            C::Subshell(body) | C::BraceGroup(body) => self.statements(body),
            C::Arithmetic(_) => {}
            C::Time(c) => {
                self.push("time".to_owned(), c.span, Vec::new(), c.span);
                if let Some(command) = &c.command {
                    self.statement(command);
                }
            }
            C::Conditional(c) => self.condition(&c.expression),
            C::Coproc(c) => self.statement(&c.body),
            C::Always(c) => {
                self.statements(&c.body);
                self.statements(&c.always_body);
            }
        }
    }

    fn condition(&mut self, expression: &ConditionalExpr) {
        let mut open = vec![expression];
        while let Some(expression) = open.pop() {
            match expression {
                ConditionalExpr::Binary(binary) => open.extend([&*binary.right, &*binary.left]),
                ConditionalExpr::Unary(unary) => open.push(&unary.expr),
                ConditionalExpr::Parenthesized(inner) => open.push(&inner.expr),
                ConditionalExpr::Word(word) | ConditionalExpr::Regex(word) => self.word(word),
                ConditionalExpr::Pattern(pattern) => self.pattern(pattern),
                ConditionalExpr::VarRef(_) => {}
            }
        }
    }

    fn redirects(&mut self, redirects: &[Redirect]) {
        for redirect in redirects {
            match &redirect.target {
                RedirectTarget::Word(word) => self.word(word),
                RedirectTarget::Heredoc(heredoc) => {
                    for part in &heredoc.body.parts {
                        match &part.kind {
                            HeredocBodyPart::CommandSubstitution { body, .. } => self.statements(body),
                            HeredocBodyPart::Parameter(parameter) => self.parameter(parameter),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            self.assignment(assignment);
        }
    }

    fn assignment(&mut self, assignment: &Assignment) {
        match &assignment.value {
            AssignmentValue::Scalar(word) => self.word(word),
            AssignmentValue::Compound(array) => {
                for element in &array.elements {
                    match element {
                        ArrayElem::Sequential(value)
                        | ArrayElem::Keyed { value, .. }
                        | ArrayElem::KeyedAppend { value, .. } => self.word(value),
                    }
                }
            }
        }
    }

    fn words(&mut self, words: &[Word]) {
        for word in words {
            self.word(word);
        }
    }

    /// Takes in the commands within a word.
    fn word(&mut self, word: &Word) {
        self.parts(&word.parts);
    }

    fn parts(&mut self, parts: &[WordPartNode]) {
        for part in parts {
            match &part.kind {
                WordPart::DoubleQuoted { parts, .. } => self.parts(parts),
                WordPart::CommandSubstitution { body, .. } | WordPart::ProcessSubstitution { body, .. } => {
                    self.statements(body);
                }
                WordPart::ArithmeticExpansion { expression_word_ast, .. } => self.word(expression_word_ast),
                WordPart::Parameter(parameter) => self.parameter(parameter),
                WordPart::ParameterExpansion { operator, operand_word_ast, .. } => {
                    self.operator(operator);
                    operand_word_ast.iter().for_each(|word| self.word(word));
                }
                WordPart::IndirectExpansion { operator, operand_word_ast, .. } => {
                    operator.iter().for_each(|operator| self.operator(operator));
                    operand_word_ast.iter().for_each(|word| self.word(word));
                }
                WordPart::Substring { offset_word_ast, length_word_ast, .. }
                | WordPart::ArraySlice { offset_word_ast, length_word_ast, .. } => {
                    self.word(offset_word_ast);
                    length_word_ast.iter().for_each(|word| self.word(word));
                }
                WordPart::Literal(_)
                | WordPart::ZshQualifiedGlob(_)
                | WordPart::SingleQuoted { .. }
                | WordPart::Variable(_)
                | WordPart::Length(_)
                | WordPart::ArrayAccess(_)
                | WordPart::ArrayLength(_)
                | WordPart::ArrayIndices(_)
                | WordPart::PrefixMatch { .. }
                | WordPart::Transformation { .. } => {}
            }
        }
    }

    fn parameter(&mut self, parameter: &ParameterExpansion) {
        let ParameterExpansionSyntax::Bourne(expansion) = &parameter.syntax else { return };
        for word in [expansion.operand_word_ast(), expansion.offset_word_ast(), expansion.length_word_ast()] {
            word.into_iter().for_each(|word| self.word(word));
        }
        match expansion {
            BourneParameterExpansion::Operation { operator, .. } => self.operator(operator),
            BourneParameterExpansion::Indirect { operator: Some(operator), .. } => self.operator(operator),
            _ => {}
        }
    }

    fn operator(&mut self, operator: &ParameterOp) {
        match operator {
            ParameterOp::RemovePrefixShort { pattern }
            | ParameterOp::RemovePrefixLong { pattern }
            | ParameterOp::RemoveSuffixShort { pattern }
            | ParameterOp::RemoveSuffixLong { pattern } => self.pattern(pattern),
            ParameterOp::ReplaceFirst { pattern, replacement_word_ast, .. }
            | ParameterOp::ReplaceAll { pattern, replacement_word_ast, .. } => {
                self.pattern(pattern);
                self.word(replacement_word_ast);
            }
            _ => {}
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        for part in &pattern.parts {
            match &part.kind {
                PatternPart::Word(word) => self.word(word),
                PatternPart::Group { patterns, .. } => patterns.iter().for_each(|pattern| self.pattern(pattern)),
                _ => {}
            }
        }
    }

    fn push(&mut self, name: String, name_span: Span, args: Vec<Arg>, span: Span) {
        let mut name_range = range(name_span);
        name_range.end = name_range.end.min(self.text.len());
        // Nodes of builtins tell only where they are as a whole.
        if name_span == span {
            name_range.end = name_range.end.min(name_range.start + name.len());
        }
        let end = args.last().map_or(name_range.end, |arg| arg.range.end.max(name_range.end));
        let range = name_range.start..end;
        self.commands.push(Command { name: name.into(), args, range, name_range });
    }

    fn raw(&self, span: Span) -> Arg {
        Arg { text: self.slice(span).into(), range: range(span) }
    }

    fn arg(&self, word: &Word) -> Arg {
        let mut text = String::new();
        self.render(&word.parts, false, &mut text);
        Arg { text: text.into(), range: range(word.span) }
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(range(span)).unwrap_or_default()
    }

    fn render(&self, parts: &[WordPartNode], quoted: bool, out: &mut String) {
        for part in parts {
            match &part.kind {
                WordPart::Literal(text) => match text.is_source_backed() {
                    true => out.push_str(&unescape(self.slice(part.span), quoted)),
                    false => out.push_str(text.as_str(self.text, part.span)),
                },
                WordPart::SingleQuoted { value, .. } => out.push_str(value.slice(self.text)),
                WordPart::DoubleQuoted { parts, .. } => self.render(parts, true, out),
                WordPart::Variable(name) => {
                    out.push_str("${");
                    out.push_str(name.as_str());
                    out.push('}');
                }
                WordPart::CommandSubstitution { syntax: CommandSubstitutionSyntax::DollarParen, .. } => {
                    let inner = self.slice(part.span);
                    let inner = inner.strip_prefix("$(").and_then(|i| i.strip_suffix(')')).unwrap_or(inner);
                    out.push_str("${");
                    out.push_str(inner);
                    out.push('}');
                }
                WordPart::CommandSubstitution { .. } | WordPart::ArithmeticExpansion { .. } => out.push_str("${VAR}"),
                WordPart::ProcessSubstitution { .. } => {}
                _ => out.push_str(self.slice(part.span)),
            }
        }
    }

    /// The text of a word in which nothing is expanded.
    fn literal(&self, word: &Word) -> Option<String> {
        let mut out = String::new();
        self.push_literal(&word.parts, false, &mut out).then_some(out)
    }

    fn push_literal(&self, parts: &[WordPartNode], quoted: bool, out: &mut String) -> bool {
        parts.iter().all(|part| match &part.kind {
            WordPart::Literal(text) => {
                let source = text.is_source_backed();
                let text = if source { self.slice(part.span) } else { text.as_str(self.text, part.span) };
                if !quoted && is_pattern(text) {
                    return false;
                }
                out.push_str(&if source { unescape(text, quoted) } else { Cow::Borrowed(text) });
                true
            }
            WordPart::SingleQuoted { value, .. } => {
                out.push_str(value.slice(self.text));
                true
            }
            WordPart::DoubleQuoted { parts, .. } => self.push_literal(parts, true, out),
            _ => false,
        })
    }
}

/// Whether unquoted text would be taken for a pattern. A lone `[` is a command.
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?']) || (text.contains('[') && text.contains(']'))
}

/// Takes out the backslashes that escape.
fn unescape(text: &str, quoted: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => {
                chars.next();
            }
            ('\\', Some(&next)) if !quoted || matches!(next, '$' | '`' | '"' | '\\') => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}
