//! Whether the clocks of a run can be true. The guest's are what a program in it says.

use exitlab_model::planned::PlannedSample;
use exitlab_model::record::{Clocks, RunRecord, Sample};

/// How far a clock may stay behind a planned moment, seconds: clocks are written in whole
/// microseconds.
const ROUNDING_S: f64 = 1e-5;

/// A guest's clock may run badly, but not so many times as fast as its host's.
const FASTEST: f64 = 10.0;

/// What a guest's clock may be ahead besides, seconds.
const AHEAD_S: f64 = 60.0;

/// No TSC that starts at power-on gets there within a century.
const LAST_TSC: u64 = 1 << 63;

/// What was compared, and where a clock cannot be true.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClockCheck {
    /// Samples whose clocks were looked at.
    pub samples: usize,
    /// What is wrong.
    pub breaches: Vec<ClockBreach>,
}

/// A clock that cannot be true.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockBreach {
    /// The sample's number.
    pub sample: u32,
    /// Which clock.
    pub clock: &'static str,
    /// What it shows.
    pub shows: Reading,
    /// What it would have to show.
    pub bound: Bound,
}

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// Seconds.
    Seconds(f64),
    /// Cycles.
    Cycles(u64),
}

/// What a clock would have to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At least this: it showed that before.
    NotBefore(Reading),
    /// More than this: time passed since it showed that.
    After(Reading),
    /// At least this: the plan asks for a pause until then.
    Planned(Reading),
    /// At most this: no more time can have passed.
    AtMost(Reading),
}

impl ClockCheck {
    /// Looks at the clocks of each sample, and at those of the one before.
    pub(super) fn of(record: &RunRecord, planned: &[PlannedSample]) -> ClockCheck {
        let mut check = ClockCheck {
            samples: record.samples.len(),
            breaches: Vec::new(),
        };
        let mut before: Option<&Clocks> = None;
        for (at, sample) in record.samples.iter().enumerate() {
            check.alone(sample, record);
            if let Some(before) = before {
                check.host(sample, before);
                check.guest(sample, before);
                let pause = planned.get(at).and_then(|planned| planned.pause_s);
                check.pause(sample, before, pause);
            }
            before = Some(&sample.clocks);
        }
        check
    }

    fn require(
        &mut self,
        holds: bool,
        sample: &Sample,
        clock: &'static str,
        shows: Reading,
        bound: Bound,
    ) {
        if !holds {
            self.breaches.push(ClockBreach {
                sample: sample.number,
                clock,
                shows,
                bound,
            });
        }
    }

    /// What one sample's clocks must be by themselves.
    fn alone(&mut self, sample: &Sample, record: &RunRecord) {
        use Reading::{Cycles, Seconds};
        let clocks = &sample.clocks;
        if let Some(end) = clocks.host_end_tsc {
            let (start, shows) = (clocks.host_tsc, Cycles(end));
            let bound = Bound::NotBefore(Cycles(start));
            self.require(end >= start, sample, HOST_END, shows, bound);
        }
        if let Some(tsc) = clocks.guest_tsc {
            let bound = Bound::AtMost(Cycles(LAST_TSC));
            self.require(tsc <= LAST_TSC, sample, GUEST_TSC, Cycles(tsc), bound);
        }
        let Some(start) = &record.agent_started else {
            return;
        };
        let (host_s, host_tsc) = (clocks.host_s, clocks.host_tsc);
        let bound = Bound::NotBefore(Seconds(start.host_s));
        self.require(host_s >= start.host_s, sample, HOST, Seconds(host_s), bound);
        let bound = Bound::NotBefore(Cycles(start.host_tsc));
        let holds = host_tsc >= start.host_tsc;
        self.require(holds, sample, HOST_TSC, Cycles(host_tsc), bound);
        if let Some(guest_s) = clocks.guest_s {
            // It was started by the agent. The guest reads its clock a little after the host.
            let most = (host_s - start.host_s).max(0.0) * FASTEST + AHEAD_S;
            let bound = Bound::AtMost(Seconds(most));
            self.require(guest_s <= most, sample, GUEST, Seconds(guest_s), bound);
        }
    }

