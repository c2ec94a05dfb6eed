//! A live line with the present stage and its time, above it what is done.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Display, words};
use exitlab_model::event::Event;

/// How often the live line moves.
const TICK: Duration = Duration::from_millis(120);

/// A terminal.
pub struct Terminal {
    bar: ProgressBar,
    stage: String,
}

impl Terminal {
    /// A display on standard error.
    pub fn new() -> Terminal {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed}") {
            bar.set_style(
                style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", "✓"]),
            );
        }
        bar.enable_steady_tick(TICK);
        Terminal {
            bar,
            stage: String::new(),
        }
    }

    fn done(&self, before: Option<(&str, Duration)>, mark: &str) {
        if let Some((name, took)) = before {
            self.bar
                .println(format!("{mark} {name:<20} {:>7.1} s", took.as_secs_f64()));
        }
    }
}

impl Display for Terminal {
    fn stage(&mut self, name: &str, before: Option<(&str, Duration)>) {
        self.done(before, "✓");
        self.stage = name.to_owned();
        self.bar.set_message(name.to_owned());
    }

    fn note(&mut self, text: &str) {
        self.bar.set_message(format!("{}: {text}", self.stage));
    }

    fn say(&mut self, text: &str) {
        self.bar.println(format!("    {text}"));
    }

    fn event(&mut self, event: &Event, _elapsed: Duration) {
        if let Some(text) = words::describe(event) {
            self.bar.println(format!("    {text}"));
        }
    }

    fn console(&mut self, whose: &str, line: &str) {
        self.bar.println(format!("    {whose} │ {line}"));
    }

    fn end(&mut self, last: Option<(&str, Duration)>, good: bool) {
        self.done(last, if good { "✓" } else { "✗" });
        self.bar.finish_and_clear();
    }
}
