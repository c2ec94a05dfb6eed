//! The QMP session: QEMU's version, KVM's statistics, and the guest's power switch.

use std::path::Path;

use qapi::futures::{QapiService, QmpStreamTokio};
use qapi::qmp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;

use exitlab_model::failure::FailureKind;
use exitlab_model::record::StatsReading;

use super::census::Counted;
use super::failure::Failure;
use super::qemu::qmp_socket;
use super::watchdog::Watchdog;

/// The histogram that the exit census adds to `struct kvm_vcpu_stat`.
const CENSUS: &str = "exits_by_reason";

/// The same in cycles from VM exit to VM entry.
const CYCLES: &str = "exit_cycles_by_reason";

/// Entries that failed with an exit reason.
const FAILED: &str = "failed_entries";

/// KVM's own count of exits.
const EXITS: &str = "exits";

/// Longest line that QEMU may send, bytes.
const LONGEST_LINE: u64 = 16 << 20;

type Service = QapiService<QmpStreamTokio<tokio::net::unix::OwnedWriteHalf>>;

/// A QMP session.
pub struct Qmp {
    service: Service,
    counted: Counted,
    /// How often QEMU has said that the guest stopped or shut down.
    halts: watch::Receiver<u64>,
    /// The filter, and `qapi`'s reader of answers and events.
    tasks: [tokio::task::JoinHandle<()>; 2],
}

/// How a guest came to a standstill that we did not ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// It shut itself down or reset itself.
    Shutdown,
    /// Something else, as QEMU calls it: `internal_error`, `guest_panicked`.
    Other(String),
}

impl Drop for Qmp {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Qmp {
    /// Connects to the socket in `dir` as soon as QEMU has opened it, and negotiates.
    pub async fn connect(
        dir: &Path,
        counted: Counted,
        watchdog: &Watchdog,
    ) -> Result<Qmp, Failure> {
        let socket = qmp_socket(dir);
        watchdog
            .wait("QMP greeting", async {
                let stream = loop {
                    match UnixStream::connect(&socket).await {
                        Ok(stream) => break stream,
                        // QEMU has not come to it yet; the watchdog ends this loop.
                        Err(_) => tokio::time::sleep(POLL).await,
                    }
                };
                let (read, write) = stream.into_split();
                let (known, pipe) = tokio::io::duplex(64 * 1024);
                let (tell, halts) = watch::channel(0);
                let reader = tokio::spawn(pass_known(read, pipe, tell));
                let stream = QmpStreamTokio::open_split(known, write)
                    .await
                    .map_err(|e| format!("failed to open the QMP session: {e}"))?;
                let stream = stream
                    .negotiate()
                    .await
                    .map_err(|e| format!("failed to negotiate QMP: {e}"))?;
                let (service, session) = stream.spawn_tokio();
                Ok(Qmp {
                    service,
                    counted,
                    halts,
                    tasks: [reader, session],
                })
            })
            .await
    }

    /// QEMU's version (`query-version`).
    pub async fn version(&self, watchdog: &Watchdog) -> Result<String, Failure> {
        let info = self
            .execute(qmp::query_version {}, "query-version", watchdog)
            .await?;
        let triple = info.qemu;
        let number = format!("{}.{}.{}", triple.major, triple.minor, triple.micro);
        Ok(match info.package.as_str() {
            "" => number,
            package => format!("{number} ({package})"),
        })
    }

    /// The TCP port on 127.0.0.1 that leads to the guest's SSH server (`info usernet` by
    /// `human-monitor-command`: QMP has no command of its own for it).
    pub async fn ssh_port(&self, watchdog: &Watchdog) -> Result<u16, Failure> {
        let command = qmp::human_monitor_command {
            command_line: "info usernet".to_owned(),
            cpu_index: None,
        };
        let text = self.execute(command, "info usernet", watchdog).await?;
        forwarded_port(&text).ok_or_else(|| {
            let why = format!("QEMU forwards no port to the guest: {text}");
            watchdog.failure(FailureKind::Protocol, why)
        })
    }

    /// Fails unless KVM's statistics carry the exit census.
    pub async fn require_census(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        let names = self.query(watchdog).await?;
        if names
            .iter()
            .any(|result| result.stats.iter().any(|stat| stat.name == CENSUS))
        {
            return Ok(());
        }
        let message = format!("KVM on this host carries no exit census: no statistic '{CENSUS}'");
        let mut failure = watchdog.failure(FailureKind::NoCensus, message);
        failure.tail.clear();
        Err(failure)
    }

