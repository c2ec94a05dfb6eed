use serde_json::json;

use super::*;
use crate::console::Tail;
use crate::scripted::{Act, Script, counted, returns};
use exitlab_model::address_map::Space;
use exitlab_model::event::Stage;

/// A real QEMU without a machine, and a watchdog that learns of its end.
fn bare_qemu(dir: &Path, args: &[&str]) -> Watchdog {
    let (tell, ended) = tokio::sync::watch::channel(None);
    let mut child = tokio::process::Command::new("qemu-system-x86_64")
        .args(["-M", "none", "-nodefaults", "-display", "none", "-chardev"])
        .arg(format!(
            "socket,id=qmp,server=on,wait=off,path={}",
            dir.join("qmp").display()
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
    let qmp = Qmp::connect(&dir.path().join("qmp"), counted(), &watchdog)
        .await
        .unwrap();
    let version = qmp.version(&watchdog).await.unwrap();
    assert!(
        version.starts_with(|c: char| c.is_ascii_digit()),
        "{version}"
    );
    // Without KVM there are no statistics of KVM, and so no census.
    assert!(!qmp.has_census(&watchdog).await.unwrap());
    qmp.pause(&watchdog).await.unwrap();
    qmp.resume(&watchdog).await.unwrap();
    qmp.quit(&watchdog).await.unwrap();
}

#[tokio::test]
async fn a_real_qemu_chooses_the_port_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let forward = "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22";
    let watchdog = bare_qemu(dir.path(), &["-netdev", forward]);
    let qmp = Qmp::connect(&dir.path().join("qmp"), counted(), &watchdog)
        .await
        .unwrap();
    let port = qmp.ssh_port(&watchdog).await.unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    qmp.quit(&watchdog).await.unwrap();
}

#[tokio::test]
async fn a_real_qemu_says_what_is_where() {
    let machine = [
        "-M",
        "microvm",
        "-S",
        "-serial",
        "null",
        "-device",
        "virtio-serial-device",
    ];
    let tells = |args: Vec<&'static str>| async move {
        let dir = tempfile::tempdir().unwrap();
        let watchdog = bare_qemu(dir.path(), &args);
        let qmp = Qmp::connect(&dir.path().join("qmp"), counted(), &watchdog)
            .await
            .unwrap();
        let map = qmp.address_map(&watchdog).await.unwrap();
        qmp.quit(&watchdog).await.unwrap();
        map
    };
    let map = tells(machine.to_vec()).await;
    let name = |space, address| map.at(space, address).map(|region| &*region.name);
    assert_eq!(name(Space::Io, 0x3fd), Some("serial"));
    assert_eq!(name(Space::Io, 0x2f8), None);
    assert_eq!(name(Space::Memory, 0xfec0_0000), Some("ioapic"));
    assert_eq!(name(Space::Memory, 0x1000), None, "it is memory");
    let mut devices = map
        .regions
        .iter()
        .filter_map(|region| region.device.as_deref());
    assert!(
        devices.any(|device| device == "virtio-serial-device"),
        "{map:?}"
    );
    assert!(
        tells(Vec::new()).await.lacks.is_some(),
        "there is no machine"
    );
}

#[tokio::test]
async fn a_qemu_that_refuses_to_draw_its_map_is_good_all_the_same() {
    let refuses = json!({ "error": { "class": "CommandNotFound", "desc": "no monitor here" } });
    let script = Script::start(move |_, asked| match asked {
        "human-monitor-command" => Act::Say(vec![refuses.clone()]),
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    let lacks = qmp.address_map(&watchdog).await.unwrap().lacks.unwrap();
    assert!(lacks.contains("no monitor here"), "{lacks}");
    script.stage.die();
    let failure = qmp.address_map(&watchdog).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::QemuDied);
}

#[tokio::test]
async fn a_qemu_that_dies_at_once_is_told_from_one_that_is_slow() {
    let dir = tempfile::tempdir().unwrap();
    let watchdog = bare_qemu(dir.path(), &["-no-such-option"]);
    let failure = Qmp::connect(&dir.path().join("qmp"), counted(), &watchdog)
        .await
        .err()
        .unwrap();
    assert_eq!(failure.kind, FailureKind::QemuDied);
    assert_eq!(
        failure.message,
        "QEMU ended before QMP greeting (exit status: 1)"
    );
}

async fn connect(script: &Script) -> (Qmp, Watchdog) {
    let watchdog = script.watchdog().in_stage(Stage::Qmp, 20.0);
    let qmp = Qmp::connect(&script.socket(), counted(), &watchdog).await;
    (qmp.unwrap(), watchdog)
}

#[tokio::test]
async fn a_command_whose_caller_went_away_does_not_disturb_the_next() {
    let script = Script::start(|_, _| Act::AsUsual);
    let (qmp, watchdog) = connect(&script).await;
    // Gone before the command is sent, while it is under way, or while its answer is.
    for turns in 0..30 {
        let elsewhere = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = qmp.halted() => panic!("the guest runs"),
            () = elsewhere => {}
        }
        assert!(qmp.version(&watchdog).await.unwrap().starts_with("7.2.22"));
    }
    let asked = script.stage.take_asked();
    let of = |name: &str| asked.iter().filter(|asked| *asked == name).count();
    assert_eq!((of("query-status"), of("query-version")), (30, 30));
}

