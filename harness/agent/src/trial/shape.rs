//! What a kernel's answers look like: which leaves it answers, and in which registers.
//!
//! Seen once, before anything is judged, so that a kernel that has its registers mixed up is
//! told just that, and its counts can be judged as any other's.

use exitlab_abi::{LeafMap, MAPPED, UNDEFINED};

use super::guest::Answer;

/// CPUID instructions that one count is tried with.
pub const HAMMER: u32 = 1000;

/// A register of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Register {
    /// eax
    #[default]
    Eax,
    /// ebx
    Ebx,
    /// ecx
    Ecx,
    /// edx
    Edx,
}

impl Register {
    pub const ALL: [Register; 4] = [Register::Eax, Register::Ebx, Register::Ecx, Register::Edx];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Register::Eax => "eax",
            Register::Ebx => "ebx",
            Register::Ecx => "ecx",
            Register::Edx => "edx",
        }
    }

    /// What it holds in an answer.
    pub fn of(self, answer: &Answer) -> u32 {
        match self {
            Register::Eax => answer.eax,
            Register::Ebx => answer.ebx,
            Register::Ecx => answer.ecx,
            Register::Edx => answer.edx,
        }
    }
}

/// What one of the four leaves does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaf {
    /// Whether it answers anything that a leaf which nobody defines does not.
    pub answered: bool,
    /// The register that rose by each CPUID when asked for the reason of CPUID.
    pub counts_in: Option<Register>,
    /// How much eax rose by [`HAMMER`] CPUIDs and one reading.
    pub rise: u32,
    /// Whether it rose as well when asked for another reason: a total, or ecx is not read.
    pub ignores_ecx: bool,
}

/// What a kernel's answers look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The four leaves from [`MAPPED`] on.
    pub leaves: [Leaf; 4],
    /// Where a count is.
    pub count_in: Register,
    /// Whether ebx and ecx of cycles are swapped.
    pub turned: bool,
    /// Whether the two empty answers are swapped.
    pub swapped: bool,
    /// Whether any reason is answered as undefined.
    pub marks_undefined: bool,
}

impl Default for Shape {
    /// A right kernel's.
    fn default() -> Shape {
        let answered = true;
        let leaf = Leaf {
            answered,
            counts_in: Some(Register::Eax),
            ..Leaf::default()
        };
        Shape {
            leaves: [leaf; 4],
            count_in: Register::Eax,
            turned: false,
            swapped: false,
            marks_undefined: true,
        }
    }
}

impl Shape {
    /// Takes in what a leaf does.
    pub fn set(&mut self, number: u32, leaf: Leaf) {
        let at = number.wrapping_sub(MAPPED) as usize;
        if let Some(place) = self.leaves.get_mut(at) {
            *place = leaf;
        }
    }

    /// What a leaf does.
    pub fn leaf(&self, number: u32) -> Leaf {
        let at = number.wrapping_sub(MAPPED) as usize;
        self.leaves.get(at).copied().unwrap_or_default()
    }

    /// Whether a leaf is answered.
    pub fn answers(&self, number: u32) -> bool {
        self.leaf(number).answered
    }

    /// Whether cycles by reason are answered.
    pub fn has_cycles(&self, map: LeafMap) -> bool {
        self.answers(map.cycles)
    }

    /// The count in an answer. No VM of the trial lives for 2^32 exits; whether another
    /// register holds a high half or something left over is for another rule.
    pub fn count(&self, answer: &Answer) -> u32 {
        match (self.count_in, answer.edx) {
            // An answer that says undefined has no count.
            (Register::Edx, UNDEFINED) => 0,
            (register, _) => register.of(answer),
        }
    }

    /// The cycles in an answer.
    pub fn cycles(&self, answer: &Answer) -> u64 {
        if self.turned {
            turned(answer)
        } else {
            answer.cycles()
        }
    }

    /// Whether an answer says that its reason is not defined.
    pub fn is_undefined(&self, answer: &Answer) -> bool {
        if self.swapped {
            answer.eax == 0 && answer.edx != UNDEFINED
        } else {
            answer.is_undefined()
        }
    }
}

/// Cycles whose halves are in each other's registers.
pub fn turned(answer: &Answer) -> u64 {
    u64::from(answer.ecx) << 32 | u64::from(answer.ebx)
}
