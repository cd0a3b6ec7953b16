//! A live picture on a terminal: what was done, what runs with its last lines, and what waits for what.

use std::io::Write as _;
use std::time::Instant;

use rbc_local::Event;
use unicode_width::UnicodeWidthStr as _;

use super::View;
use super::book::{Book, Change, Stand, Step};
use super::text::{bytes, cut, printable, seconds};

/// How many lines of output a running step shows.
const LINES: usize = 6;
/// The least number of columns at which times are shown.
const NARROW: usize = 40;

/// The display.
pub struct Tty {
    /// How many lines the last picture had.
    drawn: usize,
    warnings: Vec<String>,
    color: bool,
}

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Usual,
    Done,
    Faint,
    Bad,
}

impl Tty {
    /// One that has shown nothing.
    pub fn new() -> Tty {
        let color = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Tty { drawn: 0, warnings: Vec::new(), color }
    }

    /// Draws over the last picture.
    fn draw(&mut self, book: &Book, over: bool) {
        let (columns, rows) = size();
        let lines =
            picture(book, columns, if over { usize::MAX } else { rows.saturating_sub(1) }, over, &self.warnings);
        let mut out = String::from("\x1b[?25l");
        if self.drawn > 0 {
            out += &format!("\x1b[{}A", self.drawn);
        }
        for (look, line) in &lines {
            let paint = match look {
                Look::Usual => "",
                Look::Done => "\x1b[34m",
                Look::Faint => "\x1b[2m",
                Look::Bad => "\x1b[31m",
            };
            match self.color && !paint.is_empty() {
                true => out += &format!("\r{paint}{line}\x1b[0m\x1b[K\n"),
                false => out += &format!("\r{line}\x1b[K\n"),
            }
        }
        out += "\x1b[J";
        if over {
            out += "\x1b[?25h";
        }
        self.drawn = lines.len();
        let mut terminal = std::io::stderr().lock();
        _ = terminal.write_all(out.as_bytes()).and_then(|()| terminal.flush());
    }
}

impl View for Tty {
    fn event(&mut self, event: &Event<'_>, book: &Book, _: &[Change]) {
        if let Event::Warning { vertex, message } = event {
            let name = book.step(vertex).map_or("", |at| &book.steps[at].name);
            self.warnings.push(format!("WARNING: {name}: {}", printable(message.as_bytes())));
        }
    }

    fn tick(&mut self, book: &Book) {
        // A build that takes no time needs no picture but the last.
        if self.drawn > 0 || book.start.elapsed() >= super::TICK {
            self.draw(book, false);
        }
    }

    fn end(&mut self, book: &Book) {
        if !book.seen.is_empty() {
            self.draw(book, true);
        }
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let found = terminal_size::terminal_size_of(std::io::stderr());
    found.map_or((80, 24), |(width, height)| (usize::from(width.0).max(1), usize::from(height.0).max(4)))
}

/// The lines of the picture, no more than `rows`.
fn picture(book: &Book, columns: usize, rows: usize, over: bool, warnings: &[String]) -> Vec<(Look, String)> {
    let now = Instant::now();
    let done = book.steps.iter().filter(|s| s.is_over()).count();
    let mut head = format!("[+] Building {} ({done}/{})", seconds(book.start.elapsed()), book.steps.len());
    if over {
        let failed = book.steps.iter().any(|s| s.stand == Stand::Failed);
        head += if failed { " FAILED" } else { " FINISHED" };
    }
    let mut lines = vec![(Look::Usual, cut(&head, columns))];
    let running: Vec<usize> = book.seen.iter().copied().filter(|at| book.steps[*at].stand == Stand::Running).collect();
    let waiting = if over { Vec::new() } else { waiting(book, columns) };
    // Output gets the room that is left when every running step has its line.
    let spare = rows.saturating_sub(1 + running.len() + waiting.len().min(3));
    let share = if running.is_empty() || over { 0 } else { (spare / running.len()).min(LINES) };
    let mut body = Vec::new();
    for at in &book.seen {
        let step = &book.steps[*at];
        // A step that was looked at and whose turn has not come waits with the others.
        if step.stand == Stand::Waiting && !over {
            continue;
        }
        body.push((step.stand == Stand::Running, line(step, columns, now)));
        if step.stand == Stand::Running {
            let about = step.at.iter().filter(|_| share > 0).map(|at| (Look::Faint, cut(&status(at), columns)));
            body.extend(about.map(|line| (true, line)));
            let from = step.lines.len().saturating_sub(share);
            body.extend(
                step.lines.range(from..).map(|text| (true, (Look::Faint, cut(&format!(" => => # {text}"), columns)))),
            );
        }
    }
    // What is over makes room for what runs, the oldest first.
    let room = rows.saturating_sub(1 + waiting.len().min(3));
    let mut surplus = body.len().saturating_sub(room);
    body.retain(|(runs, _)| {
        let drop = surplus > 0 && !runs;
        surplus -= usize::from(drop);
        !drop
    });
    lines.extend(body.into_iter().map(|(_, line)| line));
    let room = rows.saturating_sub(lines.len());
    lines.truncate(rows);
    lines.extend(waiting.into_iter().take(room));
    if over {
        lines.extend(warnings.iter().map(|warning| (Look::Usual, cut(warning, columns))));
    }
    lines
}

fn line(step: &Step, columns: usize, now: Instant) -> (Look, String) {
    let (look, mark) = match step.stand {
        Stand::Cached => (Look::Done, "CACHED "),
        Stand::Failed => (Look::Bad, "ERROR "),
        Stand::Done => (Look::Done, ""),
        Stand::Running | Stand::Waiting => (Look::Usual, ""),
    };
    let text = format!(" => {mark}{}", step.name);
    if columns < NARROW {
        return (look, cut(&text, columns));
    }
    let time = seconds(step.time(now));
    let text = cut(&text, columns.saturating_sub(time.len() + 1));
    let gap = columns.saturating_sub(text.width() + time.len());
    (look, format!("{text}{}{time}", " ".repeat(gap)))
}

fn status((what, current, total): &(String, u64, u64)) -> String {
    match total {
        0 | 1 => format!(" => => {what}"),
        _ => format!(" => => {what} {} / {}", bytes(*current), bytes(*total)),
    }
}

/// What waits, each with what it waits for.
fn waiting(book: &Book, columns: usize) -> Vec<(Look, String)> {
    let waits = |step: &&Step| step.stand == Stand::Waiting;
    let mut lines: Vec<String> = Vec::new();
    for step in book.steps.iter().filter(waits) {
        // What runs and is needed first is what a reader wants to know; what waits for what waits follows from it.
        let needs: Vec<&str> = step
            .inputs
            .iter()
            .map(|input| &book.steps[*input])
            .filter(|input| input.stand == Stand::Running)
            .map(|input| short(&input.name))
            .collect();
        if !needs.is_empty() {
            lines.push(format!(" .. {} waits for {}", short(&step.name), needs.join(", ")));
        }
    }
    let more = book.steps.iter().filter(waits).count().saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!(" .. {more} more to do"));
    }
    lines.into_iter().map(|line| (Look::Faint, cut(&line, columns))).collect()
}

/// What stands in brackets before the name of a step, if anything does.
fn short(name: &str) -> &str {
    match name.find(']') {
        Some(end) if name.starts_with('[') && !name.starts_with("[internal]") => &name[..=end],
        _ => name,
    }
}
