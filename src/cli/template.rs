//! The part of Go's templates that people use to pick values: `{{.A.B}}`, `{{json .A}}`, `{{index .A "key"}}`, and text
//! around them.

use rbc_source::{Diagnostic, lower};
use serde_json::Value;

/// Text with values in it.
#[derive(Debug, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Value { json: bool, path: Vec<Step> },
}

#[derive(Debug, PartialEq)]
enum Step {
    /// A field, by its name in Go.
    Field(String),
    /// An entry of a map or list.
    Key(String),
}

impl Template {
    /// Reads a template. The word `json` is short for all values as JSON.
    ///
    /// # Errors
    /// It uses something of Go's templates that is not known here.
    pub fn parse(text: &str) -> Result<Template, Diagnostic> {
        if text == "json" {
            return Ok(Template(vec![Piece::Value { json: true, path: Vec::new() }]));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inner, behind) = after.split_once("}}").ok_or_else(|| wrong(text, "a `{{` is not closed by `}}`"))?;
            let (before, inner) = match inner.strip_prefix("- ") {
                Some(inner) => (before.trim_end(), inner),
                None => (before, inner),
            };
            let (inner, behind) = match inner.strip_suffix(" -") {
                Some(inner) => (inner, behind.trim_start()),
                None => (inner, behind),
            };
            push_text(&mut pieces, before);
            let mut words = words(inner).ok_or_else(|| wrong(text, "a string is not closed"))?;
            let json = words.first().is_some_and(|word| word == "json");
            if json {
                words.remove(0);
            }
            let mut words = words.into_iter().peekable();
            let path = operand(&mut words).filter(|_| words.next().is_none());
            let path = path.ok_or_else(|| wrong(text, &format!("`{{{{{inner}}}}}` is not understood")))?;
            pieces.push(Piece::Value { json, path });
            rest = behind;
        }
        push_text(&mut pieces, rest);
        Ok(Template(pieces))
    }

    /// Fills in values.
    ///
    /// # Errors
    /// There is no such value.
    pub fn render(&self, values: &Value) -> Result<String, Diagnostic> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out += text,
                Piece::Value { json, path } => {
                    let value = path.iter().try_fold(values, |value, step| step.of(value))?;
                    match value {
                        _ if *json => out += &serde_json::to_string_pretty(value).unwrap_or_default(),
                        Value::String(text) => out += text,
                        Value::Null => {}
                        Value::Array(_) | Value::Object(_) => out += &value.to_string(),
                        plain => out += &plain.to_string(),
                    }
                }
            }
        }
        Ok(out)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        // As a shell's single quotes leave it.
        pieces.push(Piece::Text(text.replace("\\n", "\n").replace("\\t", "\t")));
    }
}

/// `json`, `(`, `.A.B`, `"key"`.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '(' | ')' => 1,
            '"' | '`' => rest.get(1..)?.find(first)? + 2,
            _ => rest.find(|c: char| c.is_whitespace() || c == '(' || c == ')').unwrap_or(rest.len()),
        };
        let (word, behind) = rest.split_at_checked(len)?;
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    Some(words)
}

type Words = std::iter::Peekable<std::vec::IntoIter<String>>;

/// A path, `index PATH KEY...`, or either in parentheses with fields behind.
fn operand(words: &mut Words) -> Option<Vec<Step>> {
    let word = words.next()?;
    let mut path = match word.as_str() {
        "(" => {
            let inner = operand(words)?;
            if words.next()? != ")" {
                return None;
            }
            inner
        }
        "index" => {
            let mut path = operand(words)?;
            let key = |word: &String| word.starts_with(['"', '`']) || word.bytes().all(|b| b.is_ascii_digit());
            let mut keys = 0;
            while let Some(word) = words.next_if(key) {
                path.push(Step::Key(word.trim_matches(['"', '`']).to_owned()));
                keys += 1;
            }
            return (keys > 0).then_some(path);
        }
        fields => return steps(fields),
    };
    if let Some(fields) = words.next_if(|word| word.starts_with('.')) {
        path.extend(steps(&fields)?);
    }
    Some(path)
}

fn steps(fields: &str) -> Option<Vec<Step>> {
    let fields = fields.strip_prefix('.')?;
    if fields.is_empty() {
        return Some(Vec::new());
    }
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    fields.split('.').map(|name| is_name(name).then(|| Step::Field(name.to_owned()))).collect()
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Result<&'a Value, Diagnostic> {
        let absent = |name: &str, value: &Value| {
            let found = Diagnostic::new(lower::OPTION, format!("the template asks for `{name}`, which is not there"));
            let there: Vec<&str> =
                value.as_object().map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default();
            if there.is_empty() { found } else { found.note(format!("there are {}", there.join(", "))) }
        };
        match self {
            // The names that Go has for fields differ from those in JSON by the case of letters and by dots.
            Step::Field(name) => {
                let plain = |name: &str| name.replace('.', "").to_lowercase();
                let fields = value.as_object().ok_or_else(|| absent(name, value))?;
                let found = fields.iter().find(|(key, _)| plain(key) == plain(name));
                found.map(|(_, value)| value).ok_or_else(|| absent(name, value))
            }
            Step::Key(key) => {
                let found = match value {
                    Value::Array(list) => key.parse::<usize>().ok().and_then(|at| list.get(at)),
                    _ => value.get(key),
                };
                found.ok_or_else(|| absent(key, value))
            }
        }
    }
}

fn wrong(text: &str, why: &str) -> Diagnostic {
    let found = Diagnostic::new(lower::OPTION, format!("the template `{text}` cannot be used: {why}"));
    found.note("it may have `{{.A.B}}`, `{{json .A}}` and `{{index .A \"key\"}}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(template: &str) -> Result<String, Diagnostic> {
        let values = json!({
            "name": "a",
            "manifest": { "mediaType": "m", "digest": "d", "manifests": [{ "digest": "first" }] },
            "image": { "linux/amd64": { "os.version": "10", "config": { "Env": ["A=b"] } } },
        });
        Template::parse(template)?.render(&values)
    }

    #[test]
    fn values_are_picked() {
        for (template, expected) in [
            ("{{.Name}}", "a"),
            ("x {{ .Manifest.Digest }}\\n", "x d\n"),
            ("{{.Manifest.MediaType}}{{- .Name -}} y", "may"),
            ("{{json .Manifest.MediaType}}", "\"m\""),
            (r#"{{ index .Manifest.Manifests 0 }}"#, r#"{"digest":"first"}"#),
            (r#"{{ (index .Image "linux/amd64").OSVersion }}"#, "10"),
            (r#"{{json (index .Image "linux/amd64").Config.Env}}"#, "[\n  \"A=b\"\n]"),
        ] {
            assert_eq!(render(template).unwrap(), expected, "{template}");
        }
        assert!(render("json").unwrap().contains("\"name\": \"a\""));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for template in [
            "{{",
            "{{}}",
            "{{range .A}}",
            "{{.Name | upper}}",
            "{{index .Name}}",
            "{{\"a}}",
            "{{.Nothing}}",
            "{{(.Name}}",
        ] {
            assert!(render(template).is_err(), "{template}");
        }
    }
}
