//! What a plan makes its agent say: every sample, in its order and with its channels, and every
//! look around, before the end. All of it is checked when it comes.

use exitlab_model::event::Event;
use exitlab_model::plan::Plan;
use exitlab_model::planned::{self, PlannedSample};
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{Channel, Clocks, Sample, StatsReading};
use exitlab_model::stream::Broken;

/// What is still to come.
#[derive(Debug)]
pub struct Expected {
    samples: Vec<PlannedSample>,
    inspections: Vec<String>,
    channels: Vec<Channel>,
    /// Whether what lies below the reasons is counted, too.
    detail: bool,
    /// Whether it is taken how long exits take.
    time: bool,
    /// Whether every exit is logged, and whether the log is whole.
    log: (bool, bool),
    /// Whether the host may choose others.
    auto: bool,
    /// Whether the guest can be asked.
    ssh: bool,
    /// How many slots a census of this host has, once that is known.
    slots: Option<usize>,
    /// How many samples and inspections came.
    taken: (usize, usize),
    clocks: Option<Clocks>,
}

impl Expected {
    /// All that a plan asks for.
    pub fn of(plan: &Plan) -> Expected {
        let ssh = plan.guest.ssh;
        Expected {
            samples: planned::samples(&plan.sampling, &plan.phases, ssh),
            inspections: if ssh {
                plan.inspect.clone()
            } else {
                Vec::new()
            },
            channels: readable(&plan.sampling.channels, ssh),
            detail: plan.sampling.detail || plan.sampling.places,
            time: plan.sampling.time,
            log: (plan.sampling.log.is_some(), false),
            auto: plan.sampling.auto,
            ssh,
            slots: None,
            taken: (0, 0),
            clocks: None,
        }
    }