#[tokio::test]
async fn no_command_is_sent_before_the_answer_to_the_one_before() {
    let script = Script::start(|_, command| match command {
        "stop" => Act::Say(Vec::new()),
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    let brief = watchdog.in_stage(Stage::Sampling, 0.02);
    let late = qmp.pause(&brief).await.unwrap_err();
    assert_eq!(late.message, "no answer to stop within 0.02 s");
    let next = qmp.version(&brief).await.unwrap_err();
    assert_eq!(next.message, "no answer to query-version within 0.02 s");
    assert_eq!(script.stage.take_asked(), ["qmp_capabilities", "stop"]);
}

#[tokio::test]
async fn a_refusal_is_told_in_qemus_words_and_the_session_goes_on() {
    let script = Script::start(|_, command| match command {
        "cont" => Act::Say(vec![json!({
            "error": { "class": "GenericError", "desc": "Resetting the VM is required" }
        })]),
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    let refused = qmp.resume(&watchdog).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Protocol);
    assert_eq!(
        refused.message,
        "QEMU refused cont: Resetting the VM is required"
    );
    assert!(qmp.running(&watchdog).await.unwrap());
}

#[tokio::test]
async fn events_of_a_newer_qemu_are_passed_over() {
    let script = Script::start(|_, command| match command {
        "query-version" => Act::Say(vec![
            json!({ "event": "FROM_THE_FUTURE", "data": [1], "timestamp": 0 }),
            returns(json!({ "qemu": { "major": 99, "minor": 0, "micro": 1 }, "package": "" })),
            json!({ "event": "FROM_THE_FUTURE" }),
        ]),
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    assert_eq!(qmp.version(&watchdog).await.unwrap(), "99.0.1");
    assert!(qmp.running(&watchdog).await.unwrap());
}

#[tokio::test]
async fn a_session_that_closes_fails_this_command_and_the_next() {
    let script = Script::start(|_, command| match command {
        "query-version" => Act::HangUp,
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    for _ in 0..2 {
        let failure = qmp.version(&watchdog).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Protocol);
        assert_eq!(failure.message, "QEMU closed the QMP session");
    }
    assert!(qmp.halted().await.is_err());
}

#[tokio::test]
async fn what_is_no_qmp_ends_the_session() {
    let script = Script::start(|_, command| match command {
        "query-version" => Act::Say(vec![json!("what?")]),
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    let failure = qmp.version(&watchdog).await.unwrap_err();
    assert_eq!(failure.message, "QEMU sent what is no QMP: '\"what?\"'");
}

#[tokio::test]
async fn a_guest_that_halts_is_noticed_when_qemu_says_so() {
    let script = Script::start(|_, command| match command {
        "cont" => Act::Say(vec![returns(json!({})), json!({ "event": "SHUTDOWN" })]),
        _ => Act::AsUsual,
    });
    let (qmp, watchdog) = connect(&script).await;
    let stage = script.stage.clone();
    let (halt, resumed) = tokio::join!(qmp.halted(), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stage.halt("guest-panicked");
        qmp.resume(&watchdog).await
    });
    resumed.unwrap();
    assert_eq!(halt.unwrap(), Halt::Other("guest-panicked".to_owned()));
}
