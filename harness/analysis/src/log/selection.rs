//! Which exits of a log are wanted.

use std::collections::{BTreeSet, VecDeque};

use super::{Log, Names, Phases, Row};
use exitlab_base::error::{Error, Result};

/// What is wanted. What is empty lets everything through.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Reasons: numbers, mnemonics, or parts of names.
    pub reasons: Vec<String>,
    /// vCPUs.
    pub vcpus: BTreeSet<u16>,
    /// Names of phases.
    pub phases: Vec<String>,
    /// Places in the guest: an address, a symbol, or a symbol with an offset.
    pub places: Vec<String>,
    /// Parts of what details are called.
    pub details: Vec<String>,
    /// So many of these are passed over.
    pub skip: u64,
    /// At most so many after that.
    pub first: Option<u64>,
    /// Only the last of them.
    pub last: Option<usize>,
}

/// One exit that is wanted, with its number in the log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The number.
    pub number: u64,
    /// The exit.
    pub row: Row,
}

impl Selection {
    /// Hands on each wanted exit in turn, as long as `take` wants more.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a reason or phase that there is none of, and a damaged log; and
    /// the first of `take`.
    pub fn each(
        &self,
        log: Log,
        names: &Names,
        phases: &Phases,
        mut take: impl FnMut(Chosen) -> Result<bool>,
    ) -> Result<()> {
        let reasons = self.numbers(names)?;
        self.require_phases(phases)?;
        let fits = |number: u64, row: &Row| self.fits(number, row, &reasons, names, phases);
        let (mut passed, mut taken) = (0, 0);
        let mut tail = VecDeque::new();
        for (number, row) in (0..).zip(log) {
            let row = row?;
            if !fits(number, &row) {
                continue;
            }
            passed += 1;
            if passed <= self.skip {
                continue;
            }
            if self.first.is_some_and(|first| taken >= first) {
                break;
            }
            taken += 1;
            let chosen = Chosen { number, row };
            match self.last {
                Some(0) => {}
                Some(last) => {
                    if tail.len() == last {
                        tail.pop_front();
                    }
                    tail.push_back(chosen);
                }
                None => {
                    if !take(chosen)? {
                        return Ok(());
                    }
                }
            }
        }
        for chosen in tail {
            if !take(chosen)? {
                break;
            }
        }
        Ok(())
    }

    fn numbers(&self, names: &Names) -> Result<BTreeSet<u32>> {
        let mut numbers = BTreeSet::new();
        for word in &self.reasons {
            let called = names.reasons_called(word);
            if called.is_empty() {
                return Err(Error::Config {
                    message: format!("no exit reason is called '{word}'"),
                    cure: "give a number, a mnemonic, or a part of a name: exitlab reasons lists \
                           them"
                        .to_owned(),
                });
            }
            numbers.extend(called);
        }
        Ok(numbers)
    }

    fn require_phases(&self, phases: &Phases) -> Result<()> {
        let names = phases.names();
        let words = self.phases.iter();
        let known = |word: &str| {
            let mut all = 0..names.len();
            let is = |name: &str| word == name || word.starts_with(&format!("{name} "));
            all.any(|at| names.get(at).is_some_and(|name| is(name))) || word.starts_with('+')
        };
        match words.into_iter().find(|word| !known(word)) {
            None => Ok(()),
            Some(word) => Err(Error::Config {
                message: format!("no phase is called '{word}'"),
                cure: format!("its phases are {}", names.join(", ")),
            }),
        }
    }

    fn fits(
        &self,
        number: u64,
        row: &Row,
        reasons: &BTreeSet<u32>,
        names: &Names,
        phases: &Phases,
    ) -> bool {
        let cause = &row.exit.cause;
        let reason = reasons.is_empty() || reasons.contains(&cause.reason);
        let vcpu = self.vcpus.is_empty() || self.vcpus.contains(&row.vcpu);
        // Words are made for those only that numbers let through.
        reason
            && vcpu
            && any(&self.phases, |phase| phases.is_in(number, phase))
            && any(&self.places, |place| is_at(place, cause.rip, names))
            && any(&self.details, |part| names.detail(cause).contains(part))
    }
}

fn any(words: &[String], is: impl Fn(&str) -> bool) -> bool {
    words.is_empty() || words.iter().any(|word| is(word))
}

fn is_at(word: &str, rip: u64, names: &Names) -> bool {
    let digits = word.strip_prefix("0x");
    if let Some(Ok(address)) = digits.map(|digits| u64::from_str_radix(digits, 16)) {
        return address == rip;
    }
    let place = names.place(rip);
    let symbol = place.split_once('+').map_or("", |(symbol, _)| symbol);
    // Without the module, or the programs.
    let bare = place.split_once(' ').map_or(&*place, |(bare, _)| bare);
    [&*place, symbol, bare].contains(&word)
}
