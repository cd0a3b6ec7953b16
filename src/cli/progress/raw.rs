//! For programs: one JSON object a line, in the form of BuildKit's `SolveStatus`.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use rbc_local::{Event, Stream};
use rbc_oci::Time;
use rbc_wire::Digest;
use serde_json::{Value, json};

use super::View;
use super::book::{Book, Change};

/// The display.
pub struct Raw {
    /// What was said of each vertex.
    vertices: HashMap<Digest, Value>,
    /// When what a vertex is at began.
    begun: HashMap<(Digest, String), String>,
}

impl Raw {
    /// One that has shown nothing.
    pub fn new() -> Raw {
        Raw { vertices: HashMap::new(), begun: HashMap::new() }
    }

    /// Sets fields of a vertex and gives all of it.
    fn vertex(&mut self, vertex: &Digest, fields: &[(&str, Value)]) -> Value {
        let known = self.vertices.entry(*vertex).or_insert_with(|| json!({"digest": vertex.to_string()}));
        for (key, value) in fields {
            known[*key] = value.clone();
        }
        json!({ "vertexes": [known] })
    }
}

impl View for Raw {
    fn event(&mut self, event: &Event<'_>, _: &Book, _: &[Change]) {
        let time = Value::from(now());
        let status = match event {
            Event::Planned { vertex, name, inputs, group } => {
                let inputs: Vec<String> = inputs.iter().map(Digest::to_string).collect();
                let mut fields = vec![("name", Value::from(*name)), ("inputs", inputs.into())];
                if let Some((id, name)) = group {
                    fields.push(("progressGroup", json!({"id": id, "name": name})));
                }
                self.vertex(vertex, &fields)
            }
            Event::Looking { vertex, .. } | Event::Started { vertex, .. } => {
                self.vertex(vertex, &[("started", time), ("completed", Value::Null)])
            }
            Event::Found { vertex, failure, .. } | Event::Finished { vertex, failure } => {
                let mut fields = vec![("completed", time)];
                fields.extend(failure.map(|why| ("error", why.into())));
                self.vertex(vertex, &fields)
            }
            Event::Cached { vertex, .. } => {
                self.vertex(vertex, &[("started", time.clone()), ("completed", time), ("cached", true.into())])
            }
            Event::Output { vertex, stream, line } => {
                let mut data = line.to_vec();
                data.push(b'\n');
                let stream = if *stream == Stream::Stderr { 2 } else { 1 };
                let data = base64::engine::general_purpose::STANDARD.encode(data);
                json!({"logs": [{"vertex": vertex.to_string(), "stream": stream, "data": data, "timestamp": time}]})
            }
            Event::Status { vertex, what, current, total } => {
                let begun = self.begun.entry((*vertex, (*what).to_owned())).or_insert_with(now);
                let mut status = json!({
                    "id": what, "vertex": vertex.to_string(), "current": current, "timestamp": time, "started": begun,
                });
                if *total > 0 {
                    status["total"] = (*total).into();
                    if current >= total {
                        status["completed"] = time;
                    }
                }
                json!({ "statuses": [status] })
            }
            Event::Warning { vertex, message } => {
                let short = base64::engine::general_purpose::STANDARD.encode(message);
                json!({"warnings": [{"vertex": vertex.to_string(), "level": 1, "short": short}]})
            }
        };
        _ = writeln!(std::io::stderr().lock(), "{status}");
    }
}

/// The time, as Go writes it.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let whole = Time::from_unix(i64::try_from(since.as_secs()).unwrap_or_default());
    let whole = whole.as_ref().map_or("1970-01-01T00:00:00Z", Time::as_str).trim_end_matches('Z').to_owned();
    format!("{whole}.{:09}Z", since.subsec_nanos())
}
