//! What a rule's function returns.

use exitlab_model::rule::Verdict;

use crate::trial::trouble::Result;

/// The rule holds.
pub fn holds(seen: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::Holds { seen: seen.into() })
}

/// The rule does not hold, and what was seen tells no cause.
pub fn broken(seen: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::broken(seen))
}

/// The rule does not hold, and what was seen is explained by something that is none of the
/// ten mistakes.
pub fn looks_like(why: impl Into<String>, seen: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::Broken {
        seen: seen.into(),
        looks_like: Some(why.into()),
        mistake: None,
    })
}

/// The rule does not hold, and what was seen shows that mistake.
pub fn mistake(number: u8, why: impl Into<String>, seen: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::Broken {
        seen: seen.into(),
        looks_like: Some(why.into()),
        mistake: Some(number),
    })
}

/// The rule could not be judged.
pub fn not_judged(because: impl Into<String>) -> Result<Verdict> {
    Ok(Verdict::NotJudged {
        because: because.into(),
    })
}
