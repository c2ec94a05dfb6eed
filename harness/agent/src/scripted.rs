//! A QEMU that follows a script, for tests in milliseconds: its QMP, its console, its end.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use exitlab_model::reasons::ReasonTable;

use crate::census::Counted;
use crate::console::Tail;
use crate::watchdog::Watchdog;

/// What a scripted QEMU or guest does about what it is asked.
#[derive(Debug, Clone)]
pub enum Act {
    /// What a QEMU does.
    AsUsual,
    /// Sends these lines, with which it answers or not.
    Say(Vec<Value>),
    /// Closes the session without an answer.
    HangUp,
    /// QEMU ends, and nobody answers.
    Die,
}

/// The script: it is told how much was asked before, and what is asked.
type Acts = Box<dyn FnMut(usize, &str) -> Act + Send>;

/// What is shared by a script's QEMU, guest and test.
#[derive(Clone)]
pub struct Stage(Arc<Mutex<State>>);

struct State {
    act: Acts,
    /// Everything that was asked of QEMU and guest, in order.
    asked: Vec<String>,
    running: bool,
    status: &'static str,
    /// How many exits a reading of the statistics shows.
    exits: u64,
    alive: watch::Sender<Option<String>>,
}

/// A scripted QEMU.
pub struct Script {
    /// What happens to it.
    pub stage: Stage,
    dir: tempfile::TempDir,
    console: Tail,
    log: Tail,
}

/// What is counted in every script: the reasons of VMX, and no cycles.
pub fn counted() -> Counted {
    Counted {
        reasons: ReasonTable::vmx(),
        cycles: false,
    }
}

impl Script {
    /// Starts a QEMU, and a guest in it, that do with what they are asked as `act` says. It is
    /// told how much was asked before, and what is asked: a QMP command by its name, a command
    /// in the guest as `$ command`, a line to a program there as `? line`.
    pub fn start(act: impl FnMut(usize, &str) -> Act + Send + 'static) -> Script {
        let script = Script {
            stage: Stage(Arc::new(Mutex::new(State {
                act: Box::new(act),
                asked: Vec::new(),
                running: true,
                status: "running",
                exits: 0,
                alive: watch::Sender::new(None),
            }))),
            dir: tempfile::tempdir().unwrap(),
            console: Tail::default(),
            log: Tail::default(),
        };
        script.console.push("the guest's last line".to_owned());
        script.log.push("QEMU's last line".to_owned());
        let listener = UnixListener::bind(script.socket()).unwrap();
        let stage = script.stage.clone();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, stage).await;
        });
        script
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("qmp")
    }

    /// A watchdog over it, in no stage yet.
    pub fn watchdog(&self) -> Watchdog {
        let ended = self.stage.state().alive.subscribe();
        Watchdog::new(ended, self.console.clone(), self.log.clone())
    }
}

impl Stage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done about what is asked.
    pub fn act(&self, asked: &str) -> Act {
        let mut state = self.state();
        let before = state.asked.len();
        state.asked.push(asked.to_owned());
        (state.act)(before, asked)
    }

    /// What was asked since this was called last.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    /// Brings the guest to a standstill that QEMU calls `status`.
    pub fn halt(&self, status: &'static str) {
        let mut state = self.state();
        state.running = false;
        state.status = status;
    }

    /// Ends QEMU.
    pub fn die(&self) {
        let how = "signal: 9 (SIGKILL)".to_owned();
        self.state().alive.send_replace(Some(how));
    }

    /// What QEMU usually answers.
    fn answer(&self, command: &str) -> Vec<Value> {
        let mut state = self.state();
        let value = match command {
            "query-version" => json!({
                "qemu": { "major": 7, "minor": 2, "micro": 22 }, "package": "Debian"
            }),
            "human-monitor-command" => json!(
                "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n\
                 \u{20} TCP[HOST_FORWARD]  14       127.0.0.1 40022       10.0.2.15    22     0     0\r\n"
            ),
            "query-stats" => {
                state.exits += 1;
                stats(state.exits)
            }
            "query-status" => json!({ "running": state.running, "status": state.status }),
            "stop" => {
                state.running = false;
                state.status = "paused";
                return vec![json!({ "event": "STOP" }), returns(json!({}))];
            }
            "cont" => {
                state.running = true;
                state.status = "running";
                json!({})
            }
            "quit" => {
                state.alive.send_replace(Some("exit status: 0".to_owned()));
                json!({})
            }
            _ => json!({}),
        };
        vec![returns(value)]
    }
}

/// The line of an answer.
pub fn returns(value: Value) -> Value {
    json!({ "return": value })
}

/// One vCPU that had so many exits by CPUID.
fn stats(exits: u64) -> Value {
    let mut slots = vec![0; 2 * ReasonTable::vmx().len_slots() + 6];
    slots[10] = exits;
    json!([{ "provider": "kvm", "stats": [
        { "name": "exits_by_reason", "value": slots },
        { "name": "exits", "value": exits },
    ] }])
}

async fn serve(stream: UnixStream, stage: Stage) {
    let (read, mut write) = stream.into_split();
    let greeting = json!({ "QMP": { "version": {}, "capabilities": [] } });
    say(&mut write, &[greeting]).await;
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let asked: Value = serde_json::from_str(&line).unwrap();
        let command = asked["execute"].as_str().unwrap();
        match stage.act(command) {
            Act::AsUsual => say(&mut write, &stage.answer(command)).await,
            Act::Say(lines) => say(&mut write, &lines).await,
            Act::HangUp => return,
            Act::Die => return stage.die(),
        }
    }
}

async fn say(write: &mut OwnedWriteHalf, lines: &[Value]) {
    for line in lines {
        // The agent may have closed the session.
        let _ = write.write_all(format!("{line}\n").as_bytes()).await;
    }
}
