//! The log of every single exit: its file, names for what is in it, how it is printed, and where
//! two of them part.
//!
//! ```text
//! bytes of each vCPU ─► merged ─► array ─► log.npy.gz ─► Log ─┬─► Selection ─► printing
//!                                                             └─► parting::Side ─► diverge
//! ```

pub mod array;
pub mod diverge;
mod file;
mod merging;
mod names;
mod parting;
mod phases;
pub mod printing;
mod selection;

pub use file::Log;
pub use merging::merged;
pub use names::Names;
pub use phases::Phases;
pub use selection::{Chosen, Selection};

use exitlab_model::log::LoggedExit;

/// One exit of one vCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which vCPU.
    pub vcpu: u16,
    /// The exit.
    pub exit: LoggedExit,
}

#[cfg(test)]
mod fixture;
