//! What the agent tells the conductor: events in one stream, whose form
//! [`stream`](crate::stream) is.
//!
//! [`Event`] is the only thing that crosses from the host to L0, and the only
//! thing that the progress display, the log and the results writer see.

use serde::{Deserialize, Serialize};

use crate::address_map::AddressMap;
use crate::attach::FoundVm;
use crate::failure::FailureKind;
use crate::log::{LogPart, LogSummary};
use crate::reasons::Isa;
use crate::record::{
    Channel, Discovery, Inspection, ParameterReading, ReasonStatus, Remainder, Sample,
};
use crate::rule::{Finding, Rule};
use crate::symbols::Told;

/// Version of the event stream. Conductor and agent are of one commit, so a difference means
/// a stale host image. Version 3 numbers its lines and begins with a marker.
pub const PROTOCOL: u32 = 3;

/// Where in the experiment the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The host's kernel and init are up; the agent reads its plan.
    Host,
    /// QEMU is being started.
    Qemu,
    /// The QMP session is being opened.
    Qmp,
    /// The guest boots; the agent waits for its SSH server.
    Guest,
    /// Counters are read on the schedule.
    Sampling,
    /// The commands of the phases run in the guest.
    Workload,
    /// Commands of `inspect` run in the guest.
    Inspecting,
    /// The guest is being shut down.
    Shutdown,
    /// The host's exit census is judged, rule by rule.
    Judging,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Host => "agent starts",
            Stage::Qemu => "qemu starts",
            Stage::Qmp => "qmp connects",
            Stage::Guest => "guest boots",
            Stage::Sampling => "sampling",
            Stage::Workload => "workload",
            Stage::Inspecting => "inspecting",
            Stage::Shutdown => "guest shuts down",
            Stage::Judging => "judging",
        })
    }
}

/// One thing that happened on the host. `host_s` is the host's uptime, seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// First event: the agent runs and says what it runs on.
    Started {
        /// [`PROTOCOL`] of the agent.
        protocol: u32,
        /// `uname -r` of the host.
        kernel: String,
        /// CPU model name of the host, from `/proc/cpuinfo`.
        cpu: String,
        /// The processor's virtualization extension, from `/proc/cpuinfo`; absent if it
        /// has none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        isa: Option<Isa>,
        /// Whether KVM emulates a guest whose state VMX refuses, as in real mode, because
        /// it has no unrestricted guest mode.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        emulates: bool,
        /// Host clock, seconds.
        host_s: f64,
        /// The host's time-stamp counter at `host_s`, cycles.
        host_tsc: u64,
    },
    /// The agent entered a stage.
    Stage {
        /// The stage.
        stage: Stage,
        /// Host clock, seconds.
        host_s: f64,
    },
    /// The agent lives. Sent now and then, so that a long pause of the schedule is not
    /// taken for a dead host.
    Pulse {
        /// Host clock, seconds.
        host_s: f64,
    },
    /// QEMU answered `query-version`.
    Qemu {
        /// For example `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)`.
        version: String,
    },
    /// Every parameter of KVM that the plan sets is as it says.
    Parameters {
        /// The parameters, as the host has them.
        parameters: Vec<ParameterReading>,
    },
    /// What a plan that leaves the channels to the host reads here.
    Channels {
        /// The channels.
        channels: Vec<Channel>,
    },
    /// What the guest's discovery leaf answers.
    Discovered(Discovery),
    /// What the guest's status leaf answers for each reason.
    Statuses {
        /// By slot ([`crate::reasons::ReasonTable::slot`]).
        statuses: Vec<ReasonStatus>,
    },
    /// The virtual machines that run on the host.
    Machines {
        /// Those that can be seen, by process.
        machines: Vec<FoundVm>,
        /// Whether every process could be looked at.
        all: bool,
    },
    /// One of them is attached to: its exits are counted from now on.
    Attached(FoundVm),
    /// One line of the guest's console.
    GuestConsole {
        /// The line, without its end.
        line: String,
    },
    /// One line that QEMU printed.
    QemuLog {
        /// The line, without its end.
        line: String,
    },
    /// All counters, read at one moment of the schedule.
    Sample(Box<Sample>),
    /// A phase's workload begins in the guest.
    Phase {
        /// Its name.
        name: String,
        /// Host clock, seconds.
        host_s: f64,
    },
    /// A phase is over, and its command had left something running.
    LeftBehind(Remainder),
    /// Output of one `inspect` command.
    Inspected(Inspection),
    /// What QEMU tells of what is at the guest's ports and addresses.
    Map(AddressMap),
    /// What the guest tells of its kernel's code.
    Symbols(Told),
    /// A part of the log, after the guest has ended.
    Log(LogPart),
    /// The log is whole: what is in it.
    Logged(LogSummary),
    /// A rule of the exit census is about to be judged.
    Judging {
        /// The rule.
        rule: Rule,
    },
    /// What was found of a rule.
    Found(Finding),
    /// The experiment ended without a result; the last event of a failed run.
    Failed {
        /// The stage it failed in.
        stage: Stage,
        /// What kind of failure: decides the words and the cure.
        kind: FailureKind,
        /// What happened, a lower-case fragment.
        message: String,
        /// Last lines of the console of what died or never answered.
        tail: Vec<String>,
    },
    /// The experiment is complete; the last event of a good run.
    Finished {
        /// Host clock, seconds.
        host_s: f64,
        /// How many events there were, this one included. The writer of the stream counts.
        #[serde(default)]
        events: u64,
        /// How many of them were samples.
        #[serde(default)]
        samples: u32,
    },
}

impl Event {
    /// The good end, to be counted by the writer of the stream.
    pub fn finished(host_s: f64) -> Event {
        Event::Finished {
            host_s,
            events: 0,
            samples: 0,
        }
    }

    /// Whether no event may follow.
    pub fn is_last(&self) -> bool {
        matches!(self, Event::Failed { .. } | Event::Finished { .. })
    }
}
