//! `exit-sampler` runs in the guest and reads the exit census of its own VM by CPUID.
//!
//! `exit-sampler serve REASONS` answers one request a line on standard input, so that a
//! sample costs the leaves that are read and two small packets, not a login and a
//! new process. REASONS are numbers and ranges: `0-85`, `0-166,1024-1027`.
//!
//! ```text
//! discover        what the census says of itself
//!                     -> discovery ISA VERSION MAP CYCLES DEFINED
//! wait SECONDS    sleep until the guest's uptime is SECONDS
//!                     -> ready UPTIME_NS
//! census          read total, counts, cycles, total
//!                     -> census UPTIME_NS TSC LEAVES TOTAL COUNTS CYCLES TOTAL
//! status          read the status leaf for each reason
//!                     -> status S0,S1,...
//! ```
//!
//! ISA is `vmx` or `svm`, CYCLES in `discovery` `on` or `off`. A TOTAL is `NTH:COUNT` or
//! `NTH:COUNT:CYCLES`, where NTH is how many leaves of this census had been read when the
//! count was. COUNTS and CYCLES are lists in the order of REASONS; `-` stands for a reason
//! that KVM calls undefined. While cycles are not counted CYCLES is `off`, and their
//! leaves are not read.
//!
//! `exit-sampler spin cpuid BLOCKS` and `exit-sampler spin hypercall BLOCKS` measure what a
//! VM exit costs, with or without a census: they execute blocks of an instruction that
//! exits and print, in ticks of the TSC,
//!
//! ```text
//! spin cpuid per_block 16 blocks BLOCKS min TICKS median TICKS
//! ```
//!
//! `exit-sampler run MODE COMMAND` runs a command for the guest's shell, and waits for what it
//! leaves behind (MODE `wait`), ends it (`end`), or only tells of it (`refuse`). Its last line
//! on standard error is
//!
//! ```text
//! exit-sampler: END, LEFT
//! ```
//!
//! END is `exit STATUS` or `signal NUMBER`; LEFT is `alone`, or `waited for N: NAME; NAME`, or
//! the same with `ended` or `found`. While it waits for what is left it has said `waiting for`.
//!
//! `exit-sampler [REASON...]` prints `reason count` lines for a person, with the cycles
//! as a third word while they are counted.

mod command;
mod leaves;
mod reasons;
mod spin;

use std::io::{BufRead, Write};
use std::process::ExitCode;

use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

use leaves::{Census, Isa, Total};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((verb, [mode, command])) if verb == "run" => match command::run(mode, command) {
            Ok(status) => return ExitCode::from(status),
            Err(why) => Err(why),
        },
        Some((verb, [reasons])) if verb == "serve" => reasons::parse(reasons).and_then(serve),
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

fn serve(reasons: Vec<u32>) -> Result<(), String> {
    let census = Census::find()?;
    let input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    for line in input.lines() {
        let line = line.map_err(|e| format!("failed to read a request: {e}"))?;
        let answer = answer(&line, &census, &reasons)?;
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .map_err(|e| format!("failed to answer: {e}"))?;
    }
    Ok(())
}

fn answer(request: &str, census: &Census, reasons: &[u32]) -> Result<String, String> {
    match request.split_once(' ') {
        Some(("wait", seconds)) => {
            let seconds: f64 = seconds
                .parse()
                .ok()
                .filter(|s: &f64| s.is_finite() && *s >= 0.0)
                .ok_or_else(|| format!("'{seconds}' is not a number of seconds"))?;
            Ok(format!("ready {}", sleep_until(seconds)?))
        }
        None if request == "discover" => Ok(discovery(census)),
        None if request == "census" => Ok(reading(census, reasons)),
        None if request == "status" => {
            let statuses = reasons
                .iter()
                .map(|&reason| leaves::status(reason).to_string());
            Ok(format!("status {}", statuses.collect::<Vec<_>>().join(",")))
        }
        _ => Err(format!(
            "'{request}' is no request; known are discover, wait, census and status"
        )),
    }
}

fn discovery(census: &Census) -> String {
    let isa = match census.isa {
        Isa::Vmx => "vmx",
        Isa::Svm => "svm",
    };
    let cycles = if census.cycles { "on" } else { "off" };
    let (version, map, defined) = (census.version, census.map.number, census.reasons);
    format!("discovery {isa} {version} {map} {cycles} {defined}")
}

/// The two totals enclose everything else: what lies between them bounds the sums.
fn reading(census: &Census, reasons: &[u32]) -> String {
    let (uptime, tsc) = (uptime_ns(), leaves::tsc());
    let mut read = 0;
    let before = census.total(true, &mut read);
    let counts: Vec<Option<u64>> = reasons.iter().map(|&r| census.count(r)).collect();
    read += counts.len() as u64;
    let cycles: Option<Vec<Option<u64>>> = census
        .cycles
        .then(|| reasons.iter().map(|&r| census.cycles(r)).collect());
    read += cycles.as_ref().map_or(0, Vec::len) as u64;
    let after = census.total(false, &mut read);
    // Words are made when nothing is left to read.
    let (counts, cycles) = (list(&counts), cycles.map_or("off".to_owned(), |c| list(&c)));
    let (before, after) = (total(&before), total(&after));
    format!("census {uptime} {tsc} {read} {before} {counts} {cycles} {after}")
}

fn total(total: &Total) -> String {
    let Total { count, cycles, nth } = total;
    match cycles {
        Some(cycles) => format!("{nth}:{count}:{cycles}"),
        None => format!("{nth}:{count}"),
    }
}

fn list(values: &[Option<u64>]) -> String {
    let words = values
        .iter()
        .map(|value| value.map_or("-".to_owned(), |n| n.to_string()));
    words.collect::<Vec<_>>().join(",")
}

fn show(reasons: &[String]) -> Result<(), String> {
    let census = Census::find()?;
    let mut output = std::io::stdout().lock();
    for text in reasons {
        let reason: u32 = text
            .parse()
            .map_err(|_| format!("'{text}' is not the number of an exit reason"))?;
        let count = census
            .count(reason)
            .map_or("undefined".to_owned(), |n| n.to_string());
        let cycles = if census.cycles {
            census.cycles(reason)
        } else {
            None
        };
        let cycles = cycles.map_or(String::new(), |n| format!(" {n}"));
        writeln!(output, "{reason} {count}{cycles}")
            .map_err(|e| format!("failed to print: {e}"))?;
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
