//! The watchdog over QEMU: every wait of the agent is a race of three. It is ready, QEMU
//! died, or the deadline passed, and each end is worded differently.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::coop::unconstrained;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;

use super::clock::host_seconds;
use super::console::Tail;
use super::failure::Failure;

/// How long after a connection broke it may take until QEMU's end is seen, which broke it.
const GOING: Duration = Duration::from_secs(3);

/// How long QEMU's last words may take after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the guest shut down, once QEMU has said so (`SHUTDOWN`): `guest-reset`.
pub type Shutdown = Arc<OnceLock<String>>;

/// Watches over QEMU during waits.
#[derive(Debug, Clone)]
pub struct Watchdog {
    stage: Stage,
    deadline_s: f64,
    /// How QEMU ended, once it has.
    ended: watch::Receiver<Option<String>>,
    /// The guest's console.
    guest: Tail,
    /// What QEMU itself printed.
    qemu: Tail,
    shutdown: Shutdown,
    /// Whether the guest spins for good; none where nobody looks.
    spins: Option<watch::Receiver<bool>>,
}

impl Watchdog {
    /// A watchdog over a QEMU that was just started.
    pub fn new(ended: watch::Receiver<Option<String>>, guest: Tail, qemu: Tail) -> Watchdog {
        Watchdog {
            stage: Stage::Qemu,
            deadline_s: 30.0,
            ended,
            guest,
            qemu,
            shutdown: Shutdown::default(),
            spins: None,
        }
    }

    /// The same watchdog, which is told when the guest spins for good.
    pub fn with_spins(self, spins: watch::Receiver<bool>) -> Watchdog {
        Watchdog {
            spins: Some(spins),
            ..self
        }
    }

    /// Where QEMU's word about the guest's shutdown is to go.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// The same watchdog for another stage; `deadline_s` is for each wait, seconds of the
    /// host's clock.
    pub fn in_stage(&self, stage: Stage, deadline_s: f64) -> Watchdog {
        Watchdog {
            stage,
            deadline_s,
            ..self.clone()
        }
    }

    /// Waits for `ready`; `what` completes "no ... within N s".
    pub async fn wait<T>(
        &self,
        what: &str,
        ready: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Failure> {
        self.wait_for(what, self.deadline_s, ready).await
    }

    /// Sleeps until the host's clock shows `host_s`, unless QEMU dies first.
    pub async fn sleep_until(&self, host_s: f64) -> Result<(), Failure> {
        let seconds = (host_s - host_seconds()).max(0.0);
        let sleep = async {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            Ok(())
        };
        self.wait_for("end of the pause", seconds + self.deadline_s, sleep)
            .await
    }

    /// Like [`Watchdog::wait`], with more time for something known to take `longer_s`.
    pub async fn wait_longer<T>(
        &self,
        what: &str,
        longer_s: f64,
        ready: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Failure> {
        self.wait_for(what, self.deadline_s + longer_s.max(0.0), ready)
            .await
    }

    /// A failure of this stage, with the guest's console.
    pub fn failure(&self, kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure {
            stage: self.stage,
            kind,
            message: message.into(),
            tail: self.guest.lines(),
        }
    }

    /// Waits for QEMU's own end, which is the good end of a shutdown.
    pub async fn ended(&self) -> Result<(), Failure> {
        let mut ended = self.ended.clone();
        let end = async {
            match ended.wait_for(Option::is_some).await {
                Ok(_) | Err(_) => (),
            }
        };
        match tokio::time::timeout(Duration::from_secs_f64(self.deadline_s), end).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.too_late("end of QEMU", self.deadline_s)),
        }
    }

    /// The failure of a QEMU that is gone, or about to be, before `what`.
    pub async fn gone(&self, what: &str) -> Failure {
        match self.ended().await {
            Ok(()) => self.died(what).await,
            Err(late) => late,
        }
    }

