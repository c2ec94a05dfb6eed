//! QEMU's command line for a guest: a pure function of the plan.

use std::path::Path;

use crate::config::plan::{GuestPlan, Machine};

/// Files and sockets that QEMU is told about.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Firmware directory (`-L`); none where QEMU finds its own.
    pub firmware: Option<&'a Path>,
    /// Guest kernel.
    pub kernel: &'a Path,
    /// Guest initramfs.
    pub initramfs: &'a Path,
    /// Unix socket that QEMU opens for QMP.
    pub qmp: &'a Path,
}

/// Arguments of `qemu-system-x86_64`; `accel` is `kvm`, or another accelerator for tests.
pub fn qemu_args(guest: &GuestPlan, accel: &str, at: Places<'_>) -> Vec<String> {
    let mut args = Vec::new();
    let mut push = |words: &[&str]| args.extend(words.iter().map(|word| word.to_string()));
    push(&[
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-vga",
        "none",
    ]);
    // With `panic=-1` on the guest's command line, a panic ends QEMU instead of looping.
    push(&["-no-reboot"]);
    push(&[
        "-machine",
        &format!("{},accel={accel}", machine(guest.machine)),
    ]);
    push(&["-cpu", &guest.cpu]);
    push(&[
        "-smp",
        &guest.vcpus.to_string(),
        "-m",
        &format!("{}M", guest.memory_mib),
    ]);
    if let Some(firmware) = at.firmware {
        push(&["-L", &path(firmware)]);
    }
    push(&["-kernel", &path(at.kernel), "-initrd", &path(at.initramfs)]);
    push(&["-append", &kernel_command_line(guest)]);
    push(&[
        "-chardev",
        "stdio,id=console,signal=off",
        "-serial",
        "chardev:console",
    ]);
    let qmp = format!(
        "socket,id=qmp,server=on,wait=off,path={}",
        comma_escaped(at.qmp)
    );
    push(&["-chardev", &qmp, "-mon", "chardev=qmp,mode=control"]);
    // `restrict` closes every way out of the guest but the forwarded port. Which port that
    // is, is QEMU's choice, so that no two guests on a host clash; `Qmp::ssh_port` asks.
    let forward = "hostfwd=tcp:127.0.0.1:0-:22";
    push(&["-netdev", &format!("user,id=net0,restrict=on,{forward}")]);
    push(&["-device", network_device(guest.machine)]);
    args
}

/// The guest kernel's command line.
fn kernel_command_line(guest: &GuestPlan) -> String {
    format!("console=ttyS0 panic=-1 {}", guest.cmdline)
        .trim_end()
        .to_owned()
}

fn machine(machine: Machine) -> &'static str {
    match machine {
        Machine::Q35 => "q35",
        Machine::Pc => "pc",
        // The legacy devices that our kernel's console and clock need.
        Machine::Microvm => "microvm,isa-serial=on,pic=on,pit=on,rtc=on",
    }
}

fn network_device(machine: Machine) -> &'static str {
    match machine {
        // An empty `romfile` saves the network boot ROM, which we never boot from.
        Machine::Q35 | Machine::Pc => "virtio-net-pci,netdev=net0,romfile=",
        Machine::Microvm => "virtio-net-device,netdev=net0",
    }
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// In QEMU's option lists a comma inside a value is doubled.
fn comma_escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(machine: Machine) -> String {
        let guest = GuestPlan {
            machine,
            memory_mib: 256,
            vcpus: 2,
            cpu: "host".into(),
            cmdline: "quiet".into(),
            files: Vec::new(),
            seed: "x".into(),
            sshd: true,
        };
        let at = Places {
            firmware: Some(Path::new("/fw")),
            kernel: Path::new("/k"),
            initramfs: Path::new("/i"),
            qmp: Path::new("/run/a,b/qmp"),
        };
        let mut lines = String::new();
        for arg in qemu_args(&guest, "kvm", at) {
            let separator = if arg.starts_with('-') { "\n" } else { " " };
            lines += separator;
            lines += &arg;
        }
        lines
    }

    #[test]
    fn q35() {
        insta::assert_snapshot!(args(Machine::Q35));
    }

    #[test]
    fn pc() {
        insta::assert_snapshot!(args(Machine::Pc));
    }

    #[test]
    fn microvm() {
        insta::assert_snapshot!(args(Machine::Microvm));
    }
}