    /// Takes in the next event.
    ///
    /// # Errors
    ///
    /// What had to come instead.
    pub fn hear(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Started { isa, .. } => {
                let reasons = ReasonTable::of(isa.unwrap_or(Isa::Vmx));
                self.slots = Some(reasons.len_slots());
                Ok(())
            }
            Event::Channels { channels } => self.choice(channels),
            Event::Statuses { statuses } => self.length("statuses", statuses.len()),
            Event::Sample(sample) => self.sample(sample),
            Event::Inspected(inspection) => {
                let next = self.inspections.get(self.taken.1);
                if next != Some(&inspection.command) {
                    let expected = next.map_or("no further command".to_owned(), |c| quoted(c));
                    let came = format!("the output of {}", quoted(&inspection.command));
                    return Err(Broken::by_the_agent(expected, came));
                }
                self.taken.1 += 1;
                Ok(())
            }
            Event::Log(_) | Event::Logged(_) => self.logged(matches!(event, Event::Logged(_))),
            Event::Finished { .. } => self.finished(),
            _ => Ok(()),
        }
    }

    /// The host's choice, where it has one: the channels of the plan, or the tracepoint.
    fn choice(&mut self, channels: &[Channel]) -> Result<(), Broken> {
        let readable = readable(channels, self.ssh);
        let may = readable == self.channels || readable == [Channel::Trace];
        if !self.auto || !may {
            let came = format!("a choice of channels: {channels:?}");
            return Err(Broken::by_the_agent("the channels of the plan", came));
        }
        self.channels = readable;
        Ok(())
    }

    fn sample(&mut self, sample: &Sample) -> Result<(), Broken> {
        let next = self.samples.get(self.taken.0);
        let came = || planned::name_of(sample);
        match next {
            None => return Err(Broken::by_the_agent("no further sample", came())),
            Some(planned) if !planned.is(sample) => {
                return Err(Broken::by_the_agent(planned.to_string(), came()));
            }
            Some(_) => {}
        }
        self.channels(sample)?;
        self.lengths(sample)?;
        self.order(sample)?;
        self.clocks = Some(sample.clocks);
        self.taken.0 += 1;
        Ok(())
    }

    /// Every channel that the plan reads is there, and no other.
    fn channels(&self, sample: &Sample) -> Result<(), Broken> {
        let reads = |channel| self.channels.contains(&channel);
        let both = reads(Channel::Stats) && reads(Channel::Cpuid);
        let has_details = sample.trace.as_ref().is_some_and(|t| !t.details.is_empty());
        let has_times = sample.trace.as_ref().is_some_and(|t| t.durations.is_some());
        let there = [
            ("trace", reads(Channel::Trace), sample.trace.is_some()),
            (
                "stats",
                reads(Channel::Stats),
                sample.stats_before.is_some(),
            ),
            ("cpuid", reads(Channel::Cpuid), sample.cpuid.is_some()),
            ("stats-after", both, sample.stats_after.is_some()),
            ("details", self.detail, has_details),
            ("durations", self.time, has_times),
            (
                "log",
                self.log.0,
                sample.trace.as_ref().is_some_and(|t| t.log.is_some()),
            ),
        ];
        let word = |there| if there { "with" } else { "without" };
        match there.iter().find(|(_, planned, is)| planned != is) {
            None => Ok(()),
            Some((name, planned, is)) => Err(Broken::by_the_agent(
                format!("sample {} {} {name}", sample.number, word(*planned)),
                format!("one {} it", word(*is)),
            )),
        }
    }

    /// Every list has a number for each slot.
    fn lengths(&self, sample: &Sample) -> Result<(), Broken> {
        let stats = |reading: &StatsReading| {
            [
                Some(reading.counts.len()),
                reading.cycles.as_ref().map(Vec::len),
            ]
        };
        let mut lists = Vec::new();
        for reading in [&sample.stats_before, &sample.stats_after] {
            lists.extend(reading.iter().flat_map(stats));
        }
        if let Some(cpuid) = &sample.cpuid {
            lists.push(Some(cpuid.counts.len()));
            lists.push(cpuid.cycles.as_ref().map(Vec::len));
        }
        if let Some(trace) = &sample.trace {
            lists.push(Some(trace.counts.len()));
            lists.push(trace.log.as_ref().map(|log| log.counts.len()));
            lists.extend(trace.stats.iter().flat_map(stats));
        }
        let what = format!("counters in sample {}", sample.number);
        let mut lists = lists.into_iter().flatten();
        lists.try_for_each(|length| self.length(&what, length))
    }

    fn length(&self, what: &str, length: usize) -> Result<(), Broken> {
        match self.slots {
            Some(slots) if slots != length => Err(Broken::by_the_agent(
                format!("{slots} {what}"),
                format!("{length}"),
            )),
            _ => Ok(()),
        }
    }

    /// The host's clocks do not run backwards from sample to sample.
    fn order(&self, sample: &Sample) -> Result<(), Broken> {
        let (Some(before), now) = (&self.clocks, &sample.clocks) else {
            return Ok(());
        };
        if now.host_s >= before.host_s && now.host_tsc >= before.host_tsc {
            return Ok(());
        }
        let moment = |clocks: &Clocks| format!("{} s, TSC {}", clocks.host_s, clocks.host_tsc);
        Err(Broken::by_the_agent(
            format!("sample {} after {}", sample.number, moment(before)),
            format!("one of {}", moment(now)),
        ))
    }

    /// A part of the log, or its end, comes once and only where there is one.
    fn logged(&mut self, whole: bool) -> Result<(), Broken> {
        match self.log {
            (true, false) => self.log.1 = whole,
            (true, true) => {
                return Err(Broken::by_the_agent(
                    "nothing after the whole log",
                    "more of it",
                ));
            }
            (false, _) => {
                return Err(Broken::by_the_agent("no log of exits", "a part of one"));
            }
        }
        Ok(())
    }

    fn finished(&self) -> Result<(), Broken> {
        if self.log == (true, false) {
            return Err(Broken::by_the_agent(
                "the whole log",
                "`finished` without it",
            ));
        }
        let (samples, inspections) = self.taken;
        let missing = self.samples.get(samples..).unwrap_or_default();
        let unseen = self.inspections.get(inspections..).unwrap_or_default();
        let commands = unseen.iter().map(|command| quoted(command));
        let commands: Vec<String> = commands.collect();
        let missing = match (missing, &*commands) {
            ([], []) => return Ok(()),
            ([], commands) => format!("the output of {}", commands.join(", ")),
            (missing, _) => planned::listed(missing),
        };
        let planned = self.samples.len();
        Err(Broken::by_the_agent(
            format!("{missing} before the end"),
            format!("`finished` after {samples} of {planned} samples"),
        ))
    }
}

/// A guest that is only watched cannot be asked.
fn readable(channels: &[Channel], ssh: bool) -> Vec<Channel> {
    let channels = channels.iter().copied();
    channels.filter(|c| ssh || *c != Channel::Cpuid).collect()
}

fn quoted(command: &str) -> String {
    format!("'{}'", command.escape_debug())
}
