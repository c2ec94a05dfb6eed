//! What hindered a trial, by how it broke off and what the kernel said last.

use exitlab_base::error::Error;
use exitlab_model::hindrance::Hindrance;

use super::row::Hindered;
use crate::conformance::{Broken, Why};

/// Most lines of a console that are kept as evidence.
const MOST_LINES: usize = 15;

/// What a kernel's decompressor says when it gives up (`arch/x86/boot/compressed/misc.c`,
/// `error`).
const HALTED: &str = "-- System halted";
/// What a kernel says when it gives up (`kernel/panic.c`).
const PANIC: &str = "Kernel panic - not syncing: ";
/// What it says if it finds nothing to run (`init/main.c`, `init/do_mounts.c`,
/// `kernel/exit.c`).
const NO_INIT: [&str; 5] = [
    "No working init found",
    "No init found",
    "Requested init",
    "Unable to mount root fs",
    "Attempted to kill init",
];
/// What QEMU prints whenever it emulates a processor.
const NOISE: &str = "warning: TCG doesn't support requested feature";
/// What the host's init says at last (`host-init.sh`).
const AGENT: &str = "exitlab: the agent ended with status";
/// What no kernel can help: programs that are missing here, files that cannot be written.
const OWN: &str = "exitlab failed, and not the kernel: ";

/// What hindered the trial of a kernel; none if the user did.
pub fn of(broken: &Broken) -> Option<Hindered> {
    let (error, failed) = match &broken.why {
        Why::Unfit(_, unfit) => {
            return Some(hindered(unfit.hindrance, unfit.seen.clone(), &[]));
        }
        Why::Failed(error, failed) => (error, failed),
    };
    let begun = broken
        .report
        .as_ref()
        .is_some_and(|report| !report.findings.is_empty());
    let by_agent = failed.and_then(|kind| kind.hindrance());
    Some(match error {
        Error::Interrupted => return None,
        Error::Build { .. } => hindered(Hindrance::NoBuild, error.to_string(), error.tail()),
        Error::Experiment { message, tail, .. } | Error::Silence { message, tail, .. } => {
            if ended(message) == Some(false) {
                return Some(own(error));
            }
            let (hindrance, seen) = match by_agent {
                Some(hindrance) => (hindrance, message.clone()),
                None if failed.is_some() || begun => (Hindrance::BrokenOff, message.clone()),
                None => on_the_way(message, tail),
            };
            hindered(hindrance, seen, tail)
        }
        _ => own(error),
    })
}

/// What has nothing to do with a kernel.
pub fn own(error: &Error) -> Hindered {
    hindered(Hindrance::Trouble, format!("{OWN}{error}"), &[])
}

/// What hindered a kernel before the agent spoke.
fn on_the_way(message: &str, tail: &[String]) -> (Hindrance, String) {
    let said = |text: &str| tail.iter().find(|line| line.contains(text));
    if said(HALTED).is_some() {
        let why = before(tail, HALTED).unwrap_or("it does not say why");
        return (
            Hindrance::Damaged,
            format!("it does not unpack itself: {why}"),
        );
    }
    if let Some(line) = said(PANIC) {
        let why = line.split_once(PANIC).map_or(line.as_str(), |(_, why)| why);
        let no_init = NO_INIT.iter().any(|text| why.contains(text));
        let hindrance = match no_init {
            true => Hindrance::NoInit,
            false => Hindrance::Panic,
        };
        return (hindrance, format!("its kernel panicked: {why}"));
    }
    if let Some(line) = said(AGENT) {
        let seen = format!("it boots, and the agent cannot work on it: {}", line.trim());
        return (Hindrance::NoInit, seen);
    }
    match ended(message) {
        // The machine was left by its own power-off or reset.
        Some(_) => (
            Hindrance::Reset,
            "it reset or powered off the machine before the trial began".to_owned(),
        ),
        None => (Hindrance::Silent, message.to_owned()),
    }
}

/// The last line with words before one that contains `text`.
fn before<'a>(tail: &'a [String], text: &str) -> Option<&'a str> {
    let end = tail.iter().position(|line| line.contains(text))?;
    let mut lines = tail[..end].iter().rev().map(|line| line.trim());
    lines.find(|line| !line.is_empty())
}

