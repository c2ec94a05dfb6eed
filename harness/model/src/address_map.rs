//! What a machine has at its I/O ports and guest-physical addresses, as QEMU draws its own map
//! (`info mtree -f -o` and `info qtree` of the human monitor; QMP has no command for either).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most regions that are kept: a machine full of devices has some hundreds.
const MOST: usize = 4096;

/// Longest name that is kept, bytes: the longest of QEMU's own have 40.
const LONGEST: usize = 128;

/// The region that lies below all others of its space: where it is seen, nothing else is.
const ROOTS: [&str; 2] = ["io", "system"];

/// How QEMU calls what a virtio device has in common with all others, before its name.
const VIRTIO_PCI: &str = "virtio-pci-common-";

/// How it calls a transport of `microvm`.
const VIRTIO_MMIO: &str = "virtio-mmio";

/// An address space.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// I/O ports.
    Io,
    /// Guest-physical memory.
    Memory,
}

/// What answers in a part of an address space. Memory is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct MapRegion {
    /// Of which space.
    pub space: Space,
    /// Its first port or address.
    pub first: u64,
    /// Its last one.
    pub last: u64,
    /// As QEMU calls it: `serial`, `msix-table`.
    pub name: String,
    /// The device that it belongs to, by its `id` or its kind, where QEMU tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
}

/// All that answers a guest, but its memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressMap {
    /// By space and address; none of them overlap.
    pub regions: Vec<MapRegion>,
    /// Why it could not be had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lacks: Option<String>,
}

impl AddressMap {
    /// None, and why.
    pub fn lacking(why: String) -> AddressMap {
        AddressMap {
            regions: Vec::new(),
            lacks: Some(why),
        }
    }

    /// Reads `info mtree -f -o`. Lines of other forms are passed over.
    pub fn parse(mtree: &str) -> AddressMap {
        let mut found: Vec<(MapRegion, Option<&str>)> = Vec::new();
        let mut space = None;
        for line in mtree.lines() {
            if line.starts_with("FlatView") {
                space = None;
            } else if let Some(name) = line.strip_prefix(" AS \"") {
                space = match name.split('"').next() {
                    Some("I/O") => Some(Space::Io),
                    Some("memory") => Some(Space::Memory),
                    _ => space,
                };
            } else if let Some(space) = space
                && found.len() < MOST
            {
                found.extend(region(space, line));
            }
        }
        let mut map = AddressMap {
            regions: with_devices(found),
            lacks: None,
        };
        if map.regions.is_empty() {
            map.lacks = Some("QEMU's `info mtree` shows no region".to_owned());
        }
        map
    }

    /// Whether some of its regions are transports of `microvm`, whose devices only
    /// [`AddressMap::plug`] can tell.
    pub fn has_transports(&self) -> bool {
        self.regions.iter().any(|region| region.name == VIRTIO_MMIO)
    }

    /// Takes from `info qtree` which device is behind which transport of `microvm`.
    pub fn plug(&mut self, qtree: &str) {
        let mut transport: Option<(usize, u64)> = None;
        for line in qtree.lines() {
            let words = line.trim_start();
            let depth = line.len() - words.len();
            if transport.is_some_and(|(own, _)| depth < own) {
                transport = None;
            }
            if let Some(range) = words.strip_prefix("mmio ") {
                let first = range.split('/').next().unwrap_or_default();
                transport = u64::from_str_radix(first, 16).ok().map(|at| (depth, at));
            } else if let (Some((own, at)), Some(device)) = (transport, words.strip_prefix("dev: "))
                && depth > own
            {
                let is_it = |r: &&mut MapRegion| r.first == at && r.name == VIRTIO_MMIO;
                if let Some(region) = self.regions.iter_mut().find(is_it) {
                    region.device = Some(device_of_qtree(device));
                }
                transport = None;
            }
        }
    }

    /// Whether it says what is in a space, so that what it does not name is not there.
    pub fn tells(&self, space: Space) -> bool {
        self.regions.iter().any(|region| region.space == space)
    }

    /// What answers at a port or an address.
    pub fn at(&self, space: Space, address: u64) -> Option<&MapRegion> {
        let mut regions = self.regions.iter();
        regions.find(|r| r.space == space && (r.first..=r.last).contains(&address))
    }
}

/// `FIRST-LAST (prio N, KIND): NAME @OFFSET owner:{dev id=ID}`, and who owns it.
fn region(space: Space, line: &str) -> Option<(MapRegion, Option<&str>)> {
    let (range, rest) = line.trim().split_once(" (prio ")?;
    let (first, last) = range.split_once('-')?;
    let (_, rest) = rest.split_once(", ")?;
    let (kind, rest) = rest.split_once("): ")?;
    let (name, owner) = match rest.find(" owner:{").or_else(|| rest.find(" parent:{")) {
        Some(at) => (&rest[..at], owner(&rest[at..])),
        None => (rest, None),
    };
    // Where in the region it begins, and that an accelerator has it, is not its name.
    let name = name.trim_end_matches(" KVM");
    let name = name.split(" @").next().unwrap_or(name).trim();
    let hexadecimal = |digits| u64::from_str_radix(digits, 16).ok();
    let region = MapRegion {
        space,
        first: hexadecimal(first)?,
        last: hexadecimal(last)?,
        name: name.to_owned(),
        device: None,
    };
    let named = !name.is_empty() && name.len() <= LONGEST && !ROOTS.contains(&name);
    let answers = !kind.contains("ram") && region.first <= region.last;
    (named && answers).then_some((region, owner))
}

/// `id=ID` or `path=PATH` of ` owner:{dev id=ID}`.
fn owner(text: &str) -> Option<&str> {
    let (_, owner) = text.split_once('{')?;
    let (_, owner) = owner.split_once(' ')?;
    let owner = owner.trim_end().trim_end_matches('}');
    (owner.len() <= LONGEST).then_some(owner)
}

