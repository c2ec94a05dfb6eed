#![allow(clippy::unwrap_used)]

use super::header::crc32;
use super::payload::filtered;
use super::*;

const RELEASE: &str = "6.12.117-ada";

/// An unpacked kernel with these texts in it.
fn kernel(texts: &[&[u8]]) -> Vec<u8> {
    let mut kernel = b"\x7fELF\x02".to_vec();
    for text in texts {
        kernel.push(0);
        kernel.extend(*text);
    }
    // Not all the same, so that it does not shrink to nothing.
    kernel.extend((0..3000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()));
    kernel
}

/// A bzImage as the boot protocol has it, packed with gzip, and its checksum.
fn image(release: &str, kernel: &[u8]) -> Vec<u8> {
    let packed = filtered(&["gzip", "-nc"], kernel, 1 << 20).unwrap();
    let mut image = vec![0; 0x400];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
    image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    image[0x211] = 1;
    image[0x236] = 1;
    image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    let version = format!("{release} (me@here) #1 SMP\0");
    image[0x300..0x300 + version.len()].copy_from_slice(version.as_bytes());
    image.extend([0x90; 16]);
    image.extend(&packed);
    while (image.len() - 0x400) % 16 != 12 {
        image.push(0);
    }
    let units = (image.len() + 4 - 0x400) / 16;
    image[0x1f4..0x1f8].copy_from_slice(&(units as u32).to_le_bytes());
    let crc = crc32(&image);
    image.extend(crc.to_le_bytes());
    image
}

fn hindrance(image: &[u8]) -> Option<Hindrance> {
    of_bytes(image).err().map(|unfit| unfit.hindrance)
}

const BOTH: [&[u8]; 2] = [b"kvm_intel.ept", b"kvm_amd.npt"];

#[test]
fn a_good_image_tells_its_release_and_its_kvm() {
    let seen = of_bytes(&image(RELEASE, &kernel(&BOTH))).unwrap();
    assert_eq!(seen.release, RELEASE);
    let kvm = seen.kvm.unwrap();
    assert_eq!((kvm.intel, kvm.amd), (Part::BuiltIn, Part::BuiltIn));
    assert_eq!(fits(&seen, Isa::Svm), Ok(()));
}

#[test]
fn an_image_that_is_cut_anywhere_is_truncated() {
    let whole = image(RELEASE, &kernel(&BOTH));
    for length in (0x206..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let cut = &whole[..length];
        assert_eq!(hindrance(cut), Some(Hindrance::Truncated), "{length}");
    }
    for length in 0..0x206 {
        assert_eq!(
            hindrance(&whole[..length]),
            Some(Hindrance::NoKernel),
            "{length}"
        );
    }
    // What is appended is no part of it.
    assert_eq!(hindrance(&[&whole[..], &[1; 100]].concat()), None);
}

#[test]
fn a_byte_that_changed_is_seen_wherever_it_is() {
    let whole = image(RELEASE, &kernel(&BOTH));
    for at in (0..whole.len()).step_by(53) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert!(of_bytes(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn an_image_without_a_checksum_is_unpacked() {
    let mut new = image("6.16.0", &kernel(&BOTH));
    let end = new.len();
    new[end - 4..].fill(0xee);
    assert_eq!(hindrance(&new), None);
    new[0x400 + 16 + 2000] ^= 1;
    let unfit = of_bytes(&new).unwrap_err();
    assert_eq!(unfit.hindrance, Hindrance::Damaged);
    assert!(unfit.seen.contains("packed with gzip"), "{}", unfit.seen);
}

#[test]
fn nothing_that_a_header_says_makes_it_panic() {
    let whole = image(RELEASE, &kernel(&BOTH));
    let mut random = 1_u64;
    for _ in 0..3000 {
        let mut changed = whole.clone();
        for _ in 0..4 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = 0x1f0 + (random >> 33) as usize % 0x80;
            changed[at] = (random >> 56) as u8;
        }
        // The checksum spares the unpacking.
        let _ = of_bytes(&changed);
    }
}

#[test]
fn the_kvm_of_a_kernel_is_held_against_the_processor() {
    let of = |texts: &[&[u8]], isa| {
        let look = of_bytes(&image(RELEASE, &kernel(texts))).unwrap();
        fits(&look, isa).err()
    };
    let seen = |texts, isa| of(texts, isa).map(|unfit| unfit.hindrance);
    let intel: [&[u8]; 1] = [b"kvm_intel.ept"];
    assert_eq!(seen(&intel, Isa::Vmx), None);
    assert_eq!(seen(&intel, Isa::Svm), Some(Hindrance::OtherVendor));
    assert_eq!(seen(&[], Isa::Svm), Some(Hindrance::NoKvm));
    let modules: [&[u8]; 1] = [b"fpu_swap_kvm_fpstate"];
    assert_eq!(seen(&modules, Isa::Svm), Some(Hindrance::KvmModules));
    // A text that only mentions it.
    assert_eq!(
        seen(&[b"see kvm_amd.npt"], Isa::Svm),
        Some(Hindrance::NoKvm)
    );

    let packed = |config: &str| filtered(&["gzip", "-nc"], config.as_bytes(), 9999).unwrap();
    let with_config = |config| {
        let text = [&b"IKCFG_ST"[..], &packed(config), b"IKCFG_ED"].concat();
        of(&[&text], Isa::Svm).unwrap()
    };
    let unfit = with_config("CONFIG_KVM=m\nCONFIG_KVM_AMD=m\n");
    assert_eq!(unfit.hindrance, Hindrance::KvmModules);
    assert!(unfit.seen.contains("by its configuration"), "{unfit:?}");
    let unfit = with_config("# CONFIG_KVM is not set\n");
    assert_eq!(unfit.hindrance, Hindrance::NoKvm);
    let unfit = with_config("CONFIG_KVM=y\nCONFIG_KVM_INTEL=y\n");
    assert_eq!(unfit.hindrance, Hindrance::OtherVendor);
}

#[test]
fn a_kernel_of_32_bits_is_told() {
    let mut old = image(RELEASE, &kernel(&BOTH));
    old[0x236] = 0;
    let end = old.len() - 4;
    let crc = crc32(&old[..end]);
    old[end..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(hindrance(&old), Some(Hindrance::WrongMachine));
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path(), Path::new("/dev/zero"), &dir.path().join("none")] {
        assert_eq!(look(path).unwrap_err().hindrance, Hindrance::NoFile);
    }
}

#[test]
fn a_driver_that_is_built_in_is_told_from_one_that_is_a_module() {
    let network = |texts: &[&[u8]]| of_bytes(&image(RELEASE, &kernel(texts))).unwrap().network;
    assert_eq!(network(&[b"virtio_net\0"]), Some(true));
    assert_eq!(
        network(&[b"virtio_network\0", b"xvirtio_net\0"]),
        Some(false)
    );
}
