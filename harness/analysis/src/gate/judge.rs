//! The verdicts: a case for each rule and phase.

use jiff::civil::Date;

use super::count::{Count, View};
use super::judgement::{Case, Judgement, Outcome};
use super::limit::{Kept, exact, noisy};
use super::refusal::{no_baseline, no_phase_in_baseline, no_such_phase};
use super::rules::{Limit, Origin, ReasonChoice, Rule, Rules};
use super::{apart, below, compared};
use crate::compare::{CellCounts, Difference, Pair, PhaseCounts, Side, pairs, unlike};
use exitlab_base::error::{Error, Result};

/// A case whose counts are still to be judged.
struct OpenCase<'a> {
    case: Case,
    rule: &'a Rule,
    repeatable: bool,
    counts: Vec<Count>,
    /// What is not known before any count is judged.
    unknown: Option<String>,
}

/// Judges runs by rules.
///
/// # Errors
///
/// [`Error::Config`] if a rule cannot be meant for these runs: it needs a baseline that is
/// not there, names a phase that is not there, or asks for exact counts where none repeat.
pub fn judge(rules: &Rules, base: Option<&Side>, head: &Side, today: Date) -> Result<Judgement> {
    let pairs = base
        .map(|base| pairs(base, head))
        .transpose()?
        .unwrap_or_default();
    let unlike = Unlike::of(rules, &pairs);
    let mut open = Vec::new();
    let mut cases = apart::expired(rules, today);
    let mut told: Vec<&CellCounts> = Vec::new();
    for rule in &rules.rules {
        let cells = head.cells.iter().filter(|cell| {
            rule.scope.concerns(&cell.key.platform) && rule.scope.reasons.exists_on(cell.isa)
        });
        let cells: Vec<&CellCounts> = cells.collect();
        if cells.is_empty() {
            cases.push(apart::without_cells(rule));
            continue;
        }
        let like: Vec<&CellCounts> = cells
            .iter()
            .copied()
            .filter(|cell| !asks_for_base(rule) || unlike.differences(cell).is_none())
            .collect();
        below::require(rule, &like, &pairs, needs_base(rule))?;
        let before = open.len();
        let mut judged = false;
        for cell in &cells {
            let differences = unlike.differences(cell).filter(|_| asks_for_base(rule));
            if let Some(differences) = differences {
                if !told.iter().any(|other| std::ptr::eq(*other, *cell)) {
                    told.push(cell);
                    cases.push(apart::unlike(cell, differences, rule));
                }
                continue;
            }
            if rule.provenance.has(is_equal(cell, &pairs, rule)?) {
                judged = true;
                open.extend(opened(rule, rules, cell, &pairs, today)?);
            }
        }
        if judged && open.len() == before {
            return Err(no_such_phase(rule, &cells));
        }
    }
    let mut judged = settle(open, rules);
    judged.append(&mut cases);
    judged.extend(apart::lost(head, rules));
    Ok(Judgement {
        rules: rules.name.clone(),
        base: base.map(|base| base.name.clone()),
        head: head.name.clone(),
        compared: compared::lines(rules, base, head, &pairs),
        cases: judged,
    })
}

/// The cells whose baseline is of another plan.
struct Unlike<'a>(Vec<(&'a CellCounts, Vec<Difference>)>);

impl<'a> Unlike<'a> {
    fn of(rules: &Rules, pairs: &[Pair<'a>]) -> Unlike<'a> {
        let of_pair = |pair: &Pair<'a>| {
            let (_, forbidden) = rules.sorted(unlike(pair.base, pair.head));
            (!forbidden.is_empty()).then_some((pair.head, forbidden))
        };
        Unlike(pairs.iter().filter_map(of_pair).collect())
    }

    fn differences(&self, cell: &CellCounts) -> Option<&[Difference]> {
        let found = self.0.iter().find(|(head, _)| std::ptr::eq(*head, cell));
        found.map(|(_, differences)| differences.as_slice())
    }
}

fn asks_for_base(rule: &Rule) -> bool {
    needs_base(rule) || rule.provenance != Origin::Any
}

/// Whether nothing but the kernel under test differs between a cell and its baseline, if the rule
/// asks.
fn is_equal(head: &CellCounts, pairs: &[Pair], rule: &Rule) -> Result<bool> {
    if rule.provenance == Origin::Any {
        return Ok(true);
    }
    let pair = pairs.iter().find(|pair| std::ptr::eq(pair.head, head));
    let pair = pair.ok_or_else(|| no_baseline(rule, head, pairs.is_empty()))?;
    Ok(pair.base.facts.surroundings(&head.facts).is_empty())
}

/// The cases of a rule in one cell, one for each phase.
fn opened<'a>(
    rule: &'a Rule,
    rules: &'a Rules,
    head: &CellCounts,
    pairs: &[Pair],
    today: Date,
) -> Result<Vec<OpenCase<'a>>> {
    if rule.limit == Limit::Exact && !head.key.repeatable() {
        return Err(Error::Config {
            message: format!(
                "{}: rule `{}` asks for exact counts, and on {} counts never repeat",
                rule.place, rule.title, head.key.platform
            ),
            cure: "ask for max_increase there, and give this rule a platform".to_owned(),
        });
    }
    let needs_base = needs_base(rule);
    let base = pairs
        .iter()
        .find(|pair| std::ptr::eq(pair.head, head))
        .map(|pair| pair.base);
    if needs_base && base.is_none() {
        return Err(no_baseline(rule, head, pairs.is_empty()));
    }
    let phases = head
        .phases
        .iter()
        .filter(|phase| rule.scope.phase.has(&phase.name));
    let mut open = Vec::new();
    for phase in phases {
        let before = base.and_then(|base| Some((base, base.phase(&phase.name)?)));
        if needs_base && before.is_none() {
            return Err(no_phase_in_baseline(rule, head, &phase.name));
        }
        let view = View {
            head,
            phase,
            base: before,
            allows: &rules.allows,
            today,
        };
        open.push(opened_in_phase(rule, rules, &view));
    }
    if let Some(base) = base.filter(|_| needs_base) {
        let gone = |phase: &&PhaseCounts| head.phase(&phase.name).is_none();
        let phases = base.phases.iter().filter(gone);
        let phases = phases.filter(|phase| rule.scope.phase.has(&phase.name));
        open.extend(phases.map(|phase| without_phase(rule, head, &phase.name)));
    }
    Ok(open)
}

