//! What every rule is judged with: a maker of VMs, the reasons, and a way to read a
//! VM's counts, all at one moment.

use std::collections::BTreeMap;

use exitlab_abi::{DISCOVERY, LeafMap, SIGNATURE};
use exitlab_model::reasons::{Isa, ReasonTable};

use super::guest::Step;
use super::leaves::POISON;
use super::stats::Statistics;
use super::trouble::{Result, Trouble};
use super::vm::{Maker, Vm};

/// Readings of a census that may be disturbed by an interrupt of the host before giving up.
const TRIES: u32 = 100;
/// No table has a reason from here up to the codes of nested paging.
const FAR: u32 = 0x300;
/// Beginning of the random indices, the same in every trial.
const SEED: u32 = 0x9e37_79b9;

/// The bench.
pub struct Bench {
    /// Makes VMs.
    pub maker: Maker,
    /// The reasons that count as defined.
    pub table: ReasonTable,
    /// Which leaf answers what.
    pub map: LeafMap,
    /// Reasons by what the guests' steps do.
    pub reasons: Reasons,
}

/// Numbers of the reasons that a guest's steps cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reasons {
    /// CPUID
    pub cpuid: u32,
    /// Port I/O
    pub io: u32,
    /// HLT
    pub hlt: u32,
    /// A write of an MSR; on SVM a read, too
    pub wrmsr: u32,
    /// The guest became able to take an interrupt
    pub window: u32,
    /// An interrupt of the host
    pub interrupt: u32,
    /// An access to memory that is not there: KVM's mark for MMIO
    pub mmio: u32,
    /// A VM entry that failed for an invalid guest state
    pub entry_failed: u32,
}

impl Reasons {
    /// SDM volume 3, appendix C; APM volume 2, appendix C.
    pub fn of(isa: Isa) -> Reasons {
        match isa {
            Isa::Vmx => Reasons {
                cpuid: 10,
                io: 30,
                hlt: 12,
                wrmsr: 32,
                window: 7,
                interrupt: 1,
                mmio: 49,
                entry_failed: 33,
            },
            Isa::Svm => Reasons {
                cpuid: 0x72,
                io: 0x7b,
                hlt: 0x78,
                wrmsr: 0x7c,
                window: 0x64,
                interrupt: 0x60,
                mmio: 0x400,
                entry_failed: 0xffff_ffff,
            },
        }
    }
}

/// All counts of a VM after its vCPU 0 was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Count by reason, every defined one.
    pub by_reason: BTreeMap<u32, u64>,
    /// What the leaf of the total said, as if it had been read last.
    pub total: u64,
    /// KVM's own statistics at the same moment.
    pub statistics: Statistics,
}

impl Counts {
    /// All counts together.
    pub fn sum(&self) -> u64 {
        self.by_reason.values().sum()
    }

    /// KVM's own `exits`; 0 of a KVM that does not count them.
    pub fn exits(&self) -> u64 {
        self.statistics.counter("exits").unwrap_or_default()
    }

    /// The count of a reason.
    pub fn of(&self, reason: u32) -> u64 {
        self.by_reason.get(&reason).copied().unwrap_or_default()
    }
}

impl Bench {
    /// Reads the count of every reason in two runs, until nothing but the reading happened
    /// between: then all counts of the first are those of the moment at which it ended.
    ///
    /// KVM's statistics are read at that moment, too, while no vCPU runs. An interrupt of
    /// the host that came after the first run had read its reason, but before it ended,
    /// shows in the second.
    ///
    /// Each reading is a CPUID exit, counted before it is answered; the last word of a run
    /// is one OUT after all readings.
    pub fn counts(&self, vm: &mut Vm) -> Result<Counts> {
        let (cpuid, io) = (self.reasons.cpuid, self.reasons.io);
        // CPUID last, so that no reading comes after its own.
        let mut order: Vec<u32> = self.table.defined().map(|reason| reason.number).collect();
        order.retain(|reason| *reason != cpuid);
        order.push(cpuid);
        let pass: Vec<Step> = order
            .iter()
            .map(|r| Step::read_count(self.map, *r))
            .collect();
        let with_total = [&pass[..], &[Step::cpuid(self.map.total_count, 0, POISON)]].concat();
        for _ in 0..TRIES {
            let first = vm.run(&with_total)?;
            let statistics = vm.statistics()?;
            let second = vm.run(&pass)?;
            let total = first[order.len()].count();
            let mut counts: BTreeMap<u32, u64> = order
                .iter()
                .zip(&first)
                .map(|(r, a)| (*r, a.count()))
                .collect();
            let later = order.iter().zip(&second).map(|(r, a)| (*r, a.count()));
            let is_quiet = |(reason, later): (u32, u64)| match later.checked_sub(counts[&reason]) {
                _ if reason == cpuid => true,
                // The first run's last word, unless this kernel misses it.
                Some(1) => reason == io,
                rise => rise == Some(0),
            };
            if !later.into_iter().all(is_quiet) {
                continue;
            }
            // The reading of the total, and the run's last word.
            *counts.entry(cpuid).or_default() += 1;
            *counts.entry(io).or_default() += 1;
            return Ok(Counts {
                by_reason: counts,
                // The last word again.
                total: total + 1,
                statistics,
            });
        }
        let why = format!("the host's interrupts disturbed {TRIES} readings in a row");
        Err(Trouble::Failed(why))
    }

    /// Whether the kernel answers exitlab's own discovery leaf.
    pub fn has_discovery(&self, vm: &mut Vm) -> Result<bool> {
        let answers = vm.run(&[Step::cpuid(DISCOVERY, 0, POISON)])?;
        Ok(answers[0].eax == SIGNATURE)
    }

    /// Some reasons that are not defined: those between defined ones, where there are any.
    /// What lies beyond the table is for the rule of the range.
    pub fn undefined(&self) -> Vec<u32> {
        let numbers = self.table.defined().map(|reason| reason.number);
        let highest = numbers.filter(|number| *number < FAR).max().unwrap_or(0);
        let undefined = |number: &u32| self.table.get(*number).is_none();
        let between: Vec<u32> = (0..highest).filter(undefined).collect();
        if between.is_empty() {
            vec![highest + 1]
        } else {
            between
        }
    }

    /// The first of them.
    pub fn an_undefined(&self) -> u32 {
        self.undefined().first().copied().unwrap_or(u32::MAX - 64)
    }

    /// `count` random numbers of 32 bits, the same every time.
    pub fn random(count: usize) -> Vec<u32> {
        let next = |last: &u32| {
            // Marsaglia's xorshift with shifts 13, 17, 5.
            let mut x = *last;
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            Some(x)
        };
        std::iter::successors(Some(SEED), next)
            .take(count)
            .collect()
    }
}
