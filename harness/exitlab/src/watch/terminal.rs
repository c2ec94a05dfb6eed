//! The terminal while it is watched.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::feed::News;
use super::view::View;
use super::{Source, draw, keys};
use crate::signals::Interrupt;
use exitlab_base::error::{Error, Result};

/// Said of a run that is at its end.
const OVER: &str = "over";

/// How often files are looked at. A key is seen at once.
const LOOK: Duration = Duration::from_millis(200);

/// Time between two samples of what is played back.
const STEP: Duration = Duration::from_secs(1);

/// Whether standard output is one.
pub fn is_there() -> bool {
    std::io::stdout().is_terminal()
}

/// Shows it until the user has seen enough.
///
/// # Errors
/// If the terminal or the run cannot be read, or what counts for us has failed.
pub async fn show(source: &mut Source, view: &mut View, interrupt: &mut Interrupt) -> Result<()> {
    let mut screen = ratatui::try_init().map_err(failed)?;
    let outcome = shown(source, view, &mut screen, interrupt).await;
    ratatui::restore();
    outcome
}

async fn shown(
    source: &mut Source,
    view: &mut View,
    screen: &mut DefaultTerminal,
    interrupt: &mut Interrupt,
) -> Result<()> {
    let mut stepped = Instant::now();
    let (mut over, mut old) = (false, true);
    loop {
        over = over || source.is_over()?;
        old |= read(source, view, over)?;
        if stepped.elapsed() >= STEP {
            stepped = Instant::now();
            old |= view.tick();
        }
        // Only what changed is worth a processor's time.
        if std::mem::take(&mut old) {
            let drawn = screen.draw(|frame| draw::draw(frame, view));
            drawn.map_err(failed)?;
        }
        // Nobody else has work for this thread meanwhile.
        let mut wait = LOOK;
        while event::poll(wait).map_err(failed)? {
            wait = Duration::ZERO;
            old = true;
            if !obeyed(&event::read().map_err(failed)?, view) {
                return Ok(());
            }
        }
        tokio::select! {
            biased;
            () = interrupt.asked() => return Ok(()),
            () = tokio::task::yield_now() => {}
        }
    }
}

/// Takes in what came. Whether there is anything new to show.
fn read(source: &mut Source, view: &mut View, over: bool) -> Result<bool> {
    match source.feed.more()? {
        News::Again => view.again(),
        News::Events(events) if events.is_empty() => {
            if over && !view.recorded && view.status != OVER {
                OVER.clone_into(&mut view.status);
                return Ok(true);
            }
            return Ok(false);
        }
        News::Events(events) => {
            // A pulse shows nothing.
            let new = events.iter().filter(|event| view.take(event));
            return Ok(new.count() > 0);
        }
    }
    Ok(true)
}

/// Does what a key asks for. Whether it goes on.
fn obeyed(event: &Event, view: &mut View) -> bool {
    let Event::Key(key) = event else { return true };
    if key.kind != KeyEventKind::Press {
        return true;
    }
    keys::action(*key, view.filtering).is_none_or(|action| view.act(action))
}

fn failed(error: std::io::Error) -> Error {
    Error::io("use", "the terminal")(error)
}
