//! The native syntax: hcl-edit parses, with spans; here its tree becomes ours.
//!
//! Every name, number and text is taken from the source under its span and not from hcl-edit's tree: hcl-edit keeps
//! numbers as machine numbers, and a text given to it may have been patched (see [`crate::syntax`]) where it refuses what
//! HCL allows.

use crate::ast::{Attribute, BinaryOp, Block, Body, Call, Expr, ExprKind, For, Item, Label, Step, UnaryOp};
use crate::template::{self, Strip, Token};
use crate::value::normalized;
use crate::{Number, Value};
use hcl_edit::Ident;
use hcl_edit::expr::{self as edit, BinaryOperator, Expression, ObjectKey, TraversalOperator, UnaryOperator};
use hcl_edit::structure::Structure;
use hcl_edit::template::{Directive, Element, Template};
use rbc_source::{Diagnostic, FileId, Span, hcl as codes};
use std::ops::Range;
use std::sync::Arc;

/// Where offsets of a parsed text lie in a file.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// All shifted by the same distance.
    Shifted(FileId, usize),
    /// The text of a JSON string: for every run without escapes, its offset in the text and in the file.
    Runs(FileId, Arc<[(usize, usize)]>),
}

impl Place {
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        match self {
            Place::Shifted(file, by) => Span::new(*file, range.start + by, range.end + by),
            Place::Runs(file, _) => Span::new(*file, self.offset(range.start), self.offset(range.end)),
        }
    }

    fn offset(&self, at: usize) -> usize {
        match self {
            Place::Shifted(_, by) => at + by,
            Place::Runs(_, runs) => {
                let i = runs.partition_point(|(text, _)| *text <= at).saturating_sub(1);
                runs.get(i).map_or(at, |(text, file)| file + (at - text))
            }
        }
    }
}

/// Steps of one traversal. Each may nest the tree by one, and trees are walked recursively.
const MOST_STEPS: usize = 100;

