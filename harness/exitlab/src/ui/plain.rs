//! One plain line for each thing that happens: for logs and CI.

use std::time::{Duration, Instant};

use super::{Display, words};
use exitlab_base::{foreign, screen};
use exitlab_model::event::Event;

/// At most one note of progress in this time: a build has thousands.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Plain lines.
pub struct Plain {
    started: Instant,
    noted: Instant,
}

impl Plain {
    /// A display that counts time from now.
    pub fn new() -> Plain {
        Plain {
            started: Instant::now(),
            noted: Instant::now(),
        }
    }

    fn line(&self, text: &str) {
        let elapsed = self.started.elapsed().as_secs_f64();
        screen::err(&format!("[{elapsed:7.1} s] {}\n", foreign::line(text)));
    }
}

impl Display for Plain {
    fn stage(&mut self, name: &str, _before: Option<(&str, Duration)>) {
        self.noted = Instant::now();
        self.line(name);
    }

    fn note(&mut self, text: &str) {
        if self.noted.elapsed() >= NOTE_EVERY {
            self.noted = Instant::now();
            self.line(&format!("  {text}"));
        }
    }

    fn say(&mut self, text: &str) {
        self.line(&format!("  {text}"));
    }

    fn event(&mut self, event: &Event, _elapsed: Duration) {
        if let Some(text) = words::describe(event) {
            self.line(&format!("  {text}"));
        }
    }

    fn console(&mut self, whose: &str, line: &str) {
        self.line(&format!("  {whose} | {line}"));
    }

    fn end(&mut self, _last: Option<(&str, Duration)>, good: bool) {
        self.line(if good { "done" } else { "failed" });
    }
}
