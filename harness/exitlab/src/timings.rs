//! Where a run's time went: `exitlab run --timings`. Pure; spans come from the display, which
//! is told of every stage anyway.

use std::time::Duration;

use exitlab_base::foreign::cell;
use serde_json::{Value, json};

/// A stage, from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// What the display calls it.
    pub name: String,
    /// When it began, since the command did.
    pub from: Duration,
    /// When it ended.
    pub to: Duration,
    /// The host's clock when it began, seconds; none of a stage that is not on the host.
    pub host_s: Option<f64>,
}

/// The file of the trace, in the results directory.
pub const FILE: &str = exitlab_model::layout::TIMINGS;

/// A line for each stage: how long it took by the clock on the wall, and by the host's.
pub fn table(spans: &[Span]) -> String {
    let all: f64 = spans.iter().map(seconds).sum();
    let names: Vec<String> = spans.iter().map(|span| cell(&span.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0).max("all".len());
    let mut text = format!(
        "{:<width$}  {:>8}  {:>6}  {:>8}\n",
        "where time went", "s", "%", "host s"
    );
    for ((span, name), next) in spans.iter().zip(&names).zip(nexts(spans)) {
        let share = if all > 0.0 {
            100.0 * seconds(span) / all
        } else {
            0.0
        };
        let host = match (span.host_s, next) {
            (Some(from), Some(to)) => format!("{:8.1}", to - from),
            _ => String::new(),
        };
        let line = format!(
            "{:<width$}  {:8.1}  {share:5.1}%  {host}",
            name,
            seconds(span)
        );
        text += line.trim_end();
        text.push('\n');
    }
    text + &format!("{:<width$}  {all:8.1}\n", "all")
}

/// The host's clock at the end of each stage: where the next one begins.
fn nexts(spans: &[Span]) -> impl Iterator<Item = Option<f64>> {
    let after = spans.iter().skip(1).map(|span| span.host_s);
    after.chain([None])
}

fn seconds(span: &Span) -> f64 {
    span.to.saturating_sub(span.from).as_secs_f64()
}

/// The stages as trace events (the JSON of Chrome's `about:tracing`, which Perfetto and
/// Firefox's profiler read, too): one track by the clock on the wall, one by the host's.
pub fn trace(spans: &[Span]) -> Value {
    const WALL: u32 = 1;
    const HOST: u32 = 2;
    let event = |name: &str, process: u32, from_us: f64, us: f64| {
        json!({
            "name": name, "cat": "stage", "ph": "X", "pid": process, "tid": 1,
            "ts": from_us.round(), "dur": us.round(),
        })
    };
    let title = |process: u32, name: &str| {
        json!({
            "name": "process_name", "ph": "M", "pid": process, "tid": 1,
            "args": { "name": name },
        })
    };
    let mut events = vec![
        title(WALL, "L0, by the clock on the wall"),
        title(HOST, "host, by its own clock"),
    ];
    for (span, next) in spans.iter().zip(nexts(spans)) {
        let from = span.from.as_secs_f64() * 1e6;
        events.push(event(&span.name, WALL, from, seconds(span) * 1e6));
        if let (Some(from), Some(to)) = (span.host_s, next) {
            events.push(event(&span.name, HOST, from * 1e6, (to - from) * 1e6));
        }
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans() -> Vec<Span> {
        let span = |name: &str, from, to, host_s| Span {
            name: name.to_owned(),
            from: Duration::from_millis(from),
            to: Duration::from_millis(to),
            host_s,
        };
        vec![
            span("kernel", 0, 100, None),
            span("qemu starts", 100, 1100, Some(1.5)),
            span("guest boots", 1100, 4000, Some(2.0)),
            span("host powers off", 4000, 4100, None),
        ]
    }

    #[test]
    fn every_stage_has_its_time_and_its_share() {
        insta::assert_snapshot!(table(&spans()), @r"
        where time went         s       %    host s
        kernel                0.1    2.4%
        qemu starts           1.0   24.4%       0.5
        guest boots           2.9   70.7%
        host powers off       0.1    2.4%
        all                   4.1
        ");
    }

    #[test]
    fn a_trace_has_a_track_for_each_clock() {
        let trace = trace(&spans());
        let events = trace["traceEvents"].as_array().expect("a list");
        let of = |process: u32| {
            events
                .iter()
                .filter(move |e| e["pid"] == process && e["ph"] == "X")
        };
        assert_eq!(of(1).count(), 4);
        let host: Vec<&Value> = of(2).collect();
        assert_eq!(
            host.len(),
            1,
            "the end of the last stage on the host is not known"
        );
        assert_eq!(
            (&host[0]["ts"], &host[0]["dur"]),
            (&json!(1.5e6), &json!(0.5e6))
        );
    }
}
