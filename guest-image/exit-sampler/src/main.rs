//! `exit-sampler` runs in the guest and reads the exit census of its own VM by CPUID.
//!
//! `exit-sampler serve LAST` answers one request a line on standard input, so that a
//! sample costs the leaves that are read and two small packets, not a login and a
//! new process:
//!
//! ```text
//! wait SECONDS    sleep until the guest's uptime is SECONDS   -> ready UPTIME_NS
//! census          read the count leaf for reasons 0..=LAST    -> census UPTIME_NS TSC LEAVES C0,C1,...
//! status          read the status leaf for reasons 0..=LAST   -> status S0,S1,...
//! ```
//!
//! In a `census` answer `-` stands for a reason that KVM calls undefined.
//! `exit-sampler spin cpuid BLOCKS` and `exit-sampler spin hypercall BLOCKS` measure what a
//! VM exit costs, with or without a census: they execute blocks of an instruction that
//! exits and print, in ticks of the TSC,
//!
//! ```text
//! spin cpuid per_block 16 blocks BLOCKS min TICKS median TICKS
//! ```
//!
//! `exit-sampler [REASON...]` prints `reason count` lines for a person.

mod leaves;
mod spin;

use std::io::{BufRead, Write};
use std::process::ExitCode;

use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((verb, [last])) if verb == "serve" => match last.parse() {
            Ok(last) => serve(last),
            Err(_) => Err(format!("'{last}' is not the number of an exit reason")),
        },
        Some((verb, [instruction, blocks])) if verb == "spin" => spin::run(instruction, blocks),
        _ => show(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("exit-sampler: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(last: u32) -> Result<(), String> {
    leaves::require_census()?;
    let input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    for line in input.lines() {
        let line = line.map_err(|e| format!("failed to read a request: {e}"))?;
        let answer = answer(&line, last)?;
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .map_err(|e| format!("failed to answer: {e}"))?;
    }
    Ok(())
}

fn answer(request: &str, last: u32) -> Result<String, String> {
    match request.split_once(' ') {
        Some(("wait", seconds)) => {
            let seconds: f64 = seconds
                .parse()
                .ok()
                .filter(|s: &f64| s.is_finite() && *s >= 0.0)
                .ok_or_else(|| format!("'{seconds}' is not a number of seconds"))?;
            Ok(format!("ready {}", sleep_until(seconds)?))
        }
        None if request == "census" => {
            let (uptime, tsc) = (uptime_ns(), leaves::tsc());
            let counts: Vec<String> = (0..=last)
                .map(|reason| leaves::count(reason).map_or("-".into(), |n| n.to_string()))
                .collect();
            Ok(format!(
                "census {uptime} {tsc} {} {}",
                counts.len(),
                counts.join(",")
            ))
        }
        None if request == "status" => {
            let statuses: Vec<String> = (0..=last)
                .map(|reason| leaves::status(reason).to_string())
                .collect();
            Ok(format!("status {}", statuses.join(",")))
        }
        _ => Err(format!(
            "'{request}' is no request; known are wait, census and status"
        )),
    }
}

fn show(reasons: &[String]) -> Result<(), String> {
    leaves::require_census()?;
    let mut output = std::io::stdout().lock();
    for text in reasons {
        let reason: u32 = text
            .parse()
            .map_err(|_| format!("'{text}' is not the number of an exit reason"))?;
        let count = leaves::count(reason).map_or("undefined".to_owned(), |n| n.to_string());
        writeln!(output, "{reason} {count}").map_err(|e| format!("failed to print: {e}"))?;
    }
    Ok(())
}

/// Guest uptime, nanoseconds.
fn uptime_ns() -> u64 {
    let now = clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sleeps to an absolute moment, so that the time of asking does not add up over samples.
fn sleep_until(seconds: f64) -> Result<u64, String> {
    let request = Timespec {
        tv_sec: seconds.trunc() as i64,
        tv_nsec: (seconds.fract() * 1e9) as _,
    };
    clock_nanosleep_absolute(ClockId::Boottime, &request)
        .map_err(|e| format!("failed to sleep until {seconds} s: {e}"))?;
    Ok(uptime_ns())
}
