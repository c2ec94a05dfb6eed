//! The comparison itself: a verdict for each reason of each phase of each pair of cells.

use std::collections::BTreeSet;

use super::counts::{CellCounts, CellKey, Series};
use super::exact;
use super::facts::Difference;
use super::interval::{Interval, relative_interval};
use super::moved::{self, Moved, moved};
use super::noisy::{self, Tested, Tests, floats};
use super::pair::{Pair, Side, pairs, unpaired};
use super::permutation::Tail;
use super::verdict::{Settings, Verdict};
use exitlab_base::error::Result;
use exitlab_model::reasons::Isa;
use exitlab_model::record::Channel;

/// One reason in one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The phase's name.
    pub phase: String,
    /// Number of the reason.
    pub reason: u32,
    /// Counts of the base.
    pub base: Series,
    /// Counts of the head.
    pub head: Series,
    /// Noisy platforms: the test, if it was made.
    pub tested: Option<Tested>,
    /// Noisy platforms: how well the relative change is known.
    pub interval: Option<Interval>,
    /// What came of it.
    pub verdict: Verdict,
    /// What moved below it, as far as both sides tell.
    pub moved: Vec<Moved>,
}

impl Finding {
    /// How many more exits the head has, on average.
    pub fn change(&self) -> f64 {
        self.head.mean() - self.base.mean()
    }

    /// The same as a part of the base; `None` if the base has none.
    pub fn relative(&self) -> Option<f64> {
        let base = self.base.mean();
        (base > 0.0).then(|| self.change() / base)
    }
}

/// Two cells, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct CellComparison {
    /// The head's key.
    pub key: CellKey,
    /// Whose exit reasons.
    pub isa: Isa,
    /// Which channel was compared.
    pub channel: Channel,
    /// Repeats of base and head.
    pub repeats: [usize; 2],
    /// In what their provenance differs.
    pub differences: Vec<Difference>,
    /// What else must be known: phases of one side only, repeats that differ.
    pub notes: Vec<String>,
    /// Every reason of every common phase that happened on a side; what matters first.
    pub findings: Vec<Finding>,
}

/// Two sides, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Names of base and head.
    pub names: [String; 2],
    /// What counted as a difference.
    pub settings: Settings,
    /// How many tests were corrected together.
    pub tests: usize,
    /// What else must be known: cells of one side only.
    pub notes: Vec<String>,
    /// Each pair of cells.
    pub cells: Vec<CellComparison>,
}

impl Comparison {
    /// How many findings have a verdict that `is` accepts.
    pub fn count(&self, is: impl Fn(Verdict) -> bool) -> usize {
        let findings = self.cells.iter().flat_map(|cell| &cell.findings);
        findings.filter(|finding| is(finding.verdict)).count()
    }
}

/// Compares two sides.
///
/// # Errors
///
/// A configuration error if nothing can be paired, or if platforms or instruction sets differ.
pub fn compare(base: &Side, head: &Side, settings: &Settings) -> Result<Comparison> {
    let mut comparison = compare_without_intervals(base, head, settings)?;
    let findings = comparison
        .cells
        .iter_mut()
        .flat_map(|cell| &mut cell.findings);
    for finding in findings.filter(|finding| finding.tested.is_some()) {
        let (base, head) = (&finding.base.exits, &finding.head.exits);
        finding.interval = relative_interval(base, head, settings.level);
    }
    Ok(comparison)
}

/// The same without intervals, which take the most time and decide nothing.
pub(super) fn compare_without_intervals(
    base: &Side,
    head: &Side,
    settings: &Settings,
) -> Result<Comparison> {
    let pairs = pairs(base, head)?;
    let mut cells: Vec<CellComparison> =
        pairs.iter().map(|pair| untested(*pair, settings)).collect();
    let tests = test(&mut cells, settings);
    for cell in &mut cells {
        cell.findings.sort_by(|one, other| {
            let size = |finding: &Finding| finding.change().abs();
            (one.verdict.rank().cmp(&other.verdict.rank())).then(size(other).total_cmp(&size(one)))
        });
    }
    let left = |side: &Side, which: &str| -> Vec<String> {
        let cells = unpaired(side, &pairs).into_iter();
        let cells = cells.map(|cell| format!("only in the {which}: {}", cell.key));
        let runs = side.left_out.iter().map(|run| run.why.clone());
        cells.chain(runs).collect()
    };
    Ok(Comparison {
        names: [base.name.clone(), head.name.clone()],
        settings: *settings,
        tests,
        notes: [left(base, "base"), left(head, "head")].concat(),
        cells,
    })
}

