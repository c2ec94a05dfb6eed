//! The TOML mirror of a file of rules, and everything that may be wrong with it.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::amount::Amount;
use super::choice::BelowChoice;
use super::rules::{Allow, Limit, Origin, ReasonChoice, Rule, Rules, Scope};
use super::scope_keys::{Given, ScopeKeys};
use crate::compare::{Percent, Settings};
use exitlab_base::toml::{Problem, Text, Wrong};

const MANUAL: &str = "docs/regression.md";

/// Every key of the format; a test holds it against the document.
pub(super) const KEYS: &[&str] = &[
    "baseline",
    "level",
    "least_exits",
    "may_differ",
    "rule",
    "rule.name",
    "rule.platform",
    "rule.phase",
    "rule.reason",
    "rule.class",
    "rule.detail",
    "rule.place",
    "rule.exact",
    "rule.max_increase",
    "rule.max_decrease",
    "rule.max_change",
    "rule.max_exits",
    "rule.provenance",
    "rule.least_exits",
    "allow",
    "allow.platform",
    "allow.phase",
    "allow.reason",
    "allow.class",
    "allow.because",
    "allow.until",
];

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
#[derive(Default)]
struct Document {
    baseline: Given<String>,
    level: Given<String>,
    least_exits: Given<i64>,
    may_differ: Vec<Spanned<String>>,
    rule: Vec<Spanned<RuleDocument>>,
    allow: Vec<Spanned<AllowDocument>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
struct RuleDocument {
    name: Given<String>,
    platform: Given<String>,
    phase: Given<String>,
    reason: Given<toml::Value>,
    class: Given<String>,
    detail: Given<String>,
    place: Given<String>,
    exact: Given<bool>,
    max_increase: Given<toml::Value>,
    max_decrease: Given<toml::Value>,
    max_change: Given<toml::Value>,
    max_exits: Given<i64>,
    provenance: Given<String>,
    least_exits: Given<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
struct AllowDocument {
    platform: Given<String>,
    phase: Given<String>,
    reason: Given<toml::Value>,
    class: Given<String>,
    because: Given<String>,
    until: Given<toml::Value>,
}

/// Reads a whole file; `dir` is what its paths are relative to.
pub(crate) fn read(text: &Text, dir: &Path) -> Result<Rules, Vec<Problem>> {
    let document: Document = text.parse(KEYS, MANUAL).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let mut settings = Settings::default();
    if let Some(given) = &document.level {
        match given.get_ref().parse::<Percent>() {
            Ok(level) if level.fraction() > 0.0 && level.fraction() <= 0.5 => {
                settings.level = level.fraction();
            }
            _ => {
                let wrong = Wrong::new("not a level", "give a percentage, at most \"50%\"");
                problems.push(text.problem("level", given, wrong));
            }
        }
    }
    match whole(text, "least_exits", &document.least_exits) {
        Ok(least) => settings.least_exits = least.unwrap_or(settings.least_exits),
        Err(problem) => problems.push(problem),
    }
    for given in &document.may_differ {
        problems.extend(unknown_section(text, given));
    }
    if document.rule.is_empty() {
        let cure = format!("add a [[rule]]; {MANUAL} has examples");
        problems.push(text.whole(Wrong::new("there is no rule in it", cure)));
    }
    let mut rules = Vec::new();
    for given in &document.rule {
        keep(rule(text, given), &mut rules, &mut problems);
    }
    let mut allows = Vec::new();
    for given in &document.allow {
        keep(allow(text, given), &mut allows, &mut problems);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Rules {
        name: text.name.clone(),
        baseline: document.baseline.map(|file| dir.join(file.into_inner())),
        settings,
        may_differ: document
            .may_differ
            .into_iter()
            .map(Spanned::into_inner)
            .collect(),
        rules,
        allows,
    })
}

fn keep<T>(read: Result<T, Problem>, good: &mut Vec<T>, problems: &mut Vec<Problem>) {
    match read {
        Ok(value) => good.push(value),
        Err(problem) => problems.push(problem),
    }
}

fn rule(text: &Text, given: &Spanned<RuleDocument>) -> Result<Rule, Problem> {
    let rule = given.get_ref();
    let scope = ScopeKeys {
        section: "rule",
        platform: &rule.platform,
        phase: &rule.phase,
        reason: &rule.reason,
        class: &rule.class,
    };
    let scope = scope.read(text)?;
    let below = below(text, rule, &scope)?;
    let limit = limit(text, given)?;
    let provenance = origin(text, &rule.provenance)?;
    let least_exits = whole(text, "rule.least_exits", &rule.least_exits)?;
    let title = match &rule.name {
        Some(name) => name.get_ref().clone(),
        None => {
            let below = below.as_ref().map_or(String::new(), BelowChoice::title);
            format!("{} {}{below}", limit.words(), scope.words())
        }
    };
    Ok(Rule {
        place: text.place(given.span().start),
        title,
        scope,
        below,
        limit,
        provenance,
        least_exits,
    })
}

/// At most one of two keys.
fn below(text: &Text, rule: &RuleDocument, scope: &Scope) -> Result<Option<BelowChoice>, Problem> {
    let wrong = |key: &str, given: &Spanned<String>, what: &str, cure: &str| {
        Err(text.problem(key, given, Wrong::new(what, cure)))
    };
    match (&rule.detail, &rule.place) {
        (None, None) => Ok(None),
        (Some(_), Some(place)) => wrong(
            "rule.place",
            place,
            "both detail and place are given",
            "give one of the two: they are counted apart",
        ),
        (Some(detail), None) => {
            let words = detail.get_ref().trim();
            let single = matches!(
                scope.reasons,
                ReasonChoice::Number(_) | ReasonChoice::Named(_)
            );
            if words.is_empty() || !single {
                let cure = "give reason = \"I/O instruction\", detail = \"write port 0x3f8\", as \
                            the tables print both";
                let what = match words.is_empty() {
                    true => "names nothing",
                    false => "a detail is below one reason, and none is given",
                };
                return wrong("rule.detail", detail, what, cure);
            }
            Ok(Some(BelowChoice::Detail(words.to_owned())))
        }
        (None, Some(place)) => {
            let words = place.get_ref().trim();
            let cure = "give a function as the tables print it, without an offset: \
                        \"io_serial_out\"";
            match words.split_once("+0x") {
                _ if words.is_empty() => wrong("rule.place", place, "names nothing", cure),
                Some(_) => wrong("rule.place", place, "a place is a whole function", cure),
                None => Ok(Some(BelowChoice::Place(words.to_owned()))),
            }
        }
    }
}

fn origin(text: &Text, given: &Given<String>) -> Result<Origin, Problem> {
    let Some(given) = given else {
        return Ok(Origin::Any);
    };
    match given.get_ref().as_str() {
        "equal" => Ok(Origin::Equal),
        "different" => Ok(Origin::Different),
        _ => {
            let cure = "choose from equal, different; leave it out for both";
            let wrong = Wrong::new("unknown provenance", cure);
            Err(text.problem("rule.provenance", given, wrong))
        }
    }
}

/// A limit of an amount.
type OfAmount = fn(Amount) -> Limit;

/// Exactly one of five keys.
fn limit(text: &Text, given: &Spanned<RuleDocument>) -> Result<Limit, Problem> {
    let rule = given.get_ref();
    let choose = "give one of exact = true, max_increase = \"2%\", max_decrease, max_change and \
                  max_exits = 1000";
    let mut limits = Vec::new();
    if let Some(exact) = &rule.exact {
        if !*exact.get_ref() {
            let wrong = Wrong::new("asks for nothing", choose);
            return Err(text.problem("rule.exact", exact, wrong));
        }
        limits.push(Limit::Exact);
    }
    let changes: [(&str, &Given<toml::Value>, OfAmount); 3] = [
        ("rule.max_increase", &rule.max_increase, Limit::MaxIncrease),
        ("rule.max_decrease", &rule.max_decrease, Limit::MaxDecrease),
        ("rule.max_change", &rule.max_change, Limit::MaxChange),
    ];
    for (key, given, limit) in changes {
        if let Some(given) = given {
            limits.push(limit(amount(text, key, given)?));
        }
    }
    limits.extend(whole(text, "rule.max_exits", &rule.max_exits)?.map(Limit::MaxExits));
    match *limits {
        [limit] => Ok(limit),
        [] => Err(text.section("rule", given, Wrong::new("asks for nothing", choose))),
        _ => {
            let wrong = Wrong::new("asks for more than one thing", choose);
            Err(text.section("rule", given, wrong))
        }
    }
}

/// A percentage or a number of exits.
fn amount(text: &Text, key: &str, given: &Spanned<toml::Value>) -> Result<Amount, Problem> {
    let wrong = |what: &str, cure: &str| Err(text.problem(key, given, Wrong::new(what, cure)));
    let amount = match given.get_ref() {
        toml::Value::Integer(exits) => match u64::try_from(*exits) {
            Ok(exits) => Amount::Exits(exits),
            Err(_) => return wrong("out of range", "give 0 or more"),
        },
        toml::Value::String(percent) => match percent.parse::<Percent>() {
            Ok(percent) => Amount::Part(percent),
            Err(cure) => return wrong("not a percentage", &cure),
        },
        _ => return wrong("not an amount", "give a percentage (\"2%\") or exits (20)"),
    };
    match amount {
        // Nothing falls by more than all of it.
        Amount::Part(percent) if key == "rule.max_decrease" && percent.fraction() >= 1.0 => wrong(
            "asks for nothing",
            "give less than 100%, or a number of exits",
        ),
        amount => Ok(amount),
    }
}

/// A key that no plan has would allow nothing, unseen.
fn unknown_section(text: &Text, given: &Spanned<String>) -> Option<Problem> {
    const SECTIONS: [&str; 8] = [
        "name", "phase", "kernel", "host", "guest", "sampling", "kvm", "inspect",
    ];
    let section = given.get_ref().split('.').next().unwrap_or_default();
    let known = SECTIONS.contains(&section) || ["kvm_intel", "kvm_amd"].contains(&section);
    (!known).then(|| {
        let cure = format!(
            "give keys or sections of the configuration, such as \"guest.cmdline\": {}",
            SECTIONS.join(", ")
        );
        text.problem("may_differ", given, Wrong::new("no key of a plan", cure))
    })
}

fn allow(text: &Text, given: &Spanned<AllowDocument>) -> Result<Allow, Problem> {
    let allow = given.get_ref();
    let scope = ScopeKeys {
        section: "allow",
        platform: &allow.platform,
        phase: &allow.phase,
        reason: &allow.reason,
        class: &allow.class,
    };
    let scope = scope.read(text)?;
    let missing = |key: &str, cure: &str| {
        text.section(
            "allow",
            given,
            Wrong::new(format!("{key} is missing"), cure),
        )
    };
    let because = allow
        .because
        .as_ref()
        .filter(|text| !text.get_ref().trim().is_empty());
    let because = because.ok_or_else(|| missing("because", "say why this may change"))?;
    let until = allow.until.as_ref();
    let until = until.ok_or_else(|| missing("until", "give a date: until = 2027-03-31"))?;
    Ok(Allow {
        place: text.place(given.span().start),
        scope,
        because: because.get_ref().clone(),
        until: date(until).ok_or_else(|| {
            let wrong = Wrong::new("not a date", "write it without quotes: until = 2027-03-31");
            text.problem("allow.until", until, wrong)
        })?,
    })
}

fn date(given: &Spanned<toml::Value>) -> Option<jiff::civil::Date> {
    match given.get_ref() {
        toml::Value::Datetime(moment) if moment.time.is_none() => moment.to_string().parse().ok(),
        _ => None,
    }
}

fn whole(text: &Text, key: &str, given: &Given<i64>) -> Result<Option<u64>, Problem> {
    let Some(given) = given else { return Ok(None) };
    u64::try_from(*given.get_ref())
        .map(Some)
        .map_err(|_| text.problem(key, given, Wrong::new("out of range", "give 0 or more")))
}

impl Limit {
    fn words(self) -> String {
        match self {
            Limit::Exact => "exactly the same".to_owned(),
            Limit::MaxIncrease(most) => format!("at most {most} more"),
            Limit::MaxDecrease(most) => format!("at most {most} fewer"),
            Limit::MaxChange(most) => format!("at most {most} more or fewer"),
            Limit::MaxExits(exits) => format!("at most {exits}"),
        }
    }
}

impl Scope {
    fn words(&self) -> String {
        match &self.reasons {
            ReasonChoice::Each => "exits of each reason".to_owned(),
            ReasonChoice::Total => "exits in total".to_owned(),
            ReasonChoice::Number(number) => format!("exits of reason {number}"),
            ReasonChoice::Named(name) => format!("exits of {name}"),
            ReasonChoice::Class(class) => format!("exits of class {class}"),
        }
    }
}
