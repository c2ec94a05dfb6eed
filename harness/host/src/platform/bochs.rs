//! `bochs-vmx`: an Intel host with VMX, EPT and VPID, emulated by Bochs. It needs no
//! virtualization hardware, opens no port and no window, and takes no input from
//! outside: counts repeat bit for bit (`docs/determinism.md`).

mod disk;

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::boot::Boot;
use super::machine::{CONSOLE, EVENTS, Machine};
use super::patience::Pace;
use crate::image::CYLINDER;
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_base::need::{Need, Search};
use exitlab_base::process::Supervised;
use exitlab_base::tool;
use exitlab_model::artifacts::HostKernel;
use exitlab_model::layout::EMULATOR_LOG;
use exitlab_model::order::Task;
use exitlab_model::plan::HostPlan;
use exitlab_model::plan::Plan;

/// Debian's `bochs-bin` has the internal debugger, which waits for this at its prompt.
const DEBUGGER_COMMANDS: &str = "c\n";

/// The boot loader: where Debian has it, and Fedora.
const ISOLINUX: [&str; 2] = [
    "/usr/lib/ISOLINUX/isolinux.bin",
    "/usr/share/syslinux/isolinux.bin",
];
const ISOLINUX_PACKAGE: &str = "isolinux";
const LDLINUX: [&str; 2] = [
    "/usr/lib/syslinux/modules/bios/ldlinux.c32",
    "/usr/share/syslinux/ldlinux.c32",
];
const LDLINUX_PACKAGE: &str = "syslinux-common";

/// Freezes the emulator's time of day.
const FAKETIME: [&str; 2] = [
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];
const FAKETIME_PACKAGE: &str = "libfaketime";

/// Bochs loads it by name, from where it was installed to.
const DISPLAY: [&str; 3] = [
    "/usr/lib/*/bochs/plugins/libbx_sdl2_gui.so",
    "/usr/lib/bochs/plugins/libbx_sdl2_gui.so",
    "/usr/lib64/bochs/plugins/libbx_sdl2_gui.so",
];

const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/vgabios/vgabios.bin";

/// The moment at which every host boots, seconds since 1970.
const EPOCH: &str = "1700000000";

/// Names of the files in the machine's directory, which is Bochs' working directory:
/// nothing in `bochsrc` depends on where it lies.
const BOCHSRC: &str = "bochsrc";
const COMMANDS: &str = "debugger-commands";
const ROOT: &str = "root.img";
const ORDER: &str = "order.img";
const MSRS: &str = "msrs";
const ISO: &str = "boot.iso";
const BOOT: &str = "boot.img";

/// Model-specific registers that a Haswell's firmware leaves set and Bochs does not know:
/// address, type, value, bits that must not be written, bits whose writes are ignored.
///
/// `IA32_BIOS_SIGN_ID` has a revision of the microcode whose TSC deadline timer works. With
/// an older one Linux does not use the timer, and measures another. `IA32_MISC_ENABLE` is
/// left out on purpose: with its fast strings a run takes a third longer, it seems because
/// Bochs, which has a debugger, executes each byte that they clear by itself.
const REGISTERS: &str = "0x08b 0 00000027 00000000 00000000 00000000 ffffffff ffffffff\n";

/// What the platform needs of this machine.
pub fn needs() -> Vec<Need> {
    vec![
        Need::program("bochs-bin", "emulates the host", "bochs"),
        Need::file(
            "libbx_sdl2_gui.so",
            &DISPLAY,
            "Bochs's display, kept dark",
            "bochs-sdl",
        ),
        Need::file(
            "BIOS-bochs-latest",
            &[BIOS],
            "firmware of the host",
            "bochsbios",
        ),
        Need::file(
            "vgabios.bin",
            &[VGA_BIOS],
            "video firmware of the host",
            "vgabios",
        ),
        Need::file(
            "libfaketime.so.1",
            &FAKETIME,
            "stops the emulator's clock",
            FAKETIME_PACKAGE,
        ),
        Need::program("mkfs.erofs", "makes the host's file system", "erofs-utils"),
        Need::program("as", "makes the host's boot disk", "binutils"),
        Need::program("xorriso", "makes the host's boot medium", "xorriso"),
        Need::file(
            "isolinux.bin",
            &ISOLINUX,
            "boot loader of the host",
            ISOLINUX_PACKAGE,
        ),
        Need::file(
            "ldlinux.c32",
            &LDLINUX,
            "boot loader of the host",
            LDLINUX_PACKAGE,
        ),
    ]
}

/// What the host boots from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// The first disk, with the kernel as it lies in memory.
    Disk,
    /// A CD with a boot loader and the compressed kernel.
    Cd,
}

