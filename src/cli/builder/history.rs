//! `rbc builder history`.

use std::time::{Duration, SystemTime};

use rbc_proto::Timestamp;
use rbc_proto::control::{HistoryRecord, UpdateHistoryRequest};
use rbc_source::{Diagnostic, environment};
use serde_json::json;

use super::args::{HistoryArgs, ListFormat};
use super::show::table;
use super::{Failure, connect, used};
use crate::cli::cache::ago_of;
use crate::cli::messages::Messages;
use crate::cli::progress::text::printable;
use crate::cli::write_output;

/// Runs the command.
pub fn run(args: &HistoryArgs, messages: &Messages) -> Result<(), Failure> {
    let builder = used(args.name.as_deref())?;
    let mut all = Vec::new();
    let mut forgotten = Vec::new();
    for node in connect(&builder)? {
        let mut records = node.history()?;
        records.reverse();
        let chosen = |record: &HistoryRecord| {
            let ended = record.completed_at.is_some();
            args.forget_all && ended || args.forget.contains(&record.reference)
        };
        for record in records.iter().filter(|record| chosen(record)) {
            let reference = record.reference.clone();
            node.update_history(&UpdateHistoryRequest { reference, delete: true, ..UpdateHistoryRequest::default() })?;
            forgotten.push(record.reference.clone());
        }
        all.extend(records);
    }
    if let Some(missing) = args.forget.iter().find(|wanted| !forgotten.contains(*wanted)) {
        let found = Diagnostic::new(
            environment::BUILDERS,
            format!("the builder `{}` remembers no build `{missing}`", builder.name),
        );
        return Err(found.suggest(missing, all.iter().map(|record| record.reference.as_str())).into());
    }
    if args.forget_all || !args.forget.is_empty() {
        messages.say(&format!("{} builds are forgotten", forgotten.len()));
        return Ok(());
    }
    let text = match args.format {
        ListFormat::Json => all.iter().map(json_line).collect(),
        ListFormat::Table => {
            let head = ["BUILD", "WHAT", "STATUS", "STEPS", "CACHED", "STARTED", "SECONDS"].map(str::to_owned).to_vec();
            table(&[vec![head], all.iter().map(row).collect()].concat())
        }
    };
    Ok(write_output(None, text.as_bytes())?)
}

fn status(record: &HistoryRecord) -> &'static str {
    match (&record.error, record.completed_at) {
        (_, None) => "running",
        (Some(error), _) if error.code == rbc_gateway::code::CANCELLED => "cancelled",
        (Some(_), _) => "failed",
        (None, _) => "completed",
    }
}

/// What was built, as far as the builder was told.
fn what(record: &HistoryRecord) -> String {
    let attr = |key: &str| record.frontend_attrs.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let names: Vec<&str> =
        record.exporters.iter().filter_map(|exporter| exporter.attrs.get("name")).map(String::as_str).collect();
    let name = names.first().copied().or(attr("target")).or(attr("filename")).or(attr("context"));
    printable(name.unwrap_or_default().as_bytes())
}

/// How long ago something was.
fn past(at: Option<Timestamp>) -> Option<Duration> {
    let seconds = u64::try_from(at?.seconds).ok()?;
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).ok()
}

fn seconds(record: &HistoryRecord) -> Option<f64> {
    let (begun, ended) = (record.created_at?, record.completed_at?);
    Some((ended.nanoseconds() - begun.nanoseconds()) as f64 / 1e9)
}

fn row(record: &HistoryRecord) -> Vec<String> {
    vec![
        printable(record.reference.as_bytes()),
        what(record),
        status(record).to_owned(),
        format!("{}/{}", record.completed_steps, record.total_steps),
        record.cached_steps.to_string(),
        past(record.created_at).map(ago_of).unwrap_or_default(),
        seconds(record).map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
    ]
}

fn json_line(record: &HistoryRecord) -> String {
    let json = json!({
        "ref": record.reference, "name": what(record), "status": status(record), "frontend": record.frontend,
        "completedSteps": record.completed_steps, "totalSteps": record.total_steps, "cachedSteps": record.cached_steps,
        "created": record.created_at.map(|at| at.seconds), "seconds": seconds(record),
        "error": record.error.as_ref().map(|error| &error.message), "response": record.exporter_response,
    });
    format!("{json}\n")
}
