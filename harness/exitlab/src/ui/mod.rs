//! What a run looks like while it goes on: a live display on a terminal, plain lines
//! elsewhere, or JSON lines. All of it goes to standard error; standard output is for
//! the table. Nothing below this module prints.

mod display;
mod json;
mod plain;
mod silent;
mod terminal;
mod words;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::timings::Span;
use display::Display;
use exitlab_base::screen;
use exitlab_model::event::Event;
use exitlab_model::plan::Plan;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Progress {
    /// A live display on a terminal, plain lines elsewhere.
    Auto,
    /// One line for each thing that happens.
    Plain,
    /// JSON lines, for programs.
    Json,
}

/// The display of one command, and its Ctrl-C.
pub struct Ui {
    display: RefCell<Box<dyn Display>>,
    consoles: bool,
    stage: Option<(String, Instant)>,
    started: Instant,
    spans: Vec<Span>,
}

impl Ui {
    /// A display as the user asked for it; `consoles` also shows both consoles.
    pub fn new(progress: Progress, consoles: bool) -> Ui {
        let live = screen::is_live();
        let display: Box<dyn Display> = match progress {
            Progress::Json => Box::new(json::Json),
            Progress::Auto if live => Box::new(terminal::Terminal::new()),
            Progress::Auto | Progress::Plain => Box::new(plain::Plain::new()),
        };
        Ui::of(display, consoles)
    }

    /// A display that shows nothing.
    pub fn silent() -> Ui {
        Ui::of(Box::new(silent::Silent), false)
    }

    fn of(display: Box<dyn Display>, consoles: bool) -> Ui {
        Ui {
            display: RefCell::new(display),
            consoles,
            stage: None,
            started: Instant::now(),
            spans: Vec::new(),
        }
    }

    /// A stage begins.
    pub fn stage(&mut self, name: &str) {
        self.close_span();
        self.spans.push(Span {
            name: name.to_owned(),
            from: self.started.elapsed(),
            to: Duration::MAX,
            host_s: None,
        });
        let before = self.stage.replace((name.to_owned(), Instant::now()));
        let before = before
            .as_ref()
            .map(|(name, since)| (name.as_str(), since.elapsed()));
        self.display.borrow_mut().stage(name, before);
    }

    /// Where the host comes from, if `auto` chose it, and why.
    pub fn choice(&mut self, plan: &Plan) {
        if let Some(why) = &plan.platform_choice {
            self.stage(&format!("platform auto is {}: {why}", plan.platform));
        }
    }

    /// Progress within a stage.
    pub fn note(&self, text: &str) {
        self.display.borrow_mut().note(text);
    }

    /// Something that is worth a line of its own.
    pub fn say(&self, text: &str) {
        self.display.borrow_mut().say(text);
    }

    /// The agent's event.
    pub fn event(&mut self, event: &Event) {
        // It has a file of its own, and nothing to be read.
        if matches!(event, Event::Log(_)) {
            return;
        }
        match event {
            Event::Stage { stage, host_s } => {
                let name = stage.to_string();
                if self
                    .stage
                    .as_ref()
                    .is_none_or(|(current, _)| *current != name)
                {
                    self.stage(&name);
                }
                if let Some(span) = self.spans.last_mut() {
                    span.host_s = Some(*host_s);
                }
            }
            Event::GuestConsole { line } if self.consoles => {
                self.display.borrow_mut().console("guest", line);
            }
            Event::QemuLog { line } if self.consoles => {
                self.display.borrow_mut().console("qemu", line);
            }
            event => self
                .display
                .borrow_mut()
                .event(event, self.started.elapsed()),
        }
    }

    /// Every stage until now. The last one lasts until [`end`](Self::end).
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn close_span(&mut self) {
        let now = self.started.elapsed();
        if let Some(span) = self.spans.last_mut() {
            span.to = span.to.min(now);
        }
    }

    /// A line of the host's console.
    pub fn host_console(&mut self, line: &str) {
        if self.consoles {
            self.display.borrow_mut().console("host", line);
        }
    }

    /// Everything is over.
    pub fn end(&mut self, good: bool) {
        self.close_span();
        let last = self.stage.take();
        let last = last
            .as_ref()
            .map(|(name, since)| (name.as_str(), since.elapsed()));
        self.display.borrow_mut().end(last, good);
    }
}
