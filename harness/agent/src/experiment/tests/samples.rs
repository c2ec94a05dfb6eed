//! What is read when.

use std::path::Path;

use serde_json::json;

use exitlab_model::event::{Event, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::plan::{LeftBehind, Moment};
use exitlab_model::planned;
use exitlab_model::record::{Channel, Remainder, StatsReading};

use super::harness::{as_usual, carry_out, order};
use crate::scripted::{Act, Script, counted, returns};
use crate::trace::{self, Trace};

/// How the phase's command is run.
const DD: &str = "$ exec exit-sampler run wait dd";

#[tokio::test]
async fn moments_and_phases_are_sampled_in_their_order() {
    let order = order(&[Channel::Cpuid, Channel::Stats]);
    let went = carry_out(&order, &as_usual(), None, &[]).await;
    went.outcome.as_ref().unwrap();
    let samples = went.samples();
    let titles: Vec<_> = samples
        .iter()
        .map(|sample| (sample.number, sample.label.as_str(), sample.phase.as_str()))
        .collect();
    assert_eq!(
        titles,
        [
            (1, "boot", "boot"),
            (2, "+0.01s", "idle"),
            (3, "disk", "disk")
        ]
    );
    let planned = planned::samples(&order.sampling, &order.phases, true);
    assert!(
        planned
            .iter()
            .zip(&samples)
            .all(|(planned, is)| planned.is(is))
    );
    // The pause is the guest's, from one sample of its clock to the next.
    assert_eq!(
        samples.iter().map(|s| s.clocks.guest_s).collect::<Vec<_>>(),
        [Some(3.0), Some(3.01), Some(3.01)]
    );
    let stages: Vec<Stage> = went
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Stage { stage, .. } => Some(*stage),
            _ => None,
        })
        .collect();
    assert_eq!(
        stages,
        [
            Stage::Qmp,
            Stage::Guest,
            Stage::Sampling,
            Stage::Inspecting,
            Stage::Shutdown
        ]
    );
}

#[tokio::test]
async fn statistics_are_read_before_and_after_the_guest_reads_its_leaves() {
    let order = order(&[Channel::Cpuid, Channel::Stats]);
    let went = carry_out(&order, &as_usual(), None, &[]).await;
    went.outcome.as_ref().unwrap();
    let sample = ["query-stats", "? census", "query-stats"];
    assert_eq!(
        went.between("? status", DD),
        [&sample[..], &["? wait 3.010000"], &sample[..]].concat()
    );
    for sample in went.samples() {
        let exits = |reading: &Option<StatsReading>| {
            let reading = reading.as_ref().unwrap();
            (reading.counts[10], reading.exits)
        };
        let before = exits(&sample.stats_before);
        assert_eq!(exits(&sample.stats_after), (before.0 + 1, before.1 + 1));
    }
}

#[tokio::test]
async fn a_guest_that_is_not_asked_is_read_once_a_sample_and_waited_for_by_the_hosts_clock() {
    let order = order(&[Channel::Stats]);
    let went = carry_out(&order, &as_usual(), None, &[]).await;
    went.outcome.as_ref().unwrap();
    assert_eq!(went.between("$ login", DD), ["query-stats", "query-stats"]);
    let samples = went.samples();
    assert!(samples.iter().all(|sample| sample.stats_after.is_none()));
    let pause = samples[1].clocks.host_s - samples[0].clocks.host_s;
    assert!((0.01..5.0).contains(&pause), "{pause}");
}

#[tokio::test]
async fn without_channels_nothing_is_read_and_any_kvm_will_do() {
    let went = carry_out(&order(&[]), &as_usual(), None, &[]).await;
    went.outcome.as_ref().unwrap();
    assert!(went.samples().is_empty());
    assert!(!went.asked.iter().any(|asked| asked == "query-stats"));
    assert_eq!(went.between("$ login", "quit"), ["$ uname"]);
}

/// A tracefs whose histogram is written by the script, and the trace of this process.
fn traced(root: &Path) -> Trace {
    let event = root.join("events/kvm/kvm_exit");
    std::fs::create_dir_all(&event).unwrap();
    std::fs::write(event.join("trigger"), "").unwrap();
    write_histogram(root, 0);
    let armed = trace::arm_in(root).unwrap();
    armed.of(std::process::id(), counted().reasons)
}

fn write_histogram(root: &Path, count: u64) {
    let process = std::process::id();
    let text = format!(
        "{{ common_pid: {process}, exit_reason: 10, isa: 1 }} hitcount: {count}\nDropped: 0\n"
    );
    std::fs::write(root.join("events/kvm/kvm_exit/hist"), text).unwrap();
}

#[tokio::test]
async fn the_guest_stands_still_while_tracepoint_and_statistics_are_read_and_then_goes_on() {
    let tracefs = tempfile::tempdir().unwrap();
    let trace = traced(tracefs.path());
    let root = tracefs.path().to_owned();
    let script = Script::start(move |_, asked| {
        match asked {
            "stop" => write_histogram(&root, 7),
            "cont" => write_histogram(&root, 999),
            _ => {}
        }
        Act::AsUsual
    });
    let mut order = order(&[Channel::Trace]);
    order.sampling.schedule = vec![Moment::Boot];
    let went = carry_out(&order, &script, Some(&trace), &[]).await;
    went.outcome.as_ref().unwrap();
    let standstill = [
        "query-status",
        "stop",
        "query-status",
        "query-stats",
        "cont",
    ];
    assert_eq!(went.between("$ login", DD), standstill);
    let reading = went.samples()[0].trace.as_ref().unwrap();
    assert_eq!(
        (
            reading.counts[10],
            reading.stats.as_ref().unwrap().counts[10]
        ),
        (7, 2)
    );
    trace.disarm().unwrap();
    let trigger = tracefs.path().join("events/kvm/kvm_exit/trigger");
    let trigger = std::fs::read_to_string(trigger).unwrap();
    assert!(trigger.starts_with("!hist:"), "{trigger}");
}

