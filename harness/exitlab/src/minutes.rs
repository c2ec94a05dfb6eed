//! The minutes of a session: each event is held against the plan, then entered into the record;
//! at the end they say what the run was.

use crate::broken::broken;
use crate::expected::Expected;
use exitlab_analysis::figures::{Checks, Class};
use exitlab_base::error::{Error, Result};
use exitlab_model::event::Event;
use exitlab_model::plan::Plan;
use exitlab_model::record::{HostMoment, Outcome, RunRecord};

/// A record that is being written.
#[derive(Debug)]
pub struct Minutes<'a> {
    expected: Expected,
    record: &'a mut RunRecord,
}

impl Minutes<'_> {
    /// Begins them for an attempt to carry out a plan.
    pub fn of<'a>(plan: &Plan, record: &'a mut RunRecord) -> Minutes<'a> {
        Minutes {
            expected: Expected::of(plan),
            record,
        }
    }

    /// Enters an event.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] if another one had to come. It is not entered.
    pub fn take(&mut self, event: &Event) -> Result<()> {
        self.expected.hear(event).map_err(broken)?;
        enter(event, self.record);
        Ok(())
    }

    /// The record so far.
    pub fn record(&self) -> &RunRecord {
        self.record
    }
}

/// Enters an event that may come.
pub(crate) fn enter(event: &Event, record: &mut RunRecord) {
    match event.clone() {
        Event::Started {
            kernel,
            cpu,
            isa,
            emulates,
            host_s,
            host_tsc,
            ..
        } => {
            record.provenance.host_kernel = kernel;
            record.provenance.cpu = cpu;
            record.isa = isa;
            record.emulates = emulates;
            record.agent_started = Some(HostMoment { host_s, host_tsc });
        }
        Event::Qemu { version } => record.provenance.qemu = version,
        Event::Parameters { parameters } => record.kvm_parameters = parameters,
        Event::Channels { channels } => record.plan.choose_channels(&channels),
        Event::Discovered(discovery) => record.discovery = Some(discovery),
        Event::Statuses { statuses } => record.statuses = statuses,
        Event::Sample(sample) => record.samples.push(*sample),
        Event::LeftBehind(left) => record.left_behind.push(left),
        Event::Inspected(inspection) => record.inspections.push(inspection),
        Event::Map(map) => record.address_map = Some(map),
        Event::Symbols(told) => record.symbols = Some(told),
        Event::Logged(summary) => record.log = Some(summary),
        Event::Stage { .. }
        | Event::Pulse { .. }
        | Event::Phase { .. }
        | Event::Log(_)
        | Event::Judging { .. }
        | Event::Machines { .. }
        | Event::Attached(_)
        | Event::Found(_)
        | Event::GuestConsole { .. }
        | Event::QemuLog { .. }
        | Event::Failed { .. }
        | Event::Finished { .. } => {}
    }
}

/// What a run was whose session ended so. Only one that ended well, and keeps every promise,
/// is complete.
pub fn outcome(session: &Result<()>, record: &RunRecord) -> Outcome {
    match session {
        Ok(()) => judged(record),
        Err(Error::Interrupted) => Outcome::Interrupted,
        Err(Error::Stream { expected, came, .. }) => Outcome::BrokenStream {
            expected: expected.clone(),
            came: came.clone(),
        },
        Err(error) => Outcome::Failed {
            message: error.to_string(),
        },
    }
}

fn judged(record: &RunRecord) -> Outcome {
    let checks = Checks::of(record, record.reasons());
    let broken = checks.broken(Class::Promise).into_iter();
    let broken: Vec<String> = broken.map(|law| law.to_string()).collect();
    match broken.is_empty() {
        true => Outcome::Complete,
        false => Outcome::ChecksFailed { broken },
    }
}
