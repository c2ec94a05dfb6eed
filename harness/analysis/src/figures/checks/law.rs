//! The laws, and what it means if one is broken. This is the one place that says so;
//! `docs/results.md` has the same list.

/// What must hold in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// Samples are those of the plan, all of them, in its order.
    Plan,
    /// No clock runs backwards or further than it can, and each pause was as long as planned.
    Clocks,
    /// There were no more exits than cycles in which they could happen.
    Possible,
    /// `stats ≤ cpuid ≤ stats-after` for every reason.
    Agreement,
    /// A reading costs at least as many CPUID exits as it reads leaves: each leaf is one.
    LeastPrice,
    /// A reading costs no more than that: as long as nothing else executes CPUID meanwhile.
    Price,
    /// All reasons together are KVM's own count of exits.
    Sum,
    /// No count and no cycles ever decrease.
    Monotony,
    /// The sum over reasons lies between the totals around it.
    Totals,
    /// The cycles of all reasons fit into the time that passed.
    Time,
    /// The tracepoint counted the same.
    Tracepoint,
    /// The tracepoint is where every exit comes by.
    Unseen,
    /// Details that the exit itself tells are as many as the reason's exits, and none is lost.
    Details,
    /// Each exit has a time, but for the last one of each vCPU at a sample.
    Durations,
    /// The tracepoint of VM entries is where every entry comes by.
    Untimed,
    /// Times fit into the census's.
    Clocked,
    /// The log of single exits has as many of each reason as were counted, and lost none.
    Log,
    /// It goes on to the end: it does not reach its limit.
    WholeLog,
}

/// What a breach means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It holds whatever the guest does. Broken, something counts or tells wrongly, and the run
    /// is not complete.
    Promise,
    /// A busy guest may break it honestly. It is shown, and decides nothing.
    Observation,
}

impl Law {
    /// All of them, in the order of tables.
    pub const ALL: [Law; 18] = [
        Law::Plan,
        Law::Clocks,
        Law::Possible,
        Law::Agreement,
        Law::LeastPrice,
        Law::Price,
        Law::Sum,
        Law::Monotony,
        Law::Totals,
        Law::Time,
        Law::Tracepoint,
        Law::Unseen,
        Law::Details,
        Law::Durations,
        Law::Untimed,
        Law::Clocked,
        Law::Log,
        Law::WholeLog,
    ];

    /// What a breach means.
    pub fn class(self) -> Class {
        match self {
            // Programs of the guest execute CPUID for themselves: an init of systemd does
            // while it is still at work.
            Law::Price => Class::Observation,
            // It is where it is on the kernels of some years, and what it misses is told.
            Law::Unseen | Law::Untimed => Class::Observation,
            // The plan says how long it may be, and the run said so beforehand.
            Law::WholeLog => Class::Observation,
            Law::Plan
            | Law::Clocks
            | Law::Possible
            | Law::Agreement
            | Law::LeastPrice
            | Law::Sum
            | Law::Monotony
            | Law::Totals
            | Law::Time
            | Law::Tracepoint
            | Law::Details
            | Law::Durations
            | Law::Clocked
            | Law::Log => Class::Promise,
        }
    }
}

impl std::fmt::Display for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Law::Plan => "the samples are those of the plan",
            Law::Clocks => "clocks run forwards and reach each planned moment",
            Law::Possible => "no more exits than cycles",
            Law::Agreement => "stats ≤ cpuid ≤ stats-after",
            Law::LeastPrice => "a reading costs at least as many CPUID exits as leaves",
            Law::Price => "a reading costs as many CPUID exits as leaves",
            Law::Sum => "all reasons together are KVM's own count",
            Law::Monotony => "no count ever decreases",
            Law::Totals => "the sum over reasons lies between the totals around it",
            Law::Time => "the cycles of all reasons fit into the time that passed",
            Law::Tracepoint => "the tracepoint counted the same",
            Law::Unseen => "the tracepoint sees every exit",
            Law::Details => "the details of a reason are as many as its exits",
            Law::Durations => "each exit has a time but the last one of each vCPU in a phase",
            Law::Untimed => "each exit has a VM entry",
            Law::Clocked => "times fit into the census's cycles",
            Law::Log => "the log has every exit",
            Law::WholeLog => "the log goes on to the end",
        })
    }
}
