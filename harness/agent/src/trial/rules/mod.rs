//! The rules, one function each: it makes the VMs it needs, and says what it saw.

mod answers;
mod counting;
mod cycles;
mod interface;
mod isolation;
mod range;
mod verdict;

use super::bench::Bench;
use super::trouble::Result;
use exitlab_model::rule::{Rule, Verdict};

/// Judges one rule.
pub fn judge(rule: Rule, bench: &Bench) -> Result<Verdict> {
    match rule {
        Rule::Present => answers::present(bench),
        Rule::Answers => answers::in_their_registers(bench),
        Rule::Registers => answers::nothing_left_over(bench),
        Rule::Shortcuts => counting::shortcuts(bench),
        Rule::FastPaths => counting::fast_paths(bench),
        Rule::NoneLost => isolation::none_lost(bench),
        Rule::PerVm => isolation::per_vm(bench),
        Rule::BasicReason => counting::basic_reason(bench),
        Rule::Quiet => isolation::quiet(bench),
        Rule::Cycles => cycles::from_exit_to_entry(bench),
        Rule::Totals => cycles::totals(bench),
        Rule::Statistics => interface::statistics(bench),
        Rule::Status => interface::status(bench),
        Rule::LeafMaps => interface::leaf_maps(bench),
        Rule::SwitchedOff => interface::switched_off(bench),
        Rule::Range => range::every_index(bench),
    }
}
