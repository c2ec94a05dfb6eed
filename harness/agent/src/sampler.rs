//! `exit-sampler serve` in the guest: one line a request, one line an answer. Its protocol is
//! described there.

mod answers;

use exitlab_model::failure::FailureKind;
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{Discovery, ReasonStatus};

use exitlab_base::bounded::shortened;

use crate::census::Counted;
use crate::failure::Failure;
use crate::shell::{Conversation, Shell};
use crate::watchdog::Watchdog;
pub use answers::CpuidSample;

/// Characters of an answer that cannot be understood that an error shows.
const SHOWN: usize = 200;

/// A running `exit-sampler`.
pub struct Sampler {
    talk: Box<dyn Conversation>,
    counted: Counted,
    discovery: Discovery,
    /// The guest's clock when it last answered, seconds.
    guest_s: f64,
}

impl Sampler {
    /// Starts the sampler in the guest, and asks what the census says of itself: it must
    /// be what the host says.
    pub async fn start(
        shell: &dyn Shell,
        counted: Counted,
        watchdog: &Watchdog,
    ) -> Result<Sampler, Failure> {
        let command = format!("exit-sampler serve {}", ranges(counted.reasons));
        let mut talk = watchdog
            .wait("start of exit-sampler", shell.converse(&command))
            .await?;
        let line = watchdog
            .wait("discovery of the census", talk.ask("discover"))
            .await?;
        let discovery = understood(answers::discovery(&line), &line, watchdog)?;
        agree(&discovery, counted).map_err(|why| watchdog.failure(FailureKind::Protocol, why))?;
        Ok(Sampler {
            talk,
            counted,
            discovery,
            guest_s: 0.0,
        })
    }

    /// What the census says of itself.
    pub fn discovery(&self) -> Discovery {
        self.discovery
    }

    /// Sleeps in the guest until its uptime is `guest_s` seconds.
    pub async fn wait_until(&mut self, guest_s: f64, watchdog: &Watchdog) -> Result<(), Failure> {
        let request = format!("wait {guest_s:.6}");
        let longer = guest_s - self.guest_s;
        let line = watchdog
            .wait_longer("end of the pause", longer, self.talk.ask(&request))
            .await?;
        self.guest_s = understood(answers::ready(&line), &line, watchdog)?;
        Ok(())
    }

    /// Reads all counters.
    pub async fn read(&mut self, watchdog: &Watchdog) -> Result<CpuidSample, Failure> {
        let line = watchdog.wait("census", self.talk.ask("census")).await?;
        let parsed = answers::sample(&line, self.counted, self.discovery.leaf_map);
        let census = understood(parsed, &line, watchdog)?;
        self.guest_s = census.guest_s;
        Ok(census)
    }

    /// Reads the status of every reason.
    pub async fn statuses(&mut self, watchdog: &Watchdog) -> Result<Vec<ReasonStatus>, Failure> {
        let line = watchdog
            .wait("status of the exit reasons", self.talk.ask("status"))
            .await?;
        understood(
            answers::statuses(&line, self.counted.reasons),
            &line,
            watchdog,
        )
    }
}

/// The numbers of all slots as the sampler takes them: `0-166,1024-1027`.
fn ranges(reasons: &ReasonTable) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (_, number) in reasons.slots() {
        match ranges.last_mut() {
            Some((_, last)) if number - *last == 1 => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| format!("{first}-{last}"));
    words.collect::<Vec<_>>().join(",")
}

/// Fails unless guest and host say the same of the census.
fn agree(found: &Discovery, counted: Counted) -> Result<(), String> {
    let reasons = counted.reasons.defined().len();
    let said = |isa: Isa, cycles: bool, reasons: usize| {
        let not = if cycles { "" } else { "not " };
        format!("{}, {reasons} reasons, cycles {not}counted", isa.name())
    };
    let guest = said(found.isa, found.cycles, found.reasons as usize);
    let host = said(counted.reasons.isa(), counted.cycles, reasons);
    if guest == host {
        return Ok(());
    }
    Err(format!(
        "the census in the guest ({guest}) is not the one on the host ({host})"
    ))
}

fn understood<T>(parsed: Option<T>, line: &str, watchdog: &Watchdog) -> Result<T, Failure> {
    parsed.ok_or_else(|| {
        watchdog.failure(
            FailureKind::Protocol,
            format!("exit-sampler answered '{}'", shortened(line, SHOWN)),
        )
    })
}

/// Reads a line as each answer that it may be.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_answer(line: &str, counted: Counted) {
    let _ = (answers::ready(line), answers::discovery(line));
    let _ = answers::statuses(line, counted.reasons);
    for leaf_map in 0..=4 {
        let _ = answers::sample(line, counted, leaf_map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(isa: Isa, cycles: bool) -> Counted {
        Counted {
            reasons: ReasonTable::of(isa),
            cycles,
        }
    }

    #[test]
    fn the_sampler_is_asked_for_every_slot() {
        assert_eq!(ranges(ReasonTable::vmx()), "0-85");
        assert_eq!(
            ranges(ReasonTable::svm()),
            "0-166,1024-1027,4294967292-4294967295"
        );
    }

    #[test]
    fn guest_and_host_must_say_the_same() {
        let found = answers::discovery("discovery svm 2 1 off 175").unwrap();
        assert_eq!((found.isa, found.version, found.leaf_map), (Isa::Svm, 2, 1));
        assert_eq!(agree(&found, counted(Isa::Svm, false)), Ok(()));
        assert_eq!(
            agree(&found, counted(Isa::Svm, true)).unwrap_err(),
            "the census in the guest (SVM, 175 reasons, cycles not counted) is not the one \
             on the host (SVM, 175 reasons, cycles counted)"
        );
        assert!(agree(&found, counted(Isa::Vmx, false)).is_err());
        assert_eq!(answers::discovery("discovery svm 2 1 maybe 175"), None);
    }
}
