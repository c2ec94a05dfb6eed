//! The way out: events as JSON lines to a serial port or a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use exitlab_model::event::{Event, Stage};

use super::clock::host_seconds;

/// Time between two pulses, on the host's clock. An emulated second can take more than ten
/// real ones, with a guest that spins: this is well below the conductor's deadline for silence.
const PULSE: Duration = Duration::from_secs(2);

/// Emits events. A thread of its own writes them, because a serial port takes its time
/// and sampling must not wait for it.
pub struct Events {
    sender: mpsc::Sender<Event>,
    writer: std::thread::JoinHandle<()>,
}

impl Events {
    /// Opens `path` for writing.
    pub fn open(path: &Path) -> std::io::Result<Events> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Events::to(file))
    }

    /// Writes to standard output.
    pub fn stdout() -> std::io::Result<Events> {
        let fd = std::io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Events::to(File::from(fd)))
    }

    fn to(mut file: File) -> Events {
        let (sender, receiver) = mpsc::channel::<Event>();
        let writer = std::thread::spawn(move || {
            for event in receiver {
                let Ok(mut line) = serde_json::to_vec(&event) else {
                    continue;
                };
                line.push(b'\n');
                // Nobody is left to tell when this fails: the conductor notices the
                // silence and reports the console.
                if file.write_all(&line).is_err() {
                    return;
                }
            }
            // A serial port: wait until the last byte is out, or power-off cuts it.
            let _ = rustix::termios::tcdrain(&file);
        });
        Events { sender, writer }
    }

    /// Emits one event.
    pub fn emit(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// A sender for another task.
    pub fn sender(&self) -> mpsc::Sender<Event> {
        self.sender.clone()
    }

    /// Starts a task that says every few seconds of the host's clock that we live.
    pub fn pulse(&self) -> tokio::task::JoinHandle<()> {
        let sender = self.sender();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PULSE).await;
                let _ = sender.send(Event::Pulse {
                    host_s: host_seconds(),
                });
            }
        })
    }

    /// Says so more often, as long as the value lives: every `period` of the host's clock.
    pub fn quick_pulse(&self, period: Duration) -> QuickPulse {
        let sender = self.sender();
        QuickPulse(tokio::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let host_s = host_seconds();
                let _ = sender.send(Event::Pulse { host_s });
            }
        }))
    }

    /// Says that a stage begins.
    pub fn stage(&self, stage: Stage) {
        self.emit(Event::Stage {
            stage,
            host_s: host_seconds(),
        });
    }

    /// Waits until everything is written. Every [`Events::sender`] must be gone by then.
    pub async fn close(self) {
        drop(self.sender);
        let _ = tokio::task::spawn_blocking(move || self.writer.join()).await;
    }
}

/// Pulses that come more often.
pub struct QuickPulse(tokio::task::JoinHandle<()>);

impl Drop for QuickPulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}
