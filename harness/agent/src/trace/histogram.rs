//! Exits by reason, out of the histogram of `kvm_exit`.

use std::collections::{BTreeMap, BTreeSet};

use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::VcpuReading;

use super::section;

/// What tells exits apart.
pub const KEYS: &str = "common_pid,exit_reason,isa";

/// Exits by reason, as the tracepoint counted them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Counts; the index is that of a census.
    pub counts: Vec<u64>,
    /// The same of each thread that has any.
    pub threads: BTreeMap<u64, BTreeMap<usize, u64>>,
    /// Exits whose reason no table defines.
    pub other: u64,
    /// Exits for which there was no room, of all VMs.
    pub dropped: u64,
}

impl Tally {
    /// What each vCPU caused that had an exit.
    pub fn vcpus(&self) -> Vec<VcpuReading> {
        let threads = self.threads.iter();
        let reading = |(thread, counts): (&u64, &BTreeMap<usize, u64>)| VcpuReading {
            thread: *thread,
            counts: counts.iter().map(|(slot, n)| [*slot as u64, *n]).collect(),
        };
        threads.map(reading).collect()
    }
}

/// Sums the entries of `threads` by reason. Entries of one key may come in several lines, and
/// other triggers of the event may have sections of their own.
pub fn tally(text: &str, threads: &BTreeSet<u64>, table: &ReasonTable) -> Result<Tally, String> {
    let mut tally = Tally {
        counts: vec![0; table.len_slots()],
        threads: BTreeMap::new(),
        other: 0,
        dropped: 0,
    };
    let section = section::section(text, KEYS)
        .ok_or("the histogram of kvm_exit has no section with the exits by reason")?;
    for line in section::entries(section) {
        let entry = Entry::of(line).ok_or_else(|| format!("the histogram has '{line}'"))?;
        if !threads.contains(&entry.thread) {
            continue;
        }
        if entry.isa != isa_number(table.isa()) {
            let isa = table.isa();
            return Err(format!(
                "the histogram has '{line}', which is not of {isa:?}"
            ));
        }
        let slot = slot(table, entry.reason).filter(|slot| *slot < tally.counts.len());
        let count = match slot {
            Some(slot) => {
                let thread = tally.threads.entry(entry.thread).or_default();
                let own = thread.entry(slot).or_insert(0);
                *own = own.saturating_add(entry.count);
                &mut tally.counts[slot]
            }
            None => &mut tally.other,
        };
        *count = count.saturating_add(entry.count);
    }
    match section::dropped(section) {
        Some(dropped) => Ok(Tally { dropped, ..tally }),
        None => Err("the histogram of kvm_exit does not say what it dropped".to_owned()),
    }
}

/// `KVM_ISA_VMX` and `KVM_ISA_SVM` (arch/x86/kvm/trace.h).
fn isa_number(isa: Isa) -> u64 {
    match isa {
        Isa::Vmx => 1,
        Isa::Svm => 2,
    }
}

/// The place of a reason in a census. On VMX the tracepoint has the whole field: the
/// basic reason is in bits 15:0, and bit 31 stands for an entry that failed.
fn slot(table: &ReasonTable, reason: u64) -> Option<usize> {
    match table.isa() {
        Isa::Vmx => usize::try_from(reason & 0xffff).ok(),
        Isa::Svm => table.slot(u32::try_from(reason).ok()?),
    }
}

/// `{ common_pid: 93, exit_reason: 48, isa: 1 } hitcount: 8655`
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    thread: u64,
    reason: u64,
    isa: u64,
    count: u64,
}

impl Entry {
    fn of(line: &str) -> Option<Entry> {
        Some(Entry {
            thread: section::key(line, "common_pid")?,
            reason: section::key(line, "exit_reason")?,
            isa: section::key(line, "isa")?,
            count: section::hits(line)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.12 prints it.
    const HISTOGRAM: &str = "# event histogram
#
# trigger info: hist:keys=common_pid,exit_reason,isa:vals=hitcount:sort=hitcount:size=8192 [active]
#

{ common_pid:         91, exit_reason:         54, isa:          1 } hitcount:          2
{ common_pid:         92, exit_reason:         48, isa:          1 } hitcount:       8655
{ common_pid:         91, exit_reason: 2147483681, isa:          1 } hitcount:          3
{ common_pid:         91, exit_reason:         48, isa:          1 } hitcount:         10
{ common_pid:        400, exit_reason:         48, isa:          1 } hitcount:      10000
{ common_pid:         91, exit_reason:        300, isa:          1 } hitcount:          4

Totals:
    Hits: 18674
    Entries: 6
    Dropped: 0
";

    fn tally_of(text: &str) -> Result<Tally, String> {
        tally(text, &BTreeSet::from([91, 92]), ReasonTable::vmx())
    }

    #[test]
    fn threads_are_summed_by_basic_reason_and_other_processes_left_out() {
        let tally = tally_of(HISTOGRAM).unwrap();
        let counted: Vec<_> = (0..).zip(&tally.counts).filter(|(_, n)| **n > 0).collect();
        assert_eq!(counted, [(33, &3), (48, &8665), (54, &2)]);
        assert_eq!(tally.other, 4);
        let each = [
            (91, vec![[33, 3], [48, 10], [54, 2]]),
            (92, vec![[48, 8655]]),
        ];
        let each = each.map(|(thread, counts)| VcpuReading { thread, counts });
        assert_eq!(tally.vcpus(), each);
    }

    #[test]
    fn svm_codes_become_places_in_the_table() {
        let table = ReasonTable::svm();
        let npf = "{ common_pid: 91, exit_reason: 1024, isa: 2 } hitcount: 7\nDropped: 0";
        let tally = tally(npf, &BTreeSet::from([91]), table).unwrap();
        let place = table.defined().position(|reason| reason.number == 0x400);
        assert_eq!(tally.counts[place.unwrap()], 7);
    }

    #[test]
    fn what_is_dropped_is_told_and_what_is_missing_or_of_another_isa_is_an_error() {
        let dropped = HISTOGRAM.replace("Dropped: 0", "Dropped: 12");
        assert_eq!(tally_of(&dropped).unwrap().dropped, 12);
        let silent = HISTOGRAM.replace("    Dropped: 0\n", "");
        assert!(tally_of(&silent).unwrap_err().contains("does not say"));
        let other = HISTOGRAM.replace("isa:          1", "isa:          2");
        assert!(tally_of(&other).unwrap_err().contains("not of Vmx"));
        let broken = HISTOGRAM.replace("hitcount:       8655", "hitcount: many");
        assert!(tally_of(&broken).unwrap_err().contains("many"));
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "\\{?( ?(common_pid|exit_reason|isa): ?[0-9]{0,20},?){0,4}\\}?( hitcount: [0-9]{0,22})?") {
            let _ = tally_of(&line);
        }
    }
}
