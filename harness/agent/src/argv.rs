//! QEMU's command line for a guest: a pure function of the plan.

use std::path::Path;

use exitlab_model::plan::{DiskFormat, GuestPlan, GuestRecipe, Machine};

/// Files and sockets that QEMU is told about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places<'a> {
    /// Firmware directory (`-L`); none where QEMU finds its own.
    pub firmware: Option<&'a Path>,
    /// Guest kernel.
    pub kernel: Option<&'a Path>,
    /// Guest initramfs.
    pub initramfs: Option<&'a Path>,
    /// Image of the guest's disk.
    pub disk: Option<&'a Path>,
    /// Directory that the guest sees as a disk with its cloud-init seed.
    pub seed: Option<&'a Path>,
    /// Unix socket that QEMU opens for QMP.
    pub qmp: Option<&'a Path>,
}

/// Arguments of `qemu-system-x86_64`; `accel` is `kvm`, or another accelerator for tests.
pub fn qemu_args(guest: &GuestPlan, accel: &str, at: Places<'_>) -> Vec<String> {
    let mut args = Words::default();
    args.add(&[
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-vga",
        "none",
    ]);
    // With `panic=-1` on the guest's command line, a panic ends QEMU instead of looping.
    args.add(&["-no-reboot"]);
    if !guest.ssh {
        // It starts when its first sample is taken, and its counters outlive it.
        args.add(&["-S", "-no-shutdown"]);
    }
    args.add(&[
        "-machine",
        &format!("{},accel={accel}", machine(guest.machine)),
    ]);
    args.add(&["-cpu", &guest.cpu]);
    args.add(&[
        "-smp",
        &guest.vcpus.to_string(),
        "-m",
        &format!("{}M", guest.memory_mib),
    ]);
    if let Some(firmware) = at.firmware {
        args.add(&["-L", &path(firmware)]);
    }
    boot(&mut args, guest, at);
    args.add(&[
        "-chardev",
        "stdio,id=console,signal=off",
        "-serial",
        "chardev:console",
    ]);
    if let Some(qmp) = at.qmp {
        let qmp = format!("socket,id=qmp,server=on,wait=off,path={}", escaped(qmp));
        args.add(&["-chardev", &qmp, "-mon", "chardev=qmp,mode=control"]);
    }
    if guest.ssh {
        // `restrict` closes every way out of the guest but the forwarded port. Which port
        // that is, is QEMU's choice, so that no two guests on a host clash;
        // `Qmp::ssh_port` asks.
        let forward = "hostfwd=tcp:127.0.0.1:0-:22";
        args.add(&["-netdev", &format!("user,id=net0,restrict=on,{forward}")]);
        args.add(&["-device", network_device(guest.machine)]);
    }
    disks(&mut args, guest, at);
    for device in &guest.devices {
        args.add(&["-device", device]);
    }
    args.0
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| (*word).to_owned()));
    }
}

/// Kernel, initramfs and command line, unless the disk has them.
fn boot(args: &mut Words, guest: &GuestPlan, at: Places<'_>) {
    let Some(kernel) = at.kernel else {
        return;
    };
    args.add(&["-kernel", &path(kernel)]);
    if let Some(initramfs) = at.initramfs {
        args.add(&["-initrd", &path(initramfs)]);
    }
    let words = kernel_command_line(guest);
    if !words.is_empty() {
        args.add(&["-append", &words]);
    }
}

