//! Tests that take less.

mod experiments;
mod guests;
mod kernels;
mod machines;
mod regression;
