//! Running vCPUs until they end.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use kvm_ioctls::{VcpuExit, VcpuFd};

use super::guest;
use super::kernel_log::KernelLog;
use super::memory::Holding;
use super::trouble::{Result, Trouble};

/// Longest that one run of a vCPU may take, on the host's clock.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a wait for a vCPU looks for the signs of a host that is ill.
const GLANCE: Duration = Duration::from_millis(100);
/// How long the host takes to answer the slow port.
pub const SLOWNESS: Duration = Duration::from_millis(2);

/// A vCPU.
pub struct Vcpu {
    /// Its number in its machine.
    pub id: u32,
    /// Its file descriptor.
    pub fd: Holding<VcpuFd>,
}

/// How a run of a vCPU ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps are done.
    Done,
    /// The processor refused to enter the guest (`KVM_EXIT_FAIL_ENTRY`).
    EntryFailed,
}

/// Runs vCPUs side by side, each on a thread of its own, until all have ended.
///
/// Three ends: they ended, the host's kernel oopsed (which kills the thread without a
/// word), or the deadline passed. A vCPU that is still running then keeps its thread, and its
/// machine's memory.
pub fn drive(vcpus: Vec<Vcpu>) -> Result<Vec<(Vcpu, End)>> {
    let mut log = KernelLog::from_now();
    let waited = vcpus.len();
    let (sender, receiver) = mpsc::channel();
    for mut vcpu in vcpus {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let end = run_to_end(&mut vcpu.fd);
            let _ = sender.send((vcpu, end));
        });
    }
    drop(sender);
    let deadline = Instant::now() + DEADLINE;
    let mut ended = Vec::new();
    while ended.len() < waited {
        match receiver.recv_timeout(GLANCE) {
            Ok((vcpu, end)) => ended.push((vcpu, end?)),
            Err(RecvTimeoutError::Disconnected) => {
                let why = "a thread that ran a vCPU ended without a word";
                return Err(Trouble::Failed(why.to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(line) = log.find_illness() {
                    return Err(Trouble::Ill(line));
                }
                if Instant::now() > deadline {
                    let seconds = DEADLINE.as_secs();
                    return Err(format!("a vCPU did not end its steps in {seconds} s").into());
                }
            }
        }
    }
    Ok(ended)
}

fn run_to_end(vcpu: &mut VcpuFd) -> Result<End> {
    loop {
        match vcpu.run() {
            Ok(VcpuExit::IoOut(guest::DONE_PORT, _)) => return Ok(End::Done),
            Ok(VcpuExit::IoOut(guest::PLAIN_PORT, _)) => {}
            Ok(VcpuExit::IoOut(guest::SLOW_PORT, _)) => std::thread::sleep(SLOWNESS),
            Ok(VcpuExit::MmioRead(_, data)) => data.fill(0),
            Ok(VcpuExit::FailEntry(..)) => return Ok(End::EntryFailed),
            Ok(other) => return Err(format!("a vCPU stopped with {other:?}").into()),
            Err(e) if is_passing(e.errno()) => {}
            Err(e) => return Err(format!("KVM_RUN failed: {e}").into()),
        }
    }
}

/// Whether KVM_RUN is only to be called again.
fn is_passing(errno: i32) -> bool {
    use rustix::io::Errno;
    [Errno::INTR, Errno::AGAIN]
        .map(Errno::raw_os_error)
        .contains(&errno)
}
