//! What comes of one reason in one phase, and what counts as a difference.

/// What counts as a difference on a noisy platform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Probability of at least one false alarm in a whole comparison of equal sides.
    pub level: f64,
    /// Relative changes below this do not matter; 0.01 is 1 %.
    pub floor: f64,
    /// Reasons with fewer exits than this in a phase, on average, are not tested.
    pub least_exits: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            level: 0.05,
            floor: 0.01,
            least_exits: 20,
        }
    }
}

/// What came of one reason in one phase. The order is that of what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The sides differ.
    Differs,
    /// The repeats of one side differ among each other, where they must not.
    NotRepeatable,
    /// Too few repeats for any result to be significant.
    Undecided {
        /// Repeats of the side that has fewer.
        repeats: usize,
        /// So many are needed on each side, at least.
        needs: usize,
    },
    /// The sides differ by less than matters.
    BelowFloor,
    /// Repeatable platforms: equal. Noisy ones: no difference was found.
    Same,
    /// Too few exits to be tested.
    TooFew,
}

impl Verdict {
    /// Where it is listed: what matters comes first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Verdict::Differs => 0,
            Verdict::NotRepeatable => 1,
            Verdict::Undecided { .. } => 2,
            Verdict::BelowFloor => 3,
            Verdict::Same => 4,
            Verdict::TooFew => 5,
        }
    }
}
