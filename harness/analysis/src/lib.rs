//! What is made of samples: figures, tables, comparisons, verdicts. Pure, but for reading
//! results directories and baseline files.
//!
//! ```text
//! RunRecord ─► figures::RunFigures ─► export
//! results directories ─► reading ─► compare::Comparison ─► gate::Judgement ─► export
//! ```

pub mod baseline;
pub mod compare;
pub mod export;
pub mod figures;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gate;
pub mod log;
mod naming;
pub mod reading;
