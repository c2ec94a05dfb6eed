//! What a run needs: one row for each program, file and resource.

use super::system::System;
use super::{Cure, Prerequisite};
use crate::config::Plan;
use crate::config::plan::{GuestPlan, GuestRecipe, KernelSource, Machine, PlatformKind};
use crate::image::LOADER;
use crate::platform::{FAKETIME, SSH};

/// What a first kernel build and its artifacts take; later runs need little.
const FIRST_BUILD_MIB: u64 = 6 * 1024;
const LATER_RUN_MIB: u64 = 1024;
/// What a guest's image takes, where neither kernel nor host is built.
const GUEST_IMAGE_MIB: u64 = 64;
/// What emulator and build take beside the host's memory. Together with the default
/// host: 2 GB, less what the kernel keeps from `MemTotal`.
const OWN_MEMORY_MIB: u64 = 768;

/// What QEMU and the agent take beside the guest's memory, where the host is this machine.
const LOCAL_MEMORY_MIB: u64 = 192;

/// One prerequisite, not looked for yet.
pub(super) struct Need {
    find: Find,
    why: &'static str,
    cure: Cure,
}

/// How it is looked for.
enum Find {
    /// A program on the search path.
    Program(&'static str),
    /// A program that runs where no library is.
    StaticProgram(&'static str),
    /// A file at one of these places. A component may be `*`.
    File(String, Vec<String>),
    /// A program that an ordinary user needs, root does not.
    UserProgram(&'static str),
    /// The cache directory can be written to.
    Cache,
    /// So many MiB of room in the cache's file system: for the first build, and later.
    Disk(u64, u64),
    /// So many MiB of memory.
    Memory(u64),
}

/// What a platform needs that others may not.
pub(super) fn of_platform(platform: PlatformKind) -> Vec<Need> {
    match platform {
        PlatformKind::BochsVmx => bochs(),
        PlatformKind::TcgSvm => qemu_host("emulates the host"),
        PlatformKind::Nested => qemu_host("runs the host"),
        PlatformKind::Local => Vec::new(),
        PlatformKind::Ssh => vec![program(SSH, "reaches the host", "openssh-client")],
    }
}

/// What `plan` needs on any platform.
pub(super) fn shared(plan: &Plan) -> Vec<Need> {
    // What runs there, there must be.
    let elsewhere = plan.platform == PlatformKind::Ssh;
    let mut needs = if elsewhere {
        Vec::new()
    } else {
        qemu(plan.guest.machine)
    };
    needs.extend(kernel(&plan.kernel.source));
    needs.extend(images());
    needs.extend(guest(&plan.guest));
    needs.extend(resources(plan));
    needs
}

fn bochs() -> Vec<Need> {
    let isolinux = [
        "/usr/lib/ISOLINUX/isolinux.bin",
        "/usr/share/syslinux/isolinux.bin",
    ];
    let ldlinux = [
        "/usr/lib/syslinux/modules/bios/ldlinux.c32",
        "/usr/share/syslinux/ldlinux.c32",
    ];
    let display = [
        "/usr/lib/*/bochs/plugins/libbx_sdl2_gui.so",
        "/usr/lib/bochs/plugins/libbx_sdl2_gui.so",
        "/usr/lib64/bochs/plugins/libbx_sdl2_gui.so",
    ];
    let bios = ["/usr/share/bochs/BIOS-bochs-latest"];
    let vga = ["/usr/share/vgabios/vgabios.bin"];
    vec![
        program("bochs-bin", "emulates the host", "bochs"),
        file(
            "libbx_sdl2_gui.so",
            &display,
            "Bochs's display, kept dark",
            "bochs-sdl",
        ),
        file(
            "BIOS-bochs-latest",
            &bios,
            "firmware of the host",
            "bochsbios",
        ),
        file("vgabios.bin", &vga, "video firmware of the host", "vgabios"),
        file(
            "libfaketime.so.1",
            &[FAKETIME],
            "stops the emulator's clock",
            "libfaketime",
        ),
        program("mkfs.erofs", "makes the host's file system", "erofs-utils"),
        program("xorriso", "makes the host's boot medium", "xorriso"),
        file(
            "isolinux.bin",
            &isolinux,
            "boot loader of the host",
            "isolinux",
        ),
        file(
            "ldlinux.c32",
            &ldlinux,
            "boot loader of the host",
            "syslinux-common",
        ),
    ]
}

/// A host that QEMU boots: see `platform/qemu.rs`.
fn qemu_host(why: &'static str) -> Vec<Need> {
    vec![
        program("qemu-system-x86_64", why, "qemu-system-x86"),
        firmware("bios-256k.bin", "firmware of the host", "seabios"),
        firmware("pvh.bin", "boots the host's kernel", "qemu-system-data"),
        firmware("kvmvapic.bin", "option ROM of the host", "qemu-system-data"),
    ]
}

fn firmware(name: &'static str, why: &'static str, package: &str) -> Need {
    let places = [
        format!("/usr/share/seabios/{name}"),
        format!("/usr/share/qemu/{name}"),
    ];
    file(name, &places, why, package)
}

fn qemu(machine: Machine) -> Vec<Need> {
    let bios = match machine {
        Machine::Q35 | Machine::Pc => "bios-256k.bin",
        Machine::Microvm => "bios-microvm.bin",
    };
    vec![
        program("qemu-system-x86_64", "runs the guest", "qemu-system-x86"),
        firmware(bios, "firmware of the guest", "seabios"),
        firmware(
            "linuxboot_dma.bin",
            "boots the guest's kernel",
            "qemu-system-data",
        ),
        firmware("pvh.bin", "boots the guest's kernel", "qemu-system-data"),
        firmware(
            "kvmvapic.bin",
            "option ROM of the guest",
            "qemu-system-data",
        ),
    ]
}

fn kernel_build() -> Vec<Need> {
    vec![
        program("gcc", "compiles the kernel", "gcc"),
        // Only recommended by gcc, so not installed with it.
        file(
            "stdio.h",
            &["/usr/include/stdio.h"],
            "compiles the kernel's own tools",
            "libc6-dev",
        ),
        file(
            "libelf.h",
            &["/usr/include/libelf.h"],
            "objtool of the kernel build",
            "libelf-dev",
        ),
        program("ld", "links the kernel", "binutils"),
        program("make", "builds the kernel", "make"),
        program("flex", "builds the kernel's configurator", "flex"),
        program("bison", "builds the kernel's configurator", "bison"),
        program("bc", "kernel build", "bc"),
        program("perl", "kernel build", "perl"),
        program("patch", "applies exitlab's hooks", "patch"),
        program("lz4", "compresses the kernel", "lz4"),
    ]
}

/// What a kernel is built with.
pub(super) fn kernel(source: &KernelSource) -> Vec<Need> {
    let mut needs = kernel_build();
    let unpack = [
        program("tar", "unpacks the kernel source", "tar"),
        program("xz", "unpacks the kernel source", "xz-utils"),
    ];
    match source {
        KernelSource::Image(_) => needs.clear(),
        KernelSource::Tree(_) => {}
        KernelSource::Revision { .. } => {
            needs.push(program(
                "git",
                "takes the revision out of its repository",
                "git",
            ));
        }
        KernelSource::Tarball(_) => needs.extend(unpack),
        KernelSource::Debian(package) => {
            let name = format!("{package}.tar.xz");
            let place = format!("/usr/src/{name}");
            needs.push(file(&name, &[place], "kernel source", package));
            needs.extend(unpack);
        }
    }
    needs
}

fn images() -> Vec<Need> {
    let busybox = Need {
        find: Find::StaticProgram("busybox"),
        why: "shell and tools of the guest",
        cure: Cure::Package("busybox-static".to_owned()),
    };
    vec![
        file(
            "ld-linux-x86-64.so.2",
            &[LOADER],
            "finds the libraries of copied programs",
            "libc6",
        ),
        busybox,
    ]
}

/// What building takes of this machine.
pub(super) fn room() -> [Need; 2] {
    room_of(Find::Disk(FIRST_BUILD_MIB, LATER_RUN_MIB))
}

fn room_of(disk: Find) -> [Need; 2] {
    [
        action(
            Find::Cache,
            "keeps built kernels and images",
            "choose a cache directory that you may write to with --cache".to_owned(),
        ),
        action(
            disk,
            "kernel build and images",
            "free some disk space, or choose another cache directory with --cache".to_owned(),
        ),
    ]
}

/// What the guest's image is made with, and what boots a kernel of the user's own.
fn guest(plan: &GuestPlan) -> Vec<Need> {
    let mut needs = Vec::new();
    if plan.kernel.is_some() {
        let why = "boots a multiboot kernel";
        needs.push(firmware("multiboot_dma.bin", why, "qemu-system-data"));
    }
    if !plan.uses_recipe() {
        return needs;
    }
    match plan.image {
        GuestRecipe::Tiny => {
            let why = "SSH server of the guest";
            needs.push(program("dropbear", why, "dropbear-bin"));
        }
        GuestRecipe::Debian => needs.extend([
            program("mmdebstrap", "installs the guest's Debian", "mmdebstrap"),
            Need {
                find: Find::UserProgram("newuidmap"),
                why: "installs it without root",
                cure: Cure::Package("uidmap".to_owned()),
            },
            program("mksquashfs", "packs the guest's Debian", "squashfs-tools"),
        ]),
    }
    needs
}

fn resources(plan: &Plan) -> Vec<Need> {
    let memory = match plan.platform {
        PlatformKind::Ssh => OWN_MEMORY_MIB,
        PlatformKind::Local => u64::from(plan.guest.memory_mib) + LOCAL_MEMORY_MIB,
        _ => u64::from(plan.host.memory_mib) + OWN_MEMORY_MIB,
    };
    let disk = match (&plan.kernel.source, plan.platform.boots()) {
        (KernelSource::Image(_), false) => Find::Disk(GUEST_IMAGE_MIB, GUEST_IMAGE_MIB),
        (KernelSource::Image(_), true) => Find::Disk(LATER_RUN_MIB, LATER_RUN_MIB),
        _ => Find::Disk(FIRST_BUILD_MIB, LATER_RUN_MIB),
    };
    let cure = format!(
        "use a machine with {memory} MiB of memory, or a smaller host.memory or guest.memory"
    );
    let memory = action(Find::Memory(memory), "holds host and guest", cure);
    room_of(disk).into_iter().chain([memory]).collect()
}

fn action(find: Find, why: &'static str, cure: String) -> Need {
    Need {
        find,
        why,
        cure: Cure::Action(cure),
    }
}

pub(super) fn program(name: &'static str, why: &'static str, package: &str) -> Need {
    Need {
        find: Find::Program(name),
        why,
        cure: Cure::Package(package.to_owned()),
    }
}

pub(super) fn file(name: &str, places: &[impl ToString], why: &'static str, package: &str) -> Need {
    let places = places.iter().map(ToString::to_string).collect();
    Need {
        find: Find::File(name.to_owned(), places),
        why,
        cure: Cure::Package(package.to_owned()),
    }
}

impl Need {
    /// What to do if it is missing.
    #[cfg(test)]
    pub(super) fn cure(&self) -> &Cure {
        &self.cure
    }

    /// Looks for it.
    pub(super) fn look_up(&self, system: &System) -> Prerequisite {
        let shown = |path: std::path::PathBuf| path.display().to_string();
        let enough = |have: Option<u64>, least: u64| {
            have.filter(|mib| *mib >= least)
                .map(|mib| format!("{mib} MiB"))
        };
        let (what, found) = match &self.find {
            Find::Program(name) => ((*name).to_owned(), system.program(name).map(shown)),
            Find::StaticProgram(name) => {
                let found = system.program(name).filter(|path| system.is_static(path));
                (format!("{name}, static"), found.map(shown))
            }
            Find::UserProgram(name) => {
                let found = system.program(name).map(shown);
                let root = system.superuser.then(|| "root needs none".to_owned());
                ((*name).to_owned(), found.or(root))
            }
            Find::File(name, places) => (name.clone(), system.file(places).map(shown)),
            Find::Cache => {
                let found = system.cache_writable.then(|| shown(system.cache.clone()));
                ("writable cache".to_owned(), found)
            }
            Find::Disk(first, later) => {
                let least = *if system.cache_filled { later } else { first };
                (
                    format!("{least} MiB of disk"),
                    enough(system.free_mib, least),
                )
            }
            Find::Memory(least) => (
                format!("{least} MiB of memory"),
                enough(system.memory_mib(), *least),
            ),
        };
        Prerequisite {
            what,
            why: self.why,
            cure: self.cure.clone(),
            found,
        }
    }
}
