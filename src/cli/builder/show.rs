//! `rbc builder ls` and `rbc builder inspect`.

use std::fmt::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rbc_buildkit::Endpoint;
use rbc_oci::Platform;
use rbc_proto::{GcPolicy, Version, WorkerRecord};
use rbc_source::Diagnostic;
use serde_json::{Value, json};

use super::args::{ListFormat, LsArgs};
use super::state::{Builder, Node};
use super::{DEFAULT, Driver, Failure, LOCAL, buildx, single, state};
use crate::cli::progress::text::{bytes, printable};
use crate::cli::project::host_platform;
use crate::cli::write_output;

/// What a node tells.
struct Told {
    version: Option<Version>,
    workers: Vec<WorkerRecord>,
}

type Answer = Result<Told, Box<Diagnostic>>;

fn ask(endpoint: &str) -> Answer {
    let daemon = rbc_buildkit::Daemon::connect(&Endpoint::parse(endpoint)?)?;
    Ok(Told { version: daemon.version()?, workers: daemon.workers().to_vec() })
}

/// Asks all nodes at once; none has no answer in time.
fn ask_all(nodes: &[&Node], timeout: u64) -> Vec<Option<Answer>> {
    let (send, receive) = mpsc::channel();
    for (at, node) in nodes.iter().enumerate() {
        let (send, endpoint) = (send.clone(), node.endpoint.clone());
        // Whoever does not answer is left behind, and ends with the process.
        std::thread::spawn(move || send.send((at, ask(&endpoint))));
    }
    drop(send);
    let end = Instant::now() + Duration::from_secs(timeout);
    let mut answers: Vec<Option<Answer>> = nodes.iter().map(|_| None).collect();
    while let Ok((at, answer)) = receive.recv_timeout(end.saturating_duration_since(Instant::now())) {
        answers[at] = Some(answer);
    }
    answers
}

/// Whether none of the nodes answers.
pub fn is_inactive(builder: &Builder) -> bool {
    let nodes: Vec<&Node> = builder.nodes.iter().collect();
    !ask_all(&nodes, 20).iter().any(|answer| matches!(answer, Some(Ok(_))))
}

fn status(answer: &Option<Answer>) -> &'static str {
    match answer {
        Some(Ok(_)) => "running",
        Some(Err(_)) => "inactive",
        None => "no answer",
    }
}

