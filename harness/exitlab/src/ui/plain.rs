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
        screen::err(&told(self.started.elapsed(), text));
    }
}

/// A line, whatever it quotes.
fn told(elapsed: Duration, text: &str) -> String {
    let elapsed = elapsed.as_secs_f64();
    format!("[{elapsed:7.1} s] {}\n", foreign::line(text))
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

#[cfg(test)]
mod tests {
    use exitlab_fixtures::hostile::{WORDS, assert_is_a_line};
    use serde_json::json;

    use super::*;

    /// Events by which a host or a guest says something.
    fn events(word: &str) -> Vec<Event> {
        let all = json!([
            {"event": "started", "protocol": 3, "kernel": word, "cpu": word, "isa": "svm",
             "host_s": 0.5, "host_tsc": 1},
            {"event": "qemu", "version": word},
            {"event": "attached", "pid": 1, "name": word, "vmm": word, "vcpus": 1, "up_s": 1.0},
            {"event": "phase", "name": word, "host_s": 0.5},
            {"event": "sample", "number": 1, "label": word, "phase": word,
             "clocks": {"host_s": 1.0, "host_tsc": 2}},
            {"event": "left-behind", "phase": word, "processes": 1, "commands": [word],
             "fate": "wait"},
            {"event": "inspected", "command": word, "exit": 1, "stdout": word, "stderr": word},
        ]);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn words_from_outside_only_show() {
        for word in WORDS {
            for event in events(word) {
                let text = words::describe(&event).unwrap();
                let line = told(Duration::ZERO, &text);
                assert_is_a_line(line.strip_suffix('\n').unwrap());
            }
        }
    }
}
