//! The trial: judges the exit census of the host's KVM with small guests of its own,
//! rule by rule. [`run`] is the story; `rules` holds the rules.

mod bench;
mod drive;
mod guest;
mod kernel_log;
mod leaves;
mod memory;
mod rules;
mod stats;
mod switches;
mod trouble;
mod vm;

use std::collections::BTreeMap;

use exitlab_abi::LeafMap;
use exitlab_model::event::{Event, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::order::TrialOrder;
use exitlab_model::reasons::ReasonTable;
use exitlab_model::rule::{Finding, Rule, Verdict};

use super::census::isa;
use super::events::Events;
use super::failure::Failure;
use super::no_kvm;
use bench::{Bench, Reasons};
use trouble::Trouble;
use vm::Maker;

/// Judges every rule, and emits what is found as it is found.
pub async fn run(order: TrialOrder, events: &Events) -> Result<(), Failure> {
    events.stage(Stage::Judging);
    no_kvm::require(Stage::Judging)?;
    let sender = events.sender();
    let work = tokio::task::spawn_blocking(move || {
        judge_all(&order, &|event| {
            let _ = sender.send(event);
        })
    });
    match work.await {
        Ok(outcome) => outcome.map_err(failure),
        Err(e) => Err(failure(format!("the trial broke off: {e}"))),
    }
}

fn failure(why: String) -> Failure {
    Failure::new(Stage::Judging, FailureKind::Host, why)
}

fn judge_all(order: &TrialOrder, emit: &dyn Fn(Event)) -> Result<(), String> {
    let bench = bench(order)?;
    let mut found: BTreeMap<Rule, Verdict> = BTreeMap::new();
    let mut ill = None;
    for rule in Rule::ALL {
        emit(Event::Judging { rule });
        let missing = |needed: &&Rule| !matches!(found.get(needed), Some(Verdict::Holds { .. }));
        let verdict = if let Some(rule) = ill {
            not_judged(rule, "broke the host's kernel")
        } else if let Some(needed) = rule.rests_on().iter().find(missing) {
            not_judged(*needed, "does not hold or was not judged")
        } else {
            match rules::judge(rule, &bench) {
                Ok(verdict) => verdict,
                Err(Trouble::Ill(line)) => {
                    ill = Some(rule);
                    Verdict::Broken {
                        seen: format!("the host's kernel said: {line}"),
                    }
                }
                Err(Trouble::Failed(why)) => return Err(format!("rule {}: {why}", rule.name())),
            }
        };
        found.insert(rule, verdict.clone());
        emit(Event::Found(Finding { rule, verdict }));
    }
    Ok(())
}

fn not_judged(rule: Rule, why: &str) -> Verdict {
    Verdict::NotJudged {
        because: format!("rule '{}' {why}", rule.name()),
    }
}

fn bench(order: &TrialOrder) -> Result<Bench, String> {
    let isa = isa().ok_or("the host's processor has neither VMX nor SVM")?;
    let table = ReasonTable::of(isa);
    let map = LeafMap::of(order.leaf_map.into());
    let opened = Maker::open();
    Ok(Bench {
        maker: opened.map_err(|trouble| match trouble {
            Trouble::Ill(why) | Trouble::Failed(why) => why,
        })?,
        table: order
            .sdm
            .map_or_else(|| table.clone(), |year| table.up_to(year)),
        map: map.ok_or_else(|| format!("there is no leaf map {}", order.leaf_map))?,
        reasons: Reasons::of(isa),
    })
}
