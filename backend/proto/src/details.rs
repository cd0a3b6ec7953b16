//! What BuildKit adds to an error, beside its message.
//!
//! A detail is an [`Any`] whose value is not a message but its JSON, as Go writes the struct of the message: names as
//! in the protocol, empty fields left out, bytes in base64. Whoever shows the error finds in it the place in the source.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::{Any, pb};

const HOME: &str = "github.com/moby/buildkit/";

/// A detail of an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Where in a source file it is.
    Source(pb::SourceInfo, Vec<pb::Range>),
    /// The digest of the vertex that failed.
    Vertex(String),
    /// The frontend that failed, and the image it is from.
    Frontend(String, String),
    /// A capability that is missing.
    FrontendCap(String),
    /// A request that is not supported.
    Subrequest(String),
    /// With what status a command ended.
    Exit(u32),
}

impl Detail {
    /// As it travels.
    pub fn to_any(&self) -> Any {
        let (kind, value) = match self {
            Detail::Source(info, ranges) => {
                let ranges: Vec<Value> = ranges.iter().map(range_json).collect();
                let mut all = Map::new();
                all.insert("info".to_owned(), info_json(info));
                if !ranges.is_empty() {
                    all.insert("ranges".to_owned(), Value::Array(ranges));
                }
                ("errdefs.Source", Value::Object(all))
            }
            Detail::Vertex(digest) => ("errdefs.Vertex", json!({ "digest": digest })),
            Detail::Frontend(name, source) => ("errdefs.Frontend", json!({ "name": name, "source": source })),
            Detail::FrontendCap(name) => ("errdefs.FrontendCap", json!({ "name": name })),
            Detail::Subrequest(name) => ("errdefs.Subrequest", json!({ "name": name })),
            Detail::Exit(code) => ("gatewayapi.ExitMessage", json!({ "Code": code })),
        };
        Any { type_url: format!("{HOME}{kind}+json"), value: value.to_string().into_bytes().into() }
    }

    /// Reads one; `None` if it is of a kind that is not known here, or not well formed.
    pub fn read(any: &Any) -> Option<Self> {
        let kind = any.type_url.strip_prefix(HOME)?.strip_suffix("+json")?;
        let value: Value = serde_json::from_slice(&any.value).ok()?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Some(match kind {
            "errdefs.Source" => {
                let info = &value["info"];
                let data = info["data"].as_str().unwrap_or_default();
                let info = pb::SourceInfo {
                    filename: info["filename"].as_str().unwrap_or_default().to_owned(),
                    data: STANDARD.decode(data).ok()?.into(),
                    definition: None,
                    language: info["language"].as_str().unwrap_or_default().to_owned(),
                };
                let ranges = value["ranges"].as_array().map(Vec::as_slice).unwrap_or_default();
                Detail::Source(info, ranges.iter().map(range).collect())
            }
            "errdefs.Vertex" => Detail::Vertex(text("digest")),
            "errdefs.Frontend" => Detail::Frontend(text("name"), text("source")),
            "errdefs.FrontendCap" => Detail::FrontendCap(text("name")),
            "errdefs.Subrequest" => Detail::Subrequest(text("name")),
            "gatewayapi.ExitMessage" => Detail::Exit(u32::try_from(value["Code"].as_u64().unwrap_or(0)).ok()?),
            _ => return None,
        })
    }
}

fn info_json(info: &pb::SourceInfo) -> Value {
    let mut all = Map::new();
    let mut put = |key: &str, text: String| {
        if !text.is_empty() {
            all.insert(key.to_owned(), Value::String(text));
        }
    };
    put("filename", info.filename.clone());
    put("data", STANDARD.encode(&info.data));
    put("language", info.language.clone());
    if let Some(definition) = &info.definition {
        all.insert("definition".to_owned(), definition_json(definition));
    }
    Value::Object(all)
}

/// A definition without where it is written itself: what is needed to make the text's file system.
fn definition_json(definition: &pb::Definition) -> Value {
    let def: Vec<String> = definition.def.iter().map(|op| STANDARD.encode(op)).collect();
    let metadata = definition.metadata.iter().map(|entry| {
        let mut all = Map::new();
        let meta = &entry.value;
        if meta.ignore_cache {
            all.insert("ignore_cache".to_owned(), true.into());
        }
        if !meta.description.is_empty() {
            let texts = meta.description.iter().map(|e| (e.key.clone(), e.value.clone().into()));
            all.insert("description".to_owned(), Value::Object(texts.collect()));
        }
        if !meta.caps.is_empty() {
            let caps = meta.caps.iter().map(|e| (e.key.clone(), e.value.into()));
            all.insert("caps".to_owned(), Value::Object(caps.collect()));
        }
        (entry.key.clone(), Value::Object(all))
    });
    json!({ "def": def, "metadata": Value::Object(metadata.collect()) })
}

fn range_json(range: &pb::Range) -> Value {
    let position = |at: &Option<pb::Position>| {
        let at = at.unwrap_or_default();
        let mut all = Map::new();
        for (key, value) in [("line", at.line), ("character", at.character)] {
            if value != 0 {
                all.insert(key.to_owned(), value.into());
            }
        }
        Value::Object(all)
    };
    json!({ "start": position(&range.start), "end": position(&range.end) })
}

fn range(value: &Value) -> pb::Range {
    let number = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok()).unwrap_or(0);
    let position =
        |value: &Value| pb::Position { line: number(&value["line"]), character: number(&value["character"]) };
    pb::Range { start: Some(position(&value["start"])), end: Some(position(&value["end"])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Detail {
        let info = pb::SourceInfo {
            filename: "Dockerfile".to_owned(),
            data: b"FROM scratch\nRUN x\n".to_vec().into(),
            definition: None,
            language: "Dockerfile".to_owned(),
        };
        let at = |line, character| Some(pb::Position { line, character });
        Detail::Source(info, vec![pb::Range { start: at(2, 0), end: at(2, 5) }])
    }

    #[test]
    fn what_is_written_is_read() {
        let all = [
            place(),
            Detail::Vertex("sha256:00".to_owned()),
            Detail::Frontend("gateway.v0".to_owned(), "an/image".to_owned()),
            Detail::FrontendCap("moby.buildkit.frontend.inputs".to_owned()),
            Detail::Subrequest("frontend.lint".to_owned()),
            Detail::Exit(3),
        ];
        for detail in all {
            assert_eq!(Detail::read(&detail.to_any()), Some(detail));
        }
    }

    #[test]
    fn a_place_is_written_as_go_writes_it() {
        let any = place().to_any();
        assert_eq!(any.type_url, "github.com/moby/buildkit/errdefs.Source+json");
        let expected = r#"{"info":{"data":"RlJPTSBzY3JhdGNoClJVTiB4Cg==","filename":"Dockerfile","language":"Dockerfile"},"ranges":[{"end":{"character":5,"line":2},"start":{"line":2}}]}"#;
        assert_eq!(std::str::from_utf8(&any.value), Ok(expected));
    }

    #[test]
    fn what_is_not_known_or_broken_is_left_out() {
        let any = |type_url: &str, value: &str| Any { type_url: type_url.to_owned(), value: value.to_owned().into() };
        assert_eq!(Detail::read(&any("github.com/moby/buildkit/stack.Stack+json", "{}")), None);
        assert_eq!(Detail::read(&any("github.com/moby/buildkit/errdefs.Vertex+json", "{")), None);
        assert_eq!(
            Detail::read(&any("github.com/moby/buildkit/errdefs.Source+json", r#"{"info":{"data":"!"}}"#)),
            None
        );
    }
}
