//! How an experiment fails, wherever it waits.

use serde_json::json;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::record::Channel;

use super::harness::{Went, carry_out, deadlines, order};
use crate::scripted::{Act, Script, returns};

/// Everything that an experiment of [`order`] waits for, with the stage it is in.
const WAITS: [(&str, Stage); 23] = [
    ("qmp_capabilities", Stage::Qmp),
    ("query-version", Stage::Qmp),
    ("query-stats", Stage::Qmp),
    ("human-monitor-command", Stage::Guest),
    ("$ login", Stage::Guest),
    ("$ exit-sampler serve 0-85", Stage::Sampling),
    ("? discover", Stage::Sampling),
    ("? status", Stage::Sampling),
    ("query-stats", Stage::Sampling),
    ("? census", Stage::Sampling),
    ("query-stats", Stage::Sampling),
    ("? wait 3.010000", Stage::Sampling),
    ("query-stats", Stage::Sampling),
    ("? census", Stage::Sampling),
    ("query-stats", Stage::Sampling),
    ("$ exec exit-sampler run wait dd", Stage::Workload),
    ("$ exec exit-sampler run wait dd", Stage::Workload),
    ("query-stats", Stage::Sampling),
    ("? census", Stage::Sampling),
    ("query-stats", Stage::Sampling),
    ("query-stats", Stage::Inspecting),
    ("$ uname", Stage::Inspecting),
    ("query-stats", Stage::Inspecting),
];

/// Carries out [`order`] with a script that does `act` where it is asked for the `nth` time.
async fn with(act: Act, nth: usize, deadline_s: f64) -> Went {
    let script = Script::start(move |before, _| match before == nth {
        true => act.clone(),
        false => Act::AsUsual,
    });
    let mut order = order(&[Channel::Cpuid, Channel::Stats]);
    order.deadlines = deadlines(deadline_s);
    carry_out(&order, &script, None, &[]).await
}

/// The same for each of [`WAITS`], at once: all of them together wait no longer than one.
async fn side_by_side(act: Act, deadline_s: f64, judge: impl Fn(Went, &str, Stage)) {
    let mut all = tokio::task::JoinSet::new();
    let local = tokio::task::LocalSet::new();
    for (nth, (wait, stage)) in WAITS.into_iter().enumerate() {
        let act = act.clone();
        let ended = async move { (with(act, nth, deadline_s).await, wait, stage) };
        all.spawn_local_on(ended, &local);
    }
    local.await;
    while let Some(ended) = all.join_next().await {
        let (went, wait, stage) = ended.unwrap();
        judge(went, wait, stage);
    }
}

#[tokio::test]
async fn a_qemu_that_dies_is_told_wherever_it_is_waited_for() {
    side_by_side(Act::Die, 20.0, |went, wait, stage| {
        assert_eq!(went.asked.last().map(String::as_str), Some(wait));
        let failure = went.outcome.unwrap_err();
        assert_eq!(
            (failure.stage, failure.kind),
            (stage, FailureKind::QemuDied),
            "{wait}: {}",
            failure.message
        );
        let how = "(signal: 9 (SIGKILL)): QEMU's last line";
        assert!(failure.message.ends_with(how), "{}", failure.message);
        // What the guest said last, then QEMU.
        assert_eq!(failure.tail, ["the guest's last line", "QEMU's last line"]);
    })
    .await;
}

#[tokio::test]
async fn a_qemu_that_ends_when_it_is_told_to_quit_has_ended_well() {
    let went = with(Act::Die, WAITS.len(), 20.0).await;
    assert_eq!(went.asked.last().map(String::as_str), Some("quit"));
    went.outcome.unwrap();
}

#[tokio::test]
async fn a_silence_meets_the_deadline_wherever_it_is_waited_for() {
    let silence = Act::Say(Vec::new());
    // Long enough for everything else on a machine that is busy.
    side_by_side(silence, 1.0, |went, wait, stage| {
        assert_eq!(went.asked.last().map(String::as_str), Some(wait));
        let failure = went.outcome.unwrap_err();
        assert_eq!(
            (failure.stage, failure.kind),
            (stage, FailureKind::Deadline),
            "{wait}: {}",
            failure.message
        );
        let late = failure.message.contains("no ") && failure.message.contains(" within 1");
        assert!(late, "{}", failure.message);
        assert_eq!(failure.tail, ["the guest's last line"]);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_closes_is_no_death() {
    let went = with(Act::HangUp, 4, 20.0).await;
    let failure = went.outcome.unwrap_err();
    assert_eq!(
        (failure.stage, failure.kind, failure.message.as_str()),
        (
            Stage::Guest,
            FailureKind::Protocol,
            "the SSH session closed"
        )
    );
}

#[tokio::test]
async fn a_kvm_without_a_census_is_told_before_the_guest_is_waited_for() {
    let script = Script::start(|_, asked| match asked {
        "query-stats" => Act::Say(vec![returns(json!([]))]),
        _ => Act::AsUsual,
    });
    let went = carry_out(&order(&[Channel::Stats]), &script, None, &[]).await;
    let failure = went.outcome.unwrap_err();
    assert_eq!(
        (failure.stage, failure.kind),
        (Stage::Qmp, FailureKind::NoCensus)
    );
}
