use super::*;

const NAME: &str = "exitlab_1_2_3";

/// Tracefs, with these events of KVM.
fn kernel(events: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("synthetic_events", "");
    for event in events {
        write(&format!("events/kvm/{event}/trigger"), "");
        write(&format!("events/kvm/{event}/hist"), "Dropped: 0");
    }
    write(&format!("events/synthetic/{NAME}/trigger"), "");
    root
}

fn arm(root: &tempfile::TempDir) -> Durations {
    Durations::arm_in(root.path(), root.path(), NAME, 2).unwrap()
}

fn read(root: &tempfile::TempDir, path: &str) -> String {
    std::fs::read_to_string(root.path().join(path)).unwrap()
}

/// As Linux 6.12 prints two of the bands.
fn section(band: usize, entries: &str, dropped: u64) -> String {
    let Band { width, .. } = BANDS[band];
    format!(
        "# event histogram\n#\n# trigger info: hist:keys=common_pid,reason,lat.buckets={width}\
         :vals=hitcount,lat:sort=hitcount:size=4096 if lat < 7 [active]\n#\n\n{entries}\n\n\
         Totals:\n    Hits: 9\n    Entries: 2\n    Dropped: {dropped}\n\n\n"
    )
}

#[test]
fn bands_meet_and_no_stretch_is_longer_than_an_eighth_of_what_is_in_it() {
    for pair in BANDS.windows(2) {
        assert_eq!(pair[1].from % pair[0].width, 0);
        assert!(pair[1].width * 8 <= pair[1].from);
    }
    let [fine, coarse] = wanted(16);
    assert!(
        fine[1]
            .words
            .ends_with(":size=32768 if lat >= 1024 && lat < 16384")
    );
    assert!(fine[0].words.ends_with(" if lat < 1024"));
    assert!(fine[6].words.ends_with(" if lat >= 1073741824"));
    assert_eq!(
        coarse[0].words,
        "hist:keys=common_pid,reason,lat.log2:vals=lat:size=8192"
    );
}

#[test]
fn threads_of_the_vm_are_summed_and_what_was_dropped_is_told() {
    let root = kernel(&["kvm_exit", "kvm_entry"]);
    let durations = arm(&root);
    assert_eq!(read(&root, "synthetic_events"), format!("{NAME} {FIELDS}"));
    let mut text = section(
        0,
        "{ common_pid: 91, reason: 48, lat: ~ 992-1023 } hitcount: 2  lat: 2000\n\
         { common_pid: 92, reason: 48, lat: ~ 992-1023 } hitcount: 1  lat: 999\n\
         { common_pid: 93, reason: 48, lat: ~ 992-1023 } hitcount: 7  lat: 7000",
        0,
    );
    text += &section(
        1,
        "{ common_pid: 91, reason: 12, lat: ~ 1024-1151 } hitcount: 3  lat: 3100",
        5,
    );
    for band in 2..BANDS.len() {
        text += &section(band, "", 0);
    }
    let hist = |event: &str, text: &str| {
        std::fs::write(root.path().join(event).join("hist"), text).unwrap();
    };
    hist(&format!("events/synthetic/{NAME}"), &text);
    hist(
        "events/kvm/kvm_entry",
        "{ common_pid: 91 } hitcount: 6\nDropped: 2",
    );
    let taken = durations.take(&BTreeSet::from([91, 92])).unwrap();
    let expected = [[12, 1024, 1151, 3, 3100], [48, 992, 1023, 3, 2999]];
    assert_eq!(taken.buckets, expected.map(Bucket::from));
    assert_eq!(taken.dropped, 5 + 2);
    // The triggers at exit and entry were started anew, and what they dropped is not forgotten.
    let trigger = read(&root, "events/kvm/kvm_entry/trigger");
    assert!(trigger.contains("onmatch(kvm.kvm_exit).exitlab_1_2_3($xreason,$xlat)"));
    let taken = durations.take(&BTreeSet::new()).unwrap();
    assert_eq!((taken.buckets.len(), taken.dropped), (0, 5 + 2 + 2));

    hist(
        &format!("events/synthetic/{NAME}"),
        &text.replace("lat: 2000", ""),
    );
    let error = durations.take(&BTreeSet::from([91])).unwrap_err();
    assert!(error.contains("992-1023"), "{error}");
    durations.disarm().unwrap();
    assert!(read(&root, "synthetic_events").starts_with("!exitlab_1_2_3"));
}

#[test]
fn what_a_kernel_lacks_is_said() {
    let lacks = |root: &tempfile::TempDir| {
        let taken = arm(root).take(&BTreeSet::new()).unwrap();
        taken.lacks.unwrap()
    };
    let root = kernel(&["kvm_exit"]);
    assert_eq!(lacks(&root), "KVM has no tracepoint kvm_entry");
    let root = kernel(&["kvm_exit", "kvm_entry"]);
    std::fs::remove_file(root.path().join("synthetic_events")).unwrap();
    assert!(lacks(&root).contains("no synthetic events"));
}