    async fn wait_for<T>(
        &self,
        what: &str,
        deadline_s: f64,
        ready: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Failure> {
        // Neither may be kept from its turn by a guest that always has something to say: its
        // flood uses up what one turn of this task may do.
        let ended = unconstrained(self.is_over());
        let spins = unconstrained(self.is_spinning());
        let deadline = unconstrained(tokio::time::sleep(Duration::from_secs_f64(deadline_s)));
        tokio::select! {
            // What is ready counts, even if QEMU died or time ran out in the same moment.
            biased;
            outcome = ready => match outcome {
                Ok(ready) => Ok(ready),
                Err(why) => Err(self.broken(what, why).await),
            },
            () = ended => Err(self.died(what).await),
            () = spins => Err(self.spun(what)),
            () = deadline => Err(self.too_late(what, deadline_s)),
        }
    }

    async fn is_over(&self) {
        // An error means that whoever would tell is gone.
        let _ = self.ended.clone().wait_for(Option::is_some).await;
    }

    async fn is_spinning(&self) {
        if let Some(mut spins) = self.spins.clone()
            && spins.wait_for(|spins| *spins).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    fn spun(&self, what: &str) -> Failure {
        let message = format!(
            "the guest spins for good before {what}: it keeps its processor busy and takes not one \
             interrupt"
        );
        self.failure(FailureKind::GuestSpins, message)
    }

    /// A broken connection is often the first sign of a QEMU that died.
    async fn broken(&self, what: &str, why: String) -> Failure {
        match tokio::time::timeout(GOING, self.is_over()).await {
            Ok(()) => self.died(what).await,
            Err(_) => self.failure(FailureKind::Protocol, why),
        }
    }

    fn too_late(&self, what: &str, deadline_s: f64) -> Failure {
        self.failure(
            FailureKind::Deadline,
            format!("no {what} within {deadline_s} s"),
        )
    }

    /// Whether the guest's Linux said that it panicked.
    pub fn panicked(&self) -> bool {
        let mut lines = self.guest.lines().into_iter();
        lines.any(|line| line.contains("Kernel panic"))
    }

    /// The failure of a QEMU that has ended before `what`. Whoever died first tells why: a guest
    /// that ended took QEMU along, and any other QEMU has last words of its own.
    async fn died(&self, what: &str) -> Failure {
        let _ = tokio::time::timeout(LAST_WORDS, self.qemu.closed()).await;
        let how = self.ended.borrow().clone().unwrap_or_default();
        let guest = |did: &str| {
            let message = format!("the guest {did} before {what}");
            self.failure(FailureKind::GuestDied, message)
        };
        if self.panicked() {
            return guest("panicked");
        }
        match self.shutdown.get().map(String::as_str) {
            Some("guest-reset" | "subsystem-reset") => return guest("restarted"),
            Some("guest-shutdown") => return guest("shut itself down"),
            Some("guest-panic") => return guest("panicked"),
            _ => {}
        }
        let log = self.qemu.lines();
        let said = log.iter().rev().find(|line| !line.trim().is_empty());
        let said = said.map_or(String::new(), |line| format!(": {line}"));
        let message = format!("QEMU ended before {what} ({how}){said}");
        let mut failure = self.failure(FailureKind::QemuDied, message);
        failure.tail.extend(log);
        failure
    }
}

/// A watchdog over a QEMU that is taken to live as long as the sender.
#[cfg(test)]
pub(super) fn test_watchdog(deadline_s: f64) -> (watch::Sender<Option<String>>, Watchdog) {
    let (sender, receiver) = watch::channel(None);
    let watchdog = Watchdog::new(receiver, Tail::default(), Tail::default());
    (sender, watchdog.in_stage(Stage::Guest, deadline_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_three_ends_are_worded_differently() {
        let (_sender, alive) = test_watchdog(0.5);
        assert_eq!(alive.wait("answer", async { Ok(1) }).await.unwrap(), 1);

        let late = alive
            .wait::<()>("answer", std::future::pending())
            .await
            .unwrap_err();
        assert_eq!(late.kind, FailureKind::Deadline);
        assert_eq!(late.message, "no answer within 0.5 s");

        let (sender, dead) = test_watchdog(30.0);
        sender.send_replace(Some("exit status: 1".to_owned()));
        let died = dead
            .wait::<()>("answer", std::future::pending())
            .await
            .unwrap_err();
        assert_eq!(died.kind, FailureKind::QemuDied);
        assert_eq!(died.message, "QEMU ended before answer (exit status: 1)");

        let broken = alive
            .wait::<()>("answer", async { Err("bad word".into()) })
            .await
            .unwrap_err();
        assert_eq!(broken.kind, FailureKind::Protocol);
        assert_eq!(broken.message, "bad word");
    }

    /// Never ready, and never without something to do.
    async fn flood() -> Result<(), String> {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        loop {
            let _ = send.send(());
            receive.recv().await;
        }
    }

    #[tokio::test]
    async fn a_flood_keeps_neither_deadline_nor_death_from_its_turn() {
        let (sender, watchdog) = test_watchdog(0.3);
        let late = watchdog.wait("answer", flood()).await.unwrap_err();
        assert_eq!(late.kind, FailureKind::Deadline);
        let dies = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            sender.send_replace(Some("signal: 9 (SIGKILL)".to_owned()));
        };
        let patient = watchdog.in_stage(Stage::Guest, 60.0);
        let (died, ()) = tokio::join!(patient.wait("answer", flood()), dies);
        assert_eq!(died.unwrap_err().kind, FailureKind::QemuDied);
    }

    #[tokio::test]
    async fn a_guest_that_spins_for_good_is_not_waited_for() {
        let (_alive, watchdog) = test_watchdog(30.0);
        let (tell, spins) = watch::channel(false);
        let watchdog = watchdog.with_spins(spins);
        assert_eq!(watchdog.wait("answer", async { Ok(1) }).await.unwrap(), 1);
        tell.send_replace(true);
        let spun = watchdog.wait::<()>("answer", std::future::pending()).await;
        assert_eq!(spun.unwrap_err().kind, FailureKind::GuestSpins);
        // Whoever looked is gone.
        drop(tell);
        let (tell, spins) = watch::channel(false);
        drop(tell);
        let watchdog = watchdog.with_spins(spins).in_stage(Stage::Guest, 0.1);
        let late = watchdog.wait::<()>("answer", std::future::pending()).await;
        assert_eq!(late.unwrap_err().kind, FailureKind::Deadline);
    }

    #[tokio::test]
    async fn whoever_died_first_tells_why() {
        for (reason, message) in [
            ("guest-reset", "the guest restarted before answer"),
            ("guest-shutdown", "the guest shut itself down before answer"),
        ] {
            let (sender, watchdog) = test_watchdog(30.0);
            watchdog.shutdown().set(reason.to_owned()).unwrap();
            let dies = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                sender.send_replace(Some("exit status: 0".to_owned()));
            };
            // The connection breaks before QEMU's end is known.
            let broken = watchdog.wait::<()>("answer", async { Err("broken".into()) });
            let (failure, ()) = tokio::join!(broken, dies);
            let failure = failure.unwrap_err();
            assert_eq!(failure.kind, FailureKind::GuestDied);
            assert_eq!(failure.message, message);
        }
    }

    #[tokio::test]
    async fn a_qemu_that_refuses_is_heard_though_its_words_come_late() {
        let (sender, receiver) = watch::channel(None);
        let log = Tail::default();
        let watchdog = Watchdog::new(receiver, Tail::default(), log.clone());
        sender.send_replace(Some("exit status: 1".to_owned()));
        let speaks = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            log.push("qemu: 'nonsense' is not a valid device model name".to_owned());
            log.close();
        };
        let greeting = watchdog.wait::<()>("QMP greeting", std::future::pending());
        let (failure, ()) = tokio::join!(greeting, speaks);
        assert_eq!(
            failure.unwrap_err().message,
            "QEMU ended before QMP greeting (exit status: 1): qemu: 'nonsense' is not a valid \
             device model name"
        );
    }

    #[tokio::test]
    async fn what_is_ready_counts_even_if_qemu_died_in_the_same_moment() {
        let (sender, dead) = test_watchdog(0.0);
        sender.send_replace(Some("exit status: 1".to_owned()));
        assert_eq!(dead.wait("answer", async { Ok(1) }).await.unwrap(), 1);
        // A broken connection is the first sign of it.
        let broken = dead.wait::<()>("answer", async { Err("broken".into()) });
        assert_eq!(broken.await.unwrap_err().kind, FailureKind::QemuDied);
    }

    #[tokio::test]
    async fn a_guest_that_panicked_is_told_from_a_qemu_that_died() {
        let (sender, receiver) = watch::channel(None);
        let (guest, log) = (Tail::default(), Tail::default());
        guest.push("Kernel panic - not syncing".to_owned());
        log.push("QEMU's".to_owned());
        let watchdog = Watchdog::new(receiver, guest, log).in_stage(Stage::Workload, 30.0);
        sender.send_replace(Some("exit status: 0".to_owned()));
        let died = watchdog.wait::<()>("answer", std::future::pending()).await;
        let died = died.unwrap_err();
        assert_eq!(
            (died.stage, died.kind),
            (Stage::Workload, FailureKind::GuestDied)
        );
        assert_eq!(died.message, "the guest panicked before answer");
        assert_eq!(died.tail, ["Kernel panic - not syncing"]);
    }
}
