//! Child processes that never outlive us: each runs in a process group of its own,
//! and the group ends with the value that stands for it.
//!
//! The way down is always the same: SIGTERM to the group (`make` then removes the
//! half-written files it was making), a grace period, SIGKILL to what is left of the
//! group, and the child is reaped. Dropping a future or a [`Supervised`] does this
//! synchronously, so Ctrl-C is handled by dropping (`tokio::select!`). Should exitlab
//! itself be killed with SIGKILL, the kernel signals the child.
//!
//! The kernel ties that last signal to the *thread* that spawned the child: spawn from
//! the runtime's own threads, never from `spawn_blocking`.

pub mod stat;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{PipeWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getppid, kill_process_group,
    set_parent_process_death_signal, waitid,
};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use crate::bounded::Lines;
use crate::error::{Error, Result};
use crate::not_started;

/// Lines of output kept for error messages.
const TAIL_LINES: usize = 20;
/// Bytes of one line that are kept; the log has all of them.
const LINE_LIMIT: usize = 4096;
/// Most bytes of a log: a thousand times what a build of the kernel prints.
const LOG_LIMIT: u64 = 64 << 20;
/// How long `Drop` lets a group end by itself.
const DROP_GRACE: Duration = Duration::from_secs(2);
/// How long we wait for a killed child: only a process stuck in the kernel needs more.
const REAP_LIMIT: Duration = Duration::from_secs(2);
/// How often a blocking wait looks again.
const POLL: Duration = Duration::from_millis(10);

/// A command that has run to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// The last lines of its standard output and standard error, as they came.
    pub tail: Vec<String>,
}

/// Runs `command` to its end. Standard input is empty; what it prints is appended to
/// `log`, and each line is shown to `on_line`. A bad exit status is not an error here.
///
/// Dropping the future ends the command and everything it started.
pub async fn run(command: Command, log: &Path, on_line: impl FnMut(&str)) -> Result<Finished> {
    run_on(command, Stdio::null(), log, on_line).await
}

/// The same with a standard input.
pub async fn run_on(
    mut command: Command,
    input: Stdio,
    log: &Path,
    mut on_line: impl FnMut(&str),
) -> Result<Finished> {
    let mut file = Log::open(log)?;
    let (reader, writer) = std::io::pipe().map_err(Error::io("create a pipe for", log))?;
    let errors = writer
        .try_clone()
        .map_err(Error::io("share the pipe for", log))?;
    command.stdout(writer).stderr(errors);
    // `make` passes SIGTERM on to what it runs; of SIGKILL its children would not know.
    let mut group = Group::spawn_on(command, input, Signal::TERM)?;
    let mut output =
        pipe::Receiver::from_owned_fd(reader.into()).map_err(Error::io("read", log))?;

    let mut lines = Last::default();
    let mut chunk = vec![0; 8192];
    let mut status = None;
    loop {
        tokio::select! {
            read = output.read(&mut chunk) => match read.map_err(Error::io("read", log))? {
                0 => break,
                length => {
                    let bytes = &chunk[..length];
                    file.append(bytes)?;
                    lines.feed(bytes, &mut on_line);
                }
            },
            // What it left in the background must not keep the pipe, and us, waiting.
            ended = group.wait(), if status.is_none() => {
                status = Some(ended?);
                group.signal(Signal::KILL);
            }
        }
    }
    lines.finish(&mut on_line);
    file.finish()?;
    let status = match status {
        Some(status) => status,
        None => group.wait().await?,
    };
    Ok(Finished {
        status,
        tail: lines.tail.into(),
    })
}

/// A command that runs until it ends or is stopped. It dies with this value.
#[derive(Debug)]
pub struct Supervised {
    group: Group,
    log: PathBuf,
}

impl Supervised {
    /// Starts `command` with empty standard input; it writes to `log` directly.
    pub fn spawn(mut command: Command, log: &Path) -> Result<Self> {
        let file = open_log(log)?;
        let errors = file.try_clone().map_err(Error::io("open", log))?;
        command.stdout(file).stderr(errors);
        Ok(Self {
            group: Group::spawn(command, Signal::KILL)?,
            log: log.to_owned(),
        })
    }

    /// Starts `command` with its standard input on a pipe, whose other end is returned; its
    /// standard output goes to `out`, its errors to `log`.
    pub fn spawn_piped(mut command: Command, out: &Path, log: &Path) -> Result<(Self, PipeWriter)> {
        let name = PathBuf::from(command.as_std().get_program());
        let (reader, writer) = std::io::pipe().map_err(Error::io("create a pipe for", &name))?;
        command.stdout(open_log(out)?).stderr(open_log(log)?);
        let process = Self {
            group: Group::spawn_on(command, Stdio::from(reader), Signal::KILL)?,
            log: log.to_owned(),
        };
        Ok((process, writer))
    }

    /// Waits until it ends. Cancel-safe; may be called again.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.group.wait().await
    }

    /// Its number among this machine's processes; none once its end is known.
    pub fn id(&self) -> Option<u32> {
        self.group.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn try_exited(&mut self) -> Result<Option<ExitStatus>> {
        let name = self.group.name.clone();
        self.group
            .child
            .try_wait()
            .map_err(Error::io("wait for", name))
    }

    /// The last lines of what it printed.
    pub fn tail(&self) -> Vec<String> {
        last_lines(&self.log).unwrap_or_default()
    }

    /// The normal way down: SIGTERM, up to `grace` to end by itself, SIGKILL.
    pub async fn stop(mut self, grace: Duration) -> Result<ExitStatus> {
        self.group.signal(Signal::TERM);
        // The result does not matter: whatever is left is killed next.
        let _ = tokio::time::timeout(grace, self.group.wait()).await;
        self.group.signal(Signal::KILL);
        self.group.wait().await
    }
}