    /// The census and what KVM counts by itself, summed over vCPUs, from one
    /// `query-stats`.
    pub async fn stats(&self, watchdog: &Watchdog) -> Result<StatsReading, Failure> {
        let results = self.query(watchdog).await?;
        sum(&results, self.counted).map_err(|why| watchdog.failure(FailureKind::Protocol, why))
    }

    /// Brings every vCPU to a standstill (`stop`): QEMU answers when the last one is out of
    /// the guest, and from then on there are no exits.
    pub async fn pause(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        self.execute(qmp::stop {}, "stop", watchdog).await?;
        if self.running(watchdog).await? {
            let why = "the guest is running after stop";
            return Err(watchdog.failure(FailureKind::Protocol, why));
        }
        Ok(())
    }

    /// Whether the guest is running (`query-status`).
    pub async fn running(&self, watchdog: &Watchdog) -> Result<bool, Failure> {
        let status = self.execute(qmp::query_status {}, "query-status", watchdog);
        Ok(status.await?.running)
    }

    /// Waits until the guest, which runs and which nobody pauses meanwhile, stands still.
    pub async fn halted(&self) -> Result<Halt, String> {
        let mut halts = self.halts.clone();
        loop {
            halts.mark_unchanged();
            let status = self.service.execute(qmp::query_status {}).await;
            let status = status.map_err(|e| format!("QEMU refused query-status: {e}"))?;
            match status.status {
                _ if status.running => {}
                qmp::RunState::shutdown => return Ok(Halt::Shutdown),
                state => return Ok(Halt::Other(format!("{state:?}"))),
            }
            let closed = |_| "QEMU closed the QMP session".to_owned();
            halts.changed().await.map_err(closed)?;
        }
    }

    /// Lets the vCPUs go on (`cont`).
    pub async fn resume(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        self.execute(qmp::cont {}, "cont", watchdog).await.map(drop)
    }

    /// Ends QEMU (`quit`) and waits until it is gone.
    pub async fn quit(&self, watchdog: &Watchdog) -> Result<(), Failure> {
        // QEMU may be gone before its answer is: only its end counts.
        let _ = tokio::time::timeout(POLL * 100, self.service.execute(qmp::quit {})).await;
        watchdog.ended().await
    }

    async fn query(&self, watchdog: &Watchdog) -> Result<Vec<qmp::StatsResult>, Failure> {
        let cycles = self.counted.cycles.then_some(CYCLES);
        let names = [CENSUS, EXITS, FAILED].into_iter().chain(cycles);
        let request = qmp::StatsRequest {
            names: Some(names.map(str::to_owned).collect()),
            provider: qmp::StatsProvider::kvm,
        };
        let filter = qmp::StatsFilter::vcpu {
            providers: Some(vec![request]),
            vcpu: qmp::StatsVCPUFilter { vcpus: None },
        };
        self.execute(qmp::query_stats(filter), "query-stats", watchdog)
            .await
    }

    async fn execute<C: qmp::QmpCommand>(
        &self,
        command: C,
        name: &str,
        watchdog: &Watchdog,
    ) -> Result<C::Ok, Failure> {
        watchdog
            .wait(&format!("answer to {name}"), async {
                let answer = self.service.execute(command).await;
                answer.map_err(|e| format!("QEMU refused {name}: {e}"))
            })
            .await
    }
}

/// The source port of the forwarding socket in QEMU's table of connections.
fn forwarded_port(usernet: &str) -> Option<u16> {
    let mut rows = usernet.lines().map(str::split_whitespace);
    let mut row = rows.find(|row| row.clone().next() == Some("TCP[HOST_FORWARD]"))?;
    row.nth(3)?.parse().ok()
}

const POLL: std::time::Duration = std::time::Duration::from_millis(20);

/// Copies QEMU's lines, but for events that `qapi`'s schema does not know: one such
/// event would end its session.
/// `halts` goes up for each event of a guest that stopped or shut down.
async fn pass_known(read: OwnedReadHalf, mut pipe: DuplexStream, halts: watch::Sender<u64>) {
    let mut reader = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(0) | Err(_) => return,
            Ok(_) if is_known(&line) => {
                if pipe.write_all(&line).await.is_err() {
                    return;
                }
                if is_halt(&line) {
                    halts.send_modify(|count| *count += 1);
                }
            }
            Ok(_) => tracing::debug!(event = %String::from_utf8_lossy(&line), "unknown QMP event"),
        }
    }
}

