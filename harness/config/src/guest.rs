//! `[guest]`: what boots, on what machine, and whether the one fits the other.

use std::ops::RangeInclusive;
use std::path::Path;

use super::document::{Document, Given};
use super::layer::Entry;
use super::medium;
use super::resolver::Resolver;
use super::value::{
    choose, cmdline, cpu, device, existing_file, guest_memory, not_blank, package, within,
};
use exitlab_base::toml::Wrong;
use exitlab_model::plan::{GuestPlan, GuestRecipe, Machine, Plan};
use exitlab_model::platform::PlatformKind;
use exitlab_model::record::Channel;

/// The emulated host has few processors: more vCPUs than this only wait for each other.
const VCPUS: RangeInclusive<i64> = 1..=16;

/// What the files of [`GuestRecipe::Debian`] take in a host's memory, MiB. With packages of
/// the user's own it may be more.
const DEBIAN_MIB: u32 = 144;

/// A host that boots from an archive holds each file twice while it unpacks.
const COPIES: u64 = 2;

impl<'a> Resolver<'a> {
    /// The section, each key by itself.
    pub(super) fn guest(&mut self, plan: &mut GuestPlan) {
        self.what_boots(plan);
        self.hardware(plan);
        self.value(
            "guest.cmdline",
            |d| &d.guest.cmdline,
            &mut plan.cmdline,
            |e| cmdline(e.value),
        );
        self.value(
            "guest.seed",
            |d| &d.guest.seed,
            &mut plan.seed,
            |e| not_blank(e.value),
        );
        self.value(
            "guest.ssh",
            |d| &d.guest.ssh,
            &mut plan.ssh,
            |e| Ok(*e.value),
        );
    }

    fn what_boots(&mut self, plan: &mut GuestPlan) {
        let recipes = [("tiny", GuestRecipe::Tiny), ("debian", GuestRecipe::Debian)];
        self.value(
            "guest.image",
            |d| &d.guest.image,
            &mut plan.image,
            |e| choose(e.value, "image", &recipes),
        );
        self.list(
            "guest.packages",
            |d| &d.guest.packages,
            &mut plan.packages,
            |e| package(e.value),
        );
        self.list(
            "guest.files",
            |d| &d.guest.files,
            &mut plan.files,
            existing_file,
        );
        self.value(
            "guest.kernel",
            |d| &d.guest.kernel,
            &mut plan.kernel,
            |e| given(e, medium::kernel),
        );
        self.value(
            "guest.initrd",
            |d| &d.guest.initrd,
            &mut plan.initrd,
            |e| given(e, medium::initrd),
        );
        self.value(
            "guest.disk",
            |d| &d.guest.disk,
            &mut plan.disk,
            |e| given(e, medium::disk),
        );
    }

    fn hardware(&mut self, plan: &mut GuestPlan) {
        let machines = [
            ("q35", Machine::Q35),
            ("pc", Machine::Pc),
            ("microvm", Machine::Microvm),
        ];
        self.value(
            "guest.machine",
            |d| &d.guest.machine,
            &mut plan.machine,
            |e| choose(e.value, "machine", &machines),
        );
        self.value(
            "guest.memory",
            |d| &d.guest.memory,
            &mut plan.memory_mib,
            |e| guest_memory(e.value),
        );
        self.value(
            "guest.vcpus",
            |d| &d.guest.vcpus,
            &mut plan.vcpus,
            |e| Ok(within(*e.value, VCPUS)? as u32),
        );
        self.value(
            "guest.cpu",
            |d| &d.guest.cpu,
            &mut plan.cpu,
            |e| cpu(e.value),
        );
        self.list(
            "guest.devices",
            |d| &d.guest.devices,
            &mut plan.devices,
            |e| device(e.value),
        );
    }

    /// Symbols of the user's own. Without places there is nothing that they could name.
    pub(super) fn symbols(&mut self, plan: &mut Plan) {
        self.value(
            "guest.symbols",
            |d| &d.guest.symbols,
            &mut plan.guest_symbols,
            |e| given(e, existing_file),
        );
        self.refuse(
            plan.guest_symbols.is_some() && !plan.sampling.places && plan.sampling.log.is_none(),
            "guest.symbols",
            |d| &d.guest.symbols,
            [
                "names places in the guest, and none are counted",
                "set sampling.places or sampling.log to true, or leave it out",
            ],
        );
    }