/// A phase that only the baseline has: its exits have vanished with it, or it was not run.
fn without_phase<'a>(rule: &'a Rule, head: &CellCounts, phase: &str) -> OpenCase<'a> {
    OpenCase {
        case: Case {
            cell: head.key.to_string(),
            phase: phase.to_owned(),
            rule: rule.title.clone(),
            place: rule.place.clone(),
            outcome: Outcome::Undecided,
            details: Vec::new(),
            counts: 0,
        },
        rule,
        repeatable: head.key.repeatable(),
        counts: Vec::new(),
        unknown: Some("the run has no such phase, and the baseline has".to_owned()),
    }
}

fn needs_base(rule: &Rule) -> bool {
    !matches!(rule.limit, Limit::MaxExits(_))
}

/// The case of a rule in one phase of one cell.
fn opened_in_phase<'a>(rule: &'a Rule, rules: &'a Rules, view: &View) -> OpenCase<'a> {
    let repeatable = view.head.key.repeatable();
    let (mut counts, mut left_out) = view.counts(rule);
    let seen = counts.iter().any(|count| !count.is_none());
    left_out.extend(below::unseen(rule, seen).filter(|_| !needs_base(rule)));
    let default = if repeatable {
        0
    } else {
        rules.settings.least_exits
    };
    let least = rule.least_exits.unwrap_or(default);
    // A rule about one reason, a class or the total means it, however few there are.
    if rule.scope.reasons == ReasonChoice::Each {
        counts.retain(|count| reaches(count, least));
    }
    if !needs_base(rule) {
        counts.iter_mut().for_each(|count| count.base.clear());
    }
    OpenCase {
        case: Case {
            cell: view.head.key.to_string(),
            phase: view.phase.name.clone(),
            rule: rule.title.clone(),
            place: rule.place.clone(),
            outcome: Outcome::Passed,
            details: left_out,
            counts: counts.len(),
        },
        rule,
        repeatable,
        counts,
        unknown: None,
    }
}

/// Whether a count has `least` exits on average over both sides.
fn reaches(count: &Count, least: u64) -> bool {
    let all = || count.base.iter().chain(&count.head);
    let sum: u128 = all().map(|&count| u128::from(count)).sum();
    sum >= u128::from(least) * all().count() as u128
}

/// Judges every open case; noisy ones together, because their tests are corrected together.
fn settle(mut open: Vec<OpenCase>, rules: &Rules) -> Vec<Case> {
    let tested = |open: &OpenCase| !open.repeatable && open.rule.limit.is_of_a_change();
    let noisy_ones: Vec<(&Count, Limit)> = open
        .iter()
        .filter(|open| tested(open))
        .flat_map(|open| open.counts.iter().map(|count| (count, open.rule.limit)))
        .collect();
    let mut results = noisy(&noisy_ones, rules.settings.level).into_iter();
    for open in &mut open {
        let is_tested = tested(open);
        let unknown = open.unknown.take().map(Kept::Unknown);
        let mut kept: Vec<(Kept, &[String])> =
            unknown.map(|kept| (kept, &[][..])).into_iter().collect();
        for count in &open.counts {
            let of_count = match is_tested {
                true => results.next().unwrap_or_default(),
                false => vec![exact(count, open.rule.limit)],
            };
            kept.extend(of_count.into_iter().map(|kept| (kept, &count.why[..])));
        }
        open.case.take(kept);
    }
    open.into_iter().map(|open| open.case).collect()
}
