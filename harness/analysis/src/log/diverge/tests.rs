use super::*;
use crate::log::{Row, fixture};
use exitlab_model::layout::RUN;

const EXTENT: Extent = Extent {
    partings: 5,
    context: 3,
    causes: 20,
};

fn run(dir: &Path, rows: &[Row], record: &RunRecord) {
    std::fs::create_dir(dir).unwrap();
    fixture::write(dir, rows);
    std::fs::write(dir.join(RUN), serde_json::to_vec(record).unwrap()).unwrap();
}

/// Bytes to COM1 around whatever is in the middle.
fn sequence(middle: &[Row]) -> Vec<Row> {
    let bytes = |from: u64| (from..from + 10).map(|n| fixture::byte(n * 1000, n));
    let middle = middle.iter().copied();
    bytes(1).chain(middle).chain(bytes(100)).collect()
}

fn told(base: &[Row], head: &[Row], change: impl Fn(&mut RunRecord)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let record = fixture::record([3, 5, 20]);
    let mut other = record.clone();
    change(&mut other);
    let (one, two) = (dir.path().join("a"), dir.path().join("b"));
    run(&one, base, &record);
    run(&two, head, &other);
    let found = diverge(&one, &two, EXTENT).unwrap();
    let place = format!("{}/", dir.path().display());
    table(&found).replace(&place, "")
}

#[test]
fn one_exit_more_is_told_with_its_code_and_its_cause() {
    let base = sequence(&[fixture::leaf(20_000, 0, 0x9000)]);
    let head = sequence(&[
        fixture::leaf(20_000, 0, 0x9000),
        fixture::leaf(21_000, 7, 0xffff_ffff_8100_0042),
    ]);
    insta::assert_snapshot!(told(&base, &head, |_| ()));
    let same = told(&base, &base, |_| ());
    assert!(same.ends_with("The logs do not part: the same exits in the same order.\n"));
}

#[test]
fn interrupts_of_the_host_are_no_parting_but_are_told() {
    let interrupt = |rip| fixture::row(30_000, 1, rip);
    // Elsewhere, and one more; then the guest does something else.
    let base = sequence(&[interrupt(0x1), fixture::leaf(40_000, 0, 0x9000)]);
    let head = sequence(&[
        interrupt(0x2),
        interrupt(3),
        fixture::leaf(40_000, 1, 0x9000),
    ]);
    let text = told(&base, &head, |_| ());
    for words in ["parting 1, after 10 common exits", "leaf 0x1"] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    let base: Vec<Row> = [sequence(&[interrupt(1)]), sequence(&[])].concat();
    let head: Vec<Row> = [sequence(&[interrupt(2)]), sequence(&[interrupt(3)])].concat();
    let text = told(&base, &head, |_| ());
    insta::assert_snapshot!(text, @"
    base: a, 41 exits
    head: b, 42 exits

    vCPU 0: from exit #10 on, interrupts of the host came elsewhere than before (2 partings of nothing else are passed over).

    By cause, of all exits (base, head, difference):
               1          2         +1  1 External interrupt                                                      anywhere
    ");
}

#[test]
fn addresses_that_are_drawn_by_lot_part_at_first_only() {
    let at = |place| fixture::leaf(20_000, 0, place);
    let (one, other) = (0x7f00_0000_1628, 0x7f12_3456_7628);
    let text = told(
        &sequence(&[at(one), fixture::leaf(21_000, 1, 0x9000), at(one)]),
        &sequence(&[at(other), at(0x9000), at(other)]),
        |_| (),
    );
    assert!(!text.contains("parting 2"), "{text}");
    assert!(!text.contains("0x…628"), "{text}");
    let more = told(
        &sequence(&[at(one)]),
        &sequence(&[at(other), at(other)]),
        |_| (),
    );
    assert!(more.contains("0x…628 (user space)"), "{more}");
}

#[test]
fn different_experiments_and_logs_that_are_not_whole_are_told() {
    let base = sequence(&[]);
    let text = told(&base, &base, |other| {
        let mut plan = serde_json::to_value(&other.plan).unwrap();
        plan["guest"]["vcpus"] = 2.into();
        other.plan = plan.try_into().unwrap();
        other.platform = "local".to_owned();
        other.log = Some(exitlab_model::log::LogSummary {
            exits: 20,
            left_out: 5,
            lost: 6,
            lacks: Vec::new(),
        });
    });
    let notes: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("note"))
        .collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    note: the platforms differ: bochs-vmx and local
    note: different experiments: guest.vcpus is 1 and 2
    note: on local no two runs are alike: each parts by itself
    note: the log of the head ends before the run: 5 exits more
    note: the log of the head lacks 6 events that the kernel lost
    ");
}

#[test]
fn what_cannot_be_held_against_each_other_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let record = fixture::record([1, 1, 1]);
    let (one, two) = (dir.path().join("a"), dir.path().join("b"));
    run(&one, &sequence(&[]), &record);
    run(&two, &sequence(&[]), &record);
    std::fs::remove_file(two.join(exitlab_model::layout::LOG)).unwrap();
    let refused = |one: &Path, two: &Path| diverge(one, two, EXTENT).unwrap_err().to_string();
    assert!(refused(&one, &two).contains("b has no log of exits"));
    assert!(refused(&one, &dir.path().join("c")).contains("no run and no matrix"));
    let svm = dir.path().join("d");
    let mut other = record.clone();
    other.isa = Some(exitlab_model::reasons::Isa::Svm);
    run(&svm, &[], &other);
    assert!(refused(&one, &svm).contains("one run is of VMX"));
}
