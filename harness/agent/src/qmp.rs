//! QMP: QEMU's version, KVM's statistics, and the guest's power switch.

mod session;
mod stats;

use std::path::Path;
use std::time::Duration;

use qapi::qmp::{self, QmpCommand};
use tokio::net::UnixStream;

use exitlab_model::address_map::AddressMap;
use exitlab_model::failure::FailureKind;
use exitlab_model::record::StatsReading;

use crate::census::Counted;
use crate::failure::Failure;
use crate::watchdog::Watchdog;
use session::Session;

/// Pause between attempts to connect.
const POLL: Duration = Duration::from_millis(20);

/// How long QEMU may take to answer `quit`.
const FAREWELL: Duration = Duration::from_secs(2);

/// A QMP session.
pub struct Qmp {
    session: Session,
    counted: Counted,
}

/// How a guest came to a standstill that we did not ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// It shut itself down or reset itself.
    Shutdown,
    /// Something else, as QEMU calls it: `internal-error`, `guest-panicked`.
    Other(String),
}

impl Qmp {
    /// Connects to `socket` as soon as QEMU has opened it, and negotiates.
    pub async fn connect(
        socket: &Path,
        counted: Counted,
        watchdog: &Watchdog,
    ) -> Result<Qmp, Failure> {
        watchdog
            .wait("QMP greeting", async {
                let stream = loop {
                    match UnixStream::connect(socket).await {
                        Ok(stream) => break stream,
                        // QEMU has not come to it yet; the watchdog ends this loop.
                        Err(_) => tokio::time::sleep(POLL).await,
                    }
                };
                let session = Session::open(stream, watchdog.shutdown()).await?;
                Ok(Qmp { session, counted })
            })
            .await
    }

    /// QEMU's version (`query-version`).
    pub async fn version(&self, watchdog: &Watchdog) -> Result<String, Failure> {
        let info = self.execute(qmp::query_version {}, watchdog).await?;
        let qmp::VersionTriple {
            major,
            minor,
            micro,
        } = info.qemu;
        let number = format!("{major}.{minor}.{micro}");
        Ok(match info.package.as_str() {
            "" => number,
            package => format!("{number} ({package})"),
        })
    }

    /// The TCP port on 127.0.0.1 that leads to the guest's SSH server (`info usernet` by
    /// `human-monitor-command`: QMP has no command of its own for it).
    pub async fn ssh_port(&self, watchdog: &Watchdog) -> Result<u16, Failure> {
        let text = self.execute(monitor("info usernet"), watchdog).await?;
        forwarded_port(&text).ok_or_else(|| {
            let why = format!("QEMU forwards no port to the guest: {text}");
            watchdog.failure(FailureKind::Protocol, why)
        })
    }

    /// What answers at the guest's ports and addresses. A QEMU that does not tell it is no
    /// failure.
    pub async fn address_map(&self, watchdog: &Watchdog) -> Result<AddressMap, Failure> {
        let mut map = match self.told("info mtree -f -o", watchdog).await? {
            Ok(mtree) => AddressMap::parse(&mtree),
            Err(why) => return Ok(AddressMap::lacking(why)),
        };
        if map.has_transports()
            && let Ok(qtree) = self.told("info qtree", watchdog).await?
        {
            map.plug(&qtree);
        }
        Ok(map)
    }

    /// What the human monitor prints, or why QEMU refuses to ask it.
    async fn told(
        &self,
        command: &str,
        watchdog: &Watchdog,
    ) -> Result<Result<String, String>, Failure> {
        match self.execute(monitor(command), watchdog).await {
            Err(failure) if is_refusal(&failure) => Ok(Err(failure.message)),
            printed => printed.map(Ok),
        }
    }

    /// Whether KVM's statistics carry the exit census.
    pub async fn has_census(&self, watchdog: &Watchdog) -> Result<bool, Failure> {
        let vcpus = match self.query_stats(watchdog).await {
            Err(failure) if is_unknown(&failure) => return Ok(false),
            vcpus => vcpus?,
        };
        Ok(vcpus.iter().any(|vcpu| stats::has(vcpu, stats::CENSUS)))
    }

    /// KVM's own count of exits, summed over vCPUs; none from a QEMU that has no `query-stats`.
    pub async fn exits(&self, watchdog: &Watchdog) -> Result<Option<u64>, Failure> {
        let vcpus = match self.query_stats(watchdog).await {
            Err(failure) if is_unknown(&failure) => return Ok(None),
            vcpus => vcpus?,
        };
        let exits = stats::exits(&vcpus);
        let exits = exits.map_err(|why| watchdog.failure(FailureKind::Protocol, why))?;
        Ok(Some(exits))
    }

