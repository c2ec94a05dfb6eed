//! The samples that a plan asks for, in their order: what the agent takes, what the conductor
//! waits for, and what a record of a complete run holds.

use crate::plan::{Moment, Phase, SamplingPlan};
use crate::record::Sample;

/// One sample that is still to be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSample {
    /// Position, from 1; phases go on counting after the schedule.
    pub number: u32,
    /// The schedule's entry, or the name of the phase.
    pub label: String,
    /// What happens since the sample before, as [`Sample::phase`] has it.
    pub phase: String,
    /// Least time since the sample before, seconds: of the guest's clock where it is asked,
    /// else of the host's. None where something else than time is waited for.
    pub pause_s: Option<f64>,
}

impl PlannedSample {
    /// Whether a sample bears its name.
    pub fn is(&self, sample: &Sample) -> bool {
        self.number == sample.number && self.label == sample.label && self.phase == sample.phase
    }
}

impl std::fmt::Display for PlannedSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&named(self.number, &self.label, &self.phase))
    }
}

/// What a sample that was taken is called.
pub fn name_of(sample: &Sample) -> String {
    named(sample.number, &sample.label, &sample.phase)
}

/// `sample 2 (idle +5s)`, or `sample 4 (disk)` after a workload.
fn named(number: u32, label: &str, phase: &str) -> String {
    match label == phase {
        true => format!("sample {number} ({label})"),
        false => format!("sample {number} ({phase} {label})"),
    }
}

/// The samples of a plan whose guest is logged in to (`ssh`) or only watched.
pub fn samples(sampling: &SamplingPlan, phases: &[Phase], ssh: bool) -> Vec<PlannedSample> {
    // Where no channel is read, only `inspect` has something to do.
    if ssh && sampling.channels.is_empty() {
        return Vec::new();
    }
    let schedule = sampling.schedule.iter().map(|moment| {
        let label = moment.label();
        let phase = match moment {
            // A guest that is only watched is in phases that are called by what ends them.
            _ if !ssh => label.clone(),
            Moment::Boot => "boot".to_owned(),
            Moment::After(_) => "idle".to_owned(),
            Moment::Line(_) | Moment::End => "run".to_owned(),
        };
        let pause_s = match moment {
            Moment::After(seconds) => Some(*seconds),
            Moment::Boot | Moment::Line(_) | Moment::End => None,
        };
        (label, phase, pause_s)
    });
    let phases = phases.iter().filter(|_| ssh);
    let phases = phases.map(|phase| (phase.name.clone(), phase.name.clone(), None));
    (1..)
        .zip(schedule.chain(phases))
        .map(|(number, (label, phase, pause_s))| PlannedSample {
            number,
            label,
            phase,
            pause_s,
        })
        .collect()
}

/// The first place where samples are not those of the plan, in its order: what was expected,
/// and what came. None where there is no such place.
pub fn mismatch(planned: &[PlannedSample], samples: &[Sample]) -> Option<(String, String)> {
    let pairs = planned.iter().zip(samples);
    if let Some((planned, sample)) = pairs.clone().find(|(planned, sample)| !planned.is(sample)) {
        return Some((planned.to_string(), name_of(sample)));
    }
    let at = pairs.count();
    match (planned.get(at..), samples.get(at)) {
        (_, Some(more)) => Some(("no further sample".to_owned(), name_of(more))),
        (Some(missing @ [_, ..]), None) => {
            Some((listed(missing), format!("only {at} of {}", planned.len())))
        }
        _ => None,
    }
}

/// All names, for a sentence.
pub fn listed(samples: &[PlannedSample]) -> String {
    let names: Vec<String> = samples.iter().map(PlannedSample::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Channel;

    fn sampling(channels: &[Channel]) -> SamplingPlan {
        SamplingPlan::of_counts([Moment::Boot, Moment::After(0.5)], channels)
    }

    fn phases() -> Vec<Phase> {
        vec![Phase {
            name: "disk".to_owned(),
            run: "dd".to_owned(),
            repeat: 2,
            left_behind: Default::default(),
        }]
    }

    #[test]
    fn the_schedule_comes_first_and_phases_go_on_counting() {
        let planned = samples(&sampling(&[Channel::Stats]), &phases(), true);
        assert_eq!(
            listed(&planned),
            "sample 1 (boot), sample 2 (idle +0.5s), sample 3 (disk)"
        );
        assert_eq!(planned[1].pause_s, Some(0.5));
        assert!(samples(&sampling(&[]), &phases(), true).is_empty());
    }

    #[test]
    fn phases_of_a_watched_guest_are_called_by_their_ends() {
        let mut watched = sampling(&[Channel::Stats]);
        watched.schedule.push(Moment::Line("up".to_owned()));
        watched.schedule.push(Moment::End);
        assert_eq!(
            listed(&samples(&watched, &[], false)),
            "sample 1 (boot), sample 2 (+0.5s), sample 3 (line:up), sample 4 (end)"
        );
    }
}
