//! What a host says, and its agent, in bounds.

use exitlab_base::bounded::shortened;
use exitlab_model::event::Event;

/// Longest line of the host's console that is kept whole, bytes.
pub const LONGEST_LINE: usize = 4096;

/// Most that is kept of the host's console, bytes.
pub const MOST_CONSOLE: u64 = 8 << 20;

/// Longest event, bytes: longer than that of a command whose whole output is kept.
pub const LONGEST_EVENT: usize = 16 << 20;

/// Most that console, events and the emulator's log may come to, bytes each: they lie on this
/// machine's disk.
pub const MOST_FILE: u64 = 256 << 20;

/// What the host's kernel prints when it cannot go on.
pub const PANIC: &str = "Kernel panic - not syncing";

/// What its decompressor prints when it cannot (`arch/x86/boot/compressed/misc.c`, `error`).
pub const HALTED: &str = "-- System halted";

/// Most characters of a line in an error.
pub const SHOWN: usize = 300;

/// Most lines in an error that an agent sends.
const MOST_LINES: usize = 60;

/// An event whose words, where an error is made of them, are few.
pub fn bounded(event: Event) -> Event {
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
        let Event::Failed { message, tail, .. } = bounded(serde_json::from_value(line).unwrap())
        else {
            panic!("another event");
        };
        assert!(message.len() < 1300 && message.ends_with("characters more]"));
        assert_eq!(tail.len(), MOST_LINES);
        assert!(tail.iter().all(|line| line.chars().count() < 350));
    }
}
