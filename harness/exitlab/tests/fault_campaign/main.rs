//! Faults without end: signals at random moments, disks that fill up, damaged caches and
//! results, garbled streams, floods, two exitlabs at once. Everything is the real program on
//! a real emulated host; nothing is mocked. `scripts/fault-campaign` runs it.
//!
//! After each fault the same questions are asked (`aftermath`): did it end in time, is
//! anything left, was something outside touched, did anything panic, and is what calls itself
//! complete equal, byte for byte, to a run that nothing disturbed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program of the tests that reports to the terminal"
)]

mod aftermath;
mod caches;
mod damage;
mod dice;
mod fault;
mod field;
mod inside;
mod run;
mod runs;
#[allow(dead_code, reason = "the end-to-end tests' own")]
#[path = "../support/mod.rs"]
mod support;
mod tables;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use dice::Dice;
use fault::Fault;
use field::Field;

/// What is asked for on the command line.
struct Asked {
    seed: u64,
    /// Ends after this time, whatever is left of `faults`.
    minutes: Option<u64>,
    faults: u64,
    /// Words of the faults that are wanted; without, all.
    only: String,
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            println!("{why}\n  cure: --seed N, --minutes M, --faults N, --only WORDS");
            return ExitCode::from(2);
        }
    };
    println!("==> seed {}: an undisturbed run", asked.seed);
    let field = Field::new();
    let started = Instant::now();
    let mut dice = Dice::of(asked.seed);
    let (mut done, mut wrong) = (0, Vec::new());
    for number in 1..=asked.faults {
        let over = |minutes| started.elapsed() >= Duration::from_secs(60 * minutes);
        if asked.minutes.is_some_and(over) {
            break;
        }
        let drawn = std::iter::repeat_with(|| Fault::draw(&mut dice));
        let is_wanted = |fault: &Fault| fault.to_string().contains(&asked.only);
        // There is one within so many draws, if there is one at all.
        let Some(fault) = drawn.take(10_000).find(is_wanted) else {
            println!("no fault has the words '{}'", asked.only);
            return ExitCode::from(2);
        };
        let seen = fault.inflict(&field, &mut dice, number);
        let word = if seen.wrong.is_empty() { "✓" } else { "✗" };
        println!("{word} {number:>4} {fault}: {}", seen.ended);
        for line in &seen.wrong {
            println!("       {line}");
        }
        wrong.extend((!seen.wrong.is_empty()).then_some(number));
        done += 1;
    }
    let seed = asked.seed;
    println!(
        "\n{done} faults in {} s, seed {seed}",
        started.elapsed().as_secs()
    );
    if wrong.is_empty() {
        println!("0 hangs, 0 things left behind, 0 false \"complete\", 0 panics, 0 files outside");
        return ExitCode::SUCCESS;
    }
    println!("wrong after {} of them: {wrong:?}", wrong.len());
    println!("what they left is in {}", field.keep().display());
    ExitCode::FAILURE
}

fn asked(words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        seed: 1,
        minutes: None,
        faults: u64::MAX,
        only: String::new(),
    };
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let text = words.next().unwrap_or_default();
        let value = text.parse().map_err(|_| format!("{word} takes a number"));
        match word.as_str() {
            "--seed" => asked.seed = value?,
            "--minutes" => asked.minutes = Some(value?),
            "--faults" => asked.faults = value?,
            "--only" => asked.only = text,
            _ => return Err(format!("'{word}' is not known")),
        }
    }
    if asked.minutes.is_none() && asked.faults == u64::MAX {
        asked.faults = 300;
    }
    Ok(asked)
}