    fn host(&mut self, sample: &Sample, before: &Clocks) {
        use Reading::{Cycles, Seconds};
        let now = &sample.clocks;
        let bound = Bound::NotBefore(Seconds(before.host_s));
        let holds = now.host_s >= before.host_s;
        self.require(holds, sample, HOST, Seconds(now.host_s), bound);
        let then = before.host_end_tsc.unwrap_or(before.host_tsc);
        let bound = Bound::NotBefore(Cycles(then));
        let holds = now.host_tsc >= then;
        self.require(holds, sample, HOST_TSC, Cycles(now.host_tsc), bound);
    }

    fn guest(&mut self, sample: &Sample, before: &Clocks) {
        use Reading::{Cycles, Seconds};
        let now = &sample.clocks;
        if let (Some(then), Some(now)) = (before.guest_s, now.guest_s) {
            let bound = Bound::NotBefore(Seconds(then));
            self.require(now >= then, sample, GUEST, Seconds(now), bound);
        }
        // A reading takes longer than a cycle, so the next one never meets the same.
        if let (Some(then), Some(now)) = (before.guest_tsc, now.guest_tsc) {
            let bound = Bound::After(Cycles(then));
            self.require(now > then, sample, GUEST_TSC, Cycles(now), bound);
        }
    }

    /// A pause is as long as planned, on the clock by which it was waited for.
    fn pause(&mut self, sample: &Sample, before: &Clocks, pause_s: Option<f64>) {
        let Some(pause_s) = pause_s else { return };
        let now = &sample.clocks;
        let (clock, then, now) = match (before.guest_s, now.guest_s) {
            (Some(then), Some(now)) => (GUEST, then, now),
            _ => (HOST, before.host_s, now.host_s),
        };
        let moment = then + pause_s;
        let bound = Bound::Planned(Reading::Seconds(moment));
        let holds = now >= moment - ROUNDING_S;
        self.require(holds, sample, clock, Reading::Seconds(now), bound);
    }
}

const GUEST: &str = "guest's clock";
const GUEST_TSC: &str = "guest's TSC";
const HOST: &str = "host's clock";
const HOST_TSC: &str = "host's TSC";
const HOST_END: &str = "host's TSC at the end";

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    /// The breaches after one change to the second sample's clocks.
    fn after(change: impl FnOnce(&mut Clocks)) -> Vec<(u32, &'static str)> {
        let mut record = fixture::record();
        change(&mut record.samples[1].clocks);
        let planned = record.plan.samples().unwrap();
        let check = ClockCheck::of(&record, &planned);
        check.breaches.iter().map(|b| (b.sample, b.clock)).collect()
    }

    #[test]
    fn true_clocks_hold() {
        assert_eq!(after(|_| {}), []);
    }

    #[test]
    fn a_clock_that_lies_is_named() {
        // Backwards: behind the sample before, and behind the pause.
        let back = after(|clocks| clocks.guest_s = Some(1.0));
        assert_eq!(back, [(2, GUEST), (2, GUEST)]);
        let zero = after(|clocks| (clocks.guest_s, clocks.guest_tsc) = (Some(0.0), Some(0)));
        assert_eq!(zero, [(2, GUEST), (2, GUEST_TSC), (2, GUEST)]);
        // What was there before the change is now before it.
        let most = after(|clocks| clocks.guest_s = Some(u64::MAX as f64 / 1e9));
        assert_eq!(most, [(2, GUEST), (3, GUEST), (3, GUEST)]);
        let most = after(|clocks| clocks.guest_tsc = Some(u64::MAX));
        assert_eq!(most, [(2, GUEST_TSC), (3, GUEST_TSC)]);
        let early = after(|clocks| clocks.guest_s = Some(7.6));
        assert_eq!(early, [(2, GUEST)]);
        let host = after(|clocks| clocks.host_tsc = 1);
        assert_eq!(host, [(2, HOST_TSC), (2, HOST_TSC)]);
        let end = after(|clocks| clocks.host_end_tsc = Some(2));
        assert_eq!(end, [(2, HOST_END)]);
    }

    #[test]
    fn a_clock_that_stands_still_is_behind_its_plan() {
        let mut record = fixture::record();
        for sample in &mut record.samples {
            (sample.clocks.guest_s, sample.clocks.guest_tsc) = (Some(0.0), Some(0));
        }
        let planned = record.plan.samples().unwrap();
        let check = ClockCheck::of(&record, &planned);
        assert_eq!(check.breaches.len(), 4, "{check:?}");
    }
}
