//! No display: for one of many runs, whose end is told by those who started it.

use std::time::Duration;

use super::display::Display;
use exitlab_model::event::Event;

/// Shows nothing.
pub struct Silent;

impl Display for Silent {
    fn stage(&mut self, _name: &str, _before: Option<(&str, Duration)>) {}
    fn note(&mut self, _text: &str) {}
    fn say(&mut self, _text: &str) {}
    fn event(&mut self, _event: &Event, _elapsed: Duration) {}
    fn console(&mut self, _whose: &str, _line: &str) {}
    fn end(&mut self, _last: Option<(&str, Duration)>, _good: bool) {}
}
