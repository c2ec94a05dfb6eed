//! The whole program on emulated hosts: real kernels, real KVM, real QEMU, real SSH. No mock.
//!
//! They use the cache of the user who runs them, where `scripts/test` has put the kernels and
//! images. What each of them proves, and what it takes: `docs/tests.md`.
//!
//! All of them are one program, so that it is linked once, and two of its tests run at a time:
//! an emulated host takes one core. The harness starts tests in the order of their names: in
//! `first` are those that take long, so that at the end no core waits for one of them.

#![allow(clippy::unwrap_used, missing_docs)]

mod first;
mod rig;
#[path = "../support/mod.rs"]
mod support;
mod then;