impl Medium {
    fn file(self) -> &'static str {
        match self {
            Medium::Disk => BOOT,
            Medium::Cd => ISO,
        }
    }

    /// Where the host finds its root file system. The order is on the disk after it.
    fn root(self) -> &'static str {
        match self {
            Medium::Disk => "/dev/sdb",
            Medium::Cd => "/dev/sda",
        }
    }

    fn drives(self) -> String {
        match self {
            Medium::Disk => format!(
                "\
ata0-master: type=disk, mode=flat, path={BOOT}
ata0-slave: type=disk, mode=flat, path={ROOT}
ata1: enabled=1
ata1-master: type=disk, mode=flat, path={ORDER}
boot: disk"
            ),
            Medium::Cd => format!(
                "\
ata0-master: type=disk, mode=flat, path={ROOT}
ata0-slave: type=disk, mode=flat, path={ORDER}
ata1: enabled=1
ata1-master: type=cdrom, path={ISO}, status=inserted
boot: cdrom"
            ),
        }
    }
}

/// Boots the host.
pub async fn start(
    plan: &Plan,
    boot: Boot<'_>,
    task: &Task,
    cache: &Cache,
    dir: &Path,
) -> Result<Machine> {
    let medium = match &boot.kernel.vmlinux {
        Some(vmlinux) => {
            let words = kernel_command_line(&plan.host, Medium::Disk);
            (disk::build(cache, vmlinux, &words).await?, Medium::Disk)
        }
        // A ready image of the user's own has no uncompressed twin, and boots more slowly.
        None => (boot_iso(cache, boot.kernel, &plan.host).await?, Medium::Cd),
    };
    prepare(plan, boot, task, &medium, dir)?;
    let faketime = Search::require_file(&FAKETIME, FAKETIME_PACKAGE)?;
    let mut command = Command::new("bochs-bin");
    command
        .args(["-q", "-f", BOCHSRC, "-rc", COMMANDS])
        .current_dir(dir)
        // Bochs reads paths of its own from the environment: the user's must not decide.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        // A display that opens no window, and sound that needs no device.
        .envs([
            ("SDL_VIDEODRIVER", "dummy"),
            ("SDL_AUDIODRIVER", "dummy"),
            ("LC_ALL", "C"),
        ])
        .envs(frozen_clock(&faketime));
    let emulator = Supervised::spawn(command, &dir.join(EMULATOR_LOG))?;
    let pace = Pace::Emulated;
    Ok(Machine::booted(
        "Bochs",
        emulator,
        dir,
        &plan.deadlines,
        pace,
    ))
}

/// The emulator, its firmware, its clock and its boot medium. Their packages' versions
/// say more than Bochs' own banner.
pub const PACKAGES: [&str; 7] = [
    "bochs",
    "bochsbios",
    "vgabios",
    "libfaketime",
    "isolinux",
    "syslinux-common",
    "xorriso",
];

/// Bochs seeds the generator behind RDRAND with the time of day: runs that start in
/// different seconds get different random numbers, and with them other counts. Under a
/// clock that stands still every run gets the same. Time that only passes, which Bochs'
/// display needs, is left alone.
fn frozen_clock(faketime: &Path) -> [(&'static str, &OsStr); 4] {
    [
        ("LD_PRELOAD", faketime.as_os_str()),
        ("FAKETIME_FMT", OsStr::new("%s")),
        ("FAKETIME", OsStr::new(EPOCH)),
        ("FAKETIME_DONT_FAKE_MONOTONIC", OsStr::new("1")),
    ]
}

fn prepare(
    plan: &Plan,
    boot: Boot<'_>,
    task: &Task,
    (image, medium): &(PathBuf, Medium),
    dir: &Path,
) -> Result<()> {
    let write = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, content).map_err(Error::io("write", path))
    };
    write(BOCHSRC, bochsrc(&plan.host, *medium).as_bytes())?;
    write(COMMANDS, DEBUGGER_COMMANDS.as_bytes())?;
    write(MSRS, REGISTERS.as_bytes())?;
    let order = task
        .to_disk(CYLINDER)
        .map_err(Error::json("write", dir.join(ORDER)))?;
    write(ORDER, &order)?;
    // Bochs locks a disk by a file beside it and refuses to start where one was left
    // behind: a name of our own for each run keeps runs apart.
    for (image, name) in [(&boot.image.path, ROOT), (image, medium.file())] {
        let link = dir.join(name);
        symlink(image, &link).map_err(Error::io("link", link))?;
    }
    Ok(())
}

