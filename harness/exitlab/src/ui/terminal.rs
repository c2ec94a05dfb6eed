//! A live line with the present stage and its time, above it what is done.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Display, words};
use exitlab_base::foreign::line;
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

    /// A line above the live one. Whatever it quotes does nothing to the terminal.
    fn line(&self, text: &str) {
        self.bar.println(line(text));
    }

    fn done(&self, before: Option<(&str, Duration)>, mark: &str) {
        if let Some((name, took)) = before {
            self.line(&format!("{mark} {name:<20} {:>7.1} s", took.as_secs_f64()));
        }
    }
}

impl Display for Terminal {
    fn stage(&mut self, name: &str, before: Option<(&str, Duration)>) {
        self.done(before, "✓");
        self.stage = name.to_owned();
        self.bar.set_message(line(name));
    }

    fn note(&mut self, text: &str) {
        self.bar
            .set_message(line(&format!("{}: {text}", self.stage)));
    }

    fn say(&mut self, text: &str) {
        self.line(&format!("    {text}"));
    }

    fn event(&mut self, event: &Event, _elapsed: Duration) {
        if let Some(text) = words::describe(event) {
            self.line(&format!("    {text}"));
        }
    }

    fn console(&mut self, whose: &str, line: &str) {
        self.line(&format!("    {whose} │ {line}"));
    }

    fn end(&mut self, last: Option<(&str, Duration)>, good: bool) {
        self.done(last, if good { "✓" } else { "✗" });
        self.bar.finish_and_clear();
    }
}
