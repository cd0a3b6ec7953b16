//! Flags of the optimizer, and what it says, for all commands that make a graph; and `rbc opt`.

use std::time::Duration;

use rbc_ir::{CapSet, Level, Options, Outcome, Pass, Remark, text, verify};
use rbc_source::{Diagnostic, Sources, ir as codes};

use super::args::{OptArgs, OptimizeArgs};
use super::messages::Messages;
use super::project::read;
use super::{Failure, write_output};
use crate::optimize::Optimizer;

/// The optimizer that the flags describe; the level is for when they name none.
pub fn optimizer(args: &OptimizeArgs, usual: Level) -> Optimizer {
    let level = match args.level {
        None => usual,
        Some(0) => Level::Exact,
        Some(1) => Level::Layers,
        Some(_) => Level::Files,
    };
    let passes = (!args.passes.is_empty()).then(|| args.passes.clone());
    let options = Options { level, passes, limit: args.opt_bisect_limit, caps: CapSet::all(), ..Options::default() };
    Optimizer::new(options)
}

/// The same, which keeps the graph behind a pass and stops there.
pub fn until(args: &OptimizeArgs, usual: Level, last: Option<&'static Pass>) -> Optimizer {
    let mut optimizer = optimizer(args, usual);
    optimizer.options.last = last.map(|pass| pass.name);
    optimizer.keep_after = last;
    optimizer
}

/// Tells what the flags ask for.
pub fn tell(args: &OptimizeArgs, optimizer: &Optimizer, sources: &Sources, messages: &Messages) {
    if args.remarks {
        let remarks: Vec<Diagnostic> = optimizer.remarks.iter().map(finding).collect();
        messages.print(sources, &rbc_render::arrange(remarks));
    }
    if args.time_passes {
        let line = |(pass, time): &(&Pass, Duration)| format!("{:>9.3} ms  {}", time.as_secs_f64() * 1e3, pass.name);
        messages.say(&optimizer.times.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
}

/// A remark as a finding at the steps that it is about.
fn finding(remark: &Remark) -> Diagnostic {
    let (code, message) = match remark.outcome {
        Outcome::Done(number) => (codes::OPTIMIZED, format!("{}: {} (change {number})", remark.pass, remark.message)),
        Outcome::Missed => (codes::NOT_OPTIMIZED, format!("{}: {}", remark.pass, remark.message)),
        Outcome::Stopped => {
            (codes::NOT_OPTIMIZED, format!("{}: not done for the limit: {}", remark.pass, remark.message))
        }
    };
    let mut spans = remark.origins.iter().filter_map(|origin| origin.span);
    let mut found = Diagnostic::new(code, message);
    if let Some(first) = spans.next() {
        found = found.at(first);
        for span in spans.filter(|span| *span != first) {
            found = found.also(span, "and this");
        }
    }
    found
}

/// `rbc opt`.
pub fn run(args: &OptArgs, messages: &Messages) -> Result<(), Failure> {
    let mut sources = Sources::new();
    let id = sources.add_bytes(args.file.to_string_lossy(), read(&args.file)?);
    let fail = |found: Diagnostic| Failure::new(&sources, vec![found]);
    let file = sources.get(id);
    let graph = text::parse(file).map_err(|found| fail(*found))?;
    if let Err(broken) = verify(&graph) {
        let found = Diagnostic::new(codes::GRAPH_TEXT, "the graph breaks an invariant").at(file.span(0, 0));
        return Err(fail(broken.iter().fold(found, |found, broken| found.note(broken.to_string()))));
    }
    let mut optimizer = until(&args.optimize, Level::Layers, args.emit_after);
    let graph = optimizer.run(graph)?;
    tell(&args.optimize, &optimizer, &sources, messages);
    Ok(write_output(args.output.as_deref(), text::print(&graph).as_bytes())?)
}
