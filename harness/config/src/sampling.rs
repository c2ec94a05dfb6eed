//! `[sampling]`: what is read, and when.

use super::resolver::Resolver;
use super::schedule::Clock;
use super::value::choose;
use exitlab_base::toml::Wrong;
use exitlab_model::plan::Plan;
use exitlab_model::record::Channel;

impl Resolver<'_> {
    /// The section; the channels decide whether the kernel traces.
    pub(super) fn sampling(&mut self, plan: &mut Plan) {
        let Plan {
            sampling: plan,
            kernel,
            inspect,
            guest,
            ..
        } = plan;
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

        let mut seen = Vec::new();
        self.list(
            "sampling.channels",
            |d| &d.sampling.channels,
            &mut plan.channels,
            |e| {
                let channels = [
                    ("cpuid", Channel::Cpuid),
                    ("stats", Channel::Stats),
                    ("trace", Channel::Trace),
                ];
                let channel = choose(e.value, "channel", &channels)?;
                if seen.contains(&channel) {
                    return Err(Wrong::new("given twice", "give each channel once"));
                }
                seen.push(channel);
                Ok(channel)
            },
        );
        if inspect.is_empty() {
            self.refuse_empty(
                "sampling.channels",
                |d| &d.sampling.channels,
                "choose from \"cpuid\", \"stats\", \"trace\"; only where inspect has commands may \
                 it be empty",
            );
        }
        kernel.tracing = plan.channels.contains(&Channel::Trace);
        self.value(
            "sampling.cycles",
            |d| &d.sampling.cycles,
            &mut plan.cycles,
            |e| Ok(*e.value),
        );
    }
}
