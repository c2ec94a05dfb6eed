//! All that is derived from one run, ready to be written in any format.

use super::{Checks, CountTable, Details, Durations, Observations, SamplingCost, TimeTable};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{Discovery, ParameterReading, Provenance, Remainder, RunRecord};

/// Figures, findings and origin of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFigures {
    /// Where the counts come from.
    pub subject: Subject,
    /// The counts.
    pub table: CountTable,
    /// Where the time went, if cycles were counted.
    pub time: Option<TimeTable>,
    /// What lies below the reasons, if it was counted.
    pub details: Option<Details>,
    /// How long exits took, if that was taken.
    pub durations: Option<Durations>,
    /// What stands out in them.
    pub observations: Observations,
    /// Whether they agree with one another; `None` if only a table is known.
    pub checks: Option<Checks>,
    /// What each sample cost, where that was measured.
    pub sampling: Vec<SamplingCost>,
    /// What phases left running in the guest.
    pub left_behind: Vec<Remainder>,
}

/// Where counts come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The experiment, or the file.
    pub title: String,
    /// The most important facts, for one line.
    pub facts: Vec<String>,
    /// Everything that is known: name and value.
    pub provenance: Vec<(String, String)>,
}

impl RunFigures {
    /// The figures of a run, complete or not.
    pub fn of_record(record: &RunRecord, reasons: &ReasonTable) -> RunFigures {
        let table = CountTable::from_record(record, reasons);
        let details = Details::of(record, reasons);
        let durations = Durations::of(record, reasons);
        let below = (details.as_ref(), durations.as_ref());
        RunFigures {
            checks: Some(Checks::with(record, reasons, below)),
            sampling: record
                .samples
                .iter()
                .filter_map(|sample| SamplingCost::of(sample, reasons))
                .collect(),
            left_behind: record.left_behind.clone(),
            time: TimeTable::of_record(&table, record),
            details,
            durations,
            ..RunFigures::of_table(Subject::of(record), table)
        }
    }

    /// The figures of a table whose samples are not known.
    pub fn of_table(subject: Subject, table: CountTable) -> RunFigures {
        let observations = Observations::of(&table);
        RunFigures {
            subject,
            time: TimeTable::of(&table, None, None),
            details: None,
            durations: None,
            table,
            observations,
            checks: None,
            sampling: Vec::new(),
            left_behind: Vec::new(),
        }
    }

    /// Number and name of a reason: `10 CPUID`, on SVM `0x072 CPUID`.
    pub fn reason_label(&self, reason: u32) -> String {
        let number = self.table.isa.label(reason);
        match self.table.rows.iter().find(|row| row.reason == reason) {
            Some(row) => format!("{number} {}", row.name),
            None => number,
        }
    }
}

impl Subject {
    fn of(record: &RunRecord) -> Subject {
        let origin = &record.provenance;
        let facts = [
            record.platform.clone(),
            record
                .isa
                .map_or(String::new(), |isa| isa.name().to_owned()),
            prefixed("host ", &origin.host_kernel),
            prefixed("QEMU ", &origin.qemu),
            record.started.clone(),
            attempts(record),
            record.outcome.to_string(),
        ];
        Subject {
            title: record.experiment.clone(),
            facts: facts.into_iter().filter(|fact| !fact.is_empty()).collect(),
            provenance: provenance(record, origin),
        }
    }
}

fn prefixed(prefix: &str, value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!("{prefix}{value}")
    }
}

/// Of a host that was started more than once: its counts are those of the last attempt, which
/// runs otherwise than the first.
fn attempts(record: &RunRecord) -> String {
    match record.attempts {
        1 => String::new(),
        attempts => format!("attempt {attempts} of its host"),
    }
}

fn interface(found: &Discovery) -> String {
    let cycles = if found.cycles { "" } else { "not " };
    let Discovery {
        version,
        leaf_map,
        reasons,
        ..
    } = found;
    format!("version {version}, leaf map {leaf_map}, {reasons} reasons, cycles {cycles}counted")
}

fn parameter(reading: &ParameterReading) -> String {
    let ParameterReading {
        parameter,
        asked,
        found,
    } = reading;
    match found {
        Some(found) => format!("{parameter}={asked} (host shows {found})"),
        None => format!("{parameter}={asked} (no part of this host)"),
    }
}

/// Every known fact; unknown ones are empty and left out.
fn provenance(record: &RunRecord, origin: &Provenance) -> Vec<(String, String)> {
    let attempts = attempts(record);
    let finished = record.finished.as_deref().unwrap_or("");
    let isa = record.isa.map_or("", |isa| isa.name());
    let interface = record.discovery.as_ref().map_or(String::new(), interface);
    let mut channels = record.plan.channels().join(" · ");
    if record.plan.leaves_channels() {
        channels += " (chosen by what the host has)";
    }
    let parameters: Vec<String> = record.kvm_parameters.iter().map(parameter).collect();
    let parameters = parameters.join(" · ");
    let facts = [
        ("platform", &*record.platform),
        ("instruction set", isa),
        ("CPUID leaves", &interface),
        ("channels", &channels),
        ("KVM parameters", &parameters),
        ("started", &record.started),
        ("finished", finished),
        ("attempts", &attempts),
        ("host kernel", &origin.host_kernel),
        ("host CPU", &origin.cpu),
        ("emulator", &origin.emulator),
        ("QEMU on the host", &origin.qemu),
        ("exitlab", &origin.exitlab),
        ("exitlab commit", &origin.commit),
        ("exitlab binary", &origin.exitlab_digest),
        ("agent", &origin.agent_digest),
        ("kernel key", &origin.kernel_key),
        ("kernel image", &origin.kernel_digest),
        ("host image", &origin.host_image_digest),
        ("guest image", &origin.guest_image_digest),
    ];
    let facts = facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let inputs = origin.kernel_inputs.iter();
    let inputs = inputs.map(|(name, value)| (format!("kernel input: {name}"), value.clone()));
    let booted = origin.booted.iter();
    let booted = booted.map(|(name, value)| (format!("booted: {name}"), value.clone()));
    facts
        .chain(booted)
        .chain(inputs)
        .filter(|(_, value)| !value.is_empty())
        .collect()
}
