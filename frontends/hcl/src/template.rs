//! Templates: from a flat run of literals, interpolations and directives to an expression.
//!
//! Strip markers (`~`) and the indentation of `<<-` work on the run, token by token: a literal of a heredoc is a token a
//! line, so a marker never eats more than the rest of its line.

use crate::ast::{Expr, ExprKind, For};
use crate::{Value, value::normalized};
use rbc_source::{Diagnostic, Span, hcl as codes};
use std::sync::Arc;

/// An element of the run.
pub(crate) enum Token {
    Literal {
        text: String,
        span: Span,
    },
    /// An expression between `${` and `}`.
    Interpolation {
        expr: Expr,
        strip: Strip,
    },
    If {
        condition: Expr,
        span: Span,
        strip: Strip,
    },
    Else {
        strip: Strip,
    },
    EndIf {
        span: Span,
        strip: Strip,
    },
    For {
        key: Option<Arc<str>>,
        value: Arc<str>,
        collection: Expr,
        span: Span,
        strip: Strip,
    },
    EndFor {
        span: Span,
        strip: Strip,
    },
}

/// Which sides of a sequence carry a `~`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Strip {
    pub before: bool,
    pub after: bool,
}

impl Token {
    fn strip(&self) -> Strip {
        match self {
            Token::Literal { .. } => Strip::default(),
            Token::Interpolation { strip, .. }
            | Token::If { strip, .. }
            | Token::Else { strip }
            | Token::EndIf { strip, .. }
            | Token::For { strip, .. }
            | Token::EndFor { strip, .. } => *strip,
        }
    }
}

/// The expression of a run of tokens. `flush` takes the common indentation away, as `<<-` asks.
pub(crate) fn build(mut tokens: Vec<Token>, flush: bool, span: Span) -> Expr {
    apply_strip(&mut tokens);
    if flush {
        flush_indentation(&mut tokens);
    }
    if let [Token::Interpolation { .. }] = tokens.as_slice()
        && let Some(Token::Interpolation { expr, .. }) = tokens.pop()
    {
        return Expr::new(span, ExprKind::Wrapped(Box::new(expr)));
    }
    let mut rest = tokens.into_iter().peekable();
    let mut parts = Vec::new();
    while rest.peek().is_some() {
        collect(&mut rest, &mut parts);
        // What is left begins with an end that nothing opened; the parser lets none through.
        rest.next();
    }
    join(parts, span)
}

/// One expression of several parts; literals alone are a literal.
fn join(mut parts: Vec<Expr>, span: Span) -> Expr {
    if parts.is_empty() {
        return Expr::new(span, ExprKind::Literal(Value::String("".into())));
    }
    if parts.len() == 1 && matches!(parts[0].kind, ExprKind::Literal(_)) {
        parts[0].span = span;
        return parts.remove(0);
    }
    Expr::new(span, ExprKind::Template(parts))
}

type Rest = std::iter::Peekable<std::vec::IntoIter<Token>>;

/// Reads parts up to the end or to a token that closes or divides a directive.
fn collect(rest: &mut Rest, parts: &mut Vec<Expr>) {
    let mut literal: Option<(String, Span)> = None;
    let flush = |literal: &mut Option<(String, Span)>, parts: &mut Vec<Expr>| {
        if let Some((text, span)) = literal.take() {
            parts.push(Expr::new(span, ExprKind::Literal(Value::String(normalized(&text).as_ref().into()))));
        }
    };
    while let Some(token) =
        rest.next_if(|t| !matches!(t, Token::Else { .. } | Token::EndIf { .. } | Token::EndFor { .. }))
    {
        if let Token::Literal { text, span } = token {
            match &mut literal {
                Some((before, at)) => {
                    before.push_str(&text);
                    *at = at.join(span);
                }
                None => literal = Some((text, span)),
            }
            continue;
        }
        flush(&mut literal, parts);
        match token {
            Token::Interpolation { expr, .. } => parts.push(expr),
            Token::If { condition, span, .. } => {
                let mut yes = Vec::new();
                let mut no = Vec::new();
                collect(rest, &mut yes);
                if rest.next_if(|t| matches!(t, Token::Else { .. })).is_some() {
                    collect(rest, &mut no);
                }
                match rest.next() {
                    Some(Token::EndIf { span: end, .. }) => {
                        let part = |parts: Vec<Expr>| Expr::new(span, ExprKind::Template(parts));
                        parts.push(Expr::new(
                            span.join(end),
                            ExprKind::Conditional(Box::new([condition, part(yes), part(no)])),
                        ));
                    }
                    _ => parts.push(unbalanced(span, "if")),
                }
            }
            Token::For { key, value, collection, span, .. } => {
                let mut inner = Vec::new();
                collect(rest, &mut inner);
                match rest.next() {
                    Some(Token::EndFor { span: end, .. }) => {
                        let each = For {
                            key_var: key,
                            value_var: value,
                            collection,
                            key: None,
                            value: Expr::new(span, ExprKind::Template(inner)),
                            group: false,
                            condition: None,
                        };
                        let tuple = Expr::new(span.join(end), ExprKind::For(Box::new(each)));
                        parts.push(Expr::new(span.join(end), ExprKind::Joined(Box::new(tuple))));
                    }
                    _ => parts.push(unbalanced(span, "for")),
                }
            }
            Token::Literal { .. } | Token::Else { .. } | Token::EndIf { .. } | Token::EndFor { .. } => {}
        }
    }
    flush(&mut literal, parts);
}

fn unbalanced(span: Span, what: &str) -> Expr {
    let problem = Diagnostic::new(codes::SYNTAX, format!("the %{{{what}}} directive has no %{{end{what}}}")).at(span);
    Expr::new(span, ExprKind::Broken(Box::new(problem)))
}

/// `~` takes white space from the literal token beside it.
fn apply_strip(tokens: &mut [Token]) {
    for i in 0..tokens.len() {
        let strip = tokens[i].strip();
        if strip.before
            && i > 0
            && let Token::Literal { text, .. } = &mut tokens[i - 1]
        {
            text.truncate(text.trim_end().len());
        }
        if strip.after
            && let Some(Token::Literal { text, .. }) = tokens.get_mut(i + 1)
        {
            *text = text.trim_start().to_owned();
        }
    }
}

/// Takes the smallest indentation of all lines away from every line. Blank lines do not count; a line that begins with an
/// interpolation has none.
fn flush_indentation(tokens: &mut [Token]) {
    let mut smallest = usize::MAX;
    let mut indented = Vec::new();
    let mut line_start = true;
    for (i, token) in tokens.iter().enumerate() {
        let Token::Literal { text, .. } = token else {
            if std::mem::take(&mut line_start) {
                smallest = 0;
            }
            continue;
        };
        if line_start {
            let white = text.len() - text.trim_start().len();
            if white < text.len() || !text.ends_with('\n') {
                smallest = smallest.min(text[..white].chars().count());
                indented.push(i);
            }
        }
        line_start = text.ends_with('\n');
    }
    for i in indented {
        if let Token::Literal { text, .. } = &mut tokens[i] {
            let cut = text.char_indices().nth(smallest).map_or(text.len(), |(at, _)| at);
            text.drain(..cut);
        }
    }
}
