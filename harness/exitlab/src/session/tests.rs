//! Sessions with a scripted host: its agent's stream, line by line, as a real one writes it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::Path;

use exitlab_fixtures::streams::{Damage, WHOLE, lines};
use exitlab_model::event::{PROTOCOL, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::record::{Outcome, Provenance, RecordedPlan, RunRecord, Sample};
use exitlab_model::stream::{Reader, Taken, Writer};

use super::*;
use crate::broken::broken;
use crate::minutes::{self, Minutes};
use crate::out_dir::OutDir;

/// Says what the script says, then dies; remembers how it was ended.
struct Scripted<'a> {
    script: VecDeque<String>,
    reader: Reader,
    end: &'a Cell<&'static str>,
}

impl Scripted<'_> {
    /// What the next line of the script is; `None` at its end.
    fn line(&mut self) -> Option<Result<Report>> {
        let line = self.script.pop_front()?;
        Some(match self.reader.take(&line) {
            Ok(Taken::Event(event)) => Ok(Report::Event(event)),
            Ok(Taken::Noise | Taken::Marker) => Ok(Report::Console(line)),
            Err(wrong) => Err(broken(wrong)),
        })
    }
}

impl Host for Scripted<'_> {
    fn ask_to_end(&mut self) {}

    async fn next(&mut self) -> Result<Report> {
        self.line().unwrap_or_else(|| {
            Err(Error::Experiment {
                stage: "host".to_owned(),
                message: "Bochs ended".to_owned(),
                tail: Vec::new(),
                cure: String::new(),
            })
        })
    }

    async fn power_off(mut self) -> Result<Vec<Result<Report>>> {
        self.end.set("powered off");
        Ok(std::iter::from_fn(|| self.line()).collect())
    }

    async fn stop(self) -> Result<()> {
        self.end.set("stopped");
        Ok(())
    }
}

/// What came of a session.
struct Held {
    outcome: Result<()>,
    end: &'static str,
    record: RunRecord,
    /// The logs of its console and of its events.
    logs: [String; 2],
}

/// The plan of the whole stream.
fn plan() -> Plan {
    let sets = ["platform=bochs-vmx".to_owned()];
    exitlab_config::load(None, &sets, Path::new("/"), &[]).unwrap()
}

fn record(plan: &Plan) -> RunRecord {
    RunRecord::begun(
        &plan.name,
        String::new(),
        plan.platform_name(),
        RecordedPlan::of(plan).unwrap(),
        Provenance::default(),
    )
}

/// Holds a session with an agent that says these lines.
async fn held(script: Vec<String>) -> Held {
    let parent = tempfile::tempdir().unwrap();
    let mut results = Results::create(&OutDir::given(parent.path().join("run"))).unwrap();
    let end = Cell::new("left running");
    let host = Scripted {
        script: script.into(),
        reader: Reader::default(),
        end: &end,
    };
    let plan = plan();
    let mut record = record(&plan);
    let mut minutes = Minutes::of(&plan, &mut record);
    let mut heard = |event: &Event, _: &Results| minutes.take(event);
    let mut ui = Ui::silent();
    let never = std::pin::pin!(std::future::pending());
    let outcome = attend(host, "the end", &mut results, &mut ui, never, &mut heard).await;
    record.outcome = minutes::outcome(&outcome, &record);
    let log = |name| std::fs::read_to_string(results.dir().join(name)).unwrap_or_default();
    Held {
        outcome,
        end: end.get(),
        record,
        logs: ["host-console.log", "events.jsonl"].map(log),
    }
}

/// What is wrong with the whole stream after a change to its lines, and how many samples are
/// kept.
async fn wrong(change: impl FnOnce(&mut Vec<String>)) -> (String, usize) {
    let mut lines = lines(WHOLE);
    change(&mut lines);
    let held = held(lines).await;
    assert_ne!(held.record.outcome, Outcome::Complete);
    let (error, samples) = (held.outcome.unwrap_err(), held.record.samples.len());
    if matches!(error, Error::Stream { .. }) {
        assert!(matches!(held.record.outcome, Outcome::BrokenStream { .. }));
    }
    (error.to_string(), samples)
}