/// Turns hcl-edit's tree of one text into ours.
pub(crate) struct Lower<'t> {
    text: &'t str,
    place: Place,
    /// Faults that hcl-edit lets through.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'t> Lower<'t> {
    pub(crate) fn new(text: &'t str, place: Place) -> Self {
        Lower { text, place, diagnostics: Vec::new() }
    }

    fn range(&self, node: &impl hcl_edit::Span) -> Range<usize> {
        node.span().unwrap_or(0..0)
    }

    fn span(&self, node: &impl hcl_edit::Span) -> Span {
        self.place.span(self.range(node))
    }

    fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or("")
    }

    fn name(&self, node: &impl hcl_edit::Span) -> Arc<str> {
        normalized(self.slice(self.range(node))).as_ref().into()
    }

    fn ident(&self, ident: &hcl_edit::Decorated<Ident>) -> Arc<str> {
        self.name(ident)
    }

    pub(crate) fn body(&mut self, body: &hcl_edit::structure::Body) -> Body {
        let mut out = Body::default();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let value = self.expr(&attribute.value);
                    out.attributes.push(Attribute {
                        name: self.ident(&attribute.key),
                        name_span: self.span(&attribute.key),
                        value,
                    });
                }
                Structure::Block(block) => {
                    let labels = block.labels.iter().map(|label| self.label(label)).collect();
                    let body = self.body(&block.body);
                    out.blocks.push(Block {
                        kind: self.ident(&block.ident),
                        kind_span: self.span(&block.ident),
                        labels,
                        body,
                        span: self.span(block),
                    });
                }
            }
        }
        out
    }

    fn label(&mut self, label: &hcl_edit::structure::BlockLabel) -> Label {
        let range = self.range(label);
        let raw = self.slice(range.clone());
        let span = self.place.span(range.clone());
        let text = match raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) {
            Some(inner) => {
                if inner.contains('\n') {
                    self.multi_line(span);
                }
                if inner.contains("${") || inner.contains("%{") {
                    self.diagnostics.push(
                        Diagnostic::new(codes::SYNTAX, "a block label cannot contain template sequences")
                            .at(span)
                            .note("a label must be known before anything is evaluated; use `matrix` and `name` for computed names"),
                    );
                }
                unescape(inner)
            }
            None => raw.to_owned(),
        };
        Label { text: normalized(&text).as_ref().into(), span }
    }

    fn multi_line(&mut self, span: Span) {
        self.diagnostics.push(
            Diagnostic::new(codes::SYNTAX, "a quoted text cannot span lines")
                .at(span)
                .note("write `\\n` for a line break, or use a heredoc: `<<EOT` ... `EOT`"),
        );
    }

    pub(crate) fn expr(&mut self, expr: &Expression) -> Expr {
        let range = self.range(expr);
        let span = self.place.span(range.clone());
        let kind = match expr {
            Expression::Null(_) => ExprKind::Literal(Value::null()),
            Expression::Bool(value) => ExprKind::Literal(Value::Bool(*value.value())),
            Expression::Number(_) => {
                let digits: String = self.slice(range).chars().filter(|c| !c.is_whitespace()).collect();
                let number = Number::parse(&digits).unwrap_or_else(Number::zero);
                ExprKind::Literal(Value::number(number))
            }
            Expression::String(_) => {
                let inner = range.start + 1..range.end.saturating_sub(1);
                if self.slice(inner.clone()).contains('\n') {
                    self.multi_line(span);
                }
                ExprKind::Literal(Value::string(unescape(self.slice(inner))))
            }
            Expression::Array(array) => ExprKind::Tuple(array.iter().map(|e| self.expr(e)).collect()),
            Expression::Object(object) => {
                if let Some((ObjectKey::Ident(name), _)) = object.iter().next()
                    && self.slice(self.range(name)) == "for"
                {
                    let problem =
                        Diagnostic::new(codes::SYNTAX, "an object that begins with `for` is a `for` expression");
                    self.diagnostics.push(problem.at(self.span(name)).note("write the key in quotes: `\"for\"`"));
                }
                ExprKind::Object(object.iter().map(|(key, value)| self.item(key, value)).collect())
            }
            Expression::StringTemplate(template) => {
                let mut tokens = Vec::new();
                for element in template.iter() {
                    self.element(element, Text::Quoted, &mut tokens);
                }
                return template::build(tokens, false, span);
            }
            Expression::HeredocTemplate(heredoc) => {
                let mut tokens = Vec::new();
                self.elements(&heredoc.template, &mut tokens);
                let flush = self.slice(range).starts_with("<<-");
                return template::build(tokens, flush, span);
            }
            Expression::Parenthesis(inner) => ExprKind::Parens(Box::new(self.expr(inner.inner()))),
            Expression::Variable(name) => {
                ExprKind::Reference { root: self.ident(name), root_span: span, steps: Vec::new() }
            }
            Expression::Conditional(c) => ExprKind::Conditional(Box::new([
                self.expr(&c.cond_expr),
                self.expr(&c.true_expr),
                self.expr(&c.false_expr),
            ])),
            Expression::FuncCall(call) => {
                let names: Vec<Arc<str>> =
                    call.name.namespace.iter().chain([&call.name.name]).map(|i| self.ident(i)).collect();
                let first = call.name.namespace.first().unwrap_or(&call.name.name);
                ExprKind::Call(Box::new(Call {
                    name: names.join("::").into(),
                    name_span: self.span(first).join(self.span(&call.name.name)),
                    args: call.args.iter().map(|a| self.expr(a)).collect(),
                    expand: call.args.expand_final(),
                }))
            }
            Expression::Traversal(traversal) => return self.traversal(traversal, range.start),
            Expression::UnaryOp(op) => {
                let operator = match op.operator.value() {
                    UnaryOperator::Neg => UnaryOp::Negate,
                    UnaryOperator::Not => UnaryOp::Not,
                };
                ExprKind::Unary(operator, Box::new(self.expr(&op.expr)))
            }
            Expression::BinaryOp(op) => {
                let sides = [self.expr(&op.lhs_expr), self.expr(&op.rhs_expr)];
                let span = sides[0].span.join(sides[1].span);
                return Expr::new(span, ExprKind::Binary(operator(*op.operator.value()), Box::new(sides)));
            }
            Expression::ForExpr(f) => ExprKind::For(Box::new(For {
                key_var: f.intro.key_var.as_ref().map(|k| self.ident(k)),
                value_var: self.ident(&f.intro.value_var),
                collection: self.expr(&f.intro.collection_expr),
                key: f.key_expr.as_ref().map(|k| self.expr(k)),
                value: self.expr(&f.value_expr),
                group: f.grouping,
                condition: f.cond.as_ref().map(|c| self.expr(&c.expr)),
            })),
        };
        Expr::new(span, kind)
    }

    fn item(&mut self, key: &ObjectKey, value: &edit::ObjectValue) -> Item {
        let key = match key {
            ObjectKey::Ident(name) => Expr::new(self.span(name), ExprKind::Literal(Value::String(self.ident(name)))),
            // Here these words are names.
            ObjectKey::Expression(word @ (Expression::Null(_) | Expression::Bool(_))) => {
                Expr::new(self.span(word), ExprKind::Literal(Value::String(self.name(word))))
            }
            ObjectKey::Expression(expr) => {
                let key = self.expr(expr);
                let bare = matches!(expr, Expression::Traversal(_));
                if bare && matches!(key.kind, ExprKind::Reference { .. }) {
                    let text = self.slice(self.range(expr));
                    let problem =
                        Diagnostic::new(codes::SYNTAX, "it is not clear whether this key is a name or a reference")
                            .at(key.span)
                            .note(format!(
                                "write `({text})` for the value that it refers to, or `\"{text}\"` for the name itself"
                            ));
                    Expr::new(key.span, ExprKind::Broken(Box::new(problem)))
                } else {
                    key
                }
            }
        };
        Item { key, unique: false, value: self.expr(value.expr()) }
    }

    fn traversal(&mut self, traversal: &edit::Traversal, start: usize) -> Expr {
        let source = self.expr(&traversal.expr);
        if let Some(beyond) = traversal.operators.get(MOST_STEPS) {
            let problem = Diagnostic::new(codes::LIMIT, format!("more than {MOST_STEPS} steps in one selection"));
            self.diagnostics.push(problem.at(self.span(beyond)));
            return source;
        }
        self.select(source, &traversal.operators, start)
    }

    /// Applies operators to an expression.
    fn select(&mut self, mut from: Expr, operators: &[hcl_edit::Decorated<TraversalOperator>], start: usize) -> Expr {
        let mut rest = operators;
        while let Some((first, mut after)) = rest.split_first() {
            let here = self.range(first);
            self.check_chained(first, after);
            match first.value() {
                // All that follows belongs to the element.
                TraversalOperator::FullSplat(_) => {
                    let end = operators.last().map_or(here.end, |o| self.range(o).end);
                    let element = Expr::new(self.place.span(here.clone()), ExprKind::Element);
                    let each = self.select(element, after, here.start);
                    let kind = ExprKind::Splat(Box::new(from), Box::new(each));
                    return Expr::new(self.place.span(start..end), kind);
                }
                // Only the attributes that follow belong to the element.
                TraversalOperator::AttrSplat(_) => {
                    let mut end = here.end;
                    let mut steps = Vec::new();
                    while let Some((next, others)) = after.split_first()
                        && let Some(step) = self.attribute_step(next)
                    {
                        self.check_chained(next, others);
                        steps.push(step);
                        end = self.range(next).end;
                        after = others;
                    }
                    let each = extend(Expr::new(self.place.span(here.clone()), ExprKind::Element), steps);
                    let kind = ExprKind::Splat(Box::new(from), Box::new(each));
                    from = Expr::new(self.place.span(start..end), kind);
                }
                _ => from = self.step(from, first, start),
            }
            rest = after;
        }
        from
    }

    /// `a.0.1` would read as the number 0.1.
    fn check_chained(
        &mut self,
        first: &hcl_edit::Decorated<TraversalOperator>,
        after: &[hcl_edit::Decorated<TraversalOperator>],
    ) {
        if let (TraversalOperator::LegacyIndex(a), Some(next)) = (first.value(), after.first())
            && let TraversalOperator::LegacyIndex(b) = next.value()
        {
            let (a, b) = (a.value(), b.value());
            let problem = Diagnostic::new(codes::SYNTAX, "two indices with dots cannot follow one another");
            self.diagnostics.push(problem.at(self.span(next)).note(format!("write `[{a}][{b}]`")));
        }
    }

    fn attribute_step(&mut self, operator: &hcl_edit::Decorated<TraversalOperator>) -> Option<Step> {
        let span = self.span(operator);
        match operator.value() {
            TraversalOperator::GetAttr(name) => Some(Step::Attr(self.ident(name), span)),
            TraversalOperator::LegacyIndex(index) => {
                Some(Step::Index(Value::number(Number::parse(&index.value().to_string())?), span))
            }
            _ => None,
        }
    }

    fn step(&mut self, from: Expr, operator: &hcl_edit::Decorated<TraversalOperator>, start: usize) -> Expr {
        if let Some(step) = self.attribute_step(operator) {
            return extend(from, vec![step]);
        }
        let TraversalOperator::Index(key) = operator.value() else { return from };
        let span = self.span(operator);
        let negative = matches!(key, Expression::Number(_)) && self.slice(self.range(key)).starts_with('-');
        let key = self.expr(key);
        match key.kind {
            ExprKind::Literal(value) if !negative => extend(from, vec![Step::Index(value, span)]),
            _ => {
                let whole = self.place.span(start..self.range(operator).end);
                Expr::new(whole, ExprKind::Index(Box::new(from), Box::new(key)))
            }
        }
    }

    /// The elements of a template whose text is raw: no backslash escapes, a token a line.
    pub(crate) fn elements(&mut self, template: &Template, out: &mut Vec<Token>) {
        for element in template.iter() {
            self.element(element, Text::Raw, out);
        }
    }

    fn element(&mut self, element: &Element, text: Text, out: &mut Vec<Token>) {
        match element {
            Element::Literal(literal) => {
                let range = self.range(literal);
                let raw = self.slice(range.clone());
                match text {
                    Text::Quoted => {
                        let span = self.place.span(range);
                        if raw.contains('\n') {
                            self.multi_line(span);
                        }
                        out.push(Token::Literal { text: unescape(raw), span });
                    }
                    Text::Raw => {
                        let mut at = range.start;
                        for line in raw.split_inclusive('\n') {
                            let span = self.place.span(at..at + line.len());
                            out.push(Token::Literal { text: unescape_markers(line), span });
                            at += line.len();
                        }
                    }
                }
            }
            Element::Interpolation(interpolation) => {
                let expr = self.expr(&interpolation.expr);
                let strip = self.strip(interpolation.strip);
                out.push(Token::Interpolation { expr, strip });
            }
            Element::Directive(directive) => match directive.as_ref() {
                Directive::If(d) => {
                    let span = self.span(d);
                    let condition = self.expr(&d.if_expr.cond_expr);
                    out.push(Token::If { condition, span, strip: self.strip(d.if_expr.strip) });
                    self.nested(&d.if_expr.template, text, out);
                    if let Some(other) = &d.else_expr {
                        out.push(Token::Else { strip: self.strip(other.strip) });
                        self.nested(&other.template, text, out);
                    }
                    let span = self.span(d);
                    out.push(Token::EndIf { span, strip: self.strip(d.endif_expr.strip) });
                }
                Directive::For(d) => {
                    let span = self.span(d);
                    let collection = self.expr(&d.for_expr.collection_expr);
                    out.push(Token::For {
                        key: d.for_expr.key_var.as_ref().map(|k| self.ident(k)),
                        value: self.ident(&d.for_expr.value_var),
                        collection,
                        span,
                        strip: self.strip(d.for_expr.strip),
                    });
                    self.nested(&d.for_expr.template, text, out);
                    let span = self.span(d);
                    out.push(Token::EndFor { span, strip: self.strip(d.endfor_expr.strip) });
                }
            },
        }
    }

    fn nested(&mut self, template: &Template, text: Text, out: &mut Vec<Token>) {
        for element in template.iter() {
            self.element(element, text, out);
        }
    }

    fn strip(&self, strip: hcl_edit::template::Strip) -> Strip {
        Strip { before: strip.strip_start(), after: strip.strip_end() }
    }
}

