//! What the language server costs, as an editor sees it: over standard input and output of the program.
//!
//! Start is the time from starting the process to the answer to `initialize`; a keystroke, from sending a change to having the
//! diagnostics of the new text. CPU time is the server's own. RBC_BENCH_RUNS (default 200) is the number of keystrokes.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const URI: &str = "untitled:Dockerfile";
/// How often the process is started.
const STARTS: usize = 50;

fn main() {
    let runs = std::env::var("RBC_BENCH_RUNS").ok().and_then(|v| v.parse().ok()).unwrap_or(200_usize);
    let mut starts = Vec::new();
    let mut memory = 0;
    for _ in 0..STARTS {
        let start = Instant::now();
        let server = Server::start();
        starts.push(start.elapsed());
        memory = memory.max(server.peak());
        server.stop();
    }
    println!("{:<32}{:>12}{:>12}{:>12}{:>12}", "", "least", "median", "CPU mean", "most memory");
    report("start", starts, None, memory);
    for lines in [50, 500, 5_000] {
        let text = dockerfile(lines);
        let mut server = Server::start();
        server.open(&text);
        // Every request of a kind once, so that it is in memory.
        let middle = json!({"line": lines / 2, "character": 5});
        let runs = runs.min(1_000_000 / lines);
        let mut version = 1;
        server.keystroke(version, &middle);
        let (before, mut times) = (server.cpu(), Vec::new());
        for _ in 0..runs {
            version += 1;
            let start = Instant::now();
            server.keystroke(version, &middle);
            times.push(start.elapsed());
        }
        let cpu = (server.cpu() - before) / times.len() as u32;
        report(&format!("keystroke, {lines} lines"), times, Some(cpu), server.peak());
        for method in ["completion", "hover", "semanticTokens/full", "documentSymbol", "inlayHint"] {
            let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 60, "character": 0}});
            let (before, mut times) = (server.cpu(), Vec::new());
            for _ in 0..runs.min(100) {
                let start = Instant::now();
                let params = json!({"textDocument": {"uri": URI}, "position": middle, "range": range});
                server.ask(&format!("textDocument/{method}"), params);
                times.push(start.elapsed());
            }
            let cpu = (server.cpu() - before) / times.len() as u32;
            report(&format!("{method}, {lines} lines"), times, Some(cpu), server.peak());
        }
        server.stop();
    }
}

fn report(name: &str, mut times: Vec<Duration>, cpu: Option<Duration>, peak: u64) {
    times.sort_unstable();
    let show = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let cpu = cpu.map_or(String::new(), show);
    let memory = format!("{:.1} MiB", peak as f64 / 1024.0);
    println!("{name:<32}{:>12}{:>12}{cpu:>12}{memory:>12}", show(times[0]), show(times[times.len() / 2]));
}

/// A Dockerfile of about so many lines, in stages of fifty.
fn dockerfile(lines: usize) -> String {
    let mut text = String::from("# syntax=docker/dockerfile:1\nARG VERSION=3.20\n");
    for stage in 0..lines.div_ceil(50) {
        _ = writeln!(text, "\n# What stage {stage} is for.\nFROM alpine:${{VERSION}} AS stage{stage}");
        text += "ARG TARGETARCH\nENV PREFIX=/usr/local \\\n    MODE=release\nWORKDIR /src\n";
        for step in 0..6 {
            _ = writeln!(text, "COPY --chown=1000:1000 part{step} ./part{step}");
            _ = writeln!(text, "RUN --mount=type=cache,target=/cache/{step} set -eux; \\");
            text += "    apk add --no-cache gcc make; \\\n    for file in *.c; do make \"$file\" PREFIX=\"$PREFIX\"; done; \\\n";
            text += "    rm -rf /tmp/work\n";
            _ = writeln!(text, "LABEL org.example.step{step}=\"$MODE\"");
        }
        text += "EXPOSE 8080\nUSER 1000\nCMD [\"/usr/local/bin/run\"]\n";
    }
    text
}

/// The program, serving.
struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Server {
    /// Starts it and waits until it is ready.
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rbc"));
        command.args(["lsp", "--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut server = Server { process, input, output, requests: 0 };
        server.ask("initialize", json!({"capabilities": {}}));
        server.tell("initialized", json!({}));
        server
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        self.input.flush().expect("the server reads");
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.requests, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == self.requests {
                assert!(message.get("error").is_none(), "{message}");
                return message;
            }
        }
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("the server writes");
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(value) => length = value.parse().expect("a number"),
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("the server writes");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Waits for the diagnostics of a version.
    fn diagnosed(&mut self, version: u64) {
        while self.receive().pointer("/params/version") != Some(&json!(version)) {}
    }

    fn open(&mut self, text: &str) {
        let document = json!({"uri": URI, "languageId": "dockerfile", "version": 0, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
        self.diagnosed(0);
    }

    /// Types a character, or takes it back.
    fn keystroke(&mut self, version: u64, at: &Value) {
        let behind = json!({"line": at["line"], "character": at["character"].as_u64().unwrap_or(0) + 1});
        let change = match version % 2 {
            1 => json!({"range": {"start": at, "end": at}, "text": "x"}),
            _ => json!({"range": {"start": at, "end": behind}, "text": ""}),
        };
        let document = json!({"uri": URI, "version": version});
        self.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]}));
        self.diagnosed(version);
    }

    /// The most memory that it had at a time, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// The CPU time that it took so far.
    fn cpu(&self) -> Duration {
        let line = std::fs::read_to_string(format!("/proc/{}/schedstat", self.process.id())).unwrap_or_default();
        Duration::from_nanos(line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0))
    }

    fn stop(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert!(self.process.wait().expect("it was started").success());
    }
}
