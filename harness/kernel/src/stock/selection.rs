//! Which modules of a kernel are loaded, and in which order.

use std::collections::BTreeSet;

use super::module::Needs;

/// Disk and file system of a host whose root is on a disk of Bochs'.
pub const ROOT: [&str; 3] = ["ata_piix", "sd_mod", "erofs"];
/// KVM; the host loads that of its processor.
pub const HOST: [&str; 2] = ["kvm_intel", "kvm_amd"];
/// Devices of QEMU's machines.
pub const GUEST: [&str; 5] = [
    "virtio_pci",
    "virtio_mmio",
    "virtio_net",
    "virtio_blk",
    "virtio_console",
];

/// The modules `wanted`, each after all that it needs. `needs` tells of a module what it needs;
/// none for what is no module of this kernel, and then is in it, or nowhere.
///
/// # Errors
///
/// What `needs` says.
pub fn ordered<E>(
    wanted: &[&str],
    mut needs: impl FnMut(&str) -> Result<Option<Needs>, E>,
) -> Result<Vec<String>, E> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for name in wanted {
        add((*name).to_owned(), &mut needs, &mut seen, &mut order)?;
    }
    Ok(order)
}

fn add<E>(
    name: String,
    needs: &mut impl FnMut(&str) -> Result<Option<Needs>, E>,
    seen: &mut BTreeSet<String>,
    order: &mut Vec<String>,
) -> Result<(), E> {
    if !seen.insert(name.clone()) {
        return Ok(());
    }
    let Some(before) = needs(&name)? else {
        return Ok(());
    };
    for other in before.hard.into_iter().chain(before.soft) {
        add(other, needs, seen, order)?;
    }
    order.push(name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(wanted: &[&str], known: &[(&str, &str, &str)]) -> String {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let needs = |name: &str| {
            let found = known.iter().find(|(module, _, _)| *module == name);
            Ok::<_, ()>(found.map(|(_, hard, soft)| Needs {
                hard: words(hard),
                soft: words(soft),
            }))
        };
        ordered(wanted, needs).unwrap().join(" ")
    }

    #[test]
    fn each_module_comes_after_what_it_needs() {
        let debian = [
            ("kvm", "irqbypass", ""),
            ("kvm_intel", "kvm", ""),
            ("kvm_amd", "kvm ccp", ""),
            ("irqbypass", "", ""),
            ("ccp", "", ""),
            ("virtio_pci", "virtio virtio_ring virtio_pci_modern_dev", ""),
            ("virtio_pci_modern_dev", "", ""),
            ("virtio_ring", "virtio", ""),
            ("virtio", "", ""),
            ("erofs", "lz4", "pre crc32c"),
        ];
        let host = of(&HOST, &debian);
        assert_eq!(host, "irqbypass kvm kvm_intel ccp kvm_amd");
        // What is in the kernel, or nowhere, is not loaded.
        let guest = of(&GUEST, &debian);
        assert_eq!(guest, "virtio virtio_ring virtio_pci_modern_dev virtio_pci");
        assert_eq!(of(&ROOT, &debian), "erofs");
        assert_eq!(of(&["e1000"], &debian), "");
    }

    #[test]
    fn modules_that_need_each_other_end() {
        let circle = [("a", "b", ""), ("b", "c", ""), ("c", "a", "")];
        assert_eq!(of(&["a"], &circle), "c b a");
        assert_eq!(of(&["a"], &[("a", "a", "")]), "a");
    }
}
