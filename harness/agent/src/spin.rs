//! A guest that spins for good: it keeps its processor busy, and takes no interrupt that could
//! end that. QEMU's emulation of SVM can bring a guest there (`docs/determinism.md`): it waits in
//! a loop of PAUSE for a lock that it holds. An emulated host takes up to fifty times as long as
//! usual for a second of that: no deadline is worth waiting for.
//!
//! Seen in KVM's own counters in debugfs, which are read without disturbing the guest, and in
//! QEMU's processor time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use exitlab_base::process::stat::Stat;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::console::Tail;

/// Where KVM's counters are.
const KVM: &str = "/sys/kernel/debug/kvm";

/// Time between two looks, on the host's clock.
const PERIOD: Duration = Duration::from_millis(250);

/// After so many looks at nothing but spinning the guest is given up. A Linux that lives has
/// hundreds of interrupts in that second, and each look more costs TCG some ten seconds.
const LOOKS: u32 = 4;

/// After so many one that has not begun: a kernel that unpacks itself takes no interrupt and
/// needs nothing, for ten seconds and more where it is large and its host is slow.
const LOOKS_AT_FIRST: u32 = 160;

/// With fewer interrupts taken a guest has not begun, for all that KVM knows. Firmware has 18 in
/// a second, of its timer; a kernel has hundreds, but a small one is at its SSH server before.
const BEGUN: u64 = 64;

/// How the lines of `guest-image/init` begin, which runs when the kernel has long been unpacked.
const INIT: &str = "exitlab-guest: ";

/// So much processor time between two looks is a processor that is busy: 80 in a hundred.
const BUSY: Duration = Duration::from_millis(200);

/// Whoever does anything else than to spin has some of it: interrupts taken, halts, accesses to
/// devices, memory touched for the first time.
const SIGNS_OF_LIFE: [&str; 5] = [
    "irq_injections",
    "halt_exits",
    "io_exits",
    "mmio_exits",
    "pf_fixed",
];

/// A VM at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moment {
    /// Processor time of QEMU and its vCPUs.
    busy: Duration,
    alive: [u64; SIGNS_OF_LIFE.len()],
}

/// Looks at the VM of the QEMU that is this process and has this console, and tells once it
/// spins for good. Where KVM's counters cannot be read it never tells.
pub fn watch(process: u32, console: Tail, tell: watch::Sender<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut spins = Spins::default();
        let mut init = false;
        loop {
            tokio::time::sleep(PERIOD).await;
            init = init || console.lines().iter().any(|line| line.starts_with(INIT));
            let moment = Moment::of(process);
            let most = moment.as_ref().map_or(LOOKS, |now| now.patience(init));
            if spins.see(moment) >= most {
                tell.send_replace(true);
                return;
            }
        }
    })
}

/// How long a guest has done nothing but spin.
#[derive(Default)]
struct Spins {
    last: Option<Moment>,
    looks: u32,
}

impl Spins {
    /// Takes in a look; how many in a row, up to this one, were at nothing but spinning.
    fn see(&mut self, now: Option<Moment>) -> u32 {
        let spun = match (&self.last, &now) {
            (Some(last), Some(now)) => {
                now.alive == last.alive && now.busy.saturating_sub(last.busy) >= BUSY
            }
            _ => false,
        };
        self.looks = if spun { self.looks + 1 } else { 0 };
        self.last = now;
        self.looks
    }
}

impl Moment {
    /// How many looks in a row at nothing but spinning are enough of a guest whose `init` runs,
    /// or of which that is not known.
    fn patience(&self, init: bool) -> u32 {
        let [interrupts, ..] = self.alive;
        if interrupts < BEGUN && !init {
            LOOKS_AT_FIRST
        } else {
            LOOKS
        }
    }

    fn of(process: u32) -> Option<Moment> {
        let alive = alive(&vm(Path::new(KVM), process)?)?;
        Some(Moment {
            busy: Stat::of_process(process)?.busy(),
            alive,
        })
    }
}

fn alive(vm: &Path) -> Option<[u64; SIGNS_OF_LIFE.len()]> {
    let mut alive = [0; SIGNS_OF_LIFE.len()];
    for (count, name) in alive.iter_mut().zip(SIGNS_OF_LIFE) {
        let text = std::fs::read_to_string(vm.join(name)).ok()?;
        *count = text.trim().parse().ok()?;
    }
    Some(alive)
}

/// The directory of a process's VM: `PID-FD`.
fn vm(kvm: &Path, process: u32) -> Option<PathBuf> {
    let own = format!("{process}-");
    let entries = std::fs::read_dir(kvm).ok()?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&own)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks in a row are at nothing but spinning, by processor time in units of 10 ms, and
    /// interrupts taken.
    fn looks(seen: &[(u64, u64)]) -> Vec<u32> {
        let mut spins = Spins::default();
        let look = |(busy, interrupts): &(u64, u64)| {
            spins.see(Some(Moment {
                busy: Duration::from_millis(10 * busy),
                alive: [*interrupts, 0, 0, 0, 0],
            }))
        };
        seen.iter().map(look).collect()
    }

    #[test]
    fn only_work_without_an_interrupt_is_a_spin() {
        assert_eq!(
            looks(&[(0, 5), (25, 5), (49, 5), (74, 5), (99, 5)]),
            [0, 1, 2, 3, 4]
        );
        // `idle=poll`, or a program that computes: a timer ticks.
        assert_eq!(looks(&[(0, 5), (25, 6), (50, 7)]), [0, 0, 0]);
        // Idle: it halts, and no time passes on its processor.
        assert_eq!(looks(&[(0, 5), (1, 5), (2, 5)]), [0, 0, 0]);
        // Something ended it.
        assert_eq!(looks(&[(0, 5), (25, 5), (50, 6), (75, 6)]), [0, 1, 0, 1]);
    }

    #[test]
    fn a_guest_that_unpacks_its_kernel_has_time() {
        let moment = |interrupts| Moment {
            busy: Duration::ZERO,
            alive: [interrupts, 3, 4, 5, 6],
        };
        assert_eq!(moment(20).patience(false), LOOKS_AT_FIRST);
        assert_eq!(moment(200).patience(false), LOOKS);
        // Its kernel needed few interrupts.
        assert_eq!(moment(20).patience(true), LOOKS);
        let init = include_str!("../../../guest-image/init");
        assert!(init.contains(&format!("echo \"{INIT}")));
    }

    #[test]
    fn counters_are_those_of_the_process_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(vm(dir.path(), 12), None);
        for name in ["112-3", "12-3"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let own = vm(dir.path(), 12).unwrap();
        assert!(own.ends_with("12-3"));
        assert_eq!(alive(&own), None);
        for name in SIGNS_OF_LIFE {
            std::fs::write(own.join(name), "3\n").unwrap();
        }
        assert_eq!(alive(&own), Some([3; 5]));
    }
}
