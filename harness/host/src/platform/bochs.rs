//! `bochs-vmx`: an Intel host with VMX, EPT and VPID, emulated by Bochs. It needs no
//! virtualization hardware, opens no port and no window, and takes no input from
//! outside: counts repeat bit for bit (`docs/determinism.md`).

mod disk;
mod medium;

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::boot::{Boot, Files};
use super::machine::{CONSOLE, EVENTS, Machine};
use super::patience::Pace;
use crate::image::CYLINDER;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::need::{Need, Search};
use exitlab_base::process::Supervised;
use exitlab_model::layout::EMULATOR_LOG;
use exitlab_model::order::Task;
use exitlab_model::plan::HostPlan;
use exitlab_model::plan::Plan;

use medium::{EPOCH, ISOLINUX, ISOLINUX_PACKAGE, LDLINUX, LDLINUX_PACKAGE, Medium, ORDER, ROOT};

/// The emulator.
const BOCHS: &str = "bochs-bin";

/// Debian's `bochs-bin` has the internal debugger, which waits for this at its prompt.
const DEBUGGER_COMMANDS: &str = "c\n";

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

/// Names of the files in the machine's directory, which is Bochs' working directory:
/// nothing in `bochsrc` depends on where it lies.
const BOCHSRC: &str = "bochsrc";
const COMMANDS: &str = "debugger-commands";
const MSRS: &str = "msrs";

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
        Need::program(BOCHS, "emulates the host", "bochs"),
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

/// Boots the host.
pub async fn start(
    plan: &Plan,
    boot: Boot<'_>,
    task: &Task,
    cache: &Cache,
    dir: &Path,
) -> Result<Machine> {
    let medium = medium::build(cache, boot.kernel, &plan.host).await?;
    prepare(plan, boot, task, &medium, dir)?;
    let faketime = Search::require_file(&FAKETIME, FAKETIME_PACKAGE)?;
    let mut command = Command::new(BOCHS);
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

/// Every file that the host boots from, or that emulates it, by what it is.
pub async fn files(plan: &Plan, boot: Boot<'_>, cache: &Cache) -> Result<Files> {
    let (disk, medium) = medium::build(cache, boot.kernel, &plan.host).await?;
    let kernel = boot.kernel.vmlinux.as_ref().unwrap_or(&boot.kernel.image);
    let mut files = vec![
        ("host kernel", kernel.clone()),
        (medium.name(), disk),
        ("host root", boot.image.path.clone()),
        ("BIOS", BIOS.into()),
        ("VGA BIOS", VGA_BIOS.into()),
        (
            "libfaketime",
            Search::require_file(&FAKETIME, FAKETIME_PACKAGE)?,
        ),
    ];
    let emulator = Search::this().program(BOCHS);
    files.extend(emulator.map(|path| ("emulator", path)));
    Ok(files)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A host of a few words.
    pub(super) fn host() -> HostPlan {
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
}
