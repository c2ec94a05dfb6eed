//! The exits of all vCPUs in one order: by time, then by vCPU.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Row;
use exitlab_model::log::{Decoder, LoggedExit, Malformed};

/// The exits of each vCPU's bytes. What is malformed ends that vCPU's.
pub fn merged(streams: &BTreeMap<u16, Vec<u8>>) -> impl Iterator<Item = Result<Row, Malformed>> {
    let mut decoders: BTreeMap<u16, Decoder> = streams
        .iter()
        .map(|(vcpu, bytes)| (*vcpu, Decoder::of(bytes)))
        .collect();
    // The next of each vCPU.
    let mut waiting: BTreeMap<u16, LoggedExit> = BTreeMap::new();
    let mut order = BinaryHeap::new();
    let mut malformed = Vec::new();
    for (vcpu, decoder) in &mut decoders {
        match decoder.next() {
            Some(Ok(exit)) => {
                order.push(Reverse((exit.time_ns, *vcpu)));
                waiting.insert(*vcpu, exit);
            }
            Some(Err(error)) => malformed.push(error),
            None => {}
        }
    }
    std::iter::from_fn(move || {
        if let Some(error) = malformed.pop() {
            return Some(Err(error));
        }
        let Reverse((_, vcpu)) = order.pop()?;
        let exit = waiting.remove(&vcpu)?;
        match decoders.get_mut(&vcpu).and_then(Iterator::next) {
            Some(Ok(next)) => {
                order.push(Reverse((next.time_ns, vcpu)));
                waiting.insert(vcpu, next);
            }
            Some(Err(error)) => malformed.push(error),
            None => {}
        }
        Some(Ok(Row { vcpu, exit }))
    })
}
