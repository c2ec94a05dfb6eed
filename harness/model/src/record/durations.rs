//! How long exits took, as the kernel's histograms told it: a bucket for each reason and
//! stretch of durations. What comes of them is `exitlab-analysis`'s to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commonest::commonest;
use crate::absent;

/// Times from the tracepoint `kvm_exit` to the next `kvm_entry` of the same vCPU, cumulative
/// since before the guest's first exit. An exit that a vCPU has not come back from at a sample
/// is in none of them, then or later: what would be in its time is the sample.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Durations {
    /// By reason and duration; summed over the VM's threads.
    pub buckets: Vec<Bucket>,
    /// Exits for whose time the kernel had no room, of all VMs of the host.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub dropped: u64,
    /// Exits in buckets beyond [`MOST_ENTRIES`](super::MOST_ENTRIES), the rarest.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub unsent: u64,
    /// Why there are none, where the kernel lacks what it takes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lacks: Option<String>,
}

/// Exits of one reason that took about as long as one another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(from = "[u64; 5]", into = "[u64; 5]")]
#[schemars(with = "[u64; 5]")]
pub struct Bucket {
    /// The tracepoint's `exit_reason`: on VMX the whole field, whose bits 15:0 are the reason.
    pub reason: u64,
    /// The shortest time that falls into it, nanoseconds of the trace clock `global`.
    pub least: u64,
    /// The longest.
    pub most: u64,
    /// How many exits.
    pub count: u64,
    /// Their times together, nanoseconds; exact.
    pub sum: u64,
}

impl From<[u64; 5]> for Bucket {
    fn from([reason, least, most, count, sum]: [u64; 5]) -> Bucket {
        Bucket {
            reason,
            least,
            most,
            count,
            sum,
        }
    }
}

impl From<Bucket> for [u64; 5] {
    fn from(bucket: Bucket) -> [u64; 5] {
        let Bucket {
            reason,
            least,
            most,
            count,
            sum,
        } = bucket;
        [reason, least, most, count, sum]
    }
}

impl Durations {
    /// Those of whatever buckets there are, at most [`MOST_ENTRIES`](super::MOST_ENTRIES) of them.
    pub fn of(buckets: Vec<Bucket>, dropped: u64) -> Durations {
        let (buckets, unsent) = commonest(buckets, |bucket| bucket.count);
        Durations {
            buckets,
            dropped,
            unsent,
            lacks: None,
        }
    }

    /// Those of a kernel that cannot tell them, and why.
    pub fn lacking(why: String) -> Durations {
        Durations {
            lacks: Some(why),
            ..Durations::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MOST_ENTRIES;

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let bucket = |key| Bucket::from([key, 0, 31, key + 1, 31]);
        let buckets = (0..MOST_ENTRIES as u64 + 2).map(bucket);
        let durations = Durations::of(buckets.collect(), 3);
        assert_eq!(durations.buckets[0], bucket(2));
        assert_eq!((durations.unsent, durations.dropped), (1 + 2, 3));
    }

    #[test]
    fn a_bucket_is_five_numbers_of_a_record() {
        let durations = Durations::of(vec![Bucket::from([48, 1024, 1151, 2, 2100])], 0);
        let text = serde_json::to_string(&durations).unwrap();
        assert_eq!(text, r#"{"buckets":[[48,1024,1151,2,2100]]}"#);
        assert_eq!(serde_json::from_str::<Durations>(&text).unwrap(), durations);
    }
}
