//! How long a host has been silent, by its own progress. A busy or suspended machine, and an
//! emulator that somebody stopped, take nothing from the patience with it: neither says
//! anything about the host.

use std::time::{Duration, Instant};

use exitlab_base::process::stat::Stat;
use tokio::task::coop::consume_budget;

/// So many times the deadline for silence an emulator may do nothing at all.
pub const IDLE: u32 = 5;

/// What a host's time hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// On the instructions that its emulator executes: it is silent for so much processor time
    /// as the emulator spends without a word from it.
    Emulated,
    /// On the real clock.
    Real,
}

/// The most that one look counts of the real clock: what is more was not the host's.
const STEP: Duration = Duration::from_secs(1);

/// What is seen of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// As in [`Stat`].
    state: char,
    /// Processor time of all its threads.
    busy: Duration,
}

/// Measures the silence of a host.
#[derive(Debug)]
pub struct Patience {
    process: Option<u32>,
    pace: Pace,
    looked: Instant,
    last: Option<Seen>,
    silent: Duration,
    idle: Duration,
}

impl Patience {
    /// With the host that this process stands for, from now on.
    pub fn with(process: Option<u32>, pace: Pace) -> Patience {
        Patience {
            process,
            pace,
            looked: Instant::now(),
            last: None,
            silent: Duration::ZERO,
            idle: Duration::ZERO,
        }
    }

    /// It said something.
    pub fn heard(&mut self) {
        self.silent = Duration::ZERO;
        self.idle = Duration::ZERO;
    }

    /// Looks at what it does. Also gives other tasks their turn, however much the host says.
    pub async fn look(&mut self) {
        consume_budget().await;
        let now = Instant::now();
        let passed = now - self.looked;
        self.looked = now;
        self.count(passed, self.process.and_then(seen));
    }

    /// How long it has been silent, in its own time.
    pub fn silent(&self) -> Duration {
        self.silent
    }

    /// For how long an emulator has done nothing at all, though nobody kept it from it.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Whether somebody has stopped it (SIGSTOP).
    pub fn stopped(&self) -> bool {
        self.last
            .is_some_and(|seen| matches!(seen.state, 'T' | 't'))
    }

    fn count(&mut self, passed: Duration, seen: Option<Seen>) {
        let passed = passed.min(STEP);
        let before = std::mem::replace(&mut self.last, seen);
        match (self.pace, seen, before) {
            (
                _,
                Some(Seen {
                    state: 'T' | 't', ..
                }),
                _,
            ) => {}
            (Pace::Emulated, Some(seen), Some(before)) if seen.busy > before.busy => {
                self.silent += seen.busy - before.busy;
                self.idle = Duration::ZERO;
            }
            // It would if it could: it waits for a processor.
            (Pace::Emulated, Some(Seen { state: 'R', .. }), _) => {}
            (Pace::Emulated, Some(_), _) => self.idle += passed,
            (Pace::Real, ..) | (Pace::Emulated, None, _) => self.silent += passed,
        }
    }
}

fn seen(process: u32) -> Option<Seen> {
    let stat = Stat::of_process(process)?;
    Some(Seen {
        state: stat.state,
        busy: stat.busy(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What is counted after looks a second apart: state and processor time in milliseconds.
    fn after(pace: Pace, looks: &[(char, u64)]) -> (Duration, Duration) {
        let mut patience = Patience::with(None, pace);
        for (state, busy) in looks {
            let busy = Duration::from_millis(*busy);
            let state = *state;
            patience.count(SECOND, Some(Seen { state, busy }));
        }
        (patience.silent(), patience.idle())
    }

    #[test]
    fn an_emulated_host_is_silent_for_what_its_emulator_works() {
        let works = [('R', 0), ('R', 900), ('S', 1000), ('R', 1000), ('R', 1500)];
        let expected = (Duration::from_millis(1500), Duration::ZERO);
        assert_eq!(after(Pace::Emulated, &works), expected);
    }

    #[test]
    fn one_that_waits_for_a_processor_or_is_stopped_is_not_silent() {
        let waits = [('R', 500), ('R', 500), ('T', 500), ('t', 500), ('R', 500)];
        assert_eq!(
            after(Pace::Emulated, &waits),
            (Duration::ZERO, Duration::ZERO)
        );
        let stopped = [('S', 0), ('T', 0), ('T', 0)];
        assert_eq!(after(Pace::Real, &stopped), (SECOND, Duration::ZERO));
    }

    #[test]
    fn one_that_does_nothing_is_idle_until_it_does_something() {
        let idles = [('S', 10), ('S', 10), ('D', 10)];
        assert_eq!(after(Pace::Emulated, &idles), (Duration::ZERO, SECOND * 3));
        let wakes = [('S', 10), ('S', 10), ('S', 20), ('S', 20)];
        assert_eq!(after(Pace::Emulated, &wakes).1, SECOND);
    }

    #[test]
    fn a_long_time_between_two_looks_was_not_the_hosts() {
        let mut patience = Patience::with(None, Pace::Real);
        patience.count(SECOND * 3600, None);
        assert_eq!(patience.silent(), SECOND);
        patience.heard();
        assert_eq!(patience.silent(), Duration::ZERO);
    }
}
