//! What images are made with, and what boots a kernel of the user's own.

use exitlab_base::archive::LOADER;
use exitlab_base::need::{Find, Need};
use exitlab_model::plan::{GuestPlan, GuestRecipe};

use crate::qemu_files::firmware;

/// Shell and tools of host and guest.
pub const BUSYBOX: &str = "busybox";
/// Brings [`BUSYBOX`], static.
pub const BUSYBOX_PACKAGE: &str = "busybox-static";

/// The guest's SSH server.
pub const DROPBEAR: &str = "dropbear";
/// Brings [`DROPBEAR`].
pub const DROPBEAR_PACKAGE: &str = "dropbear-bin";

/// What the host's image and every guest's need.
pub fn images() -> Vec<Need> {
    let busybox = Need::packaged(
        Find::StaticProgram(BUSYBOX),
        "shell and tools of the guest",
        BUSYBOX_PACKAGE,
    );
    vec![
        Need::file(
            "ld-linux-x86-64.so.2",
            &[LOADER],
            "finds the libraries of copied programs",
            "libc6",
        ),
        busybox,
    ]
}

/// What the guest's image is made with, and what boots a kernel of the user's own.
pub fn guest(plan: &GuestPlan) -> Vec<Need> {
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
            needs.push(Need::program(DROPBEAR, why, DROPBEAR_PACKAGE));
        }
        GuestRecipe::Debian => needs.extend([
            Need::program("mmdebstrap", "installs the guest's Debian", "mmdebstrap"),
            Need::packaged(
                Find::UserProgram("newuidmap"),
                "installs it without root",
                "uidmap",
            ),
            Need::program("mksquashfs", "packs the guest's Debian", "squashfs-tools"),
        ]),
    }
    needs
}
