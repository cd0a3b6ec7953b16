//! How a build goes on, shown.

mod book;
mod plain;
mod raw;
pub mod text;
mod tty;

use std::io::IsTerminal as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rbc_local::{Event, Progress};

use super::args::ProgressStyle;
use book::{Book, Change};

/// How often a terminal is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// Shows what happens to a form of a user's choice.
trait View: Send {
    /// An event, and what it changed.
    fn event(&mut self, event: &Event<'_>, book: &Book, changes: &[Change]);
    /// Time has passed.
    fn tick(&mut self, _: &Book) {}
    /// Nothing more will happen.
    fn end(&mut self, _: &Book) {}
}

/// Shows nothing.
struct Nothing;

impl View for Nothing {
    fn event(&mut self, _: &Event<'_>, _: &Book, _: &[Change]) {}
}

struct State {
    book: Book,
    view: Box<dyn View>,
    over: bool,
}

/// The display of a build, on standard error. It is over when it is dropped.
pub struct Display {
    state: Arc<(Mutex<State>, Condvar)>,
    ticker: Option<JoinHandle<()>>,
}

impl Display {
    /// A display of a style.
    pub fn new(style: ProgressStyle) -> Display {
        let live = style == ProgressStyle::Tty || (style == ProgressStyle::Auto && std::io::stderr().is_terminal());
        let view: Box<dyn View> = match style {
            ProgressStyle::Quiet => Box::new(Nothing),
            ProgressStyle::Rawjson => Box::new(raw::Raw::new()),
            _ if live => Box::new(tty::Tty::new()),
            _ => Box::new(plain::Plain::new()),
        };
        let state =
            Arc::new((Mutex::new(State { book: Book::new(Instant::now()), view, over: false }), Condvar::new()));
        let ticker = live.then(|| {
            let state = state.clone();
            std::thread::spawn(move || tick(&state))
        });
        Display { state, ticker }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn tick((state, over): &(Mutex<State>, Condvar)) {
    let mut held = state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    while !held.over {
        let State { book, view, .. } = &mut *held;
        view.tick(book);
        held = over.wait_timeout(held, TICK).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
    }
}

impl Progress for Display {
    fn event(&self, event: Event<'_>) {
        let mut held = self.lock();
        let State { book, view, .. } = &mut *held;
        let changes = book.take(&event, Instant::now());
        view.event(&event, book, &changes);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        {
            let mut held = self.lock();
            let State { book, view, over } = &mut *held;
            *over = true;
            view.end(book);
        }
        self.state.1.notify_all();
        if let Some(ticker) = self.ticker.take() {
            _ = ticker.join();
        }
    }
}
