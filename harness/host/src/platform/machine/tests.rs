//! The race of three, with a shell in the emulator's place: it writes where an emulator does.

#![allow(clippy::unwrap_used)]

use tokio::process::Command;

use super::*;
use exitlab_model::event::PROTOCOL;
use exitlab_model::stream::Writer;

/// Runs a script that stands for an emulator, with deadlines in seconds.
fn machine(dir: &Path, script: &str, boot_s: f64, silence_s: f64) -> Machine {
    at(Pace::Real, dir, script, boot_s, silence_s)
}

fn at(pace: Pace, dir: &Path, script: &str, boot_s: f64, silence_s: f64) -> Machine {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(dir);
    let emulator = Supervised::spawn(command, &dir.join("log")).unwrap();
    let deadlines = Deadlines {
        host_boot_s: boot_s,
        silence_s,
        guest_ssh_s: 1.0,
        exchange_s: 1.0,
        phase_s: 1.0,
    };
    Machine::booted("sh", emulator, dir, &deadlines, pace)
}

/// A shell's command that begins the stream with a first event.
fn speak() -> String {
    say(Vec::new())
}

/// The same, with more events after it.
fn say(more: Vec<Event>) -> String {
    let started = Event::Started {
        protocol: PROTOCOL,
        kernel: "6.12".to_owned(),
        cpu: String::new(),
        isa: None,
        emulates: false,
        host_s: 1.5,
        host_tsc: 1,
    };
    let mut writer = Writer::default();
    let events = std::iter::once(started).chain(more);
    let lines: String = events.filter_map(|event| writer.line(event)).collect();
    format!("printf '{}{lines}' >> events", Writer::marker())
}

/// What the machine says until it says why it cannot go on.
async fn told(mut machine: Machine) -> (Vec<String>, Error) {
    let mut said = Vec::new();
    loop {
        match machine.next().await {
            Ok(Report::Console(line)) => said.push(line),
            Ok(Report::Event(event)) => said.push(match *event {
                Event::Started { .. } => "started".to_owned(),
                event => format!("{event:?}"),
            }),
            Err(error) => {
                machine.stop().await.unwrap();
                return (said, error);
            }
        }
    }
}

#[tokio::test]
async fn what_an_emulator_wrote_before_it_ended_is_heard_before_its_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "echo booting >> console; {}; echo broken >> log; exit 3",
        speak()
    );
    let (said, error) = told(machine(dir.path(), &script, 60.0, 60.0)).await;
    assert_eq!(said, ["booting", "started"]);
    assert_eq!(error.to_string(), "host: sh ended (exit status: 3)");
    assert_eq!(
        error.tail(),
        ["booting"],
        "the console comes before the emulator's log"
    );
}

#[tokio::test]
async fn an_agent_that_ends_without_a_word_is_told_from_an_emulator_that_does() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "{}; echo 'exitlab: the agent ended with status 134' >> console",
        speak()
    );
    let (_, error) = told(machine(dir.path(), &script, 60.0, 60.0)).await;
    let expected = "host: the agent ended without a word (status 134)";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn an_emulator_without_a_console_is_told_by_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let (_, error) = told(machine(dir.path(), "echo no such disk; exit 1", 60.0, 60.0)).await;
    assert_eq!(error.to_string(), "host boots: sh ended (exit status: 1)");
    assert_eq!(error.tail(), ["no such disk"]);
}

#[tokio::test]
async fn a_kernel_that_panics_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let script = "echo 'Kernel panic - not syncing: no init' >> console; sleep 60";
    let (_, error) = told(machine(dir.path(), script, 60.0, 60.0)).await;
    assert_eq!(error.to_string(), "host boots: the host's kernel panicked");
}

#[tokio::test]
async fn a_host_that_never_speaks_and_one_that_falls_silent_meet_different_deadlines() {
    let dir = tempfile::tempdir().unwrap();
    let (_, error) = told(machine(dir.path(), "sleep 60", 0.1, 60.0)).await;
    assert_eq!(
        error.to_string(),
        "host boots: no word from the host for 0.1 s"
    );

    let script = format!("{}; sleep 60", speak());
    let (said, error) = told(machine(dir.path(), &script, 60.0, 0.1)).await;
    assert_eq!(said.len(), 1);
    assert!(matches!(error, Error::Silence { .. }), "{error}");
    assert_eq!(error.to_string(), "host: the host fell silent for 0.1 s");
}

/// Keeps a processor busy.
const WORK: &str = "while :; do :; done";

