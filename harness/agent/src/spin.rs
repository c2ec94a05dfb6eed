//! A guest that spins for good: it executes PAUSE again and again, and takes no interrupt that
//! could end that. QEMU's emulation of SVM can bring a guest there (`docs/determinism.md`), and
//! an emulated host takes ten times its usual time for a second of it: no deadline is worth
//! waiting for.
//!
//! Seen in KVM's own counters in debugfs, which are read without disturbing the guest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where KVM's counters are.
const KVM: &str = "/sys/kernel/debug/kvm";

/// Time between two looks, on the host's clock.
const PERIOD: Duration = Duration::from_secs(1);

/// After so many looks at nothing but spinning the guest is given up.
const LOOKS: u32 = 4;

/// A guest that waits in a loop of PAUSE has many times more exits between two looks; one that
/// halts or computes has fewer.
const MANY: u64 = 5000;

/// What ends a spin, and whoever does anything else has some of it: interrupts taken, halts,
/// accesses to devices.
const SIGNS_OF_LIFE: [&str; 4] = ["irq_injections", "halt_exits", "io_exits", "mmio_exits"];

/// KVM's counters of a VM at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counters {
    exits: u64,
    alive: [u64; SIGNS_OF_LIFE.len()],
}

/// Looks at the VM of the QEMU that is this process, and tells once it spins for good. Where
/// KVM's counters cannot be read it never tells.
pub fn watch(process: u32, tell: watch::Sender<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut spins = Spins::default();
        loop {
            tokio::time::sleep(PERIOD).await;
            let counters = vm(Path::new(KVM), process).and_then(|dir| Counters::of(&dir));
            if spins.see(counters) >= LOOKS {
                tell.send_replace(true);
                return;
            }
        }
    })
}

/// How long a guest has done nothing but spin.
#[derive(Default)]
struct Spins {
    last: Option<Counters>,
    looks: u32,
}

impl Spins {
    /// Takes in a look; how many in a row, up to this one, were at nothing but spinning.
    fn see(&mut self, now: Option<Counters>) -> u32 {
        let spun = match (&self.last, &now) {
            (Some(last), Some(now)) => {
                now.alive == last.alive && now.exits.saturating_sub(last.exits) >= MANY
            }
            _ => false,
        };
        self.looks = if spun { self.looks + 1 } else { 0 };
        self.last = now;
        self.looks
    }
}

impl Counters {
    fn of(dir: &Path) -> Option<Counters> {
        let read = |name: &str| -> Option<u64> {
            let text = std::fs::read_to_string(dir.join(name)).ok()?;
            text.trim().parse().ok()
        };
        let mut alive = [0; SIGNS_OF_LIFE.len()];
        for (count, name) in alive.iter_mut().zip(SIGNS_OF_LIFE) {
            *count = read(name)?;
        }
        let exits = read("exits")?;
        Some(Counters { exits, alive })
    }
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

    /// How many looks in a row are at nothing but spinning, by exits and interrupts taken.
    fn looks(seen: &[(u64, u64)]) -> Vec<u32> {
        let mut spins = Spins::default();
        let look = |(exits, interrupts): &(u64, u64)| {
            let counters = Counters {
                exits: *exits,
                alive: [*interrupts, 0, 0, 0],
            };
            spins.see(Some(counters))
        };
        seen.iter().map(look).collect()
    }

    #[test]
    fn only_exits_without_an_interrupt_are_a_spin() {
        let spins = [(0, 5), (9_000, 5), (20_000, 5), (30_000, 5), (40_000, 5)];
        assert_eq!(looks(&spins), [0, 1, 2, 3, 4]);
        // `idle=poll`: its timer ticks.
        assert_eq!(looks(&[(0, 5), (90_000, 6), (180_000, 7)]), [0, 0, 0]);
        // Idle, or computing.
        assert_eq!(looks(&[(0, 5), (10, 5), (300, 5)]), [0, 0, 0]);
        // Something ended it.
        assert_eq!(
            looks(&[(0, 5), (9_000, 5), (18_000, 6), (27_000, 6)]),
            [0, 1, 0, 1]
        );
    }

    #[test]
    fn counters_are_those_of_the_process_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(vm(dir.path(), 12), None);
        for (name, exits) in [("112-3", "9"), ("12-3", "7")] {
            let vm = dir.path().join(name);
            std::fs::create_dir(&vm).unwrap();
            std::fs::write(vm.join("exits"), exits).unwrap();
        }
        let own = vm(dir.path(), 12).unwrap();
        assert_eq!(Counters::of(&own), None);
        for name in SIGNS_OF_LIFE {
            std::fs::write(own.join(name), "3\n").unwrap();
        }
        let counters = Counters {
            exits: 7,
            alive: [3; 4],
        };
        assert_eq!(Counters::of(&own), Some(counters));
    }
}
