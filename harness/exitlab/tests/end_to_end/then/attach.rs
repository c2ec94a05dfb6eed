//! Attaching to VMs that run already, on a machine that exitlab did not boot: its kernel is
//! Debian's as it is, and neither tracefs nor debugfs is mounted on it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use exitlab_base::shell::quoted;
use serde_json::Value;

use crate::first::machines::{a_kernel_as_it_is_is_traced, experiment};
use crate::rig::built;
use crate::rig::machine::{RealMachine, firmware};
use crate::rig::running::Running;
use crate::support::{Outcome, Place, exitlab};

use super::kernels::debians_kernel;
use super::witness::{self, perf_tells_the_same};

/// How often the guests execute CPUID each time they are told to.
const CPUIDS: u64 = 1000;

/// The exit code of CPUID (APM volume 2, appendix C).
const CPUID: usize = 0x72;

/// A firmware of 16-bit code: it waits for a byte on the serial port, executes CPUID
/// [`CPUIDS`] times, says `D`, and begins again.
const PROGRAM: [u8; 31] = [
    0xba, 0xfd, 0x03, // mov $0x3fd, %dx
    0xec, // wait: in %dx, %al
    0xa8, 0x01, // test $1, %al
    0x74, 0xfb, // jz wait
    0xba, 0xf8, 0x03, // mov $0x3f8, %dx
    0xec, // in %dx, %al
    0xbe, 0xe8, 0x03, // mov $1000, %si
    0x66, 0x31, 0xc0, // again: xor %eax, %eax
    0x0f, 0xa2, // cpuid
    0x4e, // dec %si
    0x75, 0xf8, // jnz again
    0xba, 0xf8, 0x03, // mov $0x3f8, %dx
    0xb0, b'D', // mov $'D', %al
    0xee, // out %al, %dx
    0xeb, 0xe1, // jmp 0
];

/// The program of the VMM that is no QEMU, and so the name of its VM.
const OTHER: &str = "other-vmm";

/// The machine, with the firmware and an experiment on it; and the experiment here.
fn machine(place: &Place) -> RealMachine {
    let (_, package, _) = debians_kernel();
    let source = format!("kernel.source=package:{}", package.display());
    let kernel = built(&["kernel", "--set", &source]);
    let (_, mut files) = experiment(place);
    files.push(("rom", firmware(&PROGRAM)));
    files.push((OTHER, other_vmm(place)));
    files.extend(witness::files());
    RealMachine::boot(&place.path("machine"), &kernel, &files)
}

/// Starts a VM that does what its serial port tells it.
fn start(machine: &RealMachine, name: &str, vmm: &str) {
    machine.told(&format!(
        "mkfifo /tmp/{name}.in /tmp/{name}.out; {vmm} < /dev/null > /tmp/{name}.log 2>&1 & \
         echo $! > /tmp/{name}.pid"
    ));
    // It has done its part once, so it is past its beginning.
    machine.told(&poke(name));
}

fn qemu(name: &str, more: &str) -> String {
    format!(
        "qemu-system-x86_64 -accel kvm -cpu host -machine pc -m 16 -nodefaults -no-user-config \
         -display none -bios /exp/rom -name guest={name} -serial pipe:/tmp/{name} {more}"
    )
}

/// A VMM that is no QEMU, as a program that needs no library.
fn other_vmm(place: &Place) -> Vec<u8> {
    let program = place.path(OTHER);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/other-vmm/main.c");
    let mut compile = Command::new("cc");
    compile.args(["-Wall", "-Werror", "-O2", "-static", source, "-o"]);
    assert!(compile.arg(&program).status().unwrap().success());
    std::fs::read(program).unwrap()
}

/// What makes a VM execute its CPUIDs, and waits until it has. Meanwhile only it runs: on an
/// emulated machine there is no processor time for guests that wait.
fn poke(name: &str) -> String {
    format!(
        "kill -CONT $(cat /tmp/{name}.pid) && printf x > /tmp/{name}.in && \
         test \"$(head -c 1 < /tmp/{name}.out)\" = D && kill -STOP $(cat /tmp/{name}.pid)"
    )
}

