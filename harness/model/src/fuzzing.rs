//! Lines and files of JSON from elsewhere, as bytes. For the fuzzer, and for the test that
//! replays its seeds.

use crate::event::Event;
use crate::matrix::Index;

/// A line of the event stream.
pub fn event(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        let _ = serde_json::from_slice::<Event>(line);
    }
}

/// A `matrix.json`.
pub fn matrix_json(data: &[u8]) {
    let Ok(index) = Index::<serde::de::IgnoredAny>::parse(data) else {
        return;
    };
    let _ = index.mine().count();
}

#[cfg(test)]
mod tests {
    use exitlab_fixtures::fuzz::replay;

    #[test]
    fn no_line_and_no_file_panics() {
        replay("event", super::event);
        replay("matrix-json", super::matrix_json);
    }
}
