//! How much of a histogram a reading holds.

use std::cmp::Reverse;

/// Most entries of one histogram that a reading holds. A reading with all of them stays far
/// below the longest event.
pub const MOST_ENTRIES: usize = 16_384;

/// The commonest entries, in ascending order, at most [`MOST_ENTRIES`] of them, and how often
/// those occurred together that are left out. Of equally common ones the lower stay.
pub(super) fn commonest<E: Ord>(mut entries: Vec<E>, count: impl Fn(&E) -> u64) -> (Vec<E>, u64) {
    entries.sort_unstable_by(|one, other| {
        let of_both = Reverse(count(one)).cmp(&Reverse(count(other)));
        of_both.then_with(|| one.cmp(other))
    });
    let rest = entries.split_off(entries.len().min(MOST_ENTRIES));
    entries.sort_unstable();
    let left_out = rest.iter().map(count).fold(0, u64::saturating_add);
    (entries, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_the_rarest_and_is_counted() {
        let most = MOST_ENTRIES as u64;
        let (entries, left_out) = commonest((0..most + 2).collect(), |key| key + 1);
        assert_eq!(entries, (2..most + 2).collect::<Vec<_>>());
        assert_eq!(left_out, 1 + 2);
        let (equals, one) = commonest((0..most + 1).rev().collect(), |_| 1);
        assert_eq!(equals, (0..most).collect::<Vec<_>>());
        assert_eq!(one, 1);
    }
}