/// The events of the whole stream.
fn events() -> Vec<Event> {
    let mut reader = Reader::default();
    let taken = lines(WHOLE).into_iter().map(|line| reader.take(&line));
    let event = |taken| match taken {
        Ok(Taken::Event(event)) => Some(*event),
        _ => None,
    };
    taken.filter_map(event).collect()
}

/// A stream of these events, numbered anew: what an agent says that tells wrongly.
fn told(events: Vec<Event>) -> Vec<String> {
    let mut writer = Writer::default();
    let text: String = events.into_iter().filter_map(|e| writer.line(e)).collect();
    lines(&(Writer::marker() + &text))
}

/// The line of the first sample, and its number among the events.
const FIRST_SAMPLE: usize = 9;

/// The second sample; a pulse is between the first and this.
fn second(events: &mut [Event]) -> &mut Sample {
    match &mut events[FIRST_SAMPLE + 1] {
        Event::Sample(sample) => sample,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_host_is_heard_to_the_end_and_powers_itself_off() {
    let mut script = lines(WHOLE);
    script.insert(0, "Linux version 6.12".to_owned());
    script.push("power down".to_owned());
    let held = held(script).await;
    held.outcome.unwrap();
    assert_eq!(held.end, "powered off");
    assert_eq!(held.record.outcome, Outcome::Complete);
    assert_eq!(held.record.samples.len(), 3);
    let [console, log] = held.logs;
    assert!(console.starts_with("Linux version 6.12\n"), "{console}");
    assert!(console.ends_with("power down\n"), "{console}");
    assert_eq!(log.lines().count(), events().len());
}

#[tokio::test]
async fn a_host_that_dies_or_whose_agent_fails_is_stopped_and_told_by_the_first_error() {
    let cut = lines(WHOLE)[..4].to_vec();
    let died = held(cut).await;
    assert_eq!(died.outcome.unwrap_err().to_string(), "host: Bochs ended");
    assert_eq!(died.end, "stopped");

    let mut failing = events();
    failing.truncate(3);
    failing.push(Event::Failed {
        stage: Stage::Guest,
        kind: FailureKind::Deadline,
        message: "no SSH login within 6 s".to_owned(),
        tail: vec!["last words".to_owned()],
    });
    let failed = held(told(failing)).await;
    let error = failed.outcome.unwrap_err();
    assert_eq!(error.to_string(), "guest boots: no SSH login within 6 s");
    assert_eq!(
        (error.tail(), failed.end),
        (&["last words".to_owned()][..], "stopped")
    );
}

#[tokio::test]
async fn an_agent_of_another_build_is_refused() {
    let other = PROTOCOL + 1;
    let (why, _) = wrong(|lines| lines[0] = format!("exitlab-events {other}")).await;
    assert_eq!(
        why,
        format!(
            "broken event stream: expected protocol {PROTOCOL} of the agent, came protocol {other}"
        )
    );
}

#[tokio::test]
async fn lines_that_the_way_lost_or_changed_are_named() {
    let at = FIRST_SAMPLE;
    let half = |line: &String| line.chars().take(200).collect::<String>();
    let whys = [
        wrong(|lines| drop(lines.remove(at))).await,
        wrong(|lines| lines.insert(at, lines[at].clone())).await,
        wrong(|lines| lines.swap(at, at + 2)).await,
        wrong(|lines| lines.push(lines[at].clone())).await,
        wrong(|lines| lines.insert(at + 1, "audit: backlog".to_owned())).await,
        wrong(|lines| lines[at] = lines[at].replacen("634", "643", 1)).await,
    ];
    let text: Vec<String> = whys
        .iter()
        .map(|(why, samples)| {
            format!(
                "{samples} kept; {}",
                why.chars().take(130).collect::<String>()
            )
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    0 kept; broken event stream: expected event 9, came event 10 (pulse): 1 line is missing
    1 kept; broken event stream: expected event 10, came event 9 (sample 1 (boot)) a second time
    0 kept; broken event stream: expected event 9, came event 11 (sample 2 (idle +5s)): 2 lines are missing
    3 kept; broken event stream: expected nothing after the last event, came event 9 (sample 1 (boot))
    1 kept; broken event stream: expected event 10, came 'audit: backlog'
    0 kept; broken event stream: expected event 9, came '9 d2926077 {\"event\":\"sample\",\"number\":1,\"label\":\"boot\",\"phase\":\"boot\",\
    "#);
    // A line without its end is none; the host has ended.
    let cut = wrong(|lines| {
        lines.truncate(at + 1);
        lines[at] = half(&lines[at]);
    });
    assert!(cut.await.0.contains("expected event 9"));
}

#[tokio::test]
async fn what_an_agent_leaves_out_is_named_though_every_line_arrived() {
    let mut whys = Vec::new();
    let mut tell = async |change: fn(&mut Vec<Event>)| {
        let mut events = events();
        change(&mut events);
        let held = held(told(events)).await;
        let error = held.outcome.unwrap_err();
        assert!(matches!(error, Error::Stream { .. }), "{error}");
        whys.push(format!("{} kept; {error}", held.record.samples.len()));
    };
    tell(|events| drop(events.remove(FIRST_SAMPLE - 1))).await;
    tell(|events| events.swap(FIRST_SAMPLE - 1, FIRST_SAMPLE + 1)).await;
    tell(|events| events.insert(FIRST_SAMPLE, events[FIRST_SAMPLE - 1].clone())).await;
    tell(|events| drop(events.drain(FIRST_SAMPLE - 1..FIRST_SAMPLE + 5))).await;
    tell(|events| drop(events.drain(FIRST_SAMPLE + 3..FIRST_SAMPLE + 5))).await;
    tell(|events| second(events).stats_after = None).await;
    tell(|events| second(events).cpuid.as_mut().unwrap().counts.truncate(85)).await;
    tell(|events| second(events).clocks.host_tsc = 7).await;
    insta::assert_snapshot!(whys.join("\n"), @"
    0 kept; broken event stream: expected sample 1 (boot), came sample 2 (idle +5s)
    0 kept; broken event stream: expected sample 1 (boot), came sample 2 (idle +5s)
    1 kept; broken event stream: expected sample 2 (idle +5s), came sample 1 (boot)
    0 kept; broken event stream: expected sample 1 (boot), sample 2 (idle +5s), sample 3 (idle +5s) before the end, came `finished` after 0 of 3 samples
    2 kept; broken event stream: expected sample 3 (idle +5s) before the end, came `finished` after 2 of 3 samples
    1 kept; broken event stream: expected sample 2 with stats-after, came one without it
    1 kept; broken event stream: expected 86 counters in sample 2, came 85
    1 kept; broken event stream: expected sample 2 after 10.9 s, TSC 2180000000, came one of 15.9 s, TSC 7
    ");
}

#[tokio::test]
async fn a_sampler_that_lies_has_its_samples_kept_and_is_not_complete() {
    let mut events = events();
    second(&mut events).clocks.guest_s = Some(0.25);
    let held = held(told(events)).await;
    held.outcome.unwrap();
    assert_eq!(held.record.samples.len(), 3);
    let Outcome::ChecksFailed { broken } = held.record.outcome else {
        panic!("{:?}", held.record.outcome)
    };
    assert_eq!(
        broken,
        ["clocks run forwards and reach each planned moment"]
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]
    /// Whatever happens to a stream, nothing panics, and it is complete only if it says what it
    /// said.
    #[test]
    fn no_damaged_stream_is_complete(
        kinds in proptest::collection::vec((0usize..8, 0usize..64, 0usize..4096, 0u8..128), 1..4),
    ) {
        let whole = lines(WHOLE);
        let mut damaged = whole.clone();
        for (kind, at, byte, to) in kinds {
            damaged = Damage::all(to)[kind].done(&damaged, at, byte);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let held = runtime.block_on(held(damaged));
        if held.record.outcome == Outcome::Complete {
            let good = runtime.block_on(self::held(whole));
            proptest::prop_assert_eq!(held.record, good.record);
        }
    }
}
