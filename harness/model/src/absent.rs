//! What files leave out, since it says nothing and readers take it for granted.

/// Whether nothing was counted.
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}
