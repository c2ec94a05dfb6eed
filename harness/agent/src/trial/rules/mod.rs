//! The rules, one function each: it makes the VMs it needs, and says what it saw.
//!
//! Each is judged with what it needs and no more: it looks at what rises, not at what was
//! there before, reads counts where this kernel has them, and leaves out exits that are not
//! counted at all where it is about something else. So what one mistake hides is only what
//! cannot be observed at all.

mod answers;
mod counting;
mod cycles;
mod found;
mod interface;
mod isolation;
mod lost;
mod presence;
mod quiet;
mod range;
mod registers;
mod table;
mod verdict;

pub use found::Found;

use super::bench::Bench;
use super::trouble::Result;
use exitlab_model::rule::{Rule, Verdict};

/// Why a rule cannot be observed here at all, if it cannot.
fn unobservable(rule: Rule, bench: &Bench, found: &Found) -> Option<&'static str> {
    if rule != Rule::Present && found.is_broken(Rule::Present) {
        let answered = bench.seen()?.leaves.iter().any(|leaf| leaf.answered);
        if !answered {
            return Some("there is no census to ask");
        }
        if rule != Rule::Leaves && rule != Rule::Quiet {
            return Some("this is another form than was asked for: see rule 'present'");
        }
    }
    let by_reason = matches!(
        rule,
        Rule::BasicReason
            | Rule::Statistics
            | Rule::Status
            | Rule::ReasonTable
            | Rule::SwitchedOff
            | Rule::Range
            | Rule::LeafMaps
    );
    (by_reason && bench.order.totals_only).then_some("this form has no counts by reason")
}

/// Judges one rule.
pub fn judge(rule: Rule, bench: &Bench, found: &Found) -> Result<Verdict> {
    if let Some(why) = unobservable(rule, bench, found) {
        return verdict::not_judged(why);
    }
    match rule {
        Rule::Present => presence::present(bench),
        Rule::Leaves => presence::every_leaf(bench),
        Rule::Answers => answers::in_their_registers(bench),
        Rule::Registers => registers::nothing_left_over(bench),
        Rule::Quiet => quiet::quiet(bench),
        Rule::Shortcuts => counting::shortcuts(bench),
        Rule::FastPaths => counting::fast_paths(bench),
        Rule::NoneLost => lost::none_lost(bench),
        Rule::PerVm => isolation::per_vm(bench),
        Rule::BasicReason => counting::basic_reason(bench, found),
        Rule::Cycles => cycles::from_exit_to_entry(bench),
        Rule::Totals => cycles::totals(bench),
        Rule::Statistics => interface::statistics(bench),
        Rule::Status => interface::status(bench),
        Rule::ReasonTable => table::of_a_manual(bench),
        Rule::LeafMaps => interface::leaf_maps(bench, found),
        Rule::SwitchedOff => interface::switched_off(bench),
        Rule::Range => range::every_index(bench),
    }
}
