//! Whole experiments with a scripted QEMU and guest.

mod ends;
mod harness;
mod samples;
mod without_ssh;
