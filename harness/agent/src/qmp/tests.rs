use super::super::console::Tail;
use super::*;
use exitlab_model::event::Stage;
use exitlab_model::reasons::ReasonTable;

/// A real QEMU without a machine, and a watchdog that learns of its end.
fn bare_qemu(dir: &Path, args: &[&str]) -> Watchdog {
    let (tell, ended) = tokio::sync::watch::channel(None);
    let mut child = tokio::process::Command::new("qemu-system-x86_64")
        .args(["-M", "none", "-nodefaults", "-display", "none", "-chardev"])
        .arg(format!(
            "socket,id=qmp,server=on,wait=off,path={}",
            qmp_socket(dir).display()
        ))
        .args(["-mon", "chardev=qmp,mode=control"])
        .args(args)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    tokio::spawn(async move {
        let status = child.wait().await.unwrap();
        let _ = tell.send(Some(status.to_string()));
    });
    Watchdog::new(ended, Tail::default(), Tail::default()).in_stage(Stage::Qmp, 20.0)
}

#[tokio::test]
async fn a_real_qemu_answers_and_quits() {
    let dir = tempfile::tempdir().unwrap();
    let watchdog = bare_qemu(dir.path(), &[]);
    let qmp = Qmp::connect(dir.path(), counted(false), &watchdog)
        .await
        .unwrap();
    let version = qmp.version(&watchdog).await.unwrap();
    assert!(
        version.starts_with(|c: char| c.is_ascii_digit()),
        "{version}"
    );
    // Without KVM there are no statistics of KVM, and so no census.
    let failure = qmp.require_census(&watchdog).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NoCensus);
    qmp.pause(&watchdog).await.unwrap();
    qmp.resume(&watchdog).await.unwrap();
    qmp.quit(&watchdog).await.unwrap();
}

#[tokio::test]
async fn a_real_qemu_chooses_the_port_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let forward = "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22";
    let watchdog = bare_qemu(dir.path(), &["-netdev", forward]);
    let qmp = Qmp::connect(dir.path(), counted(false), &watchdog)
        .await
        .unwrap();
    let port = qmp.ssh_port(&watchdog).await.unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    qmp.quit(&watchdog).await.unwrap();
}

#[tokio::test]
async fn a_qemu_that_dies_at_once_is_told_from_one_that_is_slow() {
    let dir = tempfile::tempdir().unwrap();
    let watchdog = bare_qemu(dir.path(), &["-no-such-option"]);
    let failure = Qmp::connect(dir.path(), counted(false), &watchdog)
        .await
        .err()
        .unwrap();
    assert_eq!(failure.kind, FailureKind::QemuDied);
    assert_eq!(
        failure.message,
        "QEMU ended before QMP greeting (exit status: 1)"
    );
}

#[test]
fn unknown_events_are_dropped_and_answers_pass() {
    assert!(is_known(br#"{"return": {}}"#));
    assert!(is_known(
        br#"{"event": "RESUME", "data": {}, "timestamp": {"seconds": 1, "microseconds": 2}}"#
    ));
    assert!(!is_known(
        br#"{"event": "FROM_THE_FUTURE", "timestamp": {"seconds": 1, "microseconds": 2}}"#
    ));
    assert!(
        is_known(b"not json at all"),
        "what is no event is left to the session"
    );
}

fn counted(cycles: bool) -> Counted {
    Counted {
        reasons: ReasonTable::vmx(),
        cycles,
    }
}

/// What QEMU says of one vCPU: `cpuid` exits, some cycles of them, and one exit that
/// no table defines.
fn vcpu(
    cpuid: u64,
    cycles: u64,
    [counts_reversed, cycles_reversed]: [bool; 2],
) -> qmp::StatsResult {
    let reasons = ReasonTable::vmx().len_slots();
    let list = |slot_10, slot_other, reversed: bool| {
        let mut slots = vec![0; 2 * reasons + 6];
        slots[10] = slot_10;
        slots[reasons + 2] = slot_other;
        if reversed {
            slots.reverse();
        }
        qmp::StatsValue::list(slots)
    };
    let stat = |name: &str, value| qmp::Stats {
        name: name.into(),
        value,
    };
    qmp::StatsResult {
        qom_path: None,
        provider: qmp::StatsProvider::kvm,
        stats: vec![
            stat(CYCLES, list(cycles, 0, cycles_reversed)),
            stat(CENSUS, list(cpuid, 1, counts_reversed)),
            stat(FAILED, qmp::StatsValue::scalar(3)),
            stat(EXITS, qmp::StatsValue::scalar(cpuid + 1)),
        ],
    }
}

#[test]
fn statistics_are_summed_over_vcpus_in_either_order() {
    let vcpus = [vcpu(3, 500, [true; 2]), vcpu(4, 60, [false; 2])];
    let reading = sum(&vcpus, counted(true)).unwrap();
    assert_eq!(
        (reading.counts[10], reading.other, reading.exits),
        (7, 2, 9)
    );
    assert_eq!(reading.cycles.unwrap()[10], 560);
    assert_eq!(reading.failed_entries, Some(6));
    assert_eq!(sum(&vcpus, counted(false)).unwrap().cycles, None);
}

#[test]
fn the_counts_decide_the_order() {
    let idle = sum(&[vcpu(3, 0, [true; 2])], counted(true)).unwrap();
    assert_eq!((idle.counts[10], idle.cycles.unwrap()[10]), (3, 0));
    let mixed = sum(&[vcpu(3, 500, [true, false])], counted(true)).unwrap_err();
    assert!(mixed.contains("different orders"), "{mixed}");
    let mut without = vcpu(3, 500, [true; 2]);
    without.stats.retain(|stat| stat.name != CYCLES);
    let missing = sum(&[without], counted(true)).unwrap_err();
    assert!(
        missing.ends_with("without exit_cycles_by_reason"),
        "{missing}"
    );
}
