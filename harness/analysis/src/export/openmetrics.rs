//! OpenMetrics text (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), of the part that
//! Prometheus' older text format reads as the same. So counts are gauges: a run that is over
//! counts no more, and the two formats name counters in different ways.

use exitlab_base::foreign;
use exitlab_model::record::{Outcome, RunRecord, Sample};

use super::tidy::{cell_values, isa_word, repeat};
use exitlab_model::reasons::Isa;

/// A family of metrics: name, and what it is.
type Family = (&'static str, &'static str);

const INFO: Family = ("exitlab_run_info", "Where the counts of a run come from.");
const STARTED: Family = (
    "exitlab_run_start_timestamp_seconds",
    "When the run started, since 1970.",
);
const HOST: Family = (
    "exitlab_sample_host_uptime_seconds",
    "Uptime of the host when the sample began.",
);
const GUEST: Family = (
    "exitlab_sample_guest_uptime_seconds",
    "Uptime of the guest when the sample was taken.",
);
const EXITS: Family = (
    "exitlab_exits",
    "VM exits from power-on to the sample, by reason, all vCPUs together.",
);
const CYCLES: Family = (
    "exitlab_exit_cycles",
    "Cycles of the host's TSC from VM exit to VM entry, from power-on to the sample, by reason.",
);

/// Labels, name and value.
type Labels = Vec<(&'static str, String)>;

/// Runs as metrics: of each sample the counts that tables show, all defined reasons.
pub fn openmetrics(records: &[RunRecord]) -> String {
    let mut text = String::new();
    let mut family = |(name, help): Family, points: Vec<(Labels, String)>| {
        if points.is_empty() {
            return;
        }
        text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in points {
            text += &format!("{name}{{{}}} {value}\n", written(&labels));
        }
    };
    let runs = || records.iter();
    family(
        INFO,
        runs().map(|run| (info(run), "1".to_owned())).collect(),
    );
    let started = |run: &RunRecord| {
        let time: jiff::Timestamp = run.started.parse().ok()?;
        Some((of_run(run), time.as_second().to_string()))
    };
    family(STARTED, runs().filter_map(started).collect());
    let samples = || runs().flat_map(|run| run.samples.iter().map(move |sample| (run, sample)));
    let host = |(run, sample): (&RunRecord, &Sample)| {
        (of_sample(run, sample), seconds(sample.clocks.host_s))
    };
    family(HOST, samples().map(host).collect());
    let guest = |(run, sample): (&RunRecord, &Sample)| {
        Some((of_sample(run, sample), seconds(sample.clocks.guest_s?)))
    };
    family(GUEST, samples().filter_map(guest).collect());
    let counts = samples().flat_map(|(run, sample)| by_reason(run, sample, Some(sample.counts())));
    family(EXITS, counts.collect());
    let cycles = samples().flat_map(|(run, sample)| by_reason(run, sample, sample.cycles()));
    family(CYCLES, cycles.collect());
    text + "# EOF\n"
}

fn of_run(run: &RunRecord) -> Labels {
    vec![
        ("experiment", run.experiment.clone()),
        ("platform", run.platform.clone()),
        ("isa", isa_word(run.isa.unwrap_or(Isa::Vmx)).to_owned()),
        ("cell", cell_values(run)),
        ("repeat", repeat(run).to_string()),
    ]
}

fn info(run: &RunRecord) -> Labels {
    let from = &run.provenance;
    let mut labels = of_run(run);
    labels.extend([
        ("outcome", state(&run.outcome).to_owned()),
        ("exitlab", from.exitlab.clone()),
        ("commit", from.commit.clone()),
        ("host_kernel", from.host_kernel.clone()),
        ("qemu", from.qemu.clone()),
        ("emulator", from.emulator.clone()),
        ("cpu", from.cpu.clone()),
    ]);
    labels
}

fn of_sample(run: &RunRecord, sample: &Sample) -> Labels {
    let mut labels = of_run(run);
    labels.extend([
        ("phase", sample.phase.clone()),
        ("sample", sample.number.to_string()),
        ("label", sample.label.clone()),
    ]);
    labels
}

/// Values by slot, with their reasons.
fn by_reason(run: &RunRecord, sample: &Sample, values: Option<&[u64]>) -> Vec<(Labels, String)> {
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        return Vec::new();
    };
    let reasons = run.reasons();
    let channel = match (&sample.cpuid, &sample.stats_before) {
        (Some(_), _) => "cpuid",
        (None, Some(_)) => "stats",
        (None, None) => "trace",
    };
    let point = |reason: &exitlab_model::reasons::Reason| {
        let value = values
            .get(reasons.slot(reason.number)?)
            .copied()
            .unwrap_or(0);
        let mut labels = of_sample(run, sample);
        labels.extend([
            ("channel", channel.to_owned()),
            ("reason", reason.number.to_string()),
            ("mnemonic", reason.mnemonic.clone()),
            ("name", reason.name.clone()),
        ]);
        Some((labels, value.to_string()))
    };
    reasons.defined().filter_map(point).collect()
}

