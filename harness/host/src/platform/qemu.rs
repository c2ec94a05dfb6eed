//! A host that QEMU boots. `tcg-svm`: an AMD host with SVM and nested paging, emulated by
//! TCG. It needs no virtualization hardware, opens no port and no window, and takes no
//! input from outside: counts repeat bit for bit (`docs/determinism.md`).
//!
//! `nested`: the same machine on this machine's processor, through KVM. It takes its time
//! from the real clock, and nothing repeats. It has no network either, so the guest's keys
//! may come from `guest.seed` as they do on an emulated host (`image/keys.rs`).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use tokio::process::Command;

use super::boot::{Boot, Files};
use super::emulated::MONITOR;
use super::machine::{CONSOLE, EVENTS, Machine};
use super::patience::Pace;
use crate::image::order_archive;
use crate::qemu_files::{QEMU, firmware_places};
use exitlab_base::error::{Error, Result};
use exitlab_base::files::copy;
use exitlab_base::need::Search;
use exitlab_base::process::Supervised;
use exitlab_model::hardware;
use exitlab_model::layout::EMULATOR_LOG;
use exitlab_model::order::Task;
use exitlab_model::plan::HostPlan;
use exitlab_model::plan::Plan;
use exitlab_model::platform::icount_shift;
use exitlab_model::platform::{Accelerator, PlatformKind};
use exitlab_model::reasons::Isa;

/// The emulator and its firmware.
pub const PACKAGES: [&str; 3] = ["qemu-system-x86", "qemu-system-data", "seabios"];

/// The moment at which every host boots, UTC.
const EPOCH: &str = "2023-11-14T22:13:20";

/// Names of the files in the machine's directory, which is QEMU's working directory:
/// none of its arguments depends on where it lies.
const KERNEL: &str = "kernel";
const INITRAMFS: &str = "initramfs";

/// What executes the host's instructions.
#[derive(Debug, Clone, Copy)]
enum Engine {
    /// TCG, on a clock that counts instructions.
    Counting,
    /// KVM, on a processor with that virtualization.
    Kvm(Isa),
    /// TCG in KVM's place, on the real clock.
    Tcg,
}

impl Engine {
    fn of(plan: &Plan) -> Result<Engine> {
        match (plan.platform, plan.host.accelerator) {
            (PlatformKind::Nested, Accelerator::Tcg) => Ok(Engine::Tcg),
            (PlatformKind::Nested, Accelerator::Kvm) => hardware::isa(Path::new("/"))
                .map(Engine::Kvm)
                .ok_or_else(|| Error::Prerequisite {
                    missing: vec!["vmx or svm: flag of the processor".to_owned()],
                    cure: "ask exitlab doctor --platform nested".to_owned(),
                }),
            _ => Ok(Engine::Counting),
        }
    }
}

/// Boots the host.
pub fn start(plan: &Plan, boot: Boot<'_>, task: &Task, dir: &Path) -> Result<Machine> {
    let engine = Engine::of(plan)?;
    prepare(boot, task, dir)?;
    let mut command = Command::new(QEMU);
    command
        .args(arguments(&plan.host, engine))
        .current_dir(dir)
        // QEMU looks for modules and audio in the environment: the user's must not decide.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LC_ALL", "C");
    let emulator = Supervised::spawn(command, &dir.join(EMULATOR_LOG))?;
    let pace = match engine {
        Engine::Counting => Pace::Emulated,
        Engine::Kvm(_) | Engine::Tcg => Pace::Real,
    };
    let machine = Machine::booted("QEMU", emulator, dir, &plan.deadlines, pace);
    Ok(match engine {
        Engine::Counting => machine.with_monitor(dir),
        Engine::Kvm(_) | Engine::Tcg => machine,
    })
}

/// What QEMU loads of its own firmware for a host: its BIOS, and what enters a kernel, a
/// bzImage or an ELF file.
const FIRMWARE: [&str; 4] = [
    "bios-256k.bin",
    "kvmvapic.bin",
    "linuxboot_dma.bin",
    "pvh.bin",
];

/// Every file that the host boots from, or that emulates it, by what it is.
pub fn files(boot: Boot<'_>) -> Files {
    let search = Search::this();
    let mut files = vec![
        ("host kernel", kernel(boot).to_owned()),
        ("host root", boot.image.path.clone()),
    ];
    files.extend(search.program(QEMU).map(|path| ("emulator", path)));
    let firmware = FIRMWARE.map(|name| Some((name, search.file(&firmware_places(name))?)));
    files.extend(firmware.into_iter().flatten());
    files
}

/// A ready image of the user's own has no uncompressed twin, and boots more slowly.
fn kernel(boot: Boot<'_>) -> &Path {
    boot.kernel.vmlinux.as_ref().unwrap_or(&boot.kernel.image)
}

