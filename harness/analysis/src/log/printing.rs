//! A log in words, a line for each exit: for people, for programs, and for the viewers that
//! open Chrome's trace format (chrome://tracing, Perfetto).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use super::{Chosen, Names, Phases};
use crate::export::csv_text;
use exitlab_base::foreign;

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Columns for people.
    Table,
    /// A line for each exit.
    Csv,
    /// An array with an object for each exit.
    Json,
    /// Chrome's trace format: a track for each vCPU, a slice for each exit until entry.
    Perfetto,
}

const HEADER: [&str; 11] = [
    "number",
    "time_ns",
    "duration_ns",
    "vcpu",
    "phase",
    "reason",
    "name",
    "detail",
    "value",
    "rip",
    "place",
];

/// Writes exits one after the other.
#[derive(Debug)]
pub struct Printer<'a> {
    format: Format,
    names: &'a Names<'a>,
    phases: &'a Phases,
    written: u64,
    /// vCPUs whose track has a name.
    tracks: BTreeSet<u16>,
}

impl<'a> Printer<'a> {
    /// With the names of a run.
    pub fn new(format: Format, names: &'a Names<'a>, phases: &'a Phases) -> Printer<'a> {
        Printer {
            format,
            names,
            phases,
            written: 0,
            tracks: BTreeSet::new(),
        }
    }

    /// What stands before the first exit.
    pub fn begin(&self) -> String {
        match self.format {
            Format::Table => line(["host s", "vCPU", "µs", "exit reason", "detail", "place"]),
            Format::Csv => csv_text(&[HEADER.map(str::to_owned).to_vec()]),
            Format::Json => "[".to_owned(),
            Format::Perfetto => {
                let name = json!({
                    "ph": "M", "pid": 1, "name": "process_name", "args": {"name": "guest"},
                });
                format!("{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{name}")
            }
        }
    }

    /// An exit, with what stands between it and the one before.
    pub fn exit(&mut self, chosen: &Chosen) -> String {
        let before = match (self.format, self.written) {
            (Format::Json, 0) => "\n",
            (Format::Json | Format::Perfetto, _) => ",\n",
            (Format::Table | Format::Csv, _) => "",
        };
        self.written += 1;
        let text = match self.format {
            Format::Table => self.columns(chosen),
            Format::Csv => self.fields(chosen),
            Format::Json => self.object(chosen).to_string(),
            Format::Perfetto => self.slice(chosen),
        };
        format!("{before}{text}")
    }

    /// What stands behind the last.
    pub fn end(&self) -> &'static str {
        match self.format {
            Format::Table | Format::Csv => "",
            Format::Json => "\n]\n",
            Format::Perfetto => "\n]}\n",
        }
    }

    fn columns(&self, chosen: &Chosen) -> String {
        let exit = &chosen.row.exit;
        let duration = exit.duration_ns.map_or("–".to_owned(), micros);
        let detail = self.names.detail(&exit.cause) + &self.names.value(exit);
        line([
            &seconds(exit.time_ns),
            &chosen.row.vcpu.to_string(),
            &duration,
            &foreign::cell(&self.names.reason(exit.cause.reason)),
            &foreign::cell(&detail),
            &foreign::cell(&self.names.place(exit.cause.rip)),
        ])
    }

    fn fields(&self, chosen: &Chosen) -> String {
        let exit = &chosen.row.exit;
        let cause = &exit.cause;
        let value = match cause.told.has_value() {
            true => format!("{:#x}", exit.value),
            false => String::new(),
        };
        let duration = exit.duration_ns.map(|duration| duration.to_string());
        csv_text(&[vec![
            chosen.number.to_string(),
            exit.time_ns.to_string(),
            duration.unwrap_or_default(),
            chosen.row.vcpu.to_string(),
            self.phases.title(chosen.number),
            cause.reason.to_string(),
            self.names.reason(cause.reason),
            self.names.detail(cause),
            value,
            format!("{:#x}", cause.rip),
            self.names.place(cause.rip),
        ]])
    }

    fn object(&self, chosen: &Chosen) -> serde_json::Value {
        let exit = &chosen.row.exit;
        let cause = &exit.cause;
        json!({
            "number": chosen.number,
            "time_ns": exit.time_ns,
            "duration_ns": exit.duration_ns,
            "vcpu": chosen.row.vcpu,
            "phase": self.phases.title(chosen.number),
            "reason": cause.reason,
            "name": self.names.reason(cause.reason),
            "detail": self.names.detail(cause),
            "value": cause.told.has_value().then_some(exit.value),
            "rip": format!("{:#x}", cause.rip),
            "place": self.names.place(cause.rip),
        })
    }

    fn slice(&mut self, chosen: &Chosen) -> String {
        let exit = &chosen.row.exit;
        let cause = &exit.cause;
        let (vcpu, mut text) = (chosen.row.vcpu, String::new());
        if self.tracks.insert(vcpu) {
            let name = json!({
                "ph": "M", "pid": 1, "tid": vcpu, "name": "thread_name",
                "args": {"name": format!("vCPU {vcpu}")},
            });
            let _ = writeln!(text, "{name},");
        }
        let name = json!(self.names.reason(cause.reason));
        let args = json!({
            "number": chosen.number,
            "phase": self.phases.title(chosen.number),
            "detail": self.names.detail(cause) + &self.names.value(exit),
            "place": self.names.place(cause.rip),
        });
        // Microseconds, whose decimals are written as they are: no rounding moves an exit.
        let kind = match exit.duration_ns {
            Some(duration) => format!("\"ph\":\"X\",\"dur\":{}", micros(duration)),
            None => "\"ph\":\"i\",\"s\":\"t\"".to_owned(),
        };
        let time = micros(exit.time_ns);
        let _ = write!(
            text,
            "{{{kind},\"ts\":{time},\"pid\":1,\"tid\":{vcpu},\"name\":{name},\"args\":{args}}}"
        );
        text
    }
}

