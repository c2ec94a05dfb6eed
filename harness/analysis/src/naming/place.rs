//! Places in the guest's code.

/// An address of the guest's code in words. Whoever knows the guest's symbols puts them here.
pub fn place(address: u64) -> String {
    format!("{address:#x}")
}
