//! Faults of a run that is going on, or of what it works with.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::aftermath::{self, End};
use crate::damage;
use crate::dice::Dice;
use crate::fault::{Seen, Who};
use crate::field::{Field, WORDS};
use crate::run::{PATIENCE, Run, in_own_mounts};

/// Commands that a guest runs in a phase, and that do not end.
pub const FLOODS: [&str; 4] = [
    "while :; do echo flood > /dev/console; done",
    "yes | tr -d '\\n' > /dev/console",
    "yes",
    "yes >&2",
];

/// A signal that ends whoever gets it.
pub fn signal(field: &Field, number: u64, who: Who, signal: &str, at: f64) -> Seen {
    let run = Run::of(field, number);
    std::thread::sleep(field.usual.mul_f64(at));
    send(run.process(who), signal);
    // What SIGHUP, SIGINT and SIGTERM end has time to say so; SIGKILL leaves none.
    run.end(field, who == Who::Conductor && signal == "KILL")
}

/// A pause, as by a busy machine or a lid that was closed.
pub fn pause(field: &Field, number: u64, who: Who, at: f64, ms: u64) -> Seen {
    let run = Run::of(field, number);
    std::thread::sleep(field.usual.mul_f64(at));
    let process = run.process(who);
    send(process, "STOP");
    std::thread::sleep(Duration::from_millis(ms));
    send(process, "CONT");
    let out = run.out.clone();
    let mut seen = run.end(field, false);
    // Standing still is no reason to fail, and changes nothing.
    if seen.wrong.is_empty() {
        seen.wrong = field.as_undisturbed(&out);
    }
    seen
}

/// Results on a disk that is too small, sooner or later.
pub fn full_disk(field: &Field, number: u64, kib: usize) -> Seen {
    let disk = field.out(number);
    fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=$1k tmpfs \"$2\" && shift 2 && exec \"$@\"";
    let mut command = in_own_mounts(&field.path(""), script);
    command.arg(kib.to_string()).arg(&disk);
    command.arg(env!("CARGO_BIN_EXE_exitlab"));
    Run::start(field, command, disk.join("out"), "one").end_elsewhere(field)
}

/// Bytes in the stream of events that nobody meant to be there.
pub fn garbled(field: &Field, number: u64, at: f64, dice: &mut Dice) -> Seen {
    let run = Run::of(field, number);
    std::thread::sleep(field.usual.mul_f64(at));
    let events = run.out.join(".machine/events");
    if let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&events) {
        let text = fs::read(&events).unwrap_or_default();
        let noise = damage::noise(&text, dice);
        let from = dice.below(3).min(1) * dice.below(text.len() + 1);
        let place = match from {
            0 => SeekFrom::End(0),
            back => SeekFrom::End(-(back as i64)),
        };
        let _ = file.seek(place).and_then(|_| file.write_all(&noise));
    }
    run.end(field, false)
}

/// A guest that writes without end while it is counted.
pub fn flood(field: &Field, number: u64, words: &str) -> Seen {
    let mut command = field.exitlab();
    let phase = format!("phase=[{{name = \"flood\", run = {words:?}}}]");
    let out = field.out(number);
    let said = field.path("said-one");
    command.arg("run").args(WORDS).args(["--set", &phase]);
    command.args(["--set", "deadlines.phase=10s"]);
    command
        .arg("--out")
        .arg(&out)
        .stderr(File::create(&said).unwrap());
    let mut child = command.spawn().unwrap();
    let end = aftermath::wait(&mut child, field.usual + PATIENCE);
    let said = fs::read(&said).unwrap_or_default();
    let mut wrong = aftermath::of_command(&end, &String::from_utf8_lossy(&said), false);
    if let End::Status(status) = &end {
        wrong.extend((status.code() == Some(0)).then(|| "a flood that succeeded".to_owned()));
    }
    let most = 64 << 20;
    let size = size_of(&out) + said.len() as u64;
    wrong.extend((size > most).then(|| format!("{size} bytes of a flood were kept")));
    let ended = aftermath::words(&end);
    Seen { ended, wrong }
}

