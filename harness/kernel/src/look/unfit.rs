//! Why an image cannot be tried.

use exitlab_model::hindrance::Hindrance;

/// An image that cannot be tried, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What hinders.
    pub hindrance: Hindrance,
    /// What was seen, a lower-case fragment.
    pub seen: String,
}

impl Unfit {
    /// What hinders, and what was seen.
    pub(super) fn new(hindrance: Hindrance, seen: impl Into<String>) -> Unfit {
        Unfit {
            hindrance,
            seen: seen.into(),
        }
    }
}
