//! What came of one kernel: a row of the table, and what its page is made of.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::roster::Pupil;
use crate::conformance::Report;
use exitlab_model::hindrance::Hindrance;
use exitlab_model::rule::{Finding, Rule, Verdict};

/// Version of `row.json`.
pub const SCHEMA: u32 = 1;

/// A kernel and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Version of this structure.
    pub schema: u32,
    /// Its name in tables and of its files.
    pub name: String,
    /// The image; none of a kernel that was built.
    pub image: Option<PathBuf>,
    /// Digest of the image (BLAKE3, hex); empty if there is none that can be read.
    pub digest: String,
    /// Its release, as far as it is known.
    pub kernel: String,
    /// Where the host came from: `bochs-vmx`.
    pub platform: String,
    /// Its own settings, `key=value`.
    pub settings: Vec<String>,
    /// What hindered its trial; none of a trial that came to its end.
    pub hindered: Option<Hindered>,
    /// What was found, in the order in which it was judged.
    pub findings: Vec<Judged>,
}

/// What hindered a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hindered {
    /// What.
    pub kind: Hindrance,
    /// What was seen, a lower-case fragment.
    pub seen: String,
    /// The last lines of its console.
    pub evidence: Vec<String>,
    /// What can be done about it.
    pub cure: String,
}

/// A rule and what was found of it, with everything that a reader needs to understand it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The rule's name.
    pub rule: String,
    /// The number of the mistake that a broken one looks like, if it is one of the ten.
    pub mistake: Option<u8>,
    /// What it demands.
    pub demand: String,
    /// What was found.
    pub verdict: Mark,
    /// What was seen, or why it was not judged.
    pub evidence: String,
    /// What a broken rule looks like.
    pub looks_like: Option<String>,
}

/// A verdict without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// The rule holds.
    Holds,
    /// It is broken.
    Broken,
    /// It was not judged.
    NotJudged,
}

impl Mark {
    /// As tables show it.
    pub fn sign(self) -> &'static str {
        match self {
            Mark::Holds => "✓",
            Mark::Broken => "✗",
            Mark::NotJudged => "–",
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Mark::Holds => "holds",
            Mark::Broken => "broken",
            Mark::NotJudged => "not judged",
        }
    }
}

impl Judged {
    /// A finding with its rule's words.
    pub fn of(finding: &Finding) -> Judged {
        let rule = finding.rule;
        let (verdict, evidence) = match &finding.verdict {
            Verdict::Holds { seen } => (Mark::Holds, seen),
            Verdict::Broken { seen, .. } => (Mark::Broken, seen),
            Verdict::NotJudged { because } => (Mark::NotJudged, because),
        };
        Judged {
            rule: rule.name().to_owned(),
            mistake: finding.mistake(),
            demand: rule.demand().to_owned(),
            verdict,
            evidence: evidence.clone(),
            looks_like: finding.looks_like().map(str::to_owned),
        }
    }

    /// `per-vm (mistake 7)`
    pub fn named(&self) -> String {
        let mistake = self.mistake;
        let number = mistake.map_or(String::new(), |number| format!(" (mistake {number})"));
        format!("{}{number}", self.rule)
    }
}

impl Row {
    /// A kernel of which nothing is known yet.
    pub fn new(pupil: &Pupil) -> Row {
        Row {
            schema: SCHEMA,
            name: pupil.name.clone(),
            image: pupil.image.clone(),
            digest: String::new(),
            kernel: String::new(),
            platform: pupil.plan.platform_name(),
            settings: pupil.settings.clone(),
            hindered: None,
            findings: Vec::new(),
        }
    }

    /// Takes over what was found.
    pub fn take(&mut self, report: &Report) {
        self.kernel = report.kernel.clone();
        if self.image.is_none() {
            self.digest = report.kernel_digest.clone();
        }
        self.findings = report.findings.iter().map(Judged::of).collect();
    }

    /// The broken rules.
    pub fn broken(&self) -> impl Iterator<Item = &Judged> {
        let judged = self.findings.iter();
        judged.filter(|judged| judged.verdict == Mark::Broken)
    }

    /// What was found of a rule.
    pub fn finding(&self, rule: &str) -> Option<&Judged> {
        self.findings.iter().find(|judged| judged.rule == rule)
    }

    /// How many rules have that verdict.
    pub fn count(&self, mark: Mark) -> usize {
        let judged = self.findings.iter();
        judged.filter(|judged| judged.verdict == mark).count()
    }

    /// Whether another try may come to something else.
    pub fn is_unsettled(&self) -> bool {
        let hindered = self.hindered.as_ref();
        hindered.is_some_and(|hindered| hindered.kind == Hindrance::Trouble)
    }

    /// In a line: what hindered it, which rules are broken, or that all hold.
    pub fn in_short(&self) -> String {
        let broken: Vec<String> = self.broken().map(Judged::named).collect();
        match &self.hindered {
            Some(hindered) if broken.is_empty() => {
                format!("{}: {}", hindered.kind.name(), hindered.seen)
            }
            Some(hindered) => format!("{}, then {}", broken.join(", "), hindered.kind.name()),
            None if !broken.is_empty() => broken.join(", "),
            None if self.count(Mark::Holds) == 0 => "nothing was judged".to_owned(),
            None => String::new(),
        }
    }
}

/// The rules of a table, in their order: those that any row has, or else all.
pub fn rules(rows: &[Row]) -> Vec<Rule> {
    let met = |rule: &Rule| rows.iter().any(|row| row.finding(rule.name()).is_some());
    let rules: Vec<Rule> = Rule::ALL.into_iter().filter(met).collect();
    match rules.is_empty() {
        true => Rule::ALL.to_vec(),
        false => rules,
    }
}