/// The pair with every verdict that needs no test. What is to be tested is still `Same`.
fn untested(pair: Pair, settings: &Settings) -> CellComparison {
    let Pair { base, head } = pair;
    let repeatable = head.key.repeatable();
    let mut findings = Vec::new();
    for phase in &head.phases {
        let Some(before) = base.phase(&phase.name) else {
            continue;
        };
        let reasons: BTreeSet<u32> = before
            .reasons
            .keys()
            .chain(phase.reasons.keys())
            .copied()
            .collect();
        for reason in reasons {
            let series = |of: &super::PhaseCounts, repeats| {
                of.reasons.get(&reason).cloned().unwrap_or_else(|| Series {
                    exits: vec![0; repeats],
                    cycles: Vec::new(),
                })
            };
            let below = moved((base, before), (head, phase), reason);
            let (base, head) = (series(before, base.repeats), series(phase, head.repeats));
            let verdict = if repeatable {
                exact::verdict(&base.exits, &head.exits)
            } else if noisy::is_tested(&base.exits, &head.exits, settings) {
                Verdict::Same
            } else {
                Verdict::TooFew
            };
            findings.push(Finding {
                phase: phase.name.clone(),
                reason,
                base,
                head,
                tested: None,
                interval: None,
                verdict,
                moved: below,
            });
        }
    }
    CellComparison {
        key: head.key.clone(),
        isa: head.isa,
        channel: head.channel,
        repeats: [base.repeats, head.repeats],
        differences: differences(base, head),
        notes: notes(base, head, repeatable),
        findings,
    }
}

/// Another experiment is told before all of what it consists of.
fn differences(base: &CellCounts, head: &CellCounts) -> Vec<Difference> {
    let name = |cell: &CellCounts| Some(cell.key.experiment.clone());
    let another = Difference {
        name: "experiment".to_owned(),
        base: name(base),
        head: name(head),
    };
    let another = Some(another).filter(|d| d.base != d.head).into_iter();
    another.chain(base.facts.differences(&head.facts)).collect()
}

fn notes(base: &CellCounts, head: &CellCounts, repeatable: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let mut only = |one: &CellCounts, other: &CellCounts, which: &str| {
        for phase in one.phase_names() {
            if other.phase(phase).is_none() {
                notes.push(format!("phase `{phase}` is only in the {which}"));
            }
        }
    };
    only(base, head, "base");
    only(head, base, "head");
    notes.extend(moved::unknown(base, head));
    for (cell, which) in [(base, "base"), (head, "head")] {
        let unequal = exact::unequal_repeats(cell);
        if repeatable && unequal > 0 {
            notes.push(format!(
                "the {} repeats of the {which} are not identical, which they must be on {}: they \
                 differ in {unequal} counts",
                cell.repeats, cell.key.platform
            ));
        }
    }
    notes
}

/// Tests what must be tested, corrects all tests together, and returns how many they are.
fn test(cells: &mut [CellComparison], settings: &Settings) -> usize {
    let mut open: Vec<(&mut Finding, [usize; 2])> = cells
        .iter_mut()
        .filter(|cell| !cell.key.repeatable())
        .flat_map(|cell| {
            let repeats = cell.repeats;
            let tested = cell
                .findings
                .iter_mut()
                .filter(|f| f.verdict == Verdict::Same);
            tested.map(move |finding| (finding, repeats))
        })
        .collect();
    let tests = Tests::new(open.len(), settings.level);
    let p = |(finding, _): &(&mut Finding, [usize; 2])| {
        tests.p(
            &floats(&finding.base.exits),
            &floats(&finding.head.exits),
            Tail::Both,
        )
    };
    let p_values: Vec<f64> = open.iter().map(p).collect();
    for ((finding, [base, head]), tested) in open.iter_mut().zip(tests.holm(&p_values)) {
        finding.tested = Some(tested);
        finding.verdict = match tests.decidable(*base, *head, Tail::Both) {
            Ok(()) => noisy::verdict(tested, finding.relative(), settings),
            Err(needs) => Verdict::Undecided {
                repeats: (*base).min(*head),
                needs,
            },
        };
    }
    p_values.len()
}
