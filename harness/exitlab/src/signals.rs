//! Ctrl-C in two steps: the first asks for a clean end, the second does not wait for it.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use exitlab_base::error::{Error, Result, exit_code};
use exitlab_base::{inherited, screen};

/// Tells whether the user wants an end.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on, but to SIGHUP not under `nohup`.
    /// Needs a running runtime.
    pub fn listen() -> std::io::Result<Interrupt> {
        let (tell, told) = watch::channel(false);
        let mut signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        tokio::spawn(async move {
            let mut first = true;
            loop {
                let [interrupt, terminate, hangup] = &mut signals;
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => if inherited::hangup_is_ignored() {
                        continue;
                    },
                }
                if !first {
                    screen::err("exitlab: stopped at once; an emulator may be left behind\n");
                    std::process::exit(i32::from(exit_code::INTERRUPTED));
                }
                first = false;
                let _ = tell.send(true);
            }
        });
        Ok(Interrupt(told))
    }

    /// The outcome of `work`, unless the user asks for an end first. Then `work` is
    /// dropped, and everything it started ends with it.
    pub async fn or<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            outcome = work => outcome,
            () = self.asked() => Err(Error::Interrupted),
        }
    }

    /// Returns when the user asks for an end.
    pub async fn asked(&mut self) {
        // The sender lives as long as the runtime.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}
