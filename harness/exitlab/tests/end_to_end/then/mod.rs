//! Tests that take less.

mod attach;
mod experiments;
mod guests;
mod kernels;
mod machines;
mod regression;
