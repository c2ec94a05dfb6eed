//! `sampling.log`, and how it is kept.

use super::document::Document;
use super::resolver::Resolver;
use super::size;
use super::value::within;
use exitlab_base::toml::Wrong;
use exitlab_model::log::{MOST, USUAL_BUFFER_KIB, USUAL_LIMIT};
use exitlab_model::plan::{LogPlan, SamplingPlan};
use exitlab_model::record::Channel;

/// Least and most that the kernel may have for events, KiB for each processor.
const LEAST_BUFFER_KIB: u32 = 8;
const MOST_BUFFER_KIB: u32 = 1 << 20;

impl<'a> Resolver<'a> {
    /// The log of single exits: it needs the tracepoint.
    pub(super) fn log(&mut self, plan: &mut SamplingPlan) {
        let (mut log, mut limit, mut buffer) = (false, USUAL_LIMIT, USUAL_BUFFER_KIB);
        let get = |d: &'a Document| &d.sampling.log;
        self.value("sampling.log", get, &mut log, |e| Ok(*e.value));
        self.value(
            "sampling.log_limit",
            |d| &d.sampling.log_limit,
            &mut limit,
            |e| Ok(within(*e.value, 1..=MOST as i64)? as u64),
        );
        self.value(
            "sampling.log_buffer",
            |d| &d.sampling.log_buffer,
            &mut buffer,
            |e| kib(e.value),
        );
        if log && !plan.channels.contains(&Channel::Trace) {
            let wrong = Wrong::new(
                "needs the channel \"trace\"",
                "set sampling.channels to [\"cpuid\", \"stats\", \"trace\"], or to [\"trace\"] \
                 alone",
            );
            let entry = self.layers.entry("sampling.log", get);
            self.problems
                .extend(entry.map(|entry| entry.problem(wrong)));
        }
        plan.log = log.then_some(LogPlan {
            limit,
            buffer_kib: buffer,
        });
    }
}

/// A size such as `16M` or `64K`, in KiB.
fn kib(text: &str) -> Result<u32, Wrong> {
    match size::in_units(text, ['K', 'M']) {
        None => Err(Wrong::new(
            "not a size",
            "write a size like \"16M\" or \"512K\"",
        )),
        Some(number @ LEAST_BUFFER_KIB..=MOST_BUFFER_KIB) => Ok(number),
        Some(_) => Err(Wrong::new(
            "not from 8K to 1024M",
            "\"16M\" is enough for some hundred thousand exits in a tenth of a second",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_of_two_units() {
        assert_eq!(kib("16M").ok(), Some(16 << 10));
        assert_eq!(kib("8K").ok(), Some(8));
        for bad in ["", "K", "16", "7K", "1025M", "99999999M", "-8K", "8k", "é"] {
            assert!(kib(bad).is_err(), "{bad:?}");
        }
    }
}