/// Two at once: in one directory, of which one must be refused, or side by side.
pub fn two(field: &Field, number: u64, same: bool, apart: f64) -> Seen {
    let first = Run::of(field, number);
    std::thread::sleep(field.usual.mul_f64(apart));
    let out = match same {
        true => field.out(number),
        false => field.path("results").join(format!("{number}-other")),
    };
    let second = Run::start(field, field.exitlab(), out, "two");
    let out = first.out.clone();
    let mut seen = match same {
        true => one_refused(field, [second, first]),
        false => {
            let mut seen = second.end(field, false);
            seen.wrong.extend(first.end(field, false).wrong);
            seen
        }
    };
    seen.wrong.extend(field.as_undisturbed(&out));
    seen
}

/// Whichever comes second, on a busy machine not always the one that was started second.
fn one_refused(field: &Field, runs: [Run; 2]) -> Seen {
    let (mut wrong, mut ended, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for mut run in runs {
        let end = aftermath::wait(&mut run.child, field.usual + PATIENCE);
        wrong.extend(aftermath::of_command(&end, &run.said(), false));
        ended.push(aftermath::words(&end));
        codes.extend(match end {
            End::Status(status) => status.code(),
            End::Hung => None,
        });
    }
    codes.sort_unstable();
    let (ended, both) = (ended.join(", "), codes == [0, 2]);
    wrong.extend((!both).then(|| format!("not one done and one refused: {ended}")));
    Seen { ended, wrong }
}

/// The build of a kernel, in a cache of its own, is struck after some seconds.
pub fn build(field: &Field, _number: u64, who: &str, signal: &str, seconds: f64) -> Seen {
    let cache = field.path("cache");
    let said = field.path("said-one");
    let mut command = field.exitlab();
    command.args(["build", "kernel", "--cache"]).arg(&cache);
    command
        .env("CCACHE_DISABLE", "1")
        .stderr(File::create(&said).unwrap());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let struck = match who {
        "exitlab" => Some(child.id()),
        name => named_below(&cache, name),
    };
    send(struck, signal);
    // Nobody waits for a whole kernel.
    let killed = who == "exitlab" && signal == "KILL";
    let end = match struck {
        Some(_) => aftermath::wait(&mut child, PATIENCE),
        None => {
            send(Some(child.id()), "INT");
            aftermath::wait(&mut child, PATIENCE)
        }
    };
    let said = fs::read(&said).unwrap_or_default();
    let mut wrong = aftermath::of_command(&end, &String::from_utf8_lossy(&said), killed);
    let kernels = cache.join("kernel");
    let made = fs::read_dir(kernels).map_or(0, Iterator::count);
    wrong.extend((made > 0).then(|| "half a kernel is in the cache".to_owned()));
    wrong.extend(aftermath::left_running(&cache));
    let _ = fs::remove_dir_all(&cache);
    let ended = aftermath::words(&end);
    Seen { ended, wrong }
}

fn named_below(dir: &Path, name: &str) -> Option<u32> {
    let named = |process: &u32| {
        let comm = fs::read_to_string(format!("/proc/{process}/comm"));
        comm.is_ok_and(|comm| comm.trim() == name)
    };
    let mut below = aftermath::working_below(dir).into_iter();
    below.find_map(|(process, _)| Some(process).filter(named))
}

fn send(process: Option<u32>, signal: &str) {
    if let Some(process) = process {
        // It may have ended meanwhile: that is a moment like any other.
        let mut kill = Command::new("kill");
        kill.args([&format!("-{signal}"), &process.to_string()]);
        let _ = kill.stderr(std::process::Stdio::null()).status();
    }
}

fn size_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|e| e.metadata().ok())
        .map(|m| m.len())
        .sum()
}