#[tokio::test]
async fn an_emulator_is_given_up_for_its_own_work_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Event::Stage {
        stage: Stage::Guest,
        host_s: 1.5,
    };
    let script = format!("{}; {WORK}", say(vec![stage]));
    let (said, error) = told(at(Pace::Emulated, dir.path(), &script, 60.0, 0.3)).await;
    assert_eq!(said.len(), 2);
    assert!(matches!(error, Error::Silence { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "host: the host fell silent for 0.3 s of sh's work, while its guest ran"
    );
}

#[tokio::test]
async fn a_stopped_emulator_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{}; sleep 0.1; {WORK}", speak());
    let mut machine = at(Pace::Emulated, dir.path(), &script, 60.0, 0.3);
    machine.next().await.unwrap();
    let id = machine.emulator.id().unwrap();
    let pid = rustix::process::Pid::from_raw(id.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    // Ten times as long as it may be silent, and twice as long as it may be idle.
    let waited = tokio::time::timeout(Duration::from_secs(3), machine.next());
    assert!(waited.await.is_err(), "it is given up");
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let (_, error) = told(machine).await;
    assert!(matches!(error, Error::Silence { .. }), "{error}");
}

#[tokio::test]
async fn an_emulator_that_does_nothing_is_dead_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{}; exec sleep 60", speak());
    let (_, error) = told(at(Pace::Emulated, dir.path(), &script, 60.0, 0.1)).await;
    assert!(matches!(error, Error::Experiment { .. }), "{error}");
    assert_eq!(error.to_string(), "host: sh did nothing for 0.5 s");
    // A kernel that halts at once is known before that.
    let dir = tempfile::tempdir().unwrap();
    let halted = at(Pace::Emulated, dir.path(), "exec sleep 60", 0.3, 60.0);
    let (_, error) = told(halted).await;
    assert_eq!(error.to_string(), "host boots: sh did nothing for 0.3 s");
}

#[tokio::test]
async fn a_flood_on_the_console_keeps_no_deadline_from_passing() {
    for flood in ["yes", "tr '\\0' x < /dev/zero"] {
        let dir = tempfile::tempdir().unwrap();
        // A file in memory would fill up; this one stays short of what ends a run.
        let script = format!(
            "{}; {flood} | head -c 200000000 >> console; sleep 60",
            speak()
        );
        let mut machine = machine(dir.path(), &script, 60.0, 0.4);
        let started = std::time::Instant::now();
        let (mut lines, mut bytes) = (0, 0);
        let error = loop {
            match machine.next().await {
                Ok(Report::Console(line)) => (lines, bytes) = (lines + 1, bytes + line.len()),
                Ok(Report::Event(_)) => {}
                Err(error) => break error,
            }
        };
        machine.stop().await.unwrap();
        assert!(matches!(error, Error::Silence { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20));
        assert!(bytes as u64 <= MOST_CONSOLE && lines < 200_000, "{lines}");
        assert!(error.tail().iter().all(|line| line.len() < 5000));
    }
}

#[tokio::test]
async fn a_flood_leaves_others_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{}; yes | head -c 200000000 >> console; sleep 60", speak());
    let mut machine = machine(dir.path(), &script, 60.0, 60.0);
    let listens = async {
        loop {
            machine.next().await.unwrap();
        }
    };
    // As Ctrl-C comes.
    let asked = tokio::time::timeout(Duration::from_millis(300), listens);
    let started = std::time::Instant::now();
    assert!(asked.await.is_err());
    assert!(started.elapsed() < Duration::from_secs(10));
    machine.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_without_end_is_told_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let script = "tr '\\0' x < /dev/zero | head -c 20000000 >> events; sleep 60";
    let (_, error) = told(machine(dir.path(), script, 60.0, 60.0)).await;
    let text = error.to_string();
    assert!(
        text.ends_with("bytes without the end of an event"),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_login_prints_before_the_first_event_is_of_the_console() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "printf 'welcome\\nno end of line' >> events; {}; exit 3",
        speak()
    );
    let (said, error) = told(machine(dir.path(), &script, 60.0, 60.0)).await;
    assert_eq!(said, ["welcome", "started"]);
    assert_eq!(error.to_string(), "host: sh ended (exit status: 3)");
}

#[tokio::test]
async fn a_line_that_is_no_event_is_told_as_it_is_after_what_came_before() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{}; echo 'what is this' >> events; sleep 60", speak());
    let (said, error) = told(machine(dir.path(), &script, 60.0, 60.0)).await;
    assert_eq!(said, ["started"]);
    assert_eq!(
        error.to_string(),
        "broken event stream: expected event 2, came 'what is this'"
    );
}

#[tokio::test]
async fn a_host_that_ends_in_the_middle_of_a_line_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{}; printf '2 0123' >> events; exit 3", speak());
    let (_, error) = told(machine(dir.path(), &script, 60.0, 60.0)).await;
    assert_eq!(
        error.to_string(),
        "host: sh ended (exit status: 3) in the middle of event 2"
    );
}

#[tokio::test]
async fn a_host_that_powers_off_hands_over_the_rest_of_its_console() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("{}; echo power down >> console", speak());
    let mut machine = machine(dir.path(), &script, 60.0, 60.0);
    while !matches!(machine.next().await.unwrap(), Report::Event(_)) {}
    let rest = machine.power_off().await.unwrap();
    let rest: Vec<Report> = rest.into_iter().map(Result::unwrap).collect();
    let good = match &*rest {
        [] => true,
        [Report::Console(line)] => line == "power down",
        _ => false,
    };
    assert!(good, "{rest:?}");
}
