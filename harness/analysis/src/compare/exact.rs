//! Platforms that repeat bit for bit: a difference of one exit is a difference.

use super::counts::CellCounts;
use super::verdict::Verdict;

/// The verdict on one reason of one phase: repeats of a side must agree before sides can.
pub(super) fn verdict(base: &[u64], head: &[u64]) -> Verdict {
    match (single(base), single(head)) {
        (Some(base), Some(head)) if base == head => Verdict::Same,
        (Some(_), Some(_)) => Verdict::Differs,
        _ => Verdict::NotRepeatable,
    }
}

fn single(values: &[u64]) -> Option<u64> {
    let first = *values.first()?;
    values.iter().all(|&value| value == first).then_some(first)
}

/// How many pairs of phase and reason differ between the repeats of a cell: 0 on a
/// platform that keeps its promise.
pub fn unequal_repeats(cell: &CellCounts) -> usize {
    let series = cell.phases.iter().flat_map(|phase| phase.reasons.values());
    series
        .filter(|series| single(&series.exits).is_none())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_exit_is_a_difference() {
        assert_eq!(verdict(&[5, 5], &[5]), Verdict::Same);
        assert_eq!(verdict(&[5], &[6]), Verdict::Differs);
        assert_eq!(verdict(&[5, 6], &[5, 6]), Verdict::NotRepeatable);
        assert_eq!(verdict(&[0], &[0]), Verdict::Same);
    }
}
