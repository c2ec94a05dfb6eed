use serde_json::json;

use super::super::action::Action;
use super::*;

fn event(value: serde_json::Value) -> Event {
    serde_json::from_value(value).unwrap()
}

pub fn started() -> Event {
    event(json!({
        "event": "started", "protocol": 3, "kernel": "6.12", "cpu": "x", "isa": "vmx",
        "host_s": 0.5, "host_tsc": 1,
    }))
}

/// A sample of an interval of one second: 10 CPUIDs and `io` I/O instructions more each time.
pub fn sample(number: u32, phase: &str, cpuid: u64, io: u64) -> Event {
    let mut counts = vec![0; ReasonTable::vmx().len_slots()];
    (counts[10], counts[30]) = (cpuid, io);
    event(json!({
        "event": "sample", "number": number, "label": if phase == "idle" { "+1s" } else { phase }, "phase": phase,
        "clocks": { "host_s": number, "host_tsc": 2 },
        "trace": { "counts": counts, "other": 0, "dropped": 0, "exits": null },
    }))
}

/// The sample of that number of an idle guest.
pub fn idle(number: u32) -> Event {
    sample(number, "idle", 800 + 10 * u64::from(number), 20_000)
}

/// A run that has booted and idles.
pub fn live() -> View {
    let mut view = View::new("results/\u{1b}[2Jtoday", false);
    view.take(&started());
    view.take(&sample(1, "boot", 800, 19_950));
    view.take(&idle(2));
    view.take(&idle(3));
    view
}

fn told(view: &View) -> Vec<(String, u64, u64)> {
    let rows = view.rows().into_iter();
    rows.map(|row| (row.number, row.count, row.new)).collect()
}

#[test]
fn the_last_sample_is_followed_until_it_is_paused() {
    let mut view = live();
    assert_eq!(view.moment().number, 3);
    assert!(view.act(Action::Back));
    assert_eq!(view.moment().number, 2);
    view.take(&idle(4));
    assert_eq!(view.moment().number, 2);
    view.act(Action::Last);
    assert_eq!(view.moment().number, 4);
    assert!(!view.act(Action::Quit));
}

#[test]
fn a_recorded_run_begins_at_its_beginning_and_plays() {
    let mut view = View::new("x", true);
    for event in [started(), sample(1, "boot", 1, 1), idle(2), idle(3)] {
        view.take(&event);
    }
    assert_eq!(view.moment().number, 1);
    assert!(view.tick());
    assert_eq!(view.moment().number, 2);
    view.act(Action::Pause);
    view.tick();
    assert_eq!(view.moment().number, 2);
    view.act(Action::Pause);
    view.tick();
    assert!(!view.tick());
    assert_eq!(view.moment().number, 3);
}

#[test]
fn rows_are_sorted_filtered_and_compared() {
    let mut view = live();
    let of = |number: &str, count, new| (number.to_owned(), count, new);
    assert_eq!(told(&view), [of("10", 830, 10), of("30", 20_000, 0)]);
    view.act(Action::Sort);
    assert_eq!(told(&view), [of("30", 20_000, 0), of("10", 830, 10)]);
    view.act(Action::Filter);
    for c in "CPU".chars() {
        view.act(Action::Write(c));
    }
    assert_eq!(told(&view), [of("10", 830, 10)]);
    view.act(Action::Clear);
    view.act(Action::All);
    assert!(view.rows().len() > 60);
    view.act(Action::All);
    view.act(Action::Back);
    view.act(Action::Baseline);
    view.act(Action::Forward);
    let row = view
        .rows()
        .into_iter()
        .find(|row| row.number == "10")
        .unwrap();
    assert_eq!((row.rate, row.against), (Some(10.0), Some(0.5)));
}

/// Two vCPUs: of 800 CPUIDs and more every fourth is the second one's, and all of the I/O the
/// first one's.
fn of_two(number: u32) -> Event {
    let mut value = serde_json::to_value(idle(number)).unwrap();
    let cpuid = 800 + 10 * u64::from(number);
    let second = cpuid / 4;
    value["trace"]["vcpus"] = json!([
        {"thread": 91, "counts": [[10, cpuid - second], [30, 20_000]]},
        {"thread": 92, "counts": [[10, second]]},
    ]);
    event(value)
}

#[test]
fn one_vcpu_alone_is_shown_and_then_the_next() {
    let mut view = View::new("x", false);
    view.take(&started());
    for number in [4, 8] {
        view.take(&of_two(number));
    }
    let seen = |view: &View| -> (Vec<_>, u64, Option<String>) {
        let rows = told(view).into_iter();
        let rows = rows.map(|(number, count, _)| (number, count)).collect();
        (rows, view.moment().new, view.whose())
    };
    let of = |number: &str, count| (number.to_owned(), count);
    let both = (vec![of("10", 880), of("30", 20_000)], 40, None);
    assert_eq!(seen(&view), both);
    view.act(Action::Vcpu);
    let whose = Some("vCPU 0 of 2, thread 91".to_owned());
    let first = (vec![of("10", 660), of("30", 20_000)], 30, whose);
    assert_eq!(seen(&view), first);
    view.act(Action::Vcpu);
    let second = (
        vec![of("10", 220)],
        10,
        Some("vCPU 1 of 2, thread 92".to_owned()),
    );
    assert_eq!(seen(&view), second);
    assert!(view.below().is_none());
    view.act(Action::Vcpu);
    assert_eq!(seen(&view), both);

    // Where they are not told apart, and where there is none of that number.
    let other = live().with_vcpu(Some(0));
    assert!(other.rows().is_empty() && other.whose().unwrap().contains("nobody tells"));
    let third = view.with_vcpu(Some(2));
    assert!(third.rows().is_empty() && third.whose().unwrap().contains("2 have had exits"));
}

/// Of a VM that was idle when its counting began: the second vCPU exits first.
#[test]
fn a_vcpu_is_the_same_one_in_every_sample() {
    let sample = |number: u32, first: u64, second: u64| {
        let mut value = serde_json::to_value(idle(number)).unwrap();
        value["trace"]["counts"][10] = (first + second).into();
        let all = [(91, first), (92, second)].into_iter();
        let some = all.filter(|(_, count)| *count > 0);
        let some = some.map(|(thread, n)| json!({"thread": thread, "counts": [[10, n]]}));
        value["trace"]["vcpus"] = some.collect();
        event(value)
    };
    let mut view = View::new("x", false).with_vcpu(Some(0));
    view.take(&started());
    view.take(&sample(1, 0, 500));
    assert_eq!(view.moment().new, 500);
    view.take(&sample(2, 3, 507));
    // The one of the lower thread is the first, with what it had and nothing of the other's.
    assert_eq!((view.moment().new, view.moment().total), (3, 3));
    view.act(Action::Vcpu);
    assert_eq!((view.moment().new, view.moment().total), (7, 507));
}

#[test]
fn a_long_watch_forgets_its_beginning() {
    let mut view = live();
    view.act(Action::Baseline);
    for number in 4..MOST as u32 + 10 {
        view.take(&idle(number));
    }
    let now = view.moment();
    assert_eq!(
        (now.number, now.of, now.baseline),
        (MOST as u32 + 9, MOST, None)
    );
}

#[test]
fn nothing_is_shown_of_nothing() {
    let mut view = View::new("x", false);
    assert!(view.is_empty() && view.rows().is_empty());
    for action in [Action::Back, Action::Down, Action::Last, Action::Baseline] {
        assert!(view.act(action));
    }
    view.take(&started());
    view.take(&idle(1));
    view.again();
    assert!(view.is_empty() && view.title == "x");
}
