//! Tests that take less.

mod attach;
mod details;
mod experiments;
mod guests;
mod kernels;
mod log;
mod own_symbols;
mod partings;
mod regression;
mod witness;
