//! `[sampling]`: what is read, and when.

use super::document::{Channels, Document, Given};
use super::resolver::Resolver;
use super::schedule::Clock;
use super::value::choose;
use exitlab_base::toml::Wrong;
use exitlab_model::plan::{KernelPlan, KernelSource, Plan, SamplingPlan};
use exitlab_model::platform::PlatformKind;
use exitlab_model::record::Channel;

/// Leaves the channels to what there is.
const AUTO: &str = "auto";

/// Where a document has a key.
type Get<'a> = fn(&'a Document) -> &'a Given<bool>;

impl<'a> Resolver<'a> {
    /// The section; the channels decide whether the kernel traces.
    pub(super) fn sampling(&mut self, plan: &mut Plan) {
        let Plan {
            sampling: plan,
            kernel,
            inspect,
            guest,
            platform,
            ..
        } = plan;
        let platform = *platform;
        let ssh = guest.ssh;
        let mut clock = Clock::of(ssh);
        self.list(
            "sampling.schedule",
            |d| &d.sampling.schedule,
            &mut plan.schedule,
            |e| clock.next(e.value),
        );
        self.refuse_empty(
            "sampling.schedule",
            |d| &d.sampling.schedule,
            "begin the schedule with \"boot\"",
        );

        self.value(
            "sampling.cycles",
            |d| &d.sampling.cycles,
            &mut plan.cycles,
            |e| Ok(*e.value),
        );
        let nothing = inspect.is_empty();
        match self.channels(nothing) {
            Some(channels) => plan.channels = channels,
            None => choose_channels(platform, kernel, plan, ssh),
        }
        self.below(plan);
        self.log(plan);
        kernel.tracing = plan.channels.contains(&Channel::Trace);
    }

    /// What needs the tracepoint, because the census knows nothing of it.
    fn below(&mut self, plan: &mut SamplingPlan) {
        let traces = plan.channels.contains(&Channel::Trace);
        let keys: [(_, Get<'a>, _); 3] = [
            ("sampling.detail", |d| &d.sampling.detail, &mut plan.detail),
            ("sampling.places", |d| &d.sampling.places, &mut plan.places),
            ("sampling.time", |d| &d.sampling.time, &mut plan.time),
        ];
        for (key, get, value) in keys {
            self.value(key, get, value, |e| Ok(*e.value));
            if !*value || traces {
                continue;
            }
            let wrong = Wrong::new(
                "needs the channel \"trace\"",
                "set sampling.channels to [\"cpuid\", \"stats\", \"trace\"], or to [\"trace\"] \
                 alone",
            );
            let entry = self.layers.entry(key, get);
            self.problems
                .extend(entry.map(|entry| entry.problem(wrong)));
        }
    }

    /// Whether no channel is named.
    pub(super) fn leaves_channels(&self) -> bool {
        let get = |d: &'a Document| &d.sampling.channels;
        let entry = self.layers.entry("sampling.channels", get);
        entry.is_none_or(|entry| matches!(entry.value, Channels::Word(_)))
    }

    /// The channels that are named; none where they are left to what there is. `nothing` else
    /// is to be done in the guest.
    fn channels(&mut self, nothing: bool) -> Option<Vec<Channel>> {
        let get = |d: &'a Document| &d.sampling.channels;
        let entry = self.layers.entry("sampling.channels", get)?;
        let list = match entry.value {
            Channels::Word(word) if word == AUTO => return None,
            Channels::Word(word) => {
                let wrong = choose(word, "word for channels", &[(AUTO, ())]);
                self.problems.extend(wrong.err().map(|w| entry.problem(w)));
                return None;
            }
            Channels::List(list) => list,
        };
        if list.is_empty() && nothing {
            let wrong = Wrong::new(
                "an empty list",
                "choose from \"cpuid\", \"stats\", \"trace\", or set it to \"auto\"; only where \
                 inspect has commands may it be empty",
            );
            self.problems.push(entry.problem(wrong));
        }
        let mut channels = Vec::new();
        for element in entry.elements_of(list) {
            match channel(element.value, &channels) {
                Ok(channel) => channels.push(channel),
                Err(wrong) => self.problems.push(element.problem(wrong)),
            }
        }
        Some(channels)
    }
}

fn channel(name: &str, seen: &[Channel]) -> Result<Channel, Wrong> {
    let channels = [
        ("cpuid", Channel::Cpuid),
        ("stats", Channel::Stats),
        ("trace", Channel::Trace),
    ];
    let channel = choose(name, "channel", &channels)?;
    match seen.contains(&channel) {
        true => Err(Wrong::new("given twice", "give each channel once")),
        false => Ok(channel),
    }
}

/// The census where it is, the tracepoint where it is not. Of a kernel that is not built here
/// that is known on the host only. Cycles are the census's alone.
fn choose_channels(
    platform: PlatformKind,
    kernel: &KernelPlan,
    plan: &mut SamplingPlan,
    ssh: bool,
) {
    // A guest that is only watched cannot be asked.
    plan.channels
        .retain(|channel| ssh || *channel != Channel::Cpuid);
    let built = platform.boots() && !matches!(kernel.source, KernelSource::Image(_));
    plan.auto = !built && !plan.cycles;
    if built && !kernel.census && !plan.cycles {
        plan.channels = vec![Channel::Trace];
    }
}
