//! A sample, as far as it is shown, and where the view stands.

use exitlab_model::record::{Sample, VcpuReading};

use exitlab_base::foreign::cell;

/// A sample, as far as it is shown.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The sample's number.
    pub number: u32,
    /// `+5s`.
    pub label: String,
    /// `idle`.
    pub phase: String,
    /// On the guest's clock, or else the host's.
    pub seconds: f64,
    /// Exits up to here, by slot.
    pub counts: Vec<u64>,
    /// Of each vCPU that had an exit, if somebody tells them apart.
    pub vcpus: Vec<VcpuReading>,
    /// Cycles up to here, if they are counted.
    pub cycles: Option<Vec<u64>>,
}

/// Whose exits are shown. A vCPU is known by its thread: how many had exits before it may change
/// from sample to sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// All vCPUs'.
    All,
    /// Those of the vCPU that this thread of the host is.
    Thread(u64),
    /// Those of a vCPU that is not there.
    Nobody,
}

impl Moment {
    /// Of this sample.
    pub fn of(sample: &Sample) -> Moment {
        let vcpus = sample.trace.as_ref().map(|trace| trace.vcpus.clone());
        Moment {
            number: sample.number,
            label: cell(&sample.label),
            phase: cell(&sample.phase),
            seconds: sample.clocks.guest_s.unwrap_or(sample.clocks.host_s),
            counts: sample.counts().to_vec(),
            vcpus: vcpus.unwrap_or_default(),
            cycles: sample.cycles().map(<[u64]>::to_vec),
        }
    }

    /// Exits up to here.
    pub fn count(&self, slot: usize, of: Whose) -> u64 {
        let thread = match of {
            Whose::All => return self.counts.get(slot).copied().unwrap_or(0),
            Whose::Thread(thread) => thread,
            Whose::Nobody => return 0,
        };
        let own = self.vcpus.iter().filter(|vcpu| vcpu.thread == thread);
        let mut pairs = own.flat_map(|vcpu| &vcpu.counts);
        let pair = pairs.find(|[at, _]| *at == slot as u64);
        pair.map_or(0, |[_, count]| *count)
    }
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Stand {
    /// The sample's number; 0 before there is one.
    pub number: u32,
    /// Samples that are there.
    pub of: usize,
    /// `+5s`.
    pub label: String,
    /// `idle`.
    pub phase: String,
    /// On the guest's clock, or else the host's.
    pub seconds: f64,
    /// Length of the interval before it.
    pub length: Option<f64>,
    /// All exits up to the sample.
    pub total: u64,
    /// All exits of the interval.
    pub new: u64,
    /// The number of the sample at whose interval the baseline is.
    pub baseline: Option<u32>,
}
