//! A guest that is only watched.

use std::sync::{Arc, Mutex};

use serde_json::json;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::order::Order;
use exitlab_model::plan::Moment;
use exitlab_model::record::Channel;

use super::harness::{as_usual, carry_out, order};
use crate::scripted::{Act, Script, returns};

/// An order for such a guest.
fn without_ssh(schedule: &[Moment]) -> Order {
    let mut order = order(&[Channel::Stats]);
    order.guest.ssh = false;
    order.sampling.schedule = schedule.to_vec();
    (order.phases, order.inspect) = (Vec::new(), Vec::new());
    order
}

/// A script whose guest halts, as `status`, when it has been started.
fn that_halts(status: &'static str) -> Script {
    let shared = Arc::new(Mutex::new(None::<crate::scripted::Stage>));
    let script = Script::start({
        let shared = shared.clone();
        move |_, asked| match (asked, shared.lock().unwrap().clone()) {
            ("cont", Some(stage)) => {
                // After this command, whose script holds the stage.
                tokio::spawn(async move { stage.halt(status) });
                let shutdown = json!({ "event": "SHUTDOWN" });
                Act::Say(vec![returns(json!({})), shutdown])
            }
            _ => Act::AsUsual,
        }
    });
    *shared.lock().unwrap() = Some(script.stage.clone());
    script.stage.halt("prelaunch");
    script
}

#[tokio::test]
async fn a_guest_without_ssh_is_sampled_before_it_starts_at_its_lines_and_at_its_end() {
    let ready = Moment::Line("READY".into());
    let mut order = without_ssh(&[Moment::Boot, ready, Moment::End]);
    order.sampling.detail = true;
    let script = that_halts("shutdown");
    let went = carry_out(&order, &script, None, &["hello", "all READY", "bye"]).await;
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
            (2, "line:READY", "line:READY"),
            (3, "end", "end")
        ]
    );
    assert_eq!(
        went.asked[..5],
        [
            "qmp_capabilities",
            "query-version",
            "query-stats",
            "query-stats",
            "cont"
        ]
    );
    // Where devices are is asked when nothing is counted any more.
    assert!(
        went.asked
            .ends_with(&["human-monitor-command".into(), "quit".into()])
    );
}

#[tokio::test]
async fn a_guest_without_ssh_that_ends_too_early_has_died() {
    for (moment, before) in [
        (Moment::After(5.0), "its next sample was due"),
        (
            Moment::Line("READY".into()),
            "it printed a line that contains 'READY'",
        ),
    ] {
        let order = without_ssh(&[Moment::Boot, moment]);
        let went = carry_out(&order, &that_halts("shutdown"), None, &["hello"]).await;
        let failure = went.outcome.unwrap_err();
        assert_eq!(
            (failure.stage, failure.kind, failure.message),
            (
                Stage::Sampling,
                FailureKind::GuestDied,
                format!("the guest ended before {before}")
            )
        );
    }
}

#[tokio::test]
async fn a_standstill_that_is_no_end_is_told_in_qemus_word() {
    let order = without_ssh(&[Moment::Boot, Moment::End]);
    let went = carry_out(&order, &that_halts("internal-error"), None, &[]).await;
    let failure = went.outcome.unwrap_err();
    assert_eq!(failure.kind, FailureKind::GuestDied);
    assert_eq!(
        failure.message,
        "the guest stopped: QEMU calls it internal-error"
    );
}

/// Each pause is cut short by nothing but its end, while `query-status` is under way.
#[tokio::test]
async fn samples_a_millisecond_apart_do_not_disturb_the_session() {
    let pauses = vec![Moment::After(0.001); 30];
    let nothing = Moment::After(0.0);
    let order = without_ssh(&[&[Moment::Boot, nothing][..], &pauses].concat());
    let went = carry_out(&order, &as_usual(), None, &[]).await;
    went.outcome.as_ref().unwrap();
    assert_eq!(went.samples().len(), 32);
}

#[tokio::test]
async fn an_answer_that_comes_after_its_moment_is_not_taken_for_another() {
    // `query-status` is answered with the next command only.
    let mut late = false;
    let script = Script::start(move |_, asked| match asked {
        "query-status" => {
            late = true;
            Act::Say(Vec::new())
        }
        "query-stats" if std::mem::take(&mut late) => {
            let status = json!({ "running": true, "status": "running" });
            Act::Say(vec![returns(status)])
        }
        _ => Act::AsUsual,
    });
    let order = without_ssh(&[Moment::Boot, Moment::After(0.001)]);
    let mut order = order;
    order.deadlines = super::harness::deadlines(1.0);
    let went = carry_out(&order, &script, None, &[]).await;
    let failure = went.outcome.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Deadline, "{}", failure.message);
}

#[tokio::test]
async fn many_lines_in_a_row_do_not_disturb_the_session() {
    let moments: Vec<Moment> = (0..40)
        .map(|n| Moment::Line(format!("line {n}.")))
        .collect();
    let order = without_ssh(&[&[Moment::Boot], &moments[..]].concat());
    let lines: Vec<String> = (0..40).map(|n| format!("line {n}.")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let went = carry_out(&order, &as_usual(), None, &lines).await;
    went.outcome.as_ref().unwrap();
    assert_eq!(went.samples().len(), 41);
}