/// The configuration. The processor is the newest of Bochs' models that does not report
/// its TSC frequency by CPUID: the kernel believes such a report, and then time runs
/// wrong against the emulated timers. `clock` and `vga` must be told to take no time
/// from this machine, or counts drift.
fn bochsrc(host: &HostPlan, medium: Medium) -> String {
    let HostPlan {
        memory_mib,
        cpus,
        instructions_per_second: ips,
        ..
    } = host;
    format!(
        "\
display_library: sdl2
memory: guest={memory_mib}, host={memory_mib}
romimage: file={BIOS}
vgaromimage: file={VGA_BIOS}
cpu: model=corei7_haswell_4770, count={cpus}, ips={ips}, msrs={MSRS}
clock: sync=none, time0={EPOCH}
vga: realtime=0
pci: enabled=1, chipset=i440fx
ata0: enabled=1
{drives}
com1: enabled=1, mode=file, dev={console}
com2: enabled=1, mode=file, dev={events}
log: -
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
",
        drives = medium.drives(),
        console = CONSOLE,
        events = EVENTS,
    )
}

/// The host kernel's command line. A serial port takes its time for each character, and at
/// its usual speed twelve times as long. The timer's interrupt works: trying it takes a
/// fifth of the kernel's boot.
fn kernel_command_line(host: &HostPlan, medium: Medium) -> String {
    let root = medium.root();
    let words = "rootfstype=erofs ro init=/init quiet no_timer_check";
    format!("console=ttyS0,115200 root={root} {words} {}", host.cmdline)
        .trim_end()
        .to_owned()
}

fn isolinux_config(host: &HostPlan) -> String {
    let append = kernel_command_line(host, Medium::Cd);
    format!("DEFAULT host\nPROMPT 0\nLABEL host\n  KERNEL /vmlinuz\n  APPEND {append}\n")
}

/// A bootable CD with the host's kernel and its command line.
async fn boot_iso(cache: &Cache, kernel: &HostKernel, host: &HostPlan) -> Result<PathBuf> {
    let config = isolinux_config(host);
    let isolinux = Search::require_file(&ISOLINUX, ISOLINUX_PACKAGE)?;
    let ldlinux = Search::require_file(&LDLINUX, LDLINUX_PACKAGE)?;
    let xorriso =
        tool::require_version("xorriso", &["-version"], "makes what the host boots from")?;
    let key = KeyBuilder::new()
        .text("kernel", &kernel.digest)
        .text("config", &config)
        .file("isolinux", &isolinux)?
        .file("ldlinux", &ldlinux)?
        .text("xorriso", &xorriso)
        .build();
    let artifact = cache
        .get_or_build("boot-iso", &key, async |dir: &Path| {
            let tree = dir.join("tree");
            std::fs::create_dir(&tree).map_err(Error::io("create", &tree))?;
            let copy = |from: &Path, name: &str| files::copy(from, &tree.join(name));
            copy(&kernel.image, "vmlinuz")?;
            copy(&isolinux, "isolinux.bin")?;
            copy(&ldlinux, "ldlinux.c32")?;
            let path = tree.join("isolinux.cfg");
            std::fs::write(&path, &config).map_err(Error::io("write", path))?;
            let mut command = Command::new("xorriso");
            command
                .args(["-as", "mkisofs", "-quiet", "-o"])
                .arg(dir.join(ISO))
                .args(["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"])
                .args(["-boot-load-size", "4", "-boot-info-table"])
                .arg(&tree)
                .env("SOURCE_DATE_EPOCH", EPOCH);
            tool::run("boot image: xorriso", command, &dir.join("xorriso.log")).await?;
            std::fs::remove_dir_all(&tree).map_err(Error::io("remove", &tree))
        })
        .await?;
    Ok(artifact.dir.join(ISO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostPlan {
        HostPlan {
            memory_mib: 1024,
            cpus: 1,
            cmdline: "kvm_intel.ept=0".into(),
            instructions_per_second: 200_000_000,
            accelerator: exitlab_model::platform::Accelerator::Kvm,
            address: String::new(),
            ssh_config: None,
        }
    }

    #[test]
    fn configuration() {
        insta::assert_snapshot!(bochsrc(&host(), Medium::Disk));
    }

    #[test]
    fn drives_with_a_kernel_of_the_users() {
        insta::assert_snapshot!(Medium::Cd.drives());
    }

    #[test]
    fn boot_loader() {
        insta::assert_snapshot!(isolinux_config(&host()), @r"
        DEFAULT host
        PROMPT 0
        LABEL host
          KERNEL /vmlinuz
          APPEND console=ttyS0,115200 root=/dev/sda rootfstype=erofs ro init=/init quiet no_timer_check kvm_intel.ept=0
        ");
    }
}
