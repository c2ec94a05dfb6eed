//! What a gate asks for.

use std::path::PathBuf;

use super::amount::Amount;
use super::choice::BelowChoice;
use crate::compare::{Difference, Settings, is_of};
use exitlab_model::platform::PlatformKind;
use exitlab_model::reasons::{Class, Isa, ReasonTable};

/// All of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The file's name.
    pub name: String,
    /// The baseline that it names.
    pub baseline: Option<PathBuf>,
    /// What counts as a difference where counts are noisy.
    pub settings: Settings,
    /// Keys of the configuration that base and head may differ in, or whole sections.
    pub may_differ: Vec<String>,
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// What is allowed to change.
    pub allows: Vec<Allow>,
}

impl Rules {
    /// Differences between two plans: those that may be, and those that make them unlike.
    pub(super) fn sorted(&self, unlike: Vec<Difference>) -> (Vec<Difference>, Vec<Difference>) {
        let may = |d: &Difference| self.may_differ.iter().any(|key| is_of(&d.name, key));
        unlike.into_iter().partition(may)
    }
}

/// One `[[rule]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `gate.toml:12`
    pub place: String,
    /// Its name, or what it says.
    pub title: String,
    /// What it is about.
    pub scope: Scope,
    /// What it is about below the reasons, if not these themselves.
    pub below: Option<BelowChoice>,
    /// What it asks for.
    pub limit: Limit,
    /// On which provenance it is judged.
    pub provenance: Origin,
    /// Reasons that have fewer exits on both sides are not judged.
    pub least_exits: Option<u64>,
}

/// On which provenance a rule is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Any.
    Any,
    /// Where nothing but the kernel under test differs between the sides, so that one exit
    /// more is its work.
    Equal,
    /// Where something else differs: a package, the compiler, the agent.
    Different,
}

impl Origin {
    /// Whether a rule is judged where the sides are equal in that, or are not.
    pub fn has(self, equal: bool) -> bool {
        match self {
            Origin::Any => true,
            Origin::Equal => equal,
            Origin::Different => !equal,
        }
    }
}

/// Which counts a rule or an allowance is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Only this platform.
    pub platform: Option<PlatformKind>,
    /// Which phases.
    pub phase: PhaseChoice,
    /// Which reasons.
    pub reasons: ReasonChoice,
}

/// Which phases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseChoice {
    /// Each, by itself.
    Each,
    /// The one of that name, or, each by itself, those that are numbered under it.
    Named(String),
}

/// Which reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReasonChoice {
    /// Each, by itself.
    Each,
    /// All together.
    Total,
    /// The one of that number.
    Number(u32),
    /// The one of that mnemonic, or of that name, on the instruction sets that have it.
    Named(String),
    /// All of a class together.
    Class(Class),
}

/// What a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The same number of exits, for each reason.
    Exact,
    /// At most so much more than the base.
    MaxIncrease(Amount),
    /// At most so much less.
    MaxDecrease(Amount),
    /// At most so much more or less.
    MaxChange(Amount),
    /// At most so many, in every repeat.
    MaxExits(u64),
}

/// One `[[allow]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// `gate.toml:20`
    pub place: String,
    /// What may change.
    pub scope: Scope,
    /// Why.
    pub because: String,
    /// The last day on which it holds.
    pub until: jiff::civil::Date,
}

impl Scope {
    /// Whether it is about this platform, by name (`nested`) or as a record has it
    /// (`nested, emulated by TCG`).
    pub fn concerns(&self, platform: &str) -> bool {
        self.platform
            .is_none_or(|own| PlatformKind::of_place(platform) == Some(own))
    }
}

impl PhaseChoice {
    /// Whether it chooses a phase.
    pub fn has(&self, phase: &str) -> bool {
        match self {
            PhaseChoice::Each => true,
            PhaseChoice::Named(name) => phase.strip_prefix(name.as_str()).is_some_and(|rest| {
                let digits = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
                rest.is_empty() || rest.strip_prefix(' ').is_some_and(digits)
            }),
        }
    }
}

impl ReasonChoice {
    /// Whether it chooses a reason.
    pub fn has(&self, reason: u32, isa: Isa) -> bool {
        let known = ReasonTable::of(isa).get(reason);
        match self {
            ReasonChoice::Each | ReasonChoice::Total => true,
            ReasonChoice::Number(number) => *number == reason,
            ReasonChoice::Named(name) => {
                known.is_some_and(|known| known.mnemonic == *name || known.name == *name)
            }
            ReasonChoice::Class(class) => known.is_some_and(|known| known.class == *class),
        }
    }

    /// Whether an instruction set has what it chooses.
    pub fn exists_on(&self, isa: Isa) -> bool {
        let table = ReasonTable::of(isa);
        match self {
            ReasonChoice::Each | ReasonChoice::Total | ReasonChoice::Class(_) => true,
            ReasonChoice::Number(number) => table.get(*number).is_some(),
            ReasonChoice::Named(name) => {
                let mut reasons = table.defined();
                reasons.any(|known| known.mnemonic == *name || known.name == *name)
            }
        }
    }
}
