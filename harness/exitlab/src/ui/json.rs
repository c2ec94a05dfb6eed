//! One JSON object a line, for programs: stages of the conductor, and the agent's
//! events as they are.

use std::time::Duration;

use serde_json::{Value, json};

use super::display::Display;
use exitlab_base::screen;
use exitlab_model::event::Event;

/// JSON lines.
pub struct Json;

fn line(value: &Value) {
    screen::err(&format!("{value}\n"));
}

impl Display for Json {
    fn stage(&mut self, name: &str, _before: Option<(&str, Duration)>) {
        line(&json!({ "progress": "stage", "name": name }));
    }

    fn note(&mut self, text: &str) {
        line(&json!({ "progress": "note", "text": text }));
    }

    fn say(&mut self, text: &str) {
        line(&json!({ "progress": "line", "text": text }));
    }

    fn event(&mut self, event: &Event, elapsed: Duration) {
        let elapsed = elapsed.as_secs_f64();
        line(&json!({ "progress": "event", "elapsed_s": elapsed, "event": event }));
    }

    fn console(&mut self, whose: &str, text: &str) {
        line(&json!({ "progress": "console", "of": whose, "line": text }));
    }

    fn end(&mut self, _last: Option<(&str, Duration)>, good: bool) {
        line(&json!({ "progress": "end", "good": good }));
    }
}
