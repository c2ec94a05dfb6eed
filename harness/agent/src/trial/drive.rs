//! Running vCPUs until they end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use exitlab_base::process::stat::Stat;
use kvm_ioctls::{VcpuExit, VcpuFd};
use rustix::thread::Pid;

use super::guest;
use super::kernel_log::KernelLog;
use super::memory::Holding;
use super::trouble::{Result, Trouble};

/// Longest that one run of a vCPU may take, on the host's clock.
const DEADLINE: Duration = Duration::from_secs(20);
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
    let (runner, runners) = mpsc::channel();
    for mut vcpu in vcpus {
        let (sender, runner) = (sender.clone(), runner.clone());
        std::thread::spawn(move || {
            let id = vcpu.id;
            let _ = runner.send((id, rustix::thread::gettid()));
            let end = run_to_end(&mut vcpu.fd);
            let _ = sender.send((vcpu, end));
        });
    }
    drop((sender, runner));
    let mut running = BTreeMap::new();
    let deadline = Instant::now() + DEADLINE;
    let mut ended = Vec::new();
    while ended.len() < waited {
        match receiver.recv_timeout(GLANCE) {
            Ok((vcpu, end)) => {
                running.extend(runners.try_iter());
                running.remove(&vcpu.id);
                ended.push((vcpu, end?));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let why = "a thread that ran a vCPU ended without a word";
                return Err(Trouble::Failed(why.to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(illness) = log.find_illness() {
                    return Err(Trouble::Ill(illness));
                }
                running.extend(runners.try_iter());
                if Instant::now() > deadline {
                    return Err(hung(running.values().next().copied()));
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
            Ok(other) => return Err(Trouble::Stopped(format!("a vCPU stopped with {other:?}"))),
            Err(e) if is_passing(e.errno()) => {}
            Err(e) => return Err(format!("KVM_RUN failed: {e}").into()),
        }
    }
}

/// A vCPU that never came back, and what its thread does meanwhile.
fn hung(thread: Option<Pid>) -> Trouble {
    let of = |id: Pid| Path::new("/proc/self/task").join(id.as_raw_nonzero().to_string());
    let stat = thread.and_then(|id| Stat::of(&of(id)));
    let (state, in_kernel) = stat.map_or(('?', 0), |stat| (stat.state, stat.kernel.as_secs()));
    let seconds = DEADLINE.as_secs();
    let busy = state == 'R' && in_kernel >= seconds / 2;
    let does = if busy {
        format!("its thread has been busy in the kernel for {in_kernel} s of them")
    } else {
        match state {
            'D' | 'S' => "its thread waits in the kernel".to_owned(),
            _ => "its thread says nothing".to_owned(),
        }
    };
    let how = format!("KVM_RUN did not return within {seconds} s of the host's clock; {does}");
    Trouble::Hung { how, busy }
}

/// Whether KVM_RUN is only to be called again.
fn is_passing(errno: i32) -> bool {
    use rustix::io::Errno;
    [Errno::INTR, Errno::AGAIN]
        .map(Errno::raw_os_error)
        .contains(&errno)
}
