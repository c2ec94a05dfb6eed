//! What was found so far.

use std::collections::BTreeMap;

use exitlab_model::rule::{Rule, Verdict};

/// What was found so far.
#[derive(Debug, Default)]
pub struct Found(BTreeMap<Rule, Verdict>);

impl Found {
    /// Remembers a verdict.
    pub fn add(&mut self, rule: Rule, verdict: Verdict) {
        self.0.insert(rule, verdict);
    }

    /// Whether a rule was found broken.
    pub fn is_broken(&self, rule: Rule) -> bool {
        matches!(self.0.get(&rule), Some(Verdict::Broken { .. }))
    }
}
