//! A record of which nothing was heard yet: how it begins, and begins again.

use super::{Outcome, Provenance, RecordedPlan, RunRecord, SCHEMA};

impl RunRecord {
    /// The record of a run that has begun, `started` (UTC, RFC 3339), and has heard nothing yet.
    pub fn begun(
        experiment: &str,
        started: String,
        platform: String,
        plan: RecordedPlan,
        provenance: Provenance,
    ) -> RunRecord {
        RunRecord {
            schema: SCHEMA,
            experiment: experiment.to_owned(),
            started,
            finished: None,
            outcome: Outcome::Unfinished,
            platform,
            isa: None,
            emulates: false,
            attempts: 1,
            agent_started: None,
            discovery: None,
            kvm_parameters: Vec::new(),
            cell: None,
            plan,
            provenance,
            statuses: Vec::new(),
            samples: Vec::new(),
            left_behind: Vec::new(),
            inspections: Vec::new(),
            address_map: None,
            symbols: None,
            log: None,
        }
    }

    /// Forgets what was measured on a host that is started again.
    pub fn begin_again(&mut self) {
        self.attempts += 1;
        self.agent_started = None;
        self.discovery = None;
        self.kvm_parameters.clear();
        self.statuses.clear();
        self.samples.clear();
        self.left_behind.clear();
        self.inspections.clear();
        self.address_map = None;
        self.symbols = None;
        self.log = None;
    }
}
