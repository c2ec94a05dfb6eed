//! What a trial found, for people and for programs.

use serde::{Deserialize, Serialize};

use crate::ended::Ended;
use exitlab_analysis::export::{finding_details, finding_line, finding_test, ktap};
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::line;
use exitlab_host::platform;
use exitlab_model::artifacts::HostKernel;
use exitlab_model::order::TrialOrder;
use exitlab_model::plan::Plan;
use exitlab_model::rule::{Finding, Rule, Verdict};

/// Version of `conformance.json`.
const SCHEMA: u32 = 1;

/// A judged exit census.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this structure.
    pub schema: u32,
    /// exitlab's version.
    pub exitlab: String,
    /// Where the host came from: `bochs-vmx`.
    pub platform: String,
    /// Version of the emulator.
    pub emulator: String,
    /// `uname -r` of the host.
    pub kernel: String,
    /// Digest of the kernel's image (BLAKE3, hex).
    pub kernel_digest: String,
    /// CPU model as the host saw it.
    pub cpu: String,
    /// The leaf map that was asked for.
    pub leaf_map: u8,
    /// The year of the manual that says which reasons are defined, if not the current.
    pub sdm: Option<u16>,
    /// Whether an eighth was tried of what is tried thousands of times.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quick: bool,
    /// Findings in the order in which they were made.
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report without findings.
    pub fn new(plan: &Plan, kernel: &HostKernel, order: &TrialOrder) -> Report {
        Report {
            schema: SCHEMA,
            exitlab: env!("CARGO_PKG_VERSION").to_owned(),
            platform: plan.platform_name(),
            emulator: platform::emulator_version(plan.platform)
                .unwrap_or_else(|error| format!("(not known: {error})")),
            kernel: kernel.release.clone(),
            kernel_digest: kernel.digest.clone(),
            cpu: String::new(),
            leaf_map: order.leaf_map,
            sdm: order.sdm,
            quick: order.quick,
            findings: Vec::new(),
        }
    }

    /// What the host says of itself.
    pub fn host(&mut self, kernel: String, cpu: String) {
        self.kernel = kernel;
        self.cpu = cpu;
    }

    /// The host died while a rule was judged: that rule is broken, and no other can be
    /// judged.
    pub fn died(&mut self, rule: Rule, how: &str, tail: &[String]) {
        let verdict = Verdict::of_death(rule, how, tail);
        self.findings.push(Finding { rule, verdict });
        for rest in Rule::ALL {
            if self.findings.iter().all(|finding| finding.rule != rest) {
                self.findings.push(Finding {
                    rule: rest,
                    verdict: Verdict::after_death(rule, how, tail),
                });
            }
        }
    }

    /// Rules that hold, are broken, and were not judged.
    fn tally(&self) -> [usize; 3] {
        let mut tally = [0; 3];
        for finding in &self.findings {
            tally[match finding.verdict {
                Verdict::Holds { .. } => 0,
                Verdict::Broken { .. } => 1,
                Verdict::NotJudged { .. } => 2,
            }] += 1;
        }
        tally
    }

    /// How a command ends that made it.
    pub fn ended(&self) -> Ended {
        let [held, broken, _] = self.tally();
        match broken {
            0 => Ended::Well,
            broken => Ended::Conformance {
                broken,
                judged: held + broken,
            },
        }
    }

    /// One JSON object, and a newline.
    pub fn to_json(&self) -> Result<String> {
        let text =
            serde_json::to_string_pretty(self).map_err(Error::json("write", "standard output"))?;
        Ok(format!("{text}\n"))
    }

    /// As the kernel's own tests report.
    pub fn to_ktap(&self) -> String {
        ktap(&self.findings.iter().map(finding_test).collect::<Vec<_>>())
    }

    /// A line for each rule, more for those that do not hold, and the sum.
    pub fn for_people(&self) -> String {
        let mut text = format!(
            "Exit census of Linux {} on {}, leaf map {}\n{}\n\n",
            line(&self.kernel),
            line(&self.platform),
            self.leaf_map,
            line(&self.cpu)
        );
        for finding in &self.findings {
            text += &finding_line(finding);
            text.push('\n');
            text += &finding_details(finding);
        }
        let [held, broken, not_judged] = self.tally();
        let all = self.findings.len();
        text += &format!("\n{all} rules: {held} hold, {broken} broken, {not_judged} not judged");
        if self.quick {
            text += "\na quick look: an eighth of what is tried thousands of times";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let finding = |rule, verdict| Finding { rule, verdict };
        Report {
            schema: SCHEMA,
            exitlab: "0.1.0".into(),
            platform: "bochs-vmx".into(),
            emulator: "bochs 2.7".into(),
            kernel: "6.12.1".into(),
            kernel_digest: "00".into(),
            cpu: "Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz".into(),
            leaf_map: 1,
            sdm: None,
            quick: false,
            findings: vec![
                finding(
                    Rule::Present,
                    Verdict::Holds {
                        seen: "leaf map 1, with exitlab's discovery leaf".into(),
                    },
                ),
                finding(
                    Rule::PerVm,
                    Verdict::Broken {
                        seen: "the calm one of two VMs executed 12 CPUIDs since it was made, and \
                               reads 2012"
                            .into(),
                        looks_like: Some("counters that all VMs share, never reset".into()),
                        mistake: Some(7),
                    },
                ),
                finding(
                    Rule::Statistics,
                    Verdict::NotJudged {
                        because: "rule 'per-vm' does not hold or was not judged".into(),
                    },
                ),
            ],
        }
    }

    #[test]
    fn for_people() {
        insta::assert_snapshot!(report().for_people());
    }

    #[test]
    fn a_quick_look_is_called_that() {
        let mut quick = report();
        assert!(!quick.to_json().expect("JSON").contains("quick"));
        quick.quick = true;
        assert!(
            quick
                .for_people()
                .ends_with("what is tried thousands of times")
        );
        assert!(quick.to_json().expect("JSON").contains("\"quick\": true"));
    }

    #[test]
    fn a_broken_rule_is_how_it_ends() {
        let (broken, judged) = (1, 2);
        assert_eq!(report().ended(), Ended::Conformance { broken, judged });
    }

    #[test]
    fn json_reads_back() {
        let report = report();
        let read: Report =
            serde_json::from_str(&report.to_json().expect("JSON")).expect("its own JSON");
        assert_eq!(read, report);
    }

    #[test]
    fn a_host_that_dies_breaks_the_rule_that_was_judged() {
        let mut report = report();
        report.findings.clear();
        report.died(Rule::Range, "Bochs ended", &["BUG: page fault".into()]);
        assert_eq!(report.findings.len(), Rule::ALL.len());
        let verdict = &report.findings[0].verdict;
        let Verdict::Broken { seen, .. } = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(
            seen,
            "Bochs ended: the host's kernel went wrong: BUG: page fault"
        );
    }
}