    /// The census and what KVM counts by itself, summed over vCPUs, from one
    /// `query-stats`.
    pub async fn stats(&self, watchdog: &Watchdog) -> Result<StatsReading, Failure> {
        let vcpus = self.query_stats(watchdog).await?;
        stats::sum(&vcpus, self.counted).map_err(|why| watchdog.failure(FailureKind::Protocol, why))
    }

    /// Brings every vCPU to a standstill (`stop`): QEMU answers when the last one is out of
    /// the guest, and from then on there are no exits.
    pub async fn pause(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        self.execute(qmp::stop {}, watchdog).await?;
        if self.running(watchdog).await? {
            let why = "the guest is running after stop";
            return Err(watchdog.failure(FailureKind::Protocol, why));
        }
        Ok(())
    }

    /// Whether the guest is running (`query-status`).
    pub async fn running(&self, watchdog: &Watchdog) -> Result<bool, Failure> {
        let status = self.execute(qmp::query_status {}, watchdog).await?;
        Ok(status.running)
    }

    /// Waits until the guest, which runs and which nobody pauses meanwhile, stands still.
    pub async fn halted(&self) -> Result<Halt, String> {
        let mut halts = self.session.halts();
        loop {
            halts.mark_unchanged();
            let status = self.session.execute(qmp::query_status {}).await?;
            match status.status {
                _ if status.running => {}
                qmp::RunState::shutdown => return Ok(Halt::Shutdown),
                state => return Ok(Halt::Other(name_of(state))),
            }
            let closed = |_| "QEMU closed the QMP session".to_owned();
            halts.changed().await.map_err(closed)?;
        }
    }

    /// Lets the vCPUs go on (`cont`).
    pub async fn resume(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        self.execute(qmp::cont {}, watchdog).await.map(drop)
    }

    /// Ends QEMU (`quit`) and waits until it is gone.
    pub async fn quit(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        // QEMU may be gone before its answer is: only its end counts.
        let quit = self.session.execute(qmp::quit {});
        let _ = tokio::time::timeout(FAREWELL, quit).await;
        watchdog.ended().await
    }

    async fn query_stats(&self, watchdog: &Watchdog) -> Result<Vec<qmp::StatsResult>, Failure> {
        self.execute(stats::request(self.counted), watchdog).await
    }

    async fn execute<C: QmpCommand>(
        &self,
        command: C,
        watchdog: &Watchdog,
    ) -> Result<C::Ok, Failure> {
        let answer = self.session.execute(command);
        watchdog
            .wait(&format!("answer to {}", C::NAME), answer)
            .await
    }
}

/// Whether QEMU answered that it has no `query-stats`: it is older than 7.1.
fn is_unknown(failure: &Failure) -> bool {
    is_refusal(failure) && failure.message.contains("has not been found")
}

/// Whether QEMU answered, and did not do as it was asked.
fn is_refusal(failure: &Failure) -> bool {
    failure.kind == FailureKind::Protocol && failure.message.contains(session::REFUSED)
}

/// A command of the human monitor, where QMP has none.
fn monitor(command: &str) -> qmp::human_monitor_command {
    qmp::human_monitor_command {
        command_line: command.to_owned(),
        cpu_index: None,
    }
}

/// As QEMU writes it.
fn name_of(state: qmp::RunState) -> String {
    let name = serde_json::to_value(state).ok();
    let name = name.as_ref().and_then(|name| name.as_str());
    name.unwrap_or("in an unknown state").to_owned()
}

/// The source port of the forwarding socket in QEMU's table of connections.
fn forwarded_port(usernet: &str) -> Option<u16> {
    let mut rows = usernet.lines().map(str::split_whitespace);
    let mut row = rows.find(|row| row.clone().next() == Some("TCP[HOST_FORWARD]"))?;
    row.nth(3)?.parse().ok()
}

/// A whole session with whoever is behind `stream`, until it ends.
#[cfg(any(test, fuzzing))]
pub(crate) async fn any_session(stream: UnixStream, counted: Counted) {
    let Ok(session) = Session::open(stream, crate::watchdog::Shutdown::default()).await else {
        return;
    };
    while let Ok(vcpus) = session.execute(stats::request(counted)).await {
        let _ = stats::sum(&vcpus, counted);
        let usernet = session
            .execute(monitor("info usernet"))
            .await
            .unwrap_or_default();
        let _ = forwarded_port(&usernet);
        let status = session.execute(qmp::query_status {}).await;
        let _ = status.map(|status| name_of(status.status));
    }
}

#[cfg(test)]
mod tests;
