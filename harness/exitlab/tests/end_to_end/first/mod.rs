//! Tests that take long.

mod bisect;
mod conformance;
mod grading;
mod matrix;
mod planted;
