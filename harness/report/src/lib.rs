//! One page for people: a run, two sides or a matrix as a file that needs nothing else. It is
//! made of what `exitlab-analysis` found, by its words and numbers. Pure: text out, no files,
//! and the same records give the same bytes.
//!
//! ```text
//! RunRecord ──► run ─────────┐
//! Comparison ─► sides ───────┼─► page ─► report.html
//! Panel … ────► panels ──────┘    └─ style, script, policy
//!                  all by html, through base::foreign::html
//! ```
//!
//! The pictures are HTML tables with bars in SVG, and lines in SVG: text stays text, of any
//! size, and can be searched and read aloud. Nothing is asked of a network, and the page says
//! so to the browser (`policy`). Without its script it reads the same; the script sorts and
//! filters.

mod bar;
mod html;
mod lines;
mod page;
mod panels;
mod policy;
mod run;
mod scale;
mod sides;
mod span;
mod table;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod fixture;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub use page::{BEGINNING_BYTES, is_report};
pub use panels::{Panel, panels};
pub use run::run;
pub use sides::sides;