#[tokio::test]
async fn a_guest_that_does_not_stop_is_not_read() {
    let tracefs = tempfile::tempdir().unwrap();
    let trace = traced(tracefs.path());
    let script = Script::start(|_, asked| match asked {
        "stop" => Act::Say(vec![returns(json!({}))]),
        _ => Act::AsUsual,
    });
    let went = carry_out(&order(&[Channel::Trace]), &script, Some(&trace), &[]).await;
    let failure = went.outcome.unwrap_err();
    assert_eq!(failure.message, "the guest is running after stop");
}

#[tokio::test]
async fn a_phase_whose_command_fails_is_the_last() {
    let script = Script::start(|before, asked| match asked {
        DD if before > 15 => Act::Say(vec![json!({
            "exit": 1, "stdout": "", "stderr": "dd: no room\nexit-sampler: exit 1, alone\n"
        })]),
        _ => Act::AsUsual,
    });
    let mut order = order(&[Channel::Cpuid, Channel::Stats]);
    order.phases[0].repeat = 9;
    let went = carry_out(&order, &script, None, &[]).await;
    assert_eq!(went.samples().len(), 2, "none after the phase");
    let failure = went.outcome.unwrap_err();
    assert_eq!(
        (failure.stage, failure.kind),
        (Stage::Workload, FailureKind::Workload)
    );
    assert_eq!(failure.tail, ["dd: no room"]);
    let turn = went.asked.iter().filter(|asked| *asked == DD).count();
    assert_eq!(
        failure.message,
        format!("phase disk ({turn} of 9): 'dd' ended with exit status 1")
    );
}

#[tokio::test]
async fn what_a_phase_leaves_behind_is_told_once_for_all_its_turns() {
    let waited = "exit-sampler: exit 0, waited for 1: sleep 100\n";
    let script = Script::start(move |_, asked| match asked {
        DD => Act::Say(vec![json!({ "exit": 0, "stdout": "", "stderr": waited })]),
        _ => Act::AsUsual,
    });
    let went = carry_out(&order(&[Channel::Stats]), &script, None, &[]).await;
    went.outcome.as_ref().unwrap();
    let left = went.events.iter().find_map(|event| match event {
        Event::LeftBehind(left) => Some(left.clone()),
        _ => None,
    });
    let expected = Remainder {
        phase: "disk".to_owned(),
        processes: 2,
        commands: vec!["sleep 100".to_owned(); 2],
        fate: LeftBehind::Wait,
    };
    assert_eq!(left, Some(expected));
}

#[tokio::test]
async fn what_a_phase_leaves_behind_is_refused_where_that_is_asked_for() {
    let refuse = "$ exec exit-sampler run refuse dd";
    let found = "exit-sampler: exit 0, found 2: sleep 100; nc\n";
    let script = Script::start(move |_, asked| match asked == refuse {
        true => Act::Say(vec![json!({ "exit": 0, "stdout": "", "stderr": found })]),
        false => Act::AsUsual,
    });
    let mut order = order(&[Channel::Stats]);
    order.phases[0].repeat = 1;
    order.phases[0].left_behind = LeftBehind::Refuse;
    let failure = carry_out(&order, &script, None, &[]).await.outcome;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Workload);
    assert_eq!(
        failure.message,
        "phase disk: 'dd' left 2 processes behind, which left_behind = \"refuse\" forbids: \
         sleep 100; nc"
    );
}

#[tokio::test]
async fn a_look_that_a_signal_ends_is_a_finding() {
    let script = Script::start(|_, asked| match asked {
        "$ uname" => Act::Say(vec![json!({ "signal": 9, "stdout": "Li", "stderr": "" })]),
        _ => Act::AsUsual,
    });
    let went = carry_out(&order(&[Channel::Stats]), &script, None, &[]).await;
    went.outcome.as_ref().unwrap();
    let look = went.events.iter().find_map(|event| match event {
        Event::Inspected(look) => Some(look),
        _ => None,
    });
    let look = look.unwrap();
    assert_eq!((look.exit, look.signal), (137, Some(9)));
    assert_eq!(
        (look.ended().as_str(), look.stdout.as_str()),
        ("signal 9", "Li")
    );
}

#[tokio::test]
async fn each_look_is_between_two_readings_and_may_fail() {
    let script = Script::start(|_, asked| match asked {
        "$ false" => Act::Say(vec![json!({ "exit": 1, "stdout": "", "stderr": "no\n" })]),
        _ => Act::AsUsual,
    });
    let mut order = order(&[Channel::Stats]);
    order.inspect = vec!["uname".into(), "false".into()];
    order.phases.clear();
    let went = carry_out(&order, &script, None, &[]).await;
    went.outcome.as_ref().unwrap();
    let looks: Vec<_> = went
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Inspected(look) => Some(look),
            _ => None,
        })
        .collect();
    assert_eq!(
        (looks[0].exit, looks[0].stdout.as_str()),
        (0, "uname ran\n")
    );
    assert_eq!((looks[1].exit, looks[1].stderr.as_str()), (1, "no\n"));
    for look in looks {
        let before = look.before.as_ref().unwrap().exits;
        assert_eq!(look.after.as_ref().unwrap().exits, before + 1);
    }
    let asked = &went.asked[went.asked.len() - 7..];
    let look = |command| ["query-stats", command, "query-stats"];
    assert_eq!(
        asked,
        [&look("$ uname")[..], &look("$ false"), &["quit"]].concat()
    );
}