    /// What is right by itself may be wrong beside the rest.
    pub(super) fn guest_fits(&mut self, plan: &Plan) {
        let guest = &plan.guest;
        self.refuse(
            guest.disk.is_some() && guest.image == GuestRecipe::Debian,
            "guest.disk",
            |d| &d.guest.disk,
            [
                "a disk of your own, and guest.image builds another one",
                "choose one: leave guest.disk out, or set guest.image to \"tiny\"",
            ],
        );
        self.refuse(
            guest.initrd.is_some() && guest.image == GuestRecipe::Debian,
            "guest.initrd",
            |d| &d.guest.initrd,
            [
                "an initramfs of your own, and the image \"debian\" boots by its own only",
                "leave guest.initrd out, or set guest.image to \"tiny\"",
            ],
        );
        self.refuse(
            guest.initrd.is_some() && guest.boots_itself(),
            "guest.initrd",
            |d| &d.guest.initrd,
            [
                "needs a kernel that takes it, and the disk's own boot loader starts this guest",
                "give guest.kernel, too, or leave guest.initrd out",
            ],
        );
        self.boots_by_itself(guest);
        let tiny = guest.uses_recipe() && guest.image == GuestRecipe::Tiny;
        self.refuse(
            !guest.files.is_empty() && !tiny,
            "guest.files",
            |d| &d.guest.files,
            [
                "programs are copied into the image \"tiny\" only, and this guest boots another one",
                "leave it out; the image \"debian\" has guest.packages",
            ],
        );
        let debian = guest.uses_recipe() && guest.image == GuestRecipe::Debian;
        self.refuse(
            !guest.packages.is_empty() && !debian,
            "guest.packages",
            |d| &d.guest.packages,
            [
                "packages of Debian, and this guest boots another image",
                "set guest.image to \"debian\", or leave it out",
            ],
        );
        if !guest.ssh {
            self.only_watched(plan);
        }
    }

    /// A disk that is to boot by itself must have what boots.
    fn boots_by_itself(&mut self, guest: &GuestPlan) {
        let alone = guest.boots_itself() && guest.image != GuestRecipe::Debian;
        let disk = guest.disk.as_ref().filter(|_| alone);
        self.refuse(
            // With a device of the user's, another one may boot.
            guest.devices.is_empty() && disk.is_some_and(medium::lacks_boot_sector),
            "guest.disk",
            |d| &d.guest.disk,
            [
                "a raw disk that nothing boots from: its first sector does not end in 55 AA",
                "give guest.kernel, too, or a disk with a boot loader for BIOS; an image in \
                 another format than raw or qcow2: qemu-img convert -O qcow2 IMAGE NEW-IMAGE",
            ],
        );
    }

    /// Without SSH nothing can be run in the guest.
    fn only_watched(&mut self, plan: &Plan) {
        let cure = "leave it out, or set guest.ssh to true";
        self.refuse(
            !self.leaves_channels() && plan.sampling.channels.contains(&Channel::Cpuid),
            "sampling.channels",
            |d| &d.sampling.channels,
            [
                "the channel \"cpuid\" reads in the guest over SSH, and guest.ssh is false",
                "set sampling.channels to [\"stats\"]",
            ],
        );
        self.refuse(
            !plan.inspect.is_empty(),
            "inspect",
            |d| &d.inspect,
            ["commands are run over SSH, and guest.ssh is false", cure],
        );
        self.refuse(
            !plan.phases.is_empty(),
            "phase",
            |d| &d.phase,
            [
                "a phase's command is run over SSH, and guest.ssh is false",
                "leave phases out; \"line:TEXT\" in sampling.schedule divides such a guest's run",
            ],
        );
    }

    /// At the key that was given last, or at the file where a default is what is wrong.
    fn refuse<T: 'a>(
        &mut self,
        wrong: bool,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<T>,
        [what, cure]: [&str; 2],
    ) {
        if wrong {
            let wrong = Wrong::new(what, cure);
            self.problems.push(match self.layers.entry(key, get) {
                Some(entry) => entry.problem(wrong),
                None => wrong.at(format!("{}: {key}", self.layers.file_name()), key),
            });
        }
    }
}

/// What the guest's files take in the memory of the host, MiB, beside what a tiny guest's
/// do.
pub(super) fn files_mib(plan: &Plan) -> u32 {
    let in_memory = match plan.platform {
        PlatformKind::TcgSvm | PlatformKind::Nested => true,
        PlatformKind::BochsVmx | PlatformKind::Local | PlatformKind::Ssh => false,
    };
    if !in_memory {
        return 0;
    }
    let guest = &plan.guest;
    let recipe = match guest.image {
        GuestRecipe::Debian if guest.uses_recipe() => u64::from(DEBIAN_MIB),
        GuestRecipe::Debian | GuestRecipe::Tiny => 0,
    };
    let own = [
        guest.kernel.as_deref(),
        guest.initrd.as_deref(),
        guest.disk.as_ref().map(|disk| disk.path.as_path()),
    ];
    let own: u64 = own.into_iter().flatten().map(size_mib).sum();
    u32::try_from((recipe + own) * COPIES).unwrap_or(u32::MAX)
}

fn size_mib(path: &Path) -> u64 {
    // A file that cannot be asked is an error where it is read.
    std::fs::metadata(path).map_or(0, |metadata| metadata.len() >> 20)
}

/// Nothing where the text is empty.
fn given<T>(
    entry: &Entry<'_, String>,
    convert: impl FnOnce(&Entry<'_, String>) -> Result<T, Wrong>,
) -> Result<Option<T>, Wrong> {
    if entry.value.is_empty() {
        return Ok(None);
    }
    convert(entry).map(Some)
}
