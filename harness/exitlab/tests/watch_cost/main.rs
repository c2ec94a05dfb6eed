//! What watching a VM costs its machine: `exitlab watch` beside kvm_stat and `perf kvm stat live`,
//! all at once over the same guest, on a machine that QEMU emulates, with Debian's kernel as it
//! is. A nanosecond of its processor time is one instruction. `scripts/benchmark-watch` runs it;
//! docs/benchmarks.md has what came out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "a program of the tests that reports to the terminal, and uses a part of their rig"
)]

#[path = "../support/debian.rs"]
mod debian;
mod files;
#[path = "../end_to_end/rig/machine.rs"]
mod machine;
mod seen;
#[path = "../support/mod.rs"]
mod support;

use machine::RealMachine;
use seen::Seen;
use support::Place;

/// How long the watchers are left alone before their time is taken, seconds.
const WARM_S: u32 = 15;

/// Between the two readings of their time, seconds.
const WINDOW_S: u32 = 40;

/// A watcher: what it is called, what starts it, and how the command lines of its processes
/// begin, each part by its name.
struct Watcher {
    name: &'static str,
    command: &'static str,
    parts: &'static [(&'static str, &'static str)],
    seen: Seen,
}

const EXITLAB: &[(&str, &str)] = &[
    ("what is seen", "exitlab watch"),
    ("its `exitlab attach`", "exitlab attach"),
    ("the agent", "exitlab-agent"),
];

/// Those that print lines.
const TEXT: &[Watcher] = &[
    Watcher {
        name: "`exitlab watch --plain`",
        command: "exitlab watch web --plain",
        parts: EXITLAB,
        seen: Seen::Exitlab,
    },
    Watcher {
        name: "`kvm_stat -t -l`",
        command: "python3.11 -u /exp/kvm_stat -t -l -c -s 1 -p $(cat /tmp/web.pid)",
        parts: &[("", "python3.11 -u /exp/kvm_stat -t")],
        seen: Seen::KvmStat,
    },
    Watcher {
        name: "`kvm_stat -d -l` (no reasons)",
        command: "python3.11 -u /exp/kvm_stat -d -l -c -s 1 -p $(cat /tmp/web.pid)",
        parts: &[("", "python3.11 -u /exp/kvm_stat -d")],
        seen: Seen::Nothing,
    },
];

/// Those that draw a screen of 80 columns and 24 lines.
const SCREENS: &[Watcher] = &[
    Watcher {
        name: "`exitlab watch`",
        command: "script -qfc 'stty rows 24 cols 80; exec exitlab watch web' /dev/null",
        parts: EXITLAB,
        seen: Seen::Nothing,
    },
    Watcher {
        name: "`kvm_stat -t`",
        command: "script -qfc 'stty rows 24 cols 80; TERM=linux exec python3.11 /exp/kvm_stat -t \
                  -s 1 -p $(cat /tmp/web.pid)' /dev/null",
        parts: &[("", "python3.11 /exp/kvm_stat -t")],
        seen: Seen::Nothing,
    },
    Watcher {
        name: "`perf kvm stat live`",
        command: "script -qfc 'stty rows 24 cols 80; exec perf kvm stat live -d 1 \
                  -p $(cat /tmp/web.pid)' /dev/null",
        parts: &[("", "perf kvm stat live")],
        seen: Seen::Perf,
    },
];

fn main() {
    let place = Place::new();
    let machine = RealMachine::boot(&place.path("machine"), &debian::kernel(), &files::all());
    machine.told(
        "cd / && cpio -idu < /exp/tools.cpio 2>/dev/null && mkdir -p /dev/pts && \
         mount -t devpts devpts /dev/pts && mount -t debugfs debugfs /sys/kernel/debug && mkfifo /tmp/never && \
         echo -1 > /proc/sys/kernel/perf_event_paranoid && perf --version && \
         python3.11 -c 'import curses, ctypes'",
    );
    machine.told(
        "qemu-system-x86_64 -accel kvm -cpu host -machine pc -m 16 -nodefaults -no-user-config \
         -display none -bios /exp/rom -name guest=web < /dev/null > /tmp/web.log 2>&1 & \
         echo $! > /tmp/web.pid",
    );
    let rows = [measured(&machine, TEXT), measured(&machine, SCREENS)].concat();
    println!("\nProcessor time of watching a VM once a second, side by side:\n");
    println!("| watcher | ms a second | of a core | to start, ms | exits a second | times |");
    println!("|---|--:|--:|--:|--:|--:|");
    rows.iter().for_each(|row| println!("{row}"));
}