fn prepare(boot: Boot<'_>, task: &Task, dir: &Path) -> Result<()> {
    let link = dir.join(KERNEL);
    symlink(kernel(boot), &link).map_err(Error::io("link", link))?;
    let path = dir.join(INITRAMFS);
    let order = serde_json::to_vec(task).map_err(Error::json("write", &path))?;
    let order = order_archive(order)?;
    copy(&boot.image.path, &path)?;
    OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(&order))
        .map_err(Error::io("write", path))
}

/// QEMU's arguments: a pure function of the plan.
fn arguments(host: &HostPlan, engine: Engine) -> Vec<String> {
    let mut arguments = processor(host, engine);
    let mut push = |words: &[&str]| arguments.extend(words.iter().map(|word| word.to_string()));
    push(&["-nodefaults", "-no-user-config", "-display", "none"]);
    push(&["-no-reboot"]);
    // VMware's port would tell the host the time of this machine.
    push(&["-machine", "pc,vmport=off"]);
    push(&["-smp", &host.cpus.to_string()]);
    push(&["-m", &format!("{}M", host.memory_mib)]);
    push(&["-rtc", &format!("base={EPOCH},clock=vm"), "-seed", "1"]);
    push(&["-kernel", KERNEL, "-initrd", INITRAMFS]);
    push(&["-append", &kernel_command_line(host, engine)]);
    if let Engine::Counting = engine {
        push(&["-qmp", &format!("unix:{MONITOR},server=on,wait=off")]);
    }
    for name in [CONSOLE, EVENTS] {
        push(&["-chardev", &format!("file,id={name},path={name}")]);
        push(&["-serial", &format!("chardev:{name}")]);
    }
    arguments
}

/// What executes the host's instructions: the only arguments in which a host on real
/// hardware differs. The others are right on both: `clock=vm` and `-seed` are a real
/// clock and one seed among others where nothing is counted.
fn processor(host: &HostPlan, engine: Engine) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match engine {
        // The clock is the number of instructions executed, and a halted processor skips
        // to its next timer; one thread runs the processor and the devices that its
        // instructions reach.
        Engine::Counting => {
            // A plan holds no other speeds.
            let shift = icount_shift(host.instructions_per_second).unwrap_or_default();
            let icount = format!("shift={shift},sleep=off");
            let accel = "tcg,thread=single,tb-size=512";
            words(&["-accel", accel, "-icount", &icount, "-cpu", AMD])
        }
        // `enforce`: a KVM that cannot hand on the virtualization ends QEMU with a word,
        // not the host's KVM without one.
        Engine::Kvm(isa) => {
            let cpu = format!("host,+{},enforce", hardware::flag(isa));
            words(&["-accel", "kvm", "-cpu", &cpu])
        }
        Engine::Tcg => words(&["-accel", "tcg,tb-size=512", "-cpu", AMD]),
    }
}

/// The processor that QEMU emulates. Without XSAVE: QEMU lets a guest's XSETBV through where
/// KVM asks to intercept it, and then KVM and processor differ about what is enabled.
const AMD: &str = "EPYC,+svm,-xsave";

/// The host kernel's command line.
///
/// - The timer's interrupt works: trying it takes time. On the real clock, on a busy
///   machine, no tick may come meanwhile, and then the kernel panics. Linux on KVM leaves
///   that trial out by itself (`paravirt_ops_setup`); TCG must be told.
/// - The kernel measures its local APIC's timer in a loop of PAUSE, at each of which TCG
///   leaves the code that it made: an eighth of a run. A host with one processor keeps time
///   by the HPET as well; with more, each needs a timer of its own.
fn kernel_command_line(host: &HostPlan, engine: Engine) -> String {
    let timer = match engine {
        Engine::Counting if host.cpus == 1 => " noapictimer",
        _ => "",
    };
    format!("console=ttyS0 quiet no_timer_check{timer} {}", host.cmdline)
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(engine: Engine) -> String {
        let host = HostPlan {
            memory_mib: 1024,
            cpus: 1,
            cmdline: "kvm_amd.npt=0".into(),
            instructions_per_second: 500_000_000,
            accelerator: Accelerator::Kvm,
            address: String::new(),
            ssh_config: None,
        };
        let mut lines = String::new();
        for argument in arguments(&host, engine) {
            lines += if argument.starts_with('-') { "\n" } else { " " };
            lines += &argument;
        }
        lines
    }

    #[test]
    fn arguments_of_a_host() {
        insta::assert_snapshot!(lines(Engine::Counting));
    }

    #[test]
    fn arguments_of_nested_on_intel() {
        insta::assert_snapshot!(lines(Engine::Kvm(Isa::Vmx)));
    }

    #[test]
    fn arguments_of_nested_on_amd() {
        insta::assert_snapshot!(lines(Engine::Kvm(Isa::Svm)));
    }

    #[test]
    fn tcg_in_place_of_kvm_changes_accelerator_and_processor_only() {
        let rest = |engine| {
            let text = lines(engine);
            let lines = text.lines();
            let kept =
                lines.filter(|line| !line.starts_with("-accel") && !line.starts_with("-cpu"));
            kept.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(rest(Engine::Tcg), rest(Engine::Kvm(Isa::Svm)));
    }
}
