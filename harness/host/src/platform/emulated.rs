//! The clock of a host that QEMU emulates, asked only while the host is silent: whether it fell
//! silent, or is slow. A guest that waits in PAUSE or copies byte by byte leaves the code that
//! TCG made at every instruction, and a second of its host's clock takes minutes.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// QEMU's monitor, in the machine's directory.
pub const MONITOR: &str = "qmp";

/// How long QEMU may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Most bytes of a line of QEMU's.
const LONGEST: u64 = 64 << 10;

/// The virtual clock is what this one of the host's runs on (`-rtc clock=vm`). It has whole
/// seconds.
const ASK: &[u8] = b"{\"execute\":\"qmp_capabilities\"}\n\
    {\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine\",\"property\":\"rtc-time\"}}\n";

/// In so much of its own time a host has a word many times over: the agent has several in each
/// second, whatever its guest does.
const WORD: Duration = Duration::from_secs(3);

/// So many times the deadline for silence a host that is slow may be silent.
pub const SLOWEST: u32 = 10;

/// What is known of a silence.
#[derive(Debug)]
pub struct Silence {
    dir: PathBuf,
    /// The host's clock when it was asked first.
    from: Option<Duration>,
    /// How long the silence was when the clock was asked last.
    asked: Duration,
    /// Nothing before its clock was asked twice.
    slow: Option<bool>,
    told: bool,
}

impl Silence {
    /// Of the host whose QEMU works in `dir`.
    pub fn of(dir: &Path) -> Silence {
        Silence {
            dir: dir.to_owned(),
            from: None,
            asked: Duration::ZERO,
            slow: None,
            told: false,
        }
    }

    /// It said something.
    pub fn ended(&mut self) {
        self.from = None;
        self.asked = Duration::ZERO;
        self.slow = None;
    }

    /// Whether a host that was silent for so much of QEMU's work is only slow, or may be. Asks
    /// from half of the deadline on, and a few times only.
    pub async fn is_slow(&mut self, silent: Duration, deadline: Duration) -> bool {
        if silent < deadline / 2 || silent > deadline * SLOWEST {
            return false;
        }
        let Some(from) = self.from else {
            self.from = clock(&self.dir).await;
            self.asked = silent;
            return self.from.is_some();
        };
        if silent - self.asked >= deadline / 8 {
            self.asked = silent;
            let passed = clock(&self.dir).await.map(|now| now.saturating_sub(from));
            self.slow = Some(passed.is_some_and(|passed| passed < WORD));
        }
        self.slow.unwrap_or(true)
    }

    /// The word on a slow host, once.
    pub fn word(&mut self, silent: Duration) -> Option<String> {
        let slow = self.slow == Some(true);
        let first = slow && !self.told;
        self.told |= slow;
        first.then(|| {
            format!(
                "QEMU has worked for {} s on less than {} s of its host's clock: a guest that \
                 spins, or copies byte by byte, is emulated slowly; waiting for it",
                silent.as_secs(),
                WORD.as_secs()
            )
        })
    }
}

/// The host's clock, in whole seconds since a moment of its own (QMP `qom-get`, the property
/// `rtc-time` of the machine). Nothing where QEMU does not tell.
async fn clock(dir: &Path) -> Option<Duration> {
    tokio::time::timeout(ANSWER, ask(dir)).await.ok()?
}

async fn ask(dir: &Path) -> Option<Duration> {
    // By the directory's descriptor: a socket's path has at most 107 bytes.
    let dir = std::fs::File::open(dir).ok()?;
    let path = format!("/proc/self/fd/{}/{MONITOR}", dir.as_raw_fd());
    let mut stream = UnixStream::connect(path).await.ok()?;
    stream.write_all(ASK).await.ok()?;
    let mut lines = BufReader::new(stream.take(LONGEST)).lines();
    loop {
        let line = lines.next_line().await.ok()??;
        if let Some(time) = time(&line) {
            return Some(time);
        }
    }
}

/// `{"return": {"tm_year": 123, "tm_mon": 10, "tm_mday": 14, "tm_hour": 22, …}}`. A month has
/// 31 days here: only what passes within minutes counts.
fn time(line: &str) -> Option<Duration> {
    let answer: serde_json::Value = serde_json::from_str(line).ok()?;
    let part = |name: &str| answer.get("return")?.get(name)?.as_u64();
    let parts = [
        ("tm_mon", 31),
        ("tm_mday", 24),
        ("tm_hour", 60),
        ("tm_min", 60),
        ("tm_sec", 1),
    ];
    let sum = parts.iter().try_fold(0_u64, |sum, (name, next)| {
        sum.checked_add(part(name)?)?.checked_mul(*next)
    });
    sum.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::process::Command;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(60);

    async fn slow(silence: &mut Silence, seconds: u64) -> bool {
        silence
            .is_slow(Duration::from_secs(seconds), DEADLINE)
            .await
    }

    /// A real QEMU: one whose processor stands still, and whose clock does, too.
    #[tokio::test]
    async fn a_host_whose_clock_hardly_moves_is_slow_until_it_speaks() {
        let dir = tempfile::tempdir().unwrap();
        let words = "-M pc -S -nodefaults -display none -rtc base=2023-11-30T22:13:20,clock=vm \
                     -qmp unix:qmp,server=on,wait=off";
        let mut command = Command::new(crate::qemu_files::QEMU);
        command.args(words.split(' ')).current_dir(dir.path());
        let mut qemu = command.kill_on_drop(true).spawn().unwrap();
        let until = tokio::time::Instant::now() + DEADLINE;
        while clock(dir.path()).await.is_none() {
            assert!(qemu.try_wait().unwrap().is_none(), "QEMU ended");
            assert!(tokio::time::Instant::now() < until, "QEMU did not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut silence = Silence::of(dir.path());
        assert!(!slow(&mut silence, 29).await);
        assert!(slow(&mut silence, 31).await, "one look tells nothing yet");
        assert_eq!(silence.word(DEADLINE), None);
        assert!(slow(&mut silence, 45).await);
        let word = silence.word(Duration::from_secs(45)).unwrap();
        assert!(word.starts_with("QEMU has worked for 45 s"), "{word}");
        assert_eq!(silence.word(DEADLINE), None);
        assert!(slow(&mut silence, 599).await);
        assert!(!slow(&mut silence, 601).await, "ten deadlines are enough");
        silence.ended();
        assert!(slow(&mut silence, 40).await);
        qemu.kill().await.unwrap();
        assert!(
            !slow(&mut silence, 61).await,
            "nobody tells that it is slow"
        );
    }

    #[test]
    fn only_an_answer_with_a_time_is_one() {
        let line = r#"{"return": {"tm_sec": 21, "tm_hour": 22, "tm_mday": 14, "tm_year": 123, "tm_mon": 10, "tm_min": 13}}"#;
        let later = line.replace("\"tm_min\": 13", "\"tm_min\": 14");
        let passed = time(&later).unwrap() - time(line).unwrap();
        assert_eq!(passed, Duration::from_secs(60));
        assert_eq!(time(r#"{"return": {}}"#), None);
        assert_eq!(time(&line.replace("22", "18446744073709551615")), None);
        assert_eq!(time("QEMU"), None);
    }
}