/// A child that leads a process group of its own.
#[derive(Debug)]
struct Group {
    child: Child,
    /// The child's pid, which is also the id of its group.
    id: Option<Pid>,
    name: PathBuf,
}

impl Group {
    fn spawn(command: Command, if_we_are_killed: Signal) -> Result<Self> {
        Self::spawn_on(command, Stdio::null(), if_we_are_killed)
    }

    fn spawn_on(mut command: Command, input: Stdio, if_we_are_killed: Signal) -> Result<Self> {
        let name = PathBuf::from(command.as_std().get_program());
        command.stdin(input).process_group(0);
        die_with_parent(&mut command, if_we_are_killed);
        let child = command.spawn().map_err(|error| spawn_error(&name, error))?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, id, name })
    }

    async fn wait(&mut self) -> Result<ExitStatus> {
        self.child
            .wait()
            .await
            .map_err(Error::io("wait for", &self.name))
    }

    /// Signals the whole group. That nobody is left in it is fine. The id cannot have
    /// passed to another group while a member lives, and without a member it takes a
    /// wrap of all process ids to be given out again.
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            let _ = kill_process_group(id, signal);
        }
    }

    /// Whether the child has ended; leaves it to be reaped.
    fn has_ended(id: Pid) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(id), look), Ok(None))
    }
}

impl Drop for Group {
    /// The backstop: blocks for a moment, because nothing can be awaited here.
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        if self.child.id().is_none() {
            return; // Ended and reaped.
        }
        self.signal(Signal::TERM);
        poll_until(DROP_GRACE, || Self::has_ended(id));
        self.signal(Signal::KILL);
        poll_until(REAP_LIMIT, || !matches!(self.child.try_wait(), Ok(None)));
    }
}

fn poll_until(limit: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !done() && Instant::now() < end {
        std::thread::sleep(POLL);
    }
}

/// Has the kernel send `signal` to the child when the thread that spawns it ends.
#[expect(
    unsafe_code,
    reason = "only the child itself can ask for its death signal, before exec"
)]
pub fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = Pid::from_raw(std::process::id().cast_signed());
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. These are
    // two bare system calls; nothing allocates, locks or panics.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(signal))?;
            if getppid() != parent {
                // We were killed before the request was in force.
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        });
    }
}

fn spawn_error(program: &Path, error: std::io::Error) -> Error {
    let cure = format!("install the package that provides `{}`", program.display());
    not_started::error(program, "", &cure, error)
}

fn open_log(log: &Path) -> Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(Error::io("open", log))
}

fn last_lines(log: &Path) -> std::io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(
        length.saturating_sub((TAIL_LINES * LINE_LIMIT) as u64),
    ))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut lines = Last::default();
    lines.feed(&bytes, &mut |_| {});
    lines.finish(&mut |_| {});
    Ok(lines.tail.into())
}

/// Keeps the last lines of a stream.
struct Last {
    lines: Lines,
    tail: VecDeque<String>,
}

impl Default for Last {
    fn default() -> Last {
        Last {
            lines: Lines::new(LINE_LIMIT),
            tail: VecDeque::new(),
        }
    }
}

impl Last {
    fn feed(&mut self, bytes: &[u8], on_line: &mut impl FnMut(&str)) {
        let tail = &mut self.tail;
        self.lines.feed(bytes, |line| keep(tail, line, on_line));
    }

    fn finish(&mut self, on_line: &mut impl FnMut(&str)) {
        let tail = &mut self.tail;
        self.lines.finish(|line| keep(tail, line, on_line));
    }
}

fn keep(tail: &mut VecDeque<String>, line: String, on_line: &mut impl FnMut(&str)) {
    let line = line.trim_end().to_owned();
    on_line(&line);
    if tail.len() == TAIL_LINES {
        tail.pop_front();
    }
    tail.push_back(line);
}

/// A log that does not grow without end: what comes after its bound is counted.
struct Log<'a> {
    file: File,
    path: &'a Path,
    room: u64,
    left_out: u64,
}

impl Log<'_> {
    fn open(path: &Path) -> Result<Log<'_>> {
        let file = open_log(path)?;
        // Of what was there before, too: a log is that of a whole build.
        let length = file.metadata().map_err(Error::io("open", path))?.len();
        Ok(Log {
            file,
            path,
            room: LOG_LIMIT.saturating_sub(length),
            left_out: 0,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let fits = usize::try_from(self.room).map_or(bytes.len(), |room| room.min(bytes.len()));
        self.room -= fits as u64;
        self.left_out += (bytes.len() - fits) as u64;
        self.write(&bytes[..fits])
    }

    fn finish(mut self) -> Result<()> {
        match self.left_out {
            0 => Ok(()),
            bytes => self.write(format!("\n[exitlab: {bytes} bytes left out]\n").as_bytes()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", self.path))
    }
}

#[cfg(test)]
mod tests;