fn disks(args: &mut Words, guest: &GuestPlan, at: Places<'_>) {
    let kind = match guest.machine {
        Machine::Q35 | Machine::Pc => "virtio-blk-pci",
        Machine::Microvm => "virtio-blk-device",
    };
    if let Some(disk) = at.disk {
        let drive = match &guest.disk {
            // What the guest writes goes to a temporary file of QEMU's.
            Some(own) => format!("format={},snapshot=on", format(own.format)),
            None => "format=raw,readonly=on".to_owned(),
        };
        let drive = format!("if=none,id=disk,{drive},file={}", escaped(disk));
        let first = if guest.boots_itself() {
            ",bootindex=0"
        } else {
            ""
        };
        args.add(&["-drive", &drive]);
        args.add(&["-device", &format!("{kind},drive=disk{first}")]);
    }
    if let Some(seed) = at.seed {
        let drive = format!(
            "if=none,id=seed,format=raw,readonly=on,file.driver=vvfat,file.label=cidata,file.dir={}",
            escaped(seed)
        );
        args.add(&["-drive", &drive]);
        args.add(&["-device", &format!("{kind},drive=seed")]);
    }
}

fn format(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
    }
}

/// The guest kernel's command line.
fn kernel_command_line(guest: &GuestPlan) -> String {
    let words = match (guest.uses_recipe(), guest.image) {
        (true, GuestRecipe::Debian) => "console=ttyS0 panic=-1 root=/dev/vda ro",
        // `guest-image/init`: a server would have neither a network nor keys.
        (true, GuestRecipe::Tiny) if !guest.ssh => "console=ttyS0 panic=-1 sshd=no",
        // It may be no Linux: it gets the user's words alone.
        (false, _) if guest.kernel.is_some() && !guest.ssh => "",
        _ => "console=ttyS0 panic=-1",
    };
    format!("{words} {}", guest.cmdline).trim().to_owned()
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
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_model::plan::DiskPlan;

    fn guest(machine: Machine) -> GuestPlan {
        GuestPlan {
            image: GuestRecipe::Tiny,
            kernel: None,
            initrd: None,
            disk: None,
            machine,
            memory_mib: 256,
            vcpus: 2,
            cpu: "host".into(),
            cmdline: "quiet".into(),
            devices: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            seed: "x".into(),
            ssh: true,
        }
    }

    fn lines(guest: &GuestPlan, at: Places<'_>) -> String {
        let at = Places {
            firmware: Some(Path::new("/fw")),
            qmp: Some(Path::new("/run/a,b/qmp")),
            ..at
        };
        let mut lines = String::new();
        for arg in qemu_args(guest, "kvm", at) {
            let separator = if arg.starts_with('-') { "\n" } else { " " };
            lines += separator;
            lines += &arg;
        }
        lines
    }

    fn args(machine: Machine) -> String {
        let at = Places {
            kernel: Some(Path::new("/k")),
            initramfs: Some(Path::new("/i")),
            ..Places::default()
        };
        lines(&guest(machine), at)
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

    #[test]
    fn debian() {
        let guest = GuestPlan {
            image: GuestRecipe::Debian,
            ..guest(Machine::Microvm)
        };
        let at = Places {
            kernel: Some(Path::new("/k")),
            initramfs: Some(Path::new("/i")),
            disk: Some(Path::new("/d")),
            ..Places::default()
        };
        insta::assert_snapshot!(lines(&guest, at));
    }

    #[test]
    fn a_disk_that_boots_itself_has_its_seed_and_more_devices() {
        let guest = GuestPlan {
            disk: Some(DiskPlan {
                path: "/home/cloud.qcow2".into(),
                format: DiskFormat::Qcow2,
            }),
            devices: vec!["virtio-rng-pci".into(), "pvpanic,ioport=0x505".into()],
            ..guest(Machine::Pc)
        };
        let at = Places {
            disk: Some(Path::new("/guest/disk")),
            seed: Some(Path::new("seed")),
            ..Places::default()
        };
        insta::assert_snapshot!(lines(&guest, at));
    }

    #[test]
    fn a_kernel_without_ssh_gets_the_words_of_the_user_alone_and_waits() {
        let guest = GuestPlan {
            kernel: Some("/home/flat".into()),
            cmdline: "-subtest 3".into(),
            ssh: false,
            ..guest(Machine::Q35)
        };
        let at = Places {
            kernel: Some(Path::new("/guest/kernel")),
            ..Places::default()
        };
        insta::assert_snapshot!(lines(&guest, at));
    }
}
