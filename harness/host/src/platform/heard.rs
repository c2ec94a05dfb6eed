//! An agent's line as an event.

use exitlab_base::bounded::shortened;
use exitlab_model::event::Event;

/// Most characters of a line in an error.
pub const SHOWN: usize = 300;

/// Most lines in an error that an agent sends.
const MOST_LINES: usize = 60;

/// Reads a line.
pub fn event(line: &str) -> Result<Event, String> {
    serde_json::from_str(line).map(bounded).map_err(|e| {
        let line = shortened(line, SHOWN);
        format!("the host sent what is no event ({e}): {line}")
    })
}

/// An event whose words, where an error is made of them, are few.
fn bounded(event: Event) -> Event {
    match event {
        Event::Failed {
            stage,
            kind,
            message,
            mut tail,
        } => {
            tail.drain(..tail.len().saturating_sub(MOST_LINES));
            Event::Failed {
                stage,
                kind,
                message: shortened(&message, 4 * SHOWN),
                tail: tail.iter().map(|line| shortened(line, SHOWN)).collect(),
            }
        }
        event => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_error_are_few_whoever_makes_them() {
        let line = serde_json::json!({
            "event": "failed", "stage": "sampling", "kind": "protocol",
            "message": "x".repeat(3 << 20), "tail": vec!["y".repeat(5000); 1000],
        });
        let Ok(Event::Failed { message, tail, .. }) = event(&line.to_string()) else {
            panic!("not understood");
        };
        assert!(message.len() < 1300 && message.ends_with("characters more]"));
        assert_eq!(tail.len(), MOST_LINES);
        assert!(tail.iter().all(|line| line.chars().count() < 350));
        let why = event(&"z".repeat(1 << 20)).unwrap_err();
        assert!(why.len() < 500, "{}", why.len());
    }
}
