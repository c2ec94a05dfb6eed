//! What every rule is judged with: a maker of VMs, the reasons, what the kernel's answers look
//! like, and a way to read a VM's counts, all at one moment.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;

use exitlab_abi::{DISCOVERY, LeafMap, SIGNATURE};
use exitlab_model::order::TrialOrder;
use exitlab_model::reasons::ReasonTable;

use super::causes::Reasons;
use super::code::{self, Code};
use super::counts::Counts;
use super::guest::Step;
use super::leaves::POISON;
use super::shape::Shape;
use super::trouble::{Result, Trouble};
use super::vm::{Maker, Vm};

/// Readings of a census that may be disturbed before giving up.
const TRIES: u32 = 100;
/// Readings in a row that the same reason disturbs before it counts as one that never rests.
const PATIENCE: u32 = 8;
/// No table has a reason from here up to the codes of nested paging.
const FAR: u32 = 0x300;
/// The part that a quick look tries of what is tried thousands of times.
const QUICK: usize = 8;
/// Beginning of the random indices, the same in every trial.
const SEED: u32 = 0x9e37_79b9;

/// The bench.
pub struct Bench {
    /// Makes VMs.
    pub maker: Maker,
    /// The reasons that the current manual defines.
    pub table: &'static ReasonTable,
    /// Which leaf answers what.
    pub map: LeafMap,
    /// Reasons by what the guests' steps do.
    pub reasons: Reasons,
    /// What is asked for.
    pub order: TrialOrder,
    shape: RefCell<Option<Shape>>,
    code: OnceCell<std::result::Result<Code, String>>,
    restless: RefCell<BTreeSet<u32>>,
}

impl Bench {
    /// A bench for an order.
    pub fn new(
        maker: Maker,
        table: &'static ReasonTable,
        map: LeafMap,
        order: TrialOrder,
    ) -> Bench {
        Bench {
            maker,
            table,
            map,
            reasons: Reasons::of(table.isa()),
            order,
            shape: RefCell::default(),
            code: OnceCell::new(),
            restless: RefCell::default(),
        }
    }

    /// The same with another leaf map, of which nothing has been seen yet.
    pub fn with_map(&self, map: LeafMap) -> Bench {
        let (maker, order) = (self.maker.clone(), self.order.clone());
        Bench::new(maker, self.table, map, order)
    }

    /// How often to try what is tried so often: for a quick look an eighth of it.
    pub fn often(&self, times: usize) -> usize {
        match self.order.quick {
            true => times / QUICK,
            false => times,
        }
    }

    /// The leaf without which there is nothing to judge.
    pub fn asked(&self) -> u32 {
        match self.order.totals_only {
            true => self.map.total_count,
            false => self.map.count,
        }
    }

    /// What this kernel's answers look like; those of a right one until it has been seen.
    pub fn shape(&self) -> Shape {
        self.seen().unwrap_or_default()
    }

    /// What its answers look like, if they have been seen: it may have died of being asked.
    pub fn seen(&self) -> Option<Shape> {
        self.shape.borrow().clone()
    }

    /// Remembers what this kernel's answers look like.
    pub fn learn(&self, shape: Shape) {
        self.shape.replace(Some(shape));
    }

    /// What the kernel's code shows, or why it cannot be read.
    pub fn code(&self) -> &std::result::Result<Code, String> {
        self.code.get_or_init(|| code::read(self.table.isa()))
    }

    /// The reasons whose answers change although nothing causes an exit of theirs.
    pub fn restless(&self) -> BTreeSet<u32> {
        self.restless.borrow().clone()
    }

    /// Reads the count of every reason in two runs, until nothing but the reading happened
    /// between: then all counts of the first are those of the moment at which it ended.
    ///
    /// KVM's statistics are read at that moment, too, while no vCPU runs. An interrupt of
    /// the host that came after the first run had read its reason, but before it ended,
    /// shows in the second. Each reading is a CPUID exit, counted before it is answered; the
    /// last word of a run is one OUT after all readings. Both are the same in every reading,
    /// and so no part of what rises between two of them.
    ///
    /// An answer that changes whenever it is read is no count of its reason: that reason
    /// [never rests](Bench::restless), and no sum contains it.
    pub fn counts(&self, vm: &mut Vm) -> Result<Counts> {
        let order = self.order_of_reading();
        let mut pass: Vec<Step> = order
            .iter()
            .map(|r| Step::read_count(self.map, *r))
            .collect();
        if self.shape().answers(self.map.total_count) {
            pass.push(Step::cpuid(self.map.total_count, 0, POISON));
        }
        let mut stubborn: BTreeSet<u32> = BTreeSet::new();
        for tried in 0..TRIES {
            let first = vm.run(&pass)?;
            let statistics = vm.statistics()?;
            let second = vm.run(&pass)?;
            let shape = self.shape();
            let counts = Counts::new(&shape, &order, &first, statistics);
            let later = Counts::new(&shape, &order, &second, vm.statistics()?);
            let moved = self.moved(&counts, &later);
            if moved.is_empty() {
                return Ok(counts.without(&self.restless()));
            }
            stubborn = match tried {
                0 => moved,
                _ => stubborn.intersection(&moved).copied().collect(),
            };
            if tried >= PATIENCE {
                self.give_up_on(&mut stubborn);
            }
        }
        let why = format!("{TRIES} readings in a row were disturbed by interrupts of the host");
        Err(Trouble::Noisy(why))
    }

    /// Every reason that is read, that of CPUID last, so that no reading comes after its own.
    fn order_of_reading(&self) -> Vec<u32> {
        if self.order.totals_only {
            return Vec::new();
        }
        let cpuid = self.reasons.cpuid;
        let mut order: Vec<u32> = self.table.defined().map(|reason| reason.number).collect();
        order.retain(|reason| *reason != cpuid);
        order.push(cpuid);
        order
    }

    /// The reasons whose counts moved between two readings although nothing but the first
    /// reading's last word and the second's readings happened.
    fn moved(&self, first: &Counts, second: &Counts) -> BTreeSet<u32> {
        let rise = second.since(first);
        if self.order.totals_only {
            // The last word, unless this kernel misses it, and one reading.
            let quiet = (1..=2).contains(&rise.total);
            return if quiet {
                BTreeSet::new()
            } else {
                BTreeSet::from([self.reasons.interrupt])
            };
        }
        let restless = self.restless();
        let Reasons { cpuid, io, .. } = self.reasons;
        let moved = rise.by_reason.into_iter().filter(|(reason, rise)| {
            let may = *rise == 0 || *reason == cpuid || (*reason == io && *rise == 1);
            !may && !restless.contains(reason)
        });
        moved.map(|(reason, _)| reason).collect()
    }

    /// What disturbed every reading, and is none of what happens to a host, never rests.
    fn give_up_on(&self, stubborn: &mut BTreeSet<u32>) {
        stubborn.remove(&self.reasons.interrupt);
        stubborn.remove(&self.reasons.window);
        self.restless.borrow_mut().append(stubborn);
    }

    /// Whether the kernel answers exitlab's own discovery leaf.
    pub fn has_discovery(&self, vm: &mut Vm) -> Result<bool> {
        let answers = vm.run(&[Step::cpuid(DISCOVERY, 0, POISON)])?;
        Ok(answers[0].eax == SIGNATURE)
    }

    /// Some reasons that no manual defines: those between defined ones, where there are any.
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

    /// A reason by number and name, for messages.
    pub fn title(&self, reason: u32) -> String {
        let number = self.table.isa().label(reason);
        format!("{number} ({})", self.table.name(reason))
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
