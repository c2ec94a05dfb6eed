//! When a host is given up for its silence.

use std::time::Duration;

use exitlab_base::error::{Error, Result};

use super::super::emulated::SLOWEST;
use super::super::patience::{IDLE, Pace};
use super::Machine;

/// How long it may do nothing at all before its host has said a word: a kernel that halts with
/// nothing to wake it stays so.
const HALTED_FOR: Duration = Duration::from_secs(30);

impl Machine {
    /// Fails once the host has been silent for too long, by its own progress.
    pub(super) async fn check_silence(&mut self) -> Result<()> {
        if self.patience.stopped() && !self.warned {
            self.warned = true;
            let name = self.name;
            tracing::warn!("{name} is stopped, by somebody's SIGSTOP: the run waits for it");
        }
        let silent = self.patience.silent();
        if !self.heard && silent > self.boot_deadline {
            let how = self.for_so_long(self.boot_deadline);
            return Err(self.died(&format!("no word from the host {how}")));
        }
        if self.heard && !self.is_slow(silent).await && silent > self.silence_deadline {
            let longest = self.silence_deadline * SLOWEST;
            let slow = silent > longest;
            let how = self.for_so_long(if slow { longest } else { self.silence_deadline });
            return Err(Error::Silence {
                message: match self.guest_runs {
                    true => format!("the host fell silent {how}, while its guest ran"),
                    false => format!("the host fell silent {how}"),
                },
                tail: self.last_words(),
                cure: self.cure_of_silence(),
            });
        }
        let idle = match self.heard {
            true => self.silence_deadline * IDLE,
            false => HALTED_FOR.min(self.boot_deadline),
        };
        if self.patience.idle() > idle {
            let what = format!("{} did nothing for {} s", self.name, idle.as_secs_f64());
            return Err(self.died(&what));
        }
        Ok(())
    }

    /// A silence, in the words of the clock that it was measured by.
    fn for_so_long(&self, deadline: Duration) -> String {
        let seconds = deadline.as_secs_f64();
        match self.pace {
            Pace::Real => format!("for {seconds} s"),
            Pace::Emulated => format!("for {seconds} s of {}'s work", self.name),
        }
    }

    fn cure_of_silence(&self) -> String {
        let spins = match (self.guest_runs, self.name) {
            // `docs/determinism.md`, "A guest that never lets its host run".
            (true, "Bochs") => {
                "a guest that spins with its interrupts disabled leaves a host on Bochs no \
                 processor time: Bochs holds the host's interrupts back until the guest enables \
                 its own. Such a guest runs on --platform tcg-svm. Otherwise "
            }
            _ => "",
        };
        format!("{spins}{}", self.cure())
    }

    /// Whether the host had too little of its own time to say a word. Says so once.
    async fn is_slow(&mut self, silent: Duration) -> bool {
        let deadline = self.silence_deadline;
        let Some(emulated) = &mut self.emulated else {
            return false;
        };
        let slow = emulated.is_slow(silent, deadline).await;
        if let Some(word) = emulated.word(silent) {
            tracing::warn!("{word}");
        }
        slow
    }
}