fn is_known(line: &[u8]) -> bool {
    let is_event = serde_json::from_slice::<serde_json::Value>(line)
        .is_ok_and(|value| value.get("event").is_some());
    !is_event || serde_json::from_slice::<qmp::Event>(line).is_ok()
}

fn is_halt(line: &[u8]) -> bool {
    matches!(
        serde_json::from_slice(line),
        Ok(qmp::Event::SHUTDOWN { .. } | qmp::Event::STOP { .. })
    )
}

/// Sums the statistics of all vCPUs.
fn sum(results: &[qmp::StatsResult], counted: Counted) -> Result<StatsReading, String> {
    let reasons = counted.reasons.len_slots();
    let mut reading = StatsReading {
        counts: vec![0; reasons],
        cycles: counted.cycles.then(|| vec![0; reasons]),
        other: 0,
        failed_entries: None,
        exits: 0,
    };
    for result in results {
        let counts = histogram(result, CENSUS, reasons)?;
        let order = Order::of(counts);
        let counts = order.apply(counts);
        add(&mut reading.counts, &counts);
        reading.other += counts[reasons..].iter().sum::<u64>();
        if let Some(sums) = &mut reading.cycles {
            let cycles = order.apply(histogram(result, CYCLES, reasons)?);
            if cycles[cycles.len() / 2..].iter().any(|slot| *slot != 0) {
                return Err(format!(
                    "QEMU answered query-stats with {CENSUS} and {CYCLES} in different orders"
                ));
            }
            add(sums, &cycles);
        }
        reading.exits += scalar(result, EXITS)?.ok_or_else(|| missing(EXITS))?;
        if let Some(failed) = scalar(result, FAILED)? {
            *reading.failed_entries.get_or_insert(0) += failed;
        }
    }
    Ok(reading)
}

fn add(sums: &mut [u64], slots: &[u64]) {
    for (sum, slot) in sums.iter_mut().zip(slots) {
        *sum += slot;
    }
}

fn missing(name: &str) -> String {
    format!("QEMU answered query-stats without {name}")
}

fn value<'a>(result: &'a qmp::StatsResult, name: &str) -> Option<&'a qmp::StatsValue> {
    let stat = result.stats.iter().find(|stat| stat.name == name);
    stat.map(|stat| &stat.value)
}

fn scalar(result: &qmp::StatsResult, name: &str) -> Result<Option<u64>, String> {
    match value(result, name) {
        None => Ok(None),
        Some(qmp::StatsValue::scalar(number)) => Ok(Some(*number)),
        Some(value) => Err(format!("QEMU answered query-stats with {name} = {value:?}")),
    }
}

/// The slots of a histogram, in the order in which QEMU lists them.
fn histogram<'a>(
    result: &'a qmp::StatsResult,
    name: &str,
    reasons: usize,
) -> Result<&'a [u64], String> {
    match value(result, name).ok_or_else(|| missing(name))? {
        qmp::StatsValue::list(slots) if slots.len() / 2 > reasons => Ok(slots),
        value => Err(format!("QEMU answered query-stats with {name} = {value:?}")),
    }
}

/// In which order QEMU lists the slots of a histogram.
///
/// QEMU (`add_kvmstat_entry`, seen with 7.2) prepends while it makes the list and so hands
/// histograms out back to front. The order shows in the list itself: the kernel never
/// counts in the upper half of the slots, and a count there means that the list is
/// reversed. It is decided by the counts and holds for the cycles of the same vCPU, too:
/// cycles may be all zero while counts are not, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn of(counts: &[u64]) -> Order {
        if counts[counts.len() / 2..].iter().any(|slot| *slot != 0) {
            Order::Descending
        } else {
            Order::Ascending
        }
    }

    /// The slots, lowest first.
    fn apply(self, slots: &[u64]) -> Vec<u64> {
        match self {
            Order::Ascending => slots.to_vec(),
            Order::Descending => slots.iter().rev().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
