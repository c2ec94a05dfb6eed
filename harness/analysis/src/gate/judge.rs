//! The verdicts: a case for each rule and phase.

use jiff::civil::Date;

use super::count::{Count, View};
use super::limit::{Kept, exact, noisy};
use super::provenance;
use super::rules::{Allow, Limit, Origin, PhaseChoice, ReasonChoice, Rule, Rules};
use crate::compare::{CellCounts, Pair, Percent, Side, pairs};
use exitlab_base::error::{Error, Result};
use exitlab_model::platform::PlatformKind;

/// What came of one case. The order is that of what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A rule is broken.
    Failed,
    /// Neither is known.
    Undecided,
    /// The rule is kept.
    Passed,
}

/// One rule in one phase of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The cell, for people; of an allowance, where it is.
    pub cell: String,
    /// The phase's name.
    pub phase: String,
    /// The rule's title.
    pub rule: String,
    /// `gate.toml:12`
    pub place: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why: what broke the rule or could not be decided, and what was allowed.
    pub details: Vec<String>,
    /// How many counts were judged.
    pub counts: usize,
}

/// All verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The file of rules.
    pub rules: String,
    /// What was judged against; `None` if no rule needs it.
    pub base: Option<String>,
    /// What was judged.
    pub head: String,
    /// What is to be known of the sides' provenance, a line for each cell; empty if no rule
    /// asks for it.
    pub provenance: Vec<String>,
    /// The cases, by rule.
    pub cases: Vec<Case>,
}

impl Judgement {
    /// How many cases came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases
            .iter()
            .filter(|case| case.outcome == outcome)
            .count()
    }

    /// The worst outcome of all.
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.cases.iter().map(|case| case.outcome);
        outcomes.min().unwrap_or(Outcome::Undecided)
    }
}

/// A case whose counts are still to be judged.
struct OpenCase<'a> {
    case: Case,
    rule: &'a Rule,
    repeatable: bool,
    counts: Vec<Count>,
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
    let mut open = Vec::new();
    let mut cases = expired(rules, today);
    for rule in &rules.rules {
        let cells = head.cells.iter().filter(|cell| {
            rule.scope.concerns(&cell.key.platform) && rule.scope.reasons.exists_on(cell.isa)
        });
        let cells: Vec<&CellCounts> = cells.collect();
        if cells.is_empty() {
            cases.push(without_cells(rule));
            continue;
        }
        let before = open.len();
        let mut judged = false;
        for cell in &cells {
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
    Ok(Judgement {
        rules: rules.name.clone(),
        base: base.map(|base| base.name.clone()),
        head: head.name.clone(),
        provenance: provenance::lines(rules, &pairs),
        cases: judged,
    })
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
    Ok(open)
}

fn needs_base(rule: &Rule) -> bool {
    !matches!(rule.limit, Limit::MaxExits(_))
}

/// The case of a rule in one phase of one cell.
fn opened_in_phase<'a>(rule: &'a Rule, rules: &'a Rules, view: &View) -> OpenCase<'a> {
    let repeatable = view.head.key.repeatable();
    let (mut counts, left_out) = view.counts(rule);
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
    let increase = |open: &OpenCase| -> Option<Percent> {
        match open.rule.limit {
            Limit::MaxIncrease(percent) if !open.repeatable => Some(percent),
            _ => None,
        }
    };
    let noisy_ones: Vec<(&Count, Percent)> = open
        .iter()
        .filter_map(|open| Some((open, increase(open)?)))
        .flat_map(|(open, percent)| open.counts.iter().map(move |q| (q, percent)))
        .collect();
    let mut results = noisy(&noisy_ones, rules.settings.level).into_iter();
    for open in &mut open {
        let tested = increase(open).is_some();
        let mut kept: Vec<Kept> = Vec::new();
        for count in &open.counts {
            kept.extend(match tested {
                true => results.next(),
                false => Some(exact(count, open.rule.limit)),
            });
        }
        open.case.take(kept);
    }
    open.into_iter().map(|open| open.case).collect()
}

impl Case {
    /// Takes in what came of each count: what breaks the rule is told first.
    fn take(&mut self, kept: Vec<Kept>) {
        let mut broken = Vec::new();
        let mut unknown = Vec::new();
        for kept in kept {
            match kept {
                Kept::Yes => {}
                Kept::No(why) => broken.push(why),
                Kept::Unknown(why) => unknown.push(why),
            }
        }
        self.outcome = match (broken.is_empty(), unknown.is_empty()) {
            (false, _) => Outcome::Failed,
            (true, false) => Outcome::Undecided,
            (true, true) => Outcome::Passed,
        };
        let allowed = std::mem::take(&mut self.details);
        self.details = [broken, unknown, allowed].concat();
    }
}

/// Allowances that hold no longer: each fails by itself, so that nobody forgets it.
fn expired(rules: &Rules, today: Date) -> Vec<Case> {
    let case = |allow: &Allow| Case {
        cell: "allowances".to_owned(),
        phase: "all".to_owned(),
        rule: "an allowance holds until its date".to_owned(),
        place: allow.place.clone(),
        outcome: Outcome::Failed,
        details: vec![format!(
            "expired on {}: {}; renew it, or remove it and update the baseline",
            allow.until, allow.because
        )],
        counts: 0,
    };
    rules
        .allows
        .iter()
        .filter(|allow| allow.until < today)
        .map(case)
        .collect()
}

/// A rule that no run was given for says neither yes nor no.
fn without_cells(rule: &Rule) -> Case {
    let platform = rule
        .scope
        .platform
        .map_or("an instruction set that has it", PlatformKind::name);

    Case {
        cell: "no run".to_owned(),
        phase: "all".to_owned(),
        rule: rule.title.clone(),
        place: rule.place.clone(),
        outcome: Outcome::Undecided,
        details: vec![format!(
            "no run of {platform} was given; --platform judges the rules of one platform only"
        )],
        counts: 0,
    }
}

fn no_baseline(rule: &Rule, head: &CellCounts, none: bool) -> Error {
    let (what, cure) = match none {
        true => (
            "no baseline is given".to_owned(),
            "add baseline = \"FILE\" to the rules, or give --base FILE; `exitlab baseline save` \
             makes one",
        ),
        false => (
            format!("the baseline has no cell {}", head.key),
            "add it: exitlab baseline update FILE RUN",
        ),
    };
    Error::Config {
        message: format!(
            "{}: rule `{}` needs a baseline: {what}",
            rule.place, rule.title
        ),
        cure: cure.to_owned(),
    }
}

fn no_phase_in_baseline(rule: &Rule, head: &CellCounts, phase: &str) -> Error {
    Error::Config {
        message: format!(
            "{}: rule `{}`: the baseline of {} has no phase `{phase}`",
            rule.place, rule.title, head.key
        ),
        cure: "update the baseline: exitlab baseline update".to_owned(),
    }
}

fn no_such_phase(rule: &Rule, cells: &[&CellCounts]) -> Error {
    let phase = match &rule.scope.phase {
        PhaseChoice::Named(name) => name.as_str(),
        PhaseChoice::Each => "any",
    };
    let mut known: Vec<&str> = cells.iter().flat_map(|cell| cell.phase_names()).collect();
    known.sort_unstable();
    known.dedup();
    Error::Config {
        message: format!(
            "{}: rule.phase = \"{phase}\": no run has this phase (rule `{}`)",
            rule.place, rule.title
        ),
        cure: format!(
            "choose from {}; `idle` is every idle interval",
            known.join(", ")
        ),
    }
}
