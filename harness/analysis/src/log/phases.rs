//! Which exits of a log were in which phase: samples were taken while the guest stood still, so
//! each is after so many exits.

use exitlab_model::record::RunRecord;

/// The phases of a run, each with the number of the first exit after it.
#[derive(Debug, Clone, Default)]
pub struct Phases(Vec<Phase>);

#[derive(Debug, Clone)]
struct Phase {
    phase: String,
    label: String,
    end: u64,
}

impl Phases {
    /// Of a run.
    pub fn of(record: &RunRecord) -> Phases {
        let samples = record.samples.iter();
        let phases = samples.filter_map(|sample| {
            let log = sample.trace.as_ref()?.log.as_ref()?;
            Some(Phase {
                phase: sample.phase.clone(),
                label: sample.label.clone(),
                end: log.kept(),
            })
        });
        Phases(phases.collect())
    }

    /// What the phase of the exit of this number, from 0, is called: `boot`, `idle +5s`; empty
    /// after the last sample.
    pub fn title(&self, number: u64) -> String {
        match self.at(number) {
            Some(Phase { phase, label, .. }) if phase == label => phase.clone(),
            Some(Phase { phase, label, .. }) => format!("{phase} {label}"),
            None => String::new(),
        }
    }

    /// Whether the exit of this number is in a phase of that name, label or title.
    pub fn is_in(&self, number: u64, name: &str) -> bool {
        let phase = self.at(number);
        phase.is_some_and(|phase| phase.phase == name || phase.label == name)
            || self.title(number) == name
    }

    /// The names of all phases, for who asked for another.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|phase| phase.phase.as_str()).collect();
        names.dedup();
        names
    }

    fn at(&self, number: u64) -> Option<&Phase> {
        let after = self.0.partition_point(|phase| phase.end <= number);
        self.0.get(after)
    }
}
