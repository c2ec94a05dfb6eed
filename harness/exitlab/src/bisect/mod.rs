//! Which commit did it? `git bisect run` chooses commits, and the gate is the judge.
//!
//! ```text
//! git bisect run ─► exitlab bisect-step ─► Desk ─► Bench: build, run, judge
//!        ▲                                             │
//!        └──────────── good · bad · skip ◄─────────────┘
//! ```
//!
//! What Git starts only carries a question to the exitlab that bisects, and the answer back:
//! so there is one process that shows what goes on, holds locks, and is interrupted.

mod bench;
mod desk;
mod linked;
pub mod report;

pub use bench::{Bench, Decision, Tested};
pub use desk::{Desk, ask};
pub use linked::{End, Linked};