fn version(answer: &Option<Answer>) -> String {
    match answer {
        Some(Ok(told)) => told.version.as_ref().map(|v| printable(v.version.as_bytes())).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The platforms of a node: those that it was given, then those that it tells.
fn platforms(node: &Node, answer: &Option<Answer>) -> Vec<Platform> {
    let mut all = node.platforms.clone();
    if let Some(Ok(told)) = answer {
        for platform in told.workers.iter().flat_map(|worker| &worker.platforms) {
            let platform = Platform {
                os: platform.os.clone(),
                architecture: platform.architecture.clone(),
                variant: platform.variant.clone(),
                ..Platform::default()
            };
            if !all.iter().any(|other| other.format() == platform.format()) {
                all.push(platform);
            }
        }
    }
    all
}

fn shown(node: &Node, answer: &Option<Answer>) -> Vec<String> {
    let given = |platform: &Platform| if node.platforms.contains(platform) { "*" } else { "" };
    let text = |platform: &Platform| printable(platform.format().as_bytes()) + given(platform);
    platforms(node, answer).iter().map(text).collect()
}

/// Runs `rbc builder ls`.
pub fn ls(args: &LsArgs) -> Result<(), Failure> {
    let known = state::load()?;
    let mut builders = known.all.clone();
    let mut unread = Vec::new();
    for name in buildx::names().into_iter().filter(|name| !known.all.iter().any(|builder| builder.name == *name)) {
        match buildx::read(&name) {
            Ok(found) => builders.extend(found),
            Err(failure) => unread.push((name, failure)),
        }
    }
    builders.push(single(DEFAULT, Driver::Docker, "docker://"));
    let nodes: Vec<&Node> = builders.iter().flat_map(|builder| &builder.nodes).collect();
    let answers = ask_all(&nodes, args.timeout);
    let current = known.current.as_deref().unwrap_or(LOCAL);
    let mut rows =
        vec![["NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "BUILDKIT", "PLATFORMS"].map(str::to_owned).to_vec()];
    let mut lines = String::new();
    let star = |name: &str| if name == current { "*" } else { "" };
    let here = host_platform().format();
    rows.push(vec![
        format!("{LOCAL}{}", star(LOCAL)),
        "embedded".into(),
        "running".into(),
        String::new(),
        here.clone(),
    ]);
    _ = writeln!(lines, "{}", json!({ "Name": LOCAL, "Driver": "embedded", "Current": current == LOCAL, "Nodes": [] }));
    let mut answers = answers.iter();
    for builder in &builders {
        let name = format!("{}{}", builder.name, star(&builder.name));
        rows.push(vec![name, builder.driver.name().to_owned()]);
        let mut listed: Vec<Value> = Vec::new();
        for node in &builder.nodes {
            let answer = answers.next().unwrap_or(&None);
            let shown = shown(node, answer);
            let endpoint = printable(node.endpoint.as_bytes());
            listed.push(json!({
                "Name": node.name, "Endpoint": node.endpoint, "Status": status(answer), "Version": version(answer),
                "Platforms": shown,
                "Error": match answer { Some(Err(found)) => Some(&found.message), _ => None },
            }));
            let name = format!(" \\_ {}", node.name);
            rows.push(vec![name, format!(" \\_ {endpoint}"), status(answer).into(), version(answer), shown.join(", ")]);
        }
        let is_current = builder.name == current;
        _ = writeln!(
            lines,
            "{}",
            json!({ "Name": builder.name, "Driver": builder.driver.name(), "Current": is_current, "Nodes": listed })
        );
    }
    for (name, failure) in unread {
        let why = failure.diagnostics.first().map(|found| found.message.clone()).unwrap_or_default();
        _ = writeln!(lines, "{}", json!({ "Name": name, "Error": why }));
        rows.push(vec![name, printable(why.as_bytes())]);
    }
    let text = if args.format == ListFormat::Json { lines } else { table(&rows) };
    Ok(write_output(None, text.as_bytes())?)
}

/// Columns as wide as their widest cell; the last of a row may be wider.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1 || column + 1 == columns);
        cells.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect::<String>();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}

/// Runs `rbc builder inspect`, in the form of buildx.
pub fn inspect(builder: &Builder, timeout: u64) -> Result<(), Failure> {
    let nodes: Vec<&Node> = builder.nodes.iter().collect();
    let answers = ask_all(&nodes, timeout);
    let mut out = String::new();
    let mut line = |key: &str, value: &str| {
        _ = writeln!(
            out,
            "{}",
            format!("{:<22}{value}", if key.is_empty() { String::new() } else { format!("{key}:") }).trim_end()
        )
    };
    line("Name", &builder.name);
    line("Driver", builder.driver.name());
    line("\nNodes", "");
    for (at, (node, answer)) in nodes.iter().zip(&answers).enumerate() {
        line(if at == 0 { "Name" } else { "\nName" }, &node.name);
        line("Endpoint", &printable(node.endpoint.as_bytes()));
        line("Status", status(answer));
        for (key, text) in [("Image", &node.image), ("Network", &node.network)] {
            if let Some(text) = text {
                line(key, text);
            }
        }
        if !node.flags.is_empty() {
            line("BuildKit daemon flags", &node.flags.join(" "));
        }
        if !version(answer).is_empty() {
            line("BuildKit version", &version(answer));
        }
        let platforms = shown(node, answer);
        if !platforms.is_empty() {
            line("Platforms", &platforms.join(", "));
        }
        match answer {
            Some(Ok(told)) => {
                for worker in &told.workers {
                    for (key, value) in &worker.labels {
                        line(&format!("Label {}", printable(key.as_bytes())), &printable(value.as_bytes()));
                    }
                    for (number, rule) in worker.gc_policy.iter().enumerate() {
                        line(&format!("GC Policy rule#{number}"), &policy(rule));
                    }
                }
            }
            Some(Err(found)) => {
                line("Error", &found.message);
                found.notes.iter().flat_map(|note| note.lines()).for_each(|note| line("", &printable(note.as_bytes())));
            }
            None => line("Error", &format!("it did not answer within {timeout} s")),
        }
    }
    Ok(write_output(None, out.as_bytes())?)
}

fn policy(rule: &GcPolicy) -> String {
    let mut parts = vec![if rule.all { "all".to_owned() } else { "what is not internal".to_owned() }];
    if !rule.filters.is_empty() {
        parts.push(format!("of {}", printable(rule.filters.join(", ").as_bytes())));
    }
    if let Ok(hours @ 1..) = u64::try_from(rule.keep_duration / 3_600_000_000_000) {
        parts.push(format!("unused for {hours} h"));
    }
    let sizes =
        [("reserved", rule.reserved_space), ("at most", rule.max_used_space), ("left free", rule.min_free_space)];
    for (what, size) in sizes {
        if let Ok(size @ 1..) = u64::try_from(size) {
            parts.push(format!("{what} {}", bytes(size)));
        }
    }
    parts.join(", ")
}
