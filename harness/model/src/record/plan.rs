//! The plan in a record. It is kept whole, as the version of exitlab wrote it that ran it: a
//! comparison names whatever differs in it, also what this version does not know. What is
//! reckoned with has a type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Phase, Plan, SamplingPlan};
use crate::planned::{self, PlannedSample};
use crate::record::Channel;

/// A plan as `run.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Value", into = "Value")]
#[schemars(with = "Value")]
pub struct RecordedPlan {
    whole: Value,
    known: Known,
}

/// What is reckoned with.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Known {
    guest: Option<KnownGuest>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct KnownGuest {
    vcpus: Option<u64>,
    #[serde(default)]
    machine: Value,
}

impl RecordedPlan {
    /// The plan of a run that begins.
    ///
    /// # Errors
    ///
    /// If it cannot be written as JSON, in which names of files are UTF-8.
    pub fn of(plan: &Plan) -> Result<RecordedPlan, serde_json::Error> {
        serde_json::to_value(plan)?.try_into()
    }

    /// The guest's number of vCPUs.
    pub fn vcpus(&self) -> Option<u64> {
        self.known.guest.as_ref()?.vcpus
    }

    /// The guest's machine type, if it says so.
    pub fn machine(&self) -> Option<&str> {
        self.known.guest.as_ref()?.machine.as_str()
    }

    /// The samples that it asks for; none if it is not known, or of a version whose words for
    /// them this one does not understand.
    pub fn samples(&self) -> Option<Vec<PlannedSample>> {
        let of = |key: &str| self.whole.get(key);
        let sampling = SamplingPlan::deserialize(of("sampling")?).ok()?;
        let phases = match of("phases") {
            Some(phases) => Vec::<Phase>::deserialize(phases).ok()?,
            None => Vec::new(),
        };
        let ssh = of("guest").and_then(|guest| guest.get("ssh")?.as_bool());
        Some(planned::samples(&sampling, &phases, ssh.unwrap_or(true)))
    }

    /// The channels, as a host to which they were left has chosen them.
    pub fn choose_channels(&mut self, channels: &[Channel]) {
        let names = channels.iter().map(|c| Value::String(c.to_string()));
        if let Some(sampling) = self.whole.get_mut("sampling") {
            sampling["channels"] = names.collect();
        }
    }

    /// The names of its channels; none if it does not say.
    pub fn channels(&self) -> Vec<&str> {
        let channels = self.whole.get("sampling").and_then(|s| s.get("channels"));
        let channels = channels.and_then(Value::as_array).into_iter().flatten();
        channels.filter_map(Value::as_str).collect()
    }

    /// Whether they were left to the host.
    pub fn leaves_channels(&self) -> bool {
        let auto = self.whole.get("sampling").and_then(|s| s.get("auto"));
        auto.and_then(Value::as_bool).unwrap_or(false)
    }

    /// All of it, as it is written.
    pub fn whole(&self) -> &Value {
        &self.whole
    }
}

impl TryFrom<Value> for RecordedPlan {
    type Error = serde_json::Error;

    fn try_from(whole: Value) -> Result<RecordedPlan, serde_json::Error> {
        // Earlier versions wrote nothing where a plan could not be written.
        let known = Option::<Known>::deserialize(&whole)?;
        Ok(RecordedPlan {
            known: known.unwrap_or_default(),
            whole,
        })
    }
}

impl From<RecordedPlan> for Value {
    fn from(plan: RecordedPlan) -> Value {
        plan.whole
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::RunRecord;

    /// What version 1 wrote, without isa, discovery, cycles and totals.
    const VERSION_1: &str = r#"{
        "schema": 1, "experiment": "boot-vs-idle", "started": "2026-10-02T10:00:00Z",
        "outcome": {"state": "complete"}, "platform": "bochs-vmx",
        "plan": {"name": "boot-vs-idle", "guest": {"vcpus": 2, "of_old": ["x"]}},
        "provenance": {"exitlab": "0.1.0", "commit": "", "exitlab_digest": "", "host_kernel": "",
            "kernel_key": "", "kernel_inputs": [], "kernel_digest": "", "host_image_digest": "",
            "guest_image_digest": "", "emulator": "", "qemu": "", "cpu": ""},
        "statuses": [], "inspections": [],
        "samples": [{"number": 1, "label": "boot", "phase": "boot",
            "clocks": {"guest_s": 1.5, "host_s": 9.0, "guest_tsc": 1, "host_tsc": 2},
            "cpuid": {"counts": [0, 7], "leaves": 71}}]
    }"#;

    #[test]
    fn a_record_of_version_1_is_read_and_its_plan_is_written_as_it_was() {
        let record: RunRecord = serde_json::from_str(VERSION_1).unwrap();
        assert_eq!(record.vcpus(), Some(2));
        assert_eq!(record.samples[0].counts(), [0, 7]);
        let written = serde_json::to_value(&record).unwrap();
        let read: Value = serde_json::from_str(VERSION_1).unwrap();
        assert_eq!(written["plan"], read["plan"]);
    }

    #[test]
    fn a_plan_that_says_nothing_of_vcpus_has_no_number_of_them() {
        for plan in [json!(null), json!({}), json!({"guest": {}})] {
            assert_eq!(RecordedPlan::try_from(plan).unwrap().vcpus(), None);
        }
    }

    #[test]
    fn the_samples_of_a_plan_are_known_where_its_schedule_is() {
        let plan = json!({
            "guest": {"vcpus": 1, "ssh": false},
            "sampling": {"schedule": ["boot", {"after": 5.0}], "channels": ["stats"], "cycles": false},
        });
        let plan = RecordedPlan::try_from(plan).unwrap();
        let samples = plan.samples().unwrap();
        assert_eq!(planned::listed(&samples), "sample 1 (boot), sample 2 (+5s)");
        for unknown in [json!(null), json!({"sampling": {"schedule": "of old"}})] {
            assert_eq!(RecordedPlan::try_from(unknown).unwrap().samples(), None);
        }
    }

    #[test]
    fn a_number_of_vcpus_that_is_none_is_an_error() {
        let plan = json!({"guest": {"vcpus": "two"}});
        let error = RecordedPlan::try_from(plan).unwrap_err();
        assert!(error.to_string().contains("\"two\""), "{error}");
    }
}
