//! The QEMU process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::keys::GuestKeys;
use crate::secrets::secrets;
use exitlab_base::process::die_with_parent;
use exitlab_model::event::{Event, Stage};
use exitlab_model::failure::FailureKind;

use super::argv::{Places, qemu_args};
use super::awaited::{Found, Seeker};
use super::console::{Tail, follow};
use super::events::Events;
use super::failure::Failure;
use super::seed;
use super::spin;
use super::watchdog::Watchdog;
use exitlab_model::order::Order;

/// How long QEMU may take to end by itself after the experiment, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A running QEMU, reaped by a task of its own.
pub struct Qemu {
    process: u32,
    kill: Option<oneshot::Sender<()>>,
    reaper: JoinHandle<()>,
    followers: Vec<JoinHandle<()>>,
    ended: watch::Receiver<Option<String>>,
    guest: Tail,
    log: Tail,
    found: Option<Found>,
    spins: Option<watch::Receiver<bool>>,
    /// Ends with this value.
    look: Option<JoinHandle<()>>,
}

impl Drop for Qemu {
    fn drop(&mut self) {
        if let Some(look) = &self.look {
            look.abort();
        }
    }
}

/// Where the QMP socket lies in the private directory.
pub fn qmp_socket(dir: &Path) -> PathBuf {
    dir.join("qmp")
}

impl Qemu {
    /// Starts QEMU.
    pub fn start(order: &Order, dir: &Path, events: &Events) -> Result<Qemu, Failure> {
        let mut child = spawn(order, dir)?;
        // Known as long as the child is not reaped, and that is the reaper's work.
        let process = child.id().unwrap_or_default();
        let (guest, log) = (Tail::default(), Tail::default());
        let (seeker, found) = Seeker::of(&order.sampling.schedule);
        let mut followers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let events = events.sender();
            let see = move |line: &str| seeker.see(line);
            followers.push(follow(stdout, guest.clone(), see, move |line| {
                let _ = events.send(Event::GuestConsole { line });
            }));
        }
        if let Some(stderr) = child.stderr.take() {
            let events = events.sender();
            followers.push(follow(
                stderr,
                log.clone(),
                |_| (),
                move |line| {
                    let _ = events.send(Event::QemuLog { line });
                },
            ));
        }
        // A guest that is only watched may spin as long as it likes, and where time is real a
        // spin costs no more than anything else.
        let (tell, spins) = watch::channel(false);
        let looks = order.guest.ssh && order.pulse_s.is_some();
        let look = looks.then(|| spin::watch(process, guest.clone(), tell));
        let (kill, killed) = oneshot::channel();
        let (tell, ended) = watch::channel(None);
        Ok(Qemu {
            process,
            kill: Some(kill),
            reaper: tokio::spawn(reap(child, killed, tell)),
            followers,
            ended,
            guest,
            log,
            found: Some(found),
            spins: look.is_some().then_some(spins),
            look,
        })
    }

    /// Its number among the host's processes.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Which lines of the schedule the guest's console has printed, for whoever asks first.
    pub fn found(&mut self) -> Option<Found> {
        self.found.take()
    }

    /// A watchdog over this QEMU.
    pub fn watchdog(&self) -> Watchdog {
        let watchdog = Watchdog::new(self.ended.clone(), self.guest.clone(), self.log.clone());
        match &self.spins {
            Some(spins) => watchdog.with_spins(spins.clone()),
            None => watchdog,
        }
    }

    /// Waits for QEMU's end, killing it if it does not end by itself; then for the last
    /// line of its console.
    pub async fn stop(&mut self) {
        let quit = self.ended.borrow().is_some();
        if !quit && let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
        let _ = tokio::time::timeout(GRACE, &mut self.reaper).await;
        for follower in &mut self.followers {
            if tokio::time::timeout(GRACE, &mut *follower).await.is_err() {
                // It holds a sender of events, which must be gone before they can close.
                follower.abort();
            }
        }
    }
}

fn spawn(order: &Order, dir: &Path) -> Result<Child, Failure> {
    let files = &order.files.guest;
    let initramfs = with_secrets(order, dir)?;
    let seed = seed::lay_out(order, dir)?;
    let places = Places {
        firmware: order.files.firmware.as_deref(),
        kernel: files.kernel.as_deref(),
        initramfs: initramfs.as_deref(),
        disk: files.disk.as_deref(),
        seed: seed.as_deref(),
        qmp: Some(&qmp_socket(dir)),
    };
    let mut command = Command::new(&order.files.qemu);
    command
        .args(qemu_args(&order.guest, "kvm", places))
        // What a guest writes to its disk goes, and goes with us.
        .env("TMPDIR", std::path::absolute(dir).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // The backstop for an agent that is killed itself.
    die_with_parent(&mut command, Signal::KILL);
    command.spawn().map_err(|e| {
        let message = format!("failed to start {}: {e}", order.files.qemu.display());
        Failure::new(Stage::Qemu, FailureKind::QemuDied, message)
    })
}

/// Waits for QEMU's end, which comes by itself or by `killed`, and tells how it was.
async fn reap(
    mut child: Child,
    killed: oneshot::Receiver<()>,
    tell: watch::Sender<Option<String>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = killed => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let how = status.map_or_else(|e| e.to_string(), |status| status.to_string());
    let _ = tell.send(Some(how));
}

/// The guest's initramfs, if it has one; with its keys, if it has SSH, in the agent's
/// private directory.
fn with_secrets(order: &Order, dir: &Path) -> Result<Option<PathBuf>, Failure> {
    let files = &order.files.guest;
    let Some(initramfs) = files.initramfs.as_ref().filter(|_| order.guest.ssh) else {
        return Ok(files.initramfs.clone());
    };
    let failure = |why: String| {
        let message = format!("failed to give the guest its keys: {why}");
        Failure::new(Stage::Qemu, FailureKind::Host, message)
    };
    let keys = GuestKeys::derive(&order.guest.seed);
    let archive = secrets(&order.guest, &keys, files.sampler.as_deref());
    let archive = archive.map_err(|e| failure(e.to_string()))?;
    let path = dir.join("initramfs");
    let append = || {
        std::fs::copy(initramfs, &path)?;
        let mut file = std::fs::OpenOptions::new().append(true).open(&path)?;
        // An archive begins where the next four bytes do; what is before may be compressed.
        let length = file.metadata()?.len();
        file.set_len(length.next_multiple_of(4))?;
        file.write_all(&archive)
    };
    append().map_err(|e| failure(e.to_string()))?;
    Ok(Some(path))
}
