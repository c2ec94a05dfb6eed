//! Tests that take long.

mod bisect;
mod conformance;
mod grading;
pub mod machines;
mod matrix;
pub(crate) mod planted;

/// `samples.csv` without the column that says which of the repeats it is of, the fifth.
fn without_repeat(samples: &str) -> String {
    let lines = samples.lines().map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        [&fields[..4], &fields[5..]].concat().join(",") + "\n"
    });
    lines.collect()
}
