//! What a display can be told.

use std::time::Duration;

use exitlab_model::event::Event;

/// What a display can be told.
pub(super) trait Display {
    /// A stage begins; `before` is the one that it ends, with how long that took.
    fn stage(&mut self, name: &str, before: Option<(&str, Duration)>);
    /// Progress within a stage.
    fn note(&mut self, text: &str);
    /// Something that is worth a line of its own.
    fn say(&mut self, text: &str);
    /// The agent's event.
    fn event(&mut self, event: &Event, elapsed: Duration);
    /// A line of a console, when the user asked for consoles.
    fn console(&mut self, whose: &str, line: &str);
    /// The last stage is over.
    fn end(&mut self, last: Option<(&str, Duration)>, good: bool);
}