fn state(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Unfinished => "unfinished",
        Outcome::Complete => "complete",
        Outcome::ChecksFailed { .. } => "checks-failed",
        Outcome::BrokenStream { .. } => "broken-stream",
        Outcome::Failed { .. } => "failed",
        Outcome::Interrupted => "interrupted",
    }
}

/// A clock; what is no number, as of a record that was changed, is `NaN`.
fn seconds(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.6}"),
        false => "NaN".to_owned(),
    }
}

fn written(labels: &Labels) -> String {
    let label = |(name, value): &(&str, String)| format!("{name}=\"{}\"", foreign::label(value));
    labels.iter().map(label).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::figures::fixture;
    use exitlab_model::record::CellName;

    /// Reads a document by the grammar: families one after the other, each with HELP and TYPE
    /// before its points, no point twice, `# EOF` last. Gives back the points, without values.
    fn read(text: &str) -> BTreeSet<String> {
        let body = text.strip_suffix("# EOF\n").expect("an end");
        let (mut points, mut families) = (BTreeSet::new(), BTreeSet::new());
        let mut family = String::new();
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (keyword, name) = (words.next().unwrap(), words.next().unwrap());
                let rest = words.next().expect("what it says");
                match keyword {
                    "HELP" => assert!(families.insert(name.to_owned()), "{name} twice"),
                    "TYPE" => assert_eq!((name, rest), (family.as_str(), "gauge")),
                    other => panic!("{other}"),
                }
                family = name.to_owned();
                continue;
            }
            let (name, rest) = line.split_once('{').expect("labels");
            assert_eq!(name, family);
            let rest = labels(rest);
            let value = rest.strip_prefix("} ").expect("a value");
            assert!(value == "NaN" || value.parse::<f64>().is_ok(), "{value}");
            let point = line.strip_suffix(value).unwrap().to_owned();
            assert!(points.insert(point), "{line} twice");
        }
        points
    }

    /// Reads labels, each once, and gives back what follows them.
    fn labels(mut rest: &str) -> &str {
        let mut seen = BTreeSet::new();
        loop {
            let (name, after) = rest.split_once("=\"").expect("a label");
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(!name.is_empty() && name.chars().all(plain), "{name}");
            assert!(seen.insert(name), "{name} twice");
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next().expect("an end of the value") {
                    (_, '\\') => {
                        let (_, escaped) = characters.next().unwrap();
                        assert!(['\\', '"', 'n'].contains(&escaped), "\\{escaped}");
                    }
                    (at, '"') => break at,
                    _ => {}
                }
            };
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return rest,
            }
        }
    }

    #[test]
    fn a_run_as_metrics() {
        let text = openmetrics(&[fixture::record()]);
        assert_eq!(read(&text).len(), 1 + 1 + 3 + 3 + 3 * 80);
        let some = text.lines().filter(|line| {
            line.starts_with('#') || !line.contains("reason=") || line.contains("\"HLT\"")
        });
        insta::assert_snapshot!(some.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn words_from_outside_stay_in_their_labels() {
        let mut record = fixture::record_of(Isa::Svm, true);
        record.experiment = "a\"} 1\n# EOF\u{1b}[2J\\".to_owned();
        record.samples[0].clocks.host_s = f64::INFINITY;
        record.started = "of old".to_owned();
        let values = [("guest.vcpus".to_owned(), "\",x=\"".to_owned())];
        record.cell = Some(CellName {
            values: values.into(),
            repeat: 2,
        });
        let mut second = record.clone();
        second.cell.as_mut().unwrap().repeat = 3;
        let text = openmetrics(&[record, second]);
        assert_eq!(read(&text).len(), 2 * (1 + 3 + 3 + 2 * 3 * 175));
        assert!(!text.contains('\u{1b}'));
        assert_eq!(read(&openmetrics(&[])).len(), 0);
    }
}
