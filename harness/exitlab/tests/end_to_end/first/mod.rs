//! Tests that take long.

mod bisect;
mod conformance;
mod matrix;
mod planted;
