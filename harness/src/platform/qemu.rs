//! `tcg-svm`: an AMD host with SVM and nested paging, emulated by QEMU's TCG. It needs no
//! virtualization hardware, opens no port and no window, and takes no input from
//! outside: counts repeat bit for bit (`docs/determinism.md`).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use tokio::process::Command;

use super::Boot;
use super::machine::{Files, Machine};
use crate::config::Plan;
use crate::config::plan::HostPlan;
use crate::config::speed::icount_shift;
use crate::error::{Error, Result};
use crate::image::order_archive;
use crate::process::Supervised;
use crate::results::EMULATOR_LOG;

const QEMU: &str = "qemu-system-x86_64";

/// The emulator and its firmware.
pub const PACKAGES: [&str; 3] = ["qemu-system-x86", "qemu-system-data", "seabios"];

/// The moment at which every host boots, UTC.
const EPOCH: &str = "2023-11-14T22:13:20";

/// Names of the files in the machine's directory, which is QEMU's working directory:
/// none of its arguments depends on where it lies.
const KERNEL: &str = "kernel";
const INITRAMFS: &str = "initramfs";
const FILES: Files = Files {
    console: "console",
    events: "events",
};

/// Boots the host.
pub fn start(plan: &Plan, boot: Boot<'_>, dir: &Path) -> Result<Machine> {
    prepare(boot, dir)?;
    let mut command = Command::new(QEMU);
    command
        .args(arguments(&plan.host))
        .current_dir(dir)
        // QEMU looks for modules and audio in the environment: the user's must not decide.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LC_ALL", "C");
    let emulator = Supervised::spawn(command, &dir.join(EMULATOR_LOG))?;
    Ok(Machine::watch(
        "QEMU",
        emulator,
        dir,
        FILES,
        &plan.deadlines,
    ))
}

fn prepare(boot: Boot<'_>, dir: &Path) -> Result<()> {
    let kernel = dir.join(KERNEL);
    // A ready image of the user's own has no uncompressed twin, and boots more slowly.
    let image = boot.kernel.vmlinux.as_ref().unwrap_or(&boot.kernel.image);
    symlink(image, &kernel).map_err(Error::io("link", kernel))?;
    let path = dir.join(INITRAMFS);
    let order = serde_json::to_vec(boot.task).map_err(|e| Error::Io {
        action: "write",
        path: path.clone(),
        source: e.into(),
    })?;
    std::fs::copy(&boot.image.path, &path).map_err(Error::io("copy", &boot.image.path))?;
    OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(&order_archive(order)))
        .map_err(Error::io("write", path))
}

/// QEMU's arguments: a pure function of the plan.
fn arguments(host: &HostPlan) -> Vec<String> {
    let mut arguments = processor(host);
    let mut push = |words: &[&str]| arguments.extend(words.iter().map(|word| word.to_string()));
    push(&["-nodefaults", "-no-user-config", "-display", "none"]);
    push(&["-no-reboot"]);
    // VMware's port would tell the host the time of this machine.
    push(&["-machine", "pc,vmport=off"]);
    push(&["-smp", &host.cpus.to_string()]);
    push(&["-m", &format!("{}M", host.memory_mib)]);
    push(&["-rtc", &format!("base={EPOCH},clock=vm"), "-seed", "1"]);
    push(&["-kernel", KERNEL, "-initrd", INITRAMFS]);
    push(&["-append", &kernel_command_line(host)]);
    for name in [FILES.console, FILES.events] {
        push(&["-chardev", &format!("file,id={name},path={name}")]);
        push(&["-serial", &format!("chardev:{name}")]);
    }
    arguments
}

/// What executes the host's instructions: the only arguments in which a host on real
/// hardware would differ. The clock is the number of instructions executed, and a halted
/// processor skips to its next timer; one thread runs the processor and the devices that
/// its instructions reach.
fn processor(host: &HostPlan) -> Vec<String> {
    // A plan holds no other speeds.
    let shift = icount_shift(host.instructions_per_second).unwrap_or_default();
    [
        "-accel",
        "tcg,thread=single,tb-size=512",
        "-icount",
        &format!("shift={shift},sleep=off"),
        "-cpu",
        "EPYC,+svm",
    ]
    .map(str::to_owned)
    .into()
}

/// The host kernel's command line.
fn kernel_command_line(host: &HostPlan) -> String {
    format!("console=ttyS0 quiet {}", host.cmdline)
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_a_host() {
        let host = HostPlan {
            memory_mib: 1024,
            cpus: 1,
            cmdline: "kvm_amd.npt=0".into(),
            instructions_per_second: 500_000_000,
        };
        let mut lines = String::new();
        for argument in arguments(&host) {
            lines += if argument.starts_with('-') { "\n" } else { " " };
            lines += &argument;
        }
        insta::assert_snapshot!(lines);
    }
}
