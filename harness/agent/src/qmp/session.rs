//! A QMP session: one command at a time over a Unix socket, and the events in between.
//!
//! Whoever waits for an answer may give up: at a deadline, or because something else happened
//! first. A command that was sent is not taken back by that. A task of its own sends each
//! command and waits for its answer before it sends the next, so that no answer is taken for
//! that of another command.
//!
//! Commands and answers are `qapi`'s types. Its session is not used: it takes a command back
//! when the caller stops waiting, which panics at the next one, and an event that is newer than
//! its schema ends it (0.15).

use exitlab_base::bounded::shortened;
use qapi::qmp::{self, QmpCommand};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::watchdog::Shutdown;

/// Begins what is said of a command that QEMU does not carry out.
pub const REFUSED: &str = "QEMU refused";

/// Longest line that QEMU may send, bytes.
const LONGEST_LINE: u64 = 16 << 20;

/// Characters of a strange line that an error shows.
const SHOWN: usize = 200;

/// Events of a guest that stopped or shut down.
const HALTS: [&str; 2] = ["STOP", "SHUTDOWN"];

/// An open session.
pub struct Session {
    commands: mpsc::UnboundedSender<Asked>,
    /// How often QEMU has said that the guest stopped or shut down.
    halts: watch::Receiver<u64>,
    tasks: [JoinHandle<()>; 2],
}

/// A command, and who waits for its answer.
struct Asked {
    line: Vec<u8>,
    answer: oneshot::Sender<Line>,
}

/// An answer as QEMU sent it, or why there will be none.
type Line = Result<Vec<u8>, String>;

/// What QEMU says of a command.
#[derive(Deserialize)]
struct Answer<T> {
    #[serde(rename = "return")]
    value: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    desc: String,
}

/// What tells an event from an answer. Events carry more, which nobody here asks for: one
/// from a newer QEMU is as good as any.
#[derive(Deserialize)]
struct Head {
    event: Option<String>,
    #[serde(rename = "return")]
    value: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// What is asked for of `SHUTDOWN`.
#[derive(Deserialize)]
struct ShutdownEvent {
    data: ShutdownData,
}

#[derive(Deserialize)]
struct ShutdownData {
    /// `ShutdownCause`.
    reason: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Session {
    /// Waits for QEMU's greeting, and enters command mode.
    pub async fn open(stream: UnixStream, shutdown: Shutdown) -> Result<Session, String> {
        let (read, write) = stream.into_split();
        let mut reader = BufReader::new(read);
        next_line(&mut reader)
            .await
            .map_err(|e| format!("failed to open the QMP session: {e}"))?;
        let (commands, asked) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let (tell, halts) = watch::channel(0);
        let session = Session {
            commands,
            halts,
            tasks: [
                tokio::spawn(sort(reader, answers, tell, shutdown)),
                tokio::spawn(converse(write, asked, answered)),
            ],
        };
        let entered = session.execute(qmp::qmp_capabilities { enable: None });
        entered
            .await
            .map_err(|e| format!("failed to negotiate QMP: {e}"))?;
        Ok(session)
    }

    /// Executes a command. Dropping this does not stop the command, nor disturb the next.
    pub async fn execute<C: QmpCommand>(&self, command: C) -> Result<C::Ok, String> {
        let name = C::NAME;
        let mut line = json!({ "execute": name, "arguments": command })
            .to_string()
            .into_bytes();
        line.push(b'\n');
        let (answer, answered) = oneshot::channel();
        // A session that is over drops what it was asked, and so `answer`.
        let _ = self.commands.send(Asked { line, answer });
        let line = answered.await.unwrap_or_else(|_| Err(closed()))?;
        let strange = || format!("QEMU answered {name} with '{}'", shown(&line));
        let answer: Answer<C::Ok> = serde_json::from_slice(&line).map_err(|_| strange())?;
        match answer {
            Answer { error: Some(e), .. } => Err(format!("{REFUSED} {name}: {}", e.desc)),
            Answer { value, .. } => value.ok_or_else(strange),
        }
    }

    /// Goes up each time QEMU says that the guest stopped or shut down; closed when QEMU has
    /// nothing more to say.
    pub fn halts(&self) -> watch::Receiver<u64> {
        self.halts.clone()
    }
}

/// Sends commands, each after the answer to the one before.
async fn converse(
    mut write: OwnedWriteHalf,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    mut answers: mpsc::UnboundedReceiver<Line>,
) {
    while let Some(Asked { line, answer }) = asked.recv().await {
        let answered = match write.write_all(&line).await {
            Ok(()) => answers.recv().await.unwrap_or_else(|| Err(closed())),
            Err(_) => Err(closed()),
        };
        let over = answered.is_err();
        // Whoever asked may be gone.
        let _ = answer.send(answered);
        if over {
            return;
        }
    }
}

/// Tells answers from events.
async fn sort(
    mut reader: BufReader<OwnedReadHalf>,
    answers: mpsc::UnboundedSender<Line>,
    halts: watch::Sender<u64>,
    shutdown: Shutdown,
) {
    let over = loop {
        let line = match next_line(&mut reader).await {
            Ok(line) => line,
            Err(why) => break why,
        };
        match serde_json::from_slice(&line) {
            Ok(Head {
                event: Some(event), ..
            }) => {
                if event == "SHUTDOWN"
                    && let Ok(ShutdownEvent { data }) = serde_json::from_slice(&line)
                {
                    // The first is the cause.
                    let _ = shutdown.set(data.reason);
                }
                if HALTS.contains(&event.as_str()) {
                    halts.send_modify(|count| *count += 1);
                }
            }
            Ok(Head { value: Some(_), .. } | Head { error: Some(_), .. }) => {
                let _ = answers.send(Ok(line));
            }
            _ => break format!("QEMU sent what is no QMP: '{}'", shown(&line)),
        }
    };
    let _ = answers.send(Err(over));
}

fn shown(line: &[u8]) -> String {
    shortened(String::from_utf8_lossy(line).trim_end(), SHOWN)
}

async fn next_line(reader: &mut BufReader<OwnedReadHalf>) -> Line {
    let mut line = Vec::new();
    let read = reader.take(LONGEST_LINE).read_until(b'\n', &mut line).await;
    match read {
        Ok(_) if line.ends_with(b"\n") => Ok(line),
        Ok(length) if length as u64 == LONGEST_LINE => Err(format!(
            "QEMU sent more than {LONGEST_LINE} bytes without a line"
        )),
        Ok(_) | Err(_) => Err(closed()),
    }
}

fn closed() -> String {
    "QEMU closed the QMP session".to_owned()
}
