use super::*;
use exitlab_model::log::{Decoder, ToldBy};

/// Formats of three tracepoints; the others lack.
fn format(name: &str) -> Option<String> {
    let (id, fields): (u16, &[(&str, usize, usize)]) = match name {
        "kvm_exit" => (
            7,
            &[
                ("exit_reason", 8, 4),
                ("guest_rip", 16, 8),
                ("info1", 24, 8),
                ("vcpu_id", 32, 4),
            ],
        ),
        "kvm_entry" => (8, &[("vcpu_id", 8, 4)]),
        "kvm_pio" => (
            9,
            &[
                ("rw", 8, 4),
                ("port", 12, 4),
                ("count", 16, 4),
                ("val", 20, 4),
            ],
        ),
        _ => return None,
    };
    let mut text = format!("name: {name}\nID: {id}\nformat:\n");
    let common = [("common_type", 0, 2), ("common_pid", 4, 4)];
    for (name, offset, size) in common.iter().chain(fields) {
        text += &format!("\tfield:unsigned x {name};\toffset:{offset};\tsize:{size};\tsigned:0;\n");
    }
    Some(text)
}

/// An event of thread 91.
fn event(id: u16, words: &[u32]) -> Vec<u8> {
    let mut data = u32::from(id).to_le_bytes().to_vec();
    data.extend(91_u32.to_le_bytes());
    data.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    data
}

fn recorder(root: &std::path::Path) -> Recorder {
    Recorder {
        rings: Rings::open(root).unwrap(),
        pages: 4,
        points: Tracepoints::of(&|name| Ok(format(name))).unwrap(),
        collector: Collector::of(ReasonTable::vmx(), 9),
        pending: Vec::new(),
        over: false,
        lost: 0,
        failed: None,
    }
}

/// An I/O instruction that begins on one processor and ends on another.
fn rings(root: &std::path::Path) {
    let exit = event(7, &[30, 0, 0x9000, 0, 0x3f8_0008, 0, 2]);
    let port = event(9, &[0, 0x3f8, 1, 0x60]);
    let late = event(7, &[12, 0, 0x9002, 0, 0, 0, 2]);
    let entry = event(8, &[2]);
    for (cpu, events) in [
        (0, vec![(100, &exit[..]), (400, &late)]),
        (1, vec![(150, &port[..]), (180, &entry)]),
    ] {
        let of = root.join(format!("per_cpu/cpu{cpu}"));
        std::fs::create_dir_all(&of).unwrap();
        std::fs::write(of.join("trace_pipe_raw"), page::page(1, &events)).unwrap();
        std::fs::write(of.join("stats"), "dropped events: 3").unwrap();
    }
}

#[test]
fn processors_are_put_in_order_and_what_is_young_waits() {
    let dir = tempfile::tempdir().unwrap();
    rings(dir.path());
    let mut recorder = recorder(dir.path());
    recorder.take(399);
    let counts = |recorder: &Recorder, reason: usize| recorder.collector.reading().counts[reason];
    assert_eq!((counts(&recorder, 30), counts(&recorder, 12)), (1, 0));
    recorder.take(u64::MAX);
    assert_eq!((counts(&recorder, 12), recorder.lost), (1, 6));
    assert_eq!(recorder.points.lacks.len(), 8);
    assert_eq!(recorder.collector.addresses(), [0x9000, 0x9002]);
    let (streams, kept) = recorder.collector.finish();
    let exits: Vec<_> = Decoder::of(&streams[0].1)
        .map(|exit| exit.unwrap())
        .collect();
    assert_eq!((streams[0].0, kept), (2, 2));
    let first = exits[0];
    assert_eq!((first.time_ns, first.duration_ns), (100, Some(80)));
    let cause = first.cause;
    assert_eq!((cause.told, cause.key, cause.sub), (ToldBy::Pio, 0x3f8, 0));
    assert_eq!((first.value, cause.info), (0x60, 0x3f8_0008));
}

#[test]
fn behind_the_last_sample_nothing_comes_in() {
    let dir = tempfile::tempdir().unwrap();
    rings(dir.path());
    let mut recorder = recorder(dir.path());
    recorder.over = true;
    recorder.take(u64::MAX);
    assert_eq!(recorder.collector.reading().kept(), 0);
    assert_eq!(recorder.lost, 0);
}

#[test]
fn a_kernel_without_the_fields_that_it_takes_is_refused() {
    let none = Tracepoints::of(&|_| Ok(None)).unwrap_err();
    assert!(none.message.contains("no format"), "{}", none.message);
    let other = format("kvm_exit").unwrap().replace("guest_rip", "rip");
    let other = Tracepoints::of(&|_| Ok(Some(other.clone()))).unwrap_err();
    assert!(other.message.contains("no guest_rip"), "{}", other.message);
    assert!(tracepoint::is_usual(&format("kvm_exit").unwrap()));
    assert!(!tracepoint::is_usual(""));
}
