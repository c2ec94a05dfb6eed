#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exitlab_fixtures::streams::{Damage, WHOLE, lines};

use super::*;

/// All events of a stream; whether its last one came; and what broke it.
fn read(lines: &[String]) -> (Vec<Event>, bool, Option<Broken>) {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    for line in lines {
        match reader.take(line) {
            Ok(Taken::Event(event)) => events.push(*event),
            Ok(Taken::Noise | Taken::Marker) => {}
            Err(broken) => return (events, false, Some(broken)),
        }
    }
    let over = events.last().is_some_and(Event::is_last);
    (events, over, None)
}

/// What broke the whole stream after a change to its lines.
fn broken(change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut lines = lines(WHOLE);
    change(&mut lines);
    let broken = read(&lines).2.unwrap();
    format!("expected {}, came {}", broken.expected, broken.came)
}

#[test]
fn a_whole_stream_is_read_to_its_end() {
    let (events, over, broken) = read(&lines(WHOLE));
    assert_eq!((over, broken), (true, None));
    let Some(Event::Finished {
        events: said,
        samples,
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!((*said, *samples), (events.len() as u64, 3));
}

#[test]
fn what_the_writer_writes_is_the_seed() {
    let (events, ..) = read(&lines(WHOLE));
    let mut writer = Writer::default();
    let text: String = events.into_iter().filter_map(|e| writer.line(e)).collect();
    assert_eq!(Writer::marker() + &text, WHOLE);
    let late = Event::Pulse { host_s: 30.0 };
    assert_eq!(writer.line(late), None, "nothing follows the last event");
}

#[test]
fn what_is_wrong_with_lines_is_told() {
    assert_eq!(
        broken(|lines| drop(lines.remove(9))),
        "expected event 9, came event 10 (pulse): 1 line is missing"
    );
    assert_eq!(
        broken(|lines| lines.insert(10, lines[9].clone())),
        "expected event 10, came event 9 (sample 1 (boot)) a second time"
    );
    assert_eq!(
        broken(|lines| lines.swap(9, 11)),
        "expected event 9, came event 11 (sample 2 (idle +5s)): 2 lines are missing"
    );
    assert_eq!(
        broken(|lines| lines.push(lines[10].clone())),
        "expected nothing after the last event, came event 10 (pulse)"
    );
    let changed = |lines: &mut Vec<String>| lines[9] = lines[9].replacen("634", "635", 1);
    let text = broken(changed);
    assert!(text.starts_with("expected event 9, came '9 "), "{text}");
    assert!(text.len() < 300, "{text}");
    assert_eq!(
        broken(|lines| lines.insert(3, "a\u{1b}[31mline".to_owned())),
        r"expected event 3, came 'a\u{1b}[31mline'"
    );
}

#[test]
fn an_agent_that_tells_wrongly_is_found() {
    let told = |events: Vec<Event>| {
        let mut writer = Writer::default();
        let written: String = events.into_iter().filter_map(|e| writer.line(e)).collect();
        let broken = read(&lines(&(Writer::marker() + &written))).2.unwrap();
        format!("expected {}, came {}", broken.expected, broken.came)
    };
    let pulse = Event::Pulse { host_s: 1.0 };
    assert_eq!(
        told(vec![pulse]),
        "expected `started` first, came event 1 (pulse)"
    );
    let started = read(&lines(WHOLE)).0.remove(0);
    assert_eq!(
        told(vec![started.clone(), started]),
        "expected `started` only once, came event 2 (started)"
    );
    // Numbers and checksums are right; the last event is not.
    let mut whole = lines(WHOLE);
    let early = r#"{"event":"finished","host_s":1.0,"events":9,"samples":0}"#;
    whole.truncate(9);
    whole.push(format!("9 {} {early}", checksum(9, early)));
    assert_eq!(read(&whole).2, None);
    let early = early.replace(":9,", ":17,");
    whole[9] = format!("9 {} {early}", checksum(9, &early));
    assert_eq!(read(&whole).2.unwrap().came, "`finished` after 17 with 0");
}

#[test]
fn what_comes_around_the_stream_is_noise_and_bounded() {
    let mut noisy = vec!["welcome".to_owned(), String::new()];
    noisy.extend(lines(WHOLE));
    noisy[2] = format!("no end of line{}", noisy[2]);
    noisy.push("logout".to_owned());
    assert_eq!(read(&noisy), read(&lines(WHOLE)));
    for flood in [vec!["x".to_owned(); 1001], vec!["x".repeat(70_000)]] {
        let broken = read(&flood).2.unwrap();
        assert!(
            broken.came.contains("lines of something else"),
            "{broken:?}"
        );
        assert!(broken.cure.contains(".bashrc"));
    }
}

#[test]
fn an_agent_of_another_version_is_refused() {
    let of_old =
        r#"{"event":"started","protocol":2,"kernel":"","cpu":"","host_s":1.0,"host_tsc":1}"#;
    for line in ["exitlab-events 2", of_old] {
        let broken = read(&[line.to_owned()]).2.unwrap();
        assert_eq!(broken.came, "protocol 2");
    }
}

proptest::proptest! {
    /// A damaged stream is found out, or says the same as before.
    #[test]
    fn no_damage_goes_unseen(
        kind in 0usize..8, at in 0usize..64, byte in 0usize..4096, to in 0u8..128,
    ) {
        let whole = lines(WHOLE);
        let damaged = Damage::all(to)[kind].done(&whole, at, byte);
        let (events, over, _) = read(&damaged);
        let good = read(&whole).0;
        proptest::prop_assert!(good.starts_with(&events));
        proptest::prop_assert!(!over || events == good);
    }

    #[test]
    fn no_line_panics(line in ".{0,60}", number in 0u64..4, kind in 0usize..3) {
        let line = match kind {
            0 => line,
            1 => format!("{number} {} {line}", checksum(number, &line)),
            _ => format!("exitlab-events {line}"),
        };
        let mut reader = Reader::default();
        for line in [&line, "exitlab-events 3", &line] {
            let _ = reader.take(line);
        }
    }
}