/// Columns for people. The last one may be as long as it likes.
fn line([time, vcpu, duration, reason, detail, place]: [&str; 6]) -> String {
    let text = format!("{time:>15} {vcpu:>4} {duration:>13}  {reason:<30}  {detail:<44}  {place}");
    format!("{}\n", text.trim_end())
}

/// Seconds, to the nanosecond.
pub(super) fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

fn micros(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Log, Selection, fixture};

    fn printed(format: Format, selection: &Selection) -> String {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), &fixture::rows());
        let record = fixture::record([2, 4, 7]);
        let (names, phases) = (Names::of(&record), Phases::of(&record));
        let mut printer = Printer::new(format, &names, &phases);
        let mut text = printer.begin();
        let log = Log::open(dir.path()).unwrap();
        let each = selection.each(log, &names, &phases, |chosen| {
            text += &printer.exit(&chosen);
            Ok(true)
        });
        each.unwrap();
        text + printer.end()
    }

    #[test]
    fn a_line_for_each_exit() {
        insta::assert_snapshot!(printed(Format::Table, &Selection::default()));
    }

    #[test]
    fn programs_read_it_as_csv_json_and_a_timeline() {
        let all = Selection::default();
        let csv = printed(Format::Csv, &all);
        insta::assert_snapshot!(csv);
        let json = printed(Format::Json, &all);
        let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(json.len(), 7);
        assert_eq!(json[4]["detail"], "write port 0x3f8 (COM1)");
        assert_eq!(json[4]["value"], 0x41);
        assert_eq!(json[4]["place"], "io_serial_out+0x5");
        let none = Selection {
            first: Some(0),
            ..Selection::default()
        };
        for (format, empty) in [(Format::Json, "[\n]\n"), (Format::Csv, "")] {
            assert!(printed(format, &none).ends_with(empty));
        }
        let trace = printed(Format::Perfetto, &all);
        let trace: serde_json::Value = serde_json::from_str(&trace).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        // The guest, two tracks, and the exits.
        assert_eq!(events.len(), 1 + 2 + 7);
        insta::assert_snapshot!(events[2].to_string(), @r#"{"args":{"detail":"leaf 0x7.0x0 (extended features)","number":0,"phase":"boot","place":"0x9000 (firmware or real mode)"},"dur":2.0,"name":"10 CPUID","ph":"X","pid":1,"tid":0,"ts":1.0}"#);
        insta::assert_snapshot!(events[9].to_string(), @r#"{"args":{"detail":"","number":6,"phase":"idle +5s","place":"idle\u001b[2J+0x10"},"name":"12 HLT","ph":"i","pid":1,"s":"t","tid":1,"ts":5000000.0}"#);
    }

    #[test]
    fn what_is_wanted_is_chosen_and_what_there_is_none_of_is_told() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let numbers = |selection: Selection| -> Vec<u64> {
            let json = printed(Format::Json, &selection);
            let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
            json.iter()
                .map(|exit| exit["number"].as_u64().unwrap())
                .collect()
        };
        let of = |change: &dyn Fn(&mut Selection)| {
            let mut selection = Selection::default();
            change(&mut selection);
            numbers(selection)
        };
        assert_eq!(of(&|s| s.reasons = words(&["i/o", "10"])), [0, 4, 5]);
        assert_eq!(of(&|s| s.reasons = words(&["0x1e"])), [4, 5]);
        assert_eq!(of(&|s| s.reasons = words(&["HLT"])), [6]);
        assert_eq!(of(&|s| s.vcpus = [1].into()), [6]);
        assert_eq!(of(&|s| s.phases = words(&["boot"])), [0, 1]);
        assert_eq!(of(&|s| s.phases = words(&["idle +5s"])), [2, 3, 4, 5, 6]);
        assert_eq!(of(&|s| s.places = words(&["0x9000"])), [0]);
        assert_eq!(of(&|s| s.places = words(&["io_serial_out"])), [4, 5]);
        assert_eq!(of(&|s| s.places = words(&["io_serial_out+0x6"])), [0; 0]);
        assert_eq!(of(&|s| s.details = words(&["port", "leaf"])), [0, 4, 5]);
        let window = |s: &mut Selection| (s.skip, s.first, s.last) = (1, Some(4), Some(2));
        assert_eq!(of(&window), [3, 4]);
        assert_eq!(of(&|s| s.last = Some(0)), [0; 0]);
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), &fixture::rows());
        let record = fixture::record([2, 4, 7]);
        let (names, phases) = (Names::of(&record), Phases::of(&record));
        let refused = |selection: Selection| {
            let log = Log::open(dir.path()).unwrap();
            let each = selection.each(log, &names, &phases, |_| Ok(true));
            each.unwrap_err().to_string()
        };
        let none = refused(Selection {
            reasons: words(&["sneeze"]),
            ..Selection::default()
        });
        assert!(none.contains("no exit reason is called 'sneeze'"), "{none}");
        let none = refused(Selection {
            phases: words(&["lunch"]),
            ..Selection::default()
        });
        assert!(none.contains("no phase is called 'lunch'"), "{none}");
    }
}