/// Of an emulator that ended, whether it did so in good order (`QEMU ended (exit status: 0)`).
fn ended(message: &str) -> Option<bool> {
    let (_, how) = message.split_once(" ended (")?;
    Some(how.starts_with("exit status: 0)"))
}

fn hindered(hindrance: Hindrance, seen: String, tail: &[String]) -> Hindered {
    // What an emulator prints takes the place of a console on which nothing is.
    let said = tail.iter().filter(|line| !line.contains(NOISE));
    let said: Vec<String> = said.cloned().collect();
    let from = said.len().saturating_sub(MOST_LINES);
    Hindered {
        kind: hindrance,
        seen,
        evidence: said[from..].to_vec(),
        cure: hindrance.cure().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_model::failure::FailureKind;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn fate(message: &str, tail: &str, failed: Option<FailureKind>) -> (Hindrance, String) {
        let error = Error::Experiment {
            stage: "host boots".to_owned(),
            message: message.to_owned(),
            tail: lines(tail),
            cure: String::new(),
        };
        let broken = Broken {
            why: Why::Failed(error, failed),
            report: None,
        };
        let hindered = of(&broken).expect("a hindrance");
        assert!(!hindered.cure.is_empty());
        (hindered.kind, hindered.seen)
    }

    #[test]
    fn what_a_kernel_says_last_is_why() {
        let panicked = "the host's kernel panicked";
        let no_root = "VFS: Cannot open root device\n---[ end Kernel panic - not syncing: VFS: \
                       Unable to mount root fs on unknown-block(0,0) ]---";
        let (kind, seen) = fate(panicked, no_root, None);
        assert_eq!(kind, Hindrance::NoInit);
        assert!(seen.contains("Unable to mount root fs"), "{seen}");
        let oops = "[ 0.1] Kernel panic - not syncing: Fatal exception in interrupt";
        let (kind, seen) = fate(panicked, oops, None);
        assert_eq!(kind, Hindrance::Panic);
        assert_eq!(seen, "its kernel panicked: Fatal exception in interrupt");
        let halted = "Decompressing\n\nZSTD-compressed data is corrupt\n\n -- System halted";
        let (kind, seen) = fate("no word from the host within 60 s", halted, None);
        assert_eq!(kind, Hindrance::Damaged);
        assert!(seen.ends_with("ZSTD-compressed data is corrupt"), "{seen}");
    }

    #[test]
    fn a_kernel_that_says_nothing_is_told_from_one_that_leaves_and_from_our_own_trouble() {
        let of = |message| fate(message, "", None).0;
        assert_eq!(of("no word from the host within 60 s"), Hindrance::Silent);
        assert_eq!(of("QEMU ended (exit status: 0)"), Hindrance::Reset);
        assert_eq!(of("QEMU ended (exit status: 1)"), Hindrance::Trouble);
        let agent = "/init: line 7: can't open /dev/ttyS1\nexitlab: the agent ended with status 1";
        let (kind, _) = fate("QEMU ended (exit status: 0)", agent, None);
        assert_eq!(kind, Hindrance::NoInit);
        assert_eq!(of("Bochs ended (signal: 9 (SIGKILL))"), Hindrance::Trouble);
    }

    #[test]
    fn what_the_agent_says_counts() {
        let message = "failed to open /dev/kvm: No such file or directory: modules";
        let (kind, seen) = fate(message, "", Some(FailureKind::KvmModules));
        assert_eq!((kind, &*seen), (Hindrance::KvmModules, message));
        let other = fate("rule quiet: no memory", "", Some(FailureKind::Host));
        assert_eq!(other.0, Hindrance::BrokenOff);
    }

    #[test]
    fn an_interruption_is_no_fate_and_a_full_disk_is_not_the_kernels() {
        let of = |error| {
            let why = Why::Failed(error, None);
            super::of(&Broken { why, report: None }).map(|hindered| hindered.kind)
        };
        assert_eq!(of(Error::Interrupted), None);
        let full = Error::io("write", "x")(std::io::ErrorKind::StorageFull.into());
        assert_eq!(of(full), Some(Hindrance::Trouble));
    }
}