/// `exitlab attach` on the machine.
fn attach(machine: &RealMachine, args: &[&str]) -> Command {
    let mut command = exitlab();
    command.args(["attach", "--host", "machine", "--ssh-config"]);
    command.arg(machine.ssh_config()).args(args);
    command
}

fn record(dir: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("run.json")).unwrap()).unwrap()
}

/// The CPUIDs of the last sample, of a complete record whose sum is KVM's own count.
fn cpuids(dir: &Path) -> u64 {
    let run = record(dir);
    assert_eq!(run["outcome"]["state"], "complete", "{run}");
    let table = std::fs::read_to_string(dir.join("table.md")).unwrap();
    assert!(!table.contains(['✗', '△']), "a check failed:\n{table}");
    let last = run["samples"].as_array().unwrap().last().unwrap();
    last["trace"]["counts"][CPUID].as_u64().unwrap()
}

fn assert_good(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn vms_that_run_already_are_counted_exactly_and_left_alone() {
    let place = Place::new();
    let machine = machine(&place);
    start(&machine, "plain", &qemu("plain", ""));
    let with_qmp = qemu("with-qmp", "-qmp unix:/tmp/qmp,server=on,wait=off");
    start(&machine, "with-qmp", &with_qmp);
    machine.told(&format!("cp /exp/{OTHER} /tmp && chmod 755 /tmp/{OTHER}"));
    start(
        &machine,
        OTHER,
        &format!("/tmp/{OTHER} /exp/rom /tmp/{OTHER}.in /tmp/{OTHER}.out"),
    );

    let listed: Outcome = attach(&machine, &[]).output().unwrap().into();
    assert_good(&listed);
    for name in ["plain", "with-qmp", OTHER] {
        assert!(listed.stdout.contains(name), "{}", listed.stdout);
    }
    let out = place.path("none").display().to_string();
    let out = out.as_str();
    let none: Outcome = attach(&machine, &["no-such", "--out", out])
        .output()
        .unwrap()
        .into();
    none.assert_failed(5, &["no VM that runs here", "exitlab attach lists"]);

    vms_and_observers_do_not_mix(&place, &machine);
    a_vm_is_watched_from_here(&place, &machine);
    the_end_of_each_side_is_told(&place, &machine);
    a_kernel_as_it_is_is_traced(&place, &machine);
    assert_eq!(
        machine.told("cat /proc/mounts | grep -c -e tracefs -e debugfs; true"),
        "0\n"
    );
    // It mounts tracefs itself.
    perf_tells_the_same(&place, &machine);
    machine.assert_deserted();
    drop(machine);
    place.assert_deserted();
}

/// While one VM is attached to twice, and executes its CPUIDs once, another does it twice, and
/// one of another VMM three times.
fn vms_and_observers_do_not_mix(place: &Place, machine: &RealMachine) {
    let within = |out: &str, vm: &str, script: &Path| {
        let run = format!("sh {}", script.display());
        let out = place.path(out).display().to_string();
        attach(machine, &[vm, "--run", &run, "--out", &out])
    };
    let pokes = ["plain", "with-qmp", "with-qmp", OTHER, OTHER, OTHER].map(poke);
    let pokes = pokes.join(" && ");
    let config = machine.ssh_config().display().to_string();
    let pokes = place.write(
        "pokes",
        &format!("ssh -F {config} machine <<'E'\n{pokes}\nE\n"),
    );
    let second = place.write("second.sh", &shell_line(&within("two", "plain", &pokes)));
    let other = place.write(
        "other.sh",
        &shell_line(&within("other", "with-qmp", &second)),
    );
    let small = place.write("small.sh", &shell_line(&within("small", OTHER, &other)));
    let outcome: Outcome = within("one", "plain", &small).output().unwrap().into();
    assert_good(&outcome);
    for (out, times) in [("one", 1), ("two", 1), ("other", 2), ("small", 3)] {
        assert_eq!(cpuids(&place.path(out)), CPUIDS * times, "{out}");
    }
    let compared: Outcome = exitlab()
        .arg("compare")
        .args([place.path("one"), place.path("two")])
        .output()
        .unwrap()
        .into();
    assert_good(&compared);
}

/// Watched as text: what the VM did is in the interval in which it did it, and while it stands
/// still there is nothing, for being watched causes no exit.
fn a_vm_is_watched_from_here(place: &Place, machine: &RealMachine) {
    let seen = place.path("watched.txt");
    let mut command = exitlab();
    command.args(["watch", "plain", "--plain", "--every", "500ms"]);
    command.args(["--host", "machine", "--ssh-config"]);
    command.arg(machine.ssh_config());
    command.stdout(std::fs::File::create(&seen).unwrap());
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut watch = Child(child);
    let mut tables = |number: usize| {
        let deadline = Instant::now() + Duration::from_secs(300);
        loop {
            let text = std::fs::read_to_string(&seen).unwrap();
            let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
            let tables: Vec<String> = whole.split("\n\n").map(str::to_owned).collect();
            if tables.len() > number {
                return tables;
            }
            assert_eq!(watch.0.try_wait().unwrap(), None, "{text}");
            assert!(Instant::now() < deadline, "no sample {number}: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let before = tables(2).len();
    machine.told(&poke("plain"));
    let after = tables(before + 3);
    drop(watch);
    let new = |table: &String| -> u64 {
        let rows = table.lines().filter(|line| line.contains(" CPUID "));
        let counts = rows.filter_map(|row| {
            row.split_whitespace()
                .nth(3)?
                .replace(',', "")
                .parse::<u64>()
                .ok()
        });
        counts.sum()
    };
    assert_eq!(after.iter().map(new).sum::<u64>(), CPUIDS, "{after:#?}");
    let last = after.last().unwrap();
    assert!(last.lines().next().unwrap().ends_with(" 0 new"), "{last}");
    assert_eq!(machine.instances(), "");
}

/// A program that is told to end with what holds it.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}

/// A command as a shell takes it.
fn shell_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| quoted(word.to_str().unwrap()));
    words.collect::<Vec<_>>().join(" ")
}

/// Attaches for good, and waits for the second sample.
fn long(machine: &RealMachine, place: &Place, out: &str, vm: &str) -> Running {
    let out = place.path(out);
    let args = [vm, "--every", "500ms", "--out", out.to_str().unwrap()];
    let mut running = Running::start_as(place, attach(machine, &args));
    running.wait_for("attached 2");
    assert!(machine.instances().contains("exitlab-"));
    running
}

fn the_end_of_each_side_is_told(place: &Place, machine: &RealMachine) {
    let mut interrupted = long(machine, place, "interrupted", "plain");
    machine.told(&poke("plain"));
    interrupted.signal("-INT");
    assert_eq!(interrupted.code(), Some(0), "{}", interrupted.stderr());
    assert_eq!(cpuids(&place.path("interrupted")), CPUIDS);
    assert_eq!(machine.instances(), "");

    let mut gone = long(machine, place, "conductor-killed", "plain");
    gone.signal("-KILL");
    gone.code();
    machine.assert_no_agent();
    assert_eq!(machine.instances(), "");

    let mut killed = long(machine, place, "agent-killed", "plain");
    for agent in machine.processes(" --below ") {
        machine.told(&format!("kill -9 {agent}"));
    }
    assert_eq!(killed.code(), Some(5), "{}", killed.stderr());
    assert_eq!(machine.instances(), "");
    // The VM has noticed nothing.
    machine.told(&poke("plain"));

    let mut ended = long(machine, place, "vm-ended", "plain");
    machine.told(&poke("plain"));
    for qemu in machine.processes("guest=plain") {
        machine.told(&format!("kill -9 {qemu}"));
    }
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(cpuids(&place.path("vm-ended")), CPUIDS);
    assert_eq!(machine.instances(), "");
    for name in ["with-qmp", OTHER] {
        machine.told(&format!("kill -9 $(cat /tmp/{name}.pid)"));
    }
}