/// A device without an `id` is known by the region in which QEMU says what kind of virtio it is.
fn with_devices(found: Vec<(MapRegion, Option<&str>)>) -> Vec<MapRegion> {
    let kind = |owner: Option<&str>| {
        let mut common = found.iter().filter(|(_, other)| *other == owner);
        let kind = common.find_map(|(region, _)| region.name.strip_prefix(VIRTIO_PCI));
        kind.map(str::to_owned)
    };
    let device = |region: &MapRegion, owner: Option<&str>| {
        let owner = owner?;
        match owner.strip_prefix("id=") {
            Some(id) => Some(id.to_owned()),
            None => kind(Some(owner)).filter(|kind| !region.name.ends_with(&**kind)),
        }
    };
    let mut regions: Vec<MapRegion> = found
        .iter()
        .map(|(region, owner)| MapRegion {
            device: device(region, *owner),
            ..region.clone()
        })
        .collect();
    regions.sort();
    regions
}

/// `KIND, id "ID"`: the `id`, if there is one.
fn device_of_qtree(words: &str) -> String {
    let (kind, id) = words.split_once(", id \"").unwrap_or((words, ""));
    let id = id.trim_end_matches('"');
    let name = if id.is_empty() { kind } else { id };
    name.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MTREE: &str = "\
FlatView #0
 AS \"memory\", root: system
 AS \"cpu-memory-0\", root: system
 Root memory region: system
  0000000000000000-000000000009ffff (prio 0, ram): pc.ram KVM owner:{obj path=/objects/pc.ram}
  00000000febc0000-00000000febc003f (prio 0, i/o): msix-table owner:{dev path=/machine/a/device[0]}
  00000000febf8000-00000000febf8fff (prio 0, i/o): virtio-pci-common-virtio-net owner:{dev path=/machine/a/device[0]}
  00000000febfa000-00000000febfafff (prio 0, i/o): virtio-pci-device-virtio-blk owner:{dev id=disk0}
  00000000febd4400-00000000febd441f (prio 0, i/o): vga ioports remapped
  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios parent:{obj path=/machine/unattached}

FlatView #1
 AS \"cpu-smm-0\", root: memory
  00000000000a0000-00000000000bffff (prio 1, i/o): smram

FlatView #2
 AS \"I/O\", root: io
 Root memory region: io
  0000000000000060-0000000000000070 (prio 0, i/o): io @0000000000000060
  0000000000000071-0000000000000071 (prio 0, i/o): rtc @0000000000000001 owner:{dev path=/machine/rtc}
";

    const QTREE: &str = "\
bus: main-system-bus
  type System
  dev: virtio-mmio, id \"\"
    mmio 00000000feb00000/0000000000000200
    bus: virtio-mmio-bus.0
      type virtio-mmio-bus
  dev: virtio-mmio, id \"\"
    mmio 00000000feb00200/0000000000000200
    bus: virtio-mmio-bus.1
      type virtio-mmio-bus
      dev: virtio-net-device, id \"\"
  dev: ioapic, id \"\"
    mmio 00000000fec00000/0000000000001000
";

    #[test]
    fn regions_are_those_of_both_spaces_but_memory() {
        let map = AddressMap::parse(MTREE);
        let told = |space, address| {
            let region = map.at(space, address);
            region.map(|r| (r.name.as_str(), r.device.as_deref()))
        };
        let memory = |address| told(Space::Memory, address);
        assert_eq!(
            memory(0xfebc_0010),
            Some(("msix-table", Some("virtio-net")))
        );
        assert_eq!(
            memory(0xfebf_8000),
            Some(("virtio-pci-common-virtio-net", None))
        );
        let of_a_disk = Some(("virtio-pci-device-virtio-blk", Some("disk0")));
        assert_eq!(memory(0xfebf_afff), of_a_disk);
        assert_eq!(memory(0xfebd_4400), Some(("vga ioports remapped", None)));
        assert_eq!(memory(0xffff_fff0), Some(("pc.bios", None)));
        for nothing in [0x1000, 0xa_0000, 0x1_0000_0000] {
            assert_eq!(memory(nothing), None);
        }
        assert_eq!(told(Space::Io, 0x71), Some(("rtc", None)));
        assert_eq!(told(Space::Io, 0x60), None);
        assert!(map.tells(Space::Io) && !map.has_transports());
    }

    #[test]
    fn a_transport_is_told_by_its_device() {
        let line = |first: u64| {
            format!(
                "  {first:016x}-{:016x} (prio 0, i/o): virtio-mmio\r\n",
                first + 511
            )
        };
        let lines = [line(0xfeb0_0000), line(0xfeb0_0200)].concat();
        let mut map = AddressMap::parse(&format!(" AS \"memory\", root: system\r\n{lines}"));
        assert!(map.has_transports());
        map.plug(QTREE);
        let device = |address| map.at(Space::Memory, address).unwrap().device.as_deref();
        assert_eq!(device(0xfeb0_0000), None);
        assert_eq!(device(0xfeb0_0210), Some("virtio-net-device"));
    }

    #[test]
    fn a_text_without_regions_says_so() {
        let map = AddressMap::parse("unknown command: 'info mtree -f -o'\r\n");
        assert!(map.lacks.unwrap().contains("no region"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "(FlatView| AS \"(I/O|memory)\"|[ 0-9a-f@:{}(),/\n-]|mmio |dev: |owner:){0,80}") {
            let mut map = AddressMap::parse(&text);
            map.plug(&text);
            prop_assert!(map.regions.iter().all(|region| region.first <= region.last));
        }
    }
}
