//! `[guest]`: what boots, on what machine, and whether the one fits the other.

use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;

use super::document::{Document, Given};
use super::layer::Entry;
use super::resolver::Resolver;
use super::value::{
    choose, cmdline, cpu, device, existing_file, guest_memory, not_blank, package, within,
};
use exitlab_base::toml::Wrong;
use exitlab_model::plan::{DiskFormat, DiskPlan, GuestPlan, GuestRecipe, Machine, Plan};
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
            |e| given(e, existing_file),
        );
        self.value(
            "guest.initrd",
            |d| &d.guest.initrd,
            &mut plan.initrd,
            |e| given(e, existing_file),
        );
        self.value(
            "guest.disk",
            |d| &d.guest.disk,
            &mut plan.disk,
            |e| given(e, disk),
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

    /// Without SSH nothing can be run in the guest.
    fn only_watched(&mut self, plan: &Plan) {
        let cure = "leave it out, or set guest.ssh to true";
        self.refuse(
            plan.sampling.channels.contains(&Channel::Cpuid),
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

/// A disk image that needs no other file.
fn disk(entry: &Entry<'_, String>) -> Result<DiskPlan, Wrong> {
    let path = existing_file(entry)?;
    let unreadable = |error: std::io::Error| {
        let what = format!("cannot be read: {}: {error}", path.display());
        Wrong::new(what, "check the rights of that file")
    };
    let mut header = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(QCOW2_HEADER).read_to_end(&mut header))
        .map_err(unreadable)?;
    let format = format_of(&header)?;
    Ok(DiskPlan { path, format })
}

/// Bytes of a qcow2 header that say what else an image needs.
const QCOW2_HEADER: u64 = 80;

/// The format of an image that begins with `header` (QEMU's `docs/interop/qcow2.txt`).
fn format_of(header: &[u8]) -> Result<DiskFormat, Wrong> {
    if !header.starts_with(b"QFI\xfb") {
        return Ok(DiskFormat::Raw);
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    };
    let version = number(0) & u64::from(u32::MAX);
    let (backing_file, incompatible) = (number(8), number(72));
    let external_data = version >= 3 && incompatible & 4 != 0;
    if backing_file == 0 && !external_data {
        return Ok(DiskFormat::Qcow2);
    }
    Err(Wrong::new(
        "needs another image beside it, which would not come along",
        "make it one file: qemu-img convert -O qcow2 IMAGE NEW-IMAGE",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qcow2(version: u8, backing_file: u8, incompatible: u8) -> Vec<u8> {
        let mut header = vec![0; 80];
        header[..4].copy_from_slice(b"QFI\xfb");
        header[7] = version;
        header[15] = backing_file;
        header[79] = incompatible;
        header
    }

    #[test]
    fn an_image_says_its_format_and_what_it_needs() {
        assert_eq!(format_of(b"\x55\xaa").ok(), Some(DiskFormat::Raw));
        assert_eq!(format_of(b"").ok(), Some(DiskFormat::Raw));
        assert_eq!(format_of(&qcow2(3, 0, 0)).ok(), Some(DiskFormat::Qcow2));
        assert_eq!(format_of(&qcow2(2, 0, 4)).ok(), Some(DiskFormat::Qcow2));
        assert!(format_of(&qcow2(3, 112, 0)).is_err());
        assert!(format_of(&qcow2(3, 0, 4)).is_err());
    }
}
