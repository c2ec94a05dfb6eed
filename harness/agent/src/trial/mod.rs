//! The trial: judges the exit census of the host's KVM with small guests of its own,
//! rule by rule. [`run`] is the story; `rules` holds the rules.

mod bench;
mod causes;
mod code;
mod counts;
mod drive;
mod guest;
mod kernel_log;
mod leaves;
mod look;
mod memory;
mod rules;
mod shape;
mod slabs;
mod stats;
mod switches;
mod trouble;
mod vm;

use std::time::Duration;

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
use bench::Bench;
use kernel_log::KernelLog;
use rules::Found;
use vm::Maker;

/// Judges every rule, and emits what is found as it is found.
pub async fn run(order: TrialOrder, events: &Events) -> Result<(), Failure> {
    events.stage(Stage::Judging);
    no_kvm::require(Stage::Judging)?;
    let sender = events.sender();
    let work = tokio::task::spawn_blocking(move || {
        judge_all(order, &|event| {
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

/// How long what is about to be tried may take to get out: what kills the host must have
/// been named before.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

fn judge_all(order: TrialOrder, emit: &dyn Fn(Event)) -> Result<(), String> {
    let bench = bench(order)?;
    let mut found = Found::default();
    for rule in Rule::ALL {
        // A kernel that went wrong has its console loud again.
        kernel_log::prepare();
        emit(Event::Judging { rule });
        std::thread::sleep(ON_ITS_WAY);
        let verdict = judge(rule, &bench, &found);
        found.add(rule, verdict.clone());
        emit(Event::Found(Finding { rule, verdict }));
    }
    Ok(())
}

/// One rule: whatever happens, there is a verdict, and the next one is judged with new VMs.
fn judge(rule: Rule, bench: &Bench, found: &Found) -> Verdict {
    let mut log = KernelLog::from_now();
    let verdict = rules::judge(rule, bench, found);
    let verdict = verdict.unwrap_or_else(|trouble| trouble.verdict(rule));
    // A kernel may say that something went wrong, and go on.
    match (&verdict, log.find_illness()) {
        (Verdict::Holds { .. }, Some(illness)) => illness.verdict(rule),
        _ => verdict,
    }
}

fn bench(order: TrialOrder) -> Result<Bench, String> {
    let isa = isa().ok_or("the host's processor has neither VMX nor SVM")?;
    let table = ReasonTable::of(isa);
    let map = LeafMap::of(order.leaf_map.into());
    let map = map.ok_or_else(|| format!("there is no leaf map {}", order.leaf_map))?;
    let maker = Maker::open().map_err(|trouble| trouble.told())?;
    Ok(Bench::new(maker, table, map, order))
}
