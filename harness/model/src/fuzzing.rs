//! Lines and files of JSON from elsewhere, as bytes. For the fuzzer, and for the test that
//! replays its seeds.

use crate::event::Event;
use crate::matrix::Index;
use crate::stream::Reader;

/// An event stream, up to where it is broken.
pub fn event(data: &[u8]) {
    let mut reader = Reader::default();
    for line in String::from_utf8_lossy(data).lines() {
        if reader.take(line).is_err() {
            break;
        }
        let _ = serde_json::from_str::<Event>(line);
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