/// How the literals of a template are written.
#[derive(Clone, Copy)]
enum Text {
    /// In quotes, with backslash escapes.
    Quoted,
    /// As they are.
    Raw,
}

/// Appends steps, to an existing run of steps if there is one.
fn extend(from: Expr, mut more: Vec<Step>) -> Expr {
    if more.is_empty() {
        return from;
    }
    let span = more.last().map_or(from.span, |s| from.span.join(s.span()));
    match from.kind {
        ExprKind::Reference { root, root_span, mut steps } => {
            steps.append(&mut more);
            Expr::new(span, ExprKind::Reference { root, root_span, steps })
        }
        ExprKind::Select(source, mut steps) => {
            steps.append(&mut more);
            Expr::new(span, ExprKind::Select(source, steps))
        }
        kind => Expr::new(span, ExprKind::Select(Box::new(Expr::new(from.span, kind)), more)),
    }
}

fn operator(operator: BinaryOperator) -> BinaryOp {
    match operator {
        BinaryOperator::Eq => BinaryOp::Equal,
        BinaryOperator::NotEq => BinaryOp::NotEqual,
        BinaryOperator::LessEq => BinaryOp::LessOrEqual,
        BinaryOperator::GreaterEq => BinaryOp::GreaterOrEqual,
        BinaryOperator::Less => BinaryOp::Less,
        BinaryOperator::Greater => BinaryOp::Greater,
        BinaryOperator::Plus => BinaryOp::Plus,
        BinaryOperator::Minus => BinaryOp::Minus,
        BinaryOperator::Mul => BinaryOp::Times,
        BinaryOperator::Div => BinaryOp::Divide,
        BinaryOperator::Mod => BinaryOp::Modulo,
        BinaryOperator::And => BinaryOp::And,
        BinaryOperator::Or => BinaryOp::Or,
    }
}

/// `$${` and `%%{` stand for `${` and `%{`.
fn unescape_markers(raw: &str) -> String {
    raw.replace("$${", "${").replace("%%{", "%{")
}

/// The text of a quoted literal, which the parser has found well-formed.
fn unescape(raw: &str) -> String {
    if !raw.contains(['\\', '$', '%']) {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\\', '$', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("$${") || rest.starts_with("%%{") {
            out.push_str(&rest[1..3]);
            rest = &rest[3..];
            continue;
        }
        let mut chars = rest.chars();
        let first = chars.next();
        if first != Some('\\') {
            out.extend(first);
            rest = chars.as_str();
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(kind @ ('u' | 'U')) => {
                let digits = if kind == 'u' { 4 } else { 8 };
                let hex = chars.as_str().get(..digits).unwrap_or("");
                out.extend(u32::from_str_radix(hex, 16).ok().and_then(char::from_u32));
                chars = chars.as_str().get(digits..).unwrap_or("").chars();
            }
            other => out.extend(other),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}
