//! What a rule's function returns.

use exitlab_model::rule::Verdict;

use crate::trial::trouble::Result;

/// The rule holds.
pub fn holds(seen: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::Holds { seen: seen.into() })
}

/// The rule does not hold.
pub fn broken(seen: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::Broken { seen: seen.into() })
}

/// The rule could not be judged.
pub fn not_judged(because: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::NotJudged {
        because: because.into(),
    })
}
