//! Which commit did it? `git bisect run` chooses commits, and the gate is the judge.
//!
//! ```text
//! git bisect run ─► exitlab bisect-step ─► Questions ─► Tester: build, run, judge
//!        ▲                                             │
//!        └──────────── good · bad · skip ◄─────────────┘
//! ```
//!
//! What Git starts only carries a question to the exitlab that bisects, and the answer back:
//! so there is one process that shows what goes on, holds locks, and is interrupted.

mod questions;
pub mod report;
mod tested;
mod tester;
mod worktree;

pub use questions::{Questions, ask};
pub use tested::{Decision, Tested};
pub use tester::Tester;
pub use worktree::{End, LinkedWorktree};