/// Lets watchers watch together, and takes their time.
fn measured(machine: &RealMachine, watchers: &[Watcher]) -> Vec<String> {
    let begin = Reading::of(machine);
    for (at, watcher) in watchers.iter().enumerate() {
        let command = watcher.command.replace('\'', "'\\''");
        machine.told(&format!(
            "setsid sh -c 'exec {command}' <> /tmp/never > /tmp/seen-{at} 2> /tmp/errors-{at} & \
             echo $! > /tmp/watcher-{at}.pid"
        ));
    }
    machine.told(&format!("sleep {WARM_S}"));
    let first = Reading::of(machine);
    machine.told(&format!("sleep {WINDOW_S}"));
    let last = Reading::of(machine);
    let rate = |words: &str| (last.ms(words) - first.ms(words)) / (last.s - first.s);
    let all = |watcher: &Watcher| {
        watcher
            .parts
            .iter()
            .map(|(_, words)| rate(words))
            .sum::<f64>()
    };
    let mut rows = Vec::new();
    for (at, watcher) in watchers.iter().enumerate() {
        let seen = machine.told(&format!("cat /tmp/seen-{at}"));
        let each = all(watcher);
        if each == 0.0 {
            let errors = machine.told(&format!("cat /tmp/errors-{at}"));
            rows.push(format!(
                "| {} | does not run: {} |",
                watcher.name,
                errors + &seen
            ));
            continue;
        }
        let used = watcher.parts.iter().map(|(_, words)| first.ms(words));
        let start = used.sum::<f64>() - each * (first.s - begin.s);
        let exits = watcher.seen.rate(&seen);
        let exits = exits.map_or(String::new(), |exits| format!("{exits:.0}"));
        let (share, times) = (each / 10.0, each / all(&watchers[0]));
        let name = watcher.name;
        rows.push(format!(
            "| {name} | {each:.2} | {share:.2} % | {start:.0} | {exits} | {times:.1} |"
        ));
        for (part, words) in watcher.parts.iter().filter(|(part, _)| !part.is_empty()) {
            let rate = rate(words);
            rows.push(format!(
                "| … {part} | {rate:.2} | {:.2} % | | | |",
                rate / 10.0
            ));
        }
    }
    // What `script` runs ends with it, and `exitlab watch` takes its tracing away.
    machine.told("kill $(cat /tmp/watcher-*.pid); sleep 5; rm /tmp/watcher-*");
    assert_eq!(machine.processes("exitlab watch"), [0; 0]);
    rows
}

/// What processes have used of the processor, milliseconds, by their command lines.
struct Reading {
    /// When: seconds since the machine booted.
    s: f64,
    used: Vec<(String, f64)>,
}

impl Reading {
    fn of(machine: &RealMachine) -> Reading {
        let told = machine.told(
            "cut -d' ' -f1 /proc/uptime; for p in /proc/[0-9]*; do n=0; \
             for t in $p/task/*/schedstat; do read a b c < $t && n=$((n+a)); done; \
             echo \"$n $(tr '\\0' ' ' < $p/cmdline)\"; done 2> /dev/null",
        );
        let (uptime, lines) = told.split_once('\n').unwrap();
        let used = lines.lines().map(|line| {
            let (ns, command) = line.split_once(' ').unwrap();
            // Without the directory of the program.
            let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
            let program = program.rsplit('/').next().unwrap_or_default();
            let ms = ns.parse::<f64>().unwrap() / 1e6;
            (format!("{program} {arguments}"), ms)
        });
        Reading {
            s: uptime.parse().unwrap(),
            used: used.collect(),
        }
    }

    /// Of all processes whose command lines begin so.
    fn ms(&self, words: &str) -> f64 {
        let mine = self.used.iter().filter(|(line, _)| line.starts_with(words));
        mine.map(|(_, ms)| ms).sum()
    }
}
