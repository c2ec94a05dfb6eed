//! Modules of a kernel in an image, and what loads them.

use std::path::{Path, PathBuf};

use super::made_of;
use super::needs::{BUSYBOX, BUSYBOX_PACKAGE};
use exitlab_base::archive::{Tree, archive};
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::need::Search;
use exitlab_model::artifacts::KernelModules;
use exitlab_model::name::PlainName;

/// Loads what is listed beside it; init of every image sources it, where it is.
const LOAD: &str = include_str!("load-modules.sh");
/// Init of an initramfs that only finds the root.
const ROOT_INIT: &str = include_str!("root-init.sh");
/// Where all of it lies in an image. The scripts know it, too.
const DIR: &str = "modules";
/// The initramfs of [`root_initramfs`] in its artifact.
const ROOT: &str = "initramfs.cpio";

/// Adds the modules `order` out of `dir` to an image.
pub fn add(tree: &mut Tree, dir: &Path, order: &[PlainName]) -> Result<()> {
    let mut list = String::new();
    for name in order {
        tree.copy(
            &dir.join(format!("{name}.ko")),
            &format!("{DIR}/{name}.ko"),
            0o644,
        )?;
        list += &format!("{name}\n");
    }
    tree.file(&format!("{DIR}/order"), list, 0o644);
    tree.file(&format!("{DIR}/load"), LOAD, 0o644);
    Ok(())
}

/// The initramfs with which a kernel whose disks and file systems are modules finds a root on
/// a disk; built, or found in the cache.
pub async fn root_initramfs(cache: &Cache, modules: &KernelModules) -> Result<PathBuf> {
    let mut tree = Tree::default();
    for dir in ["dev", "proc", "root"] {
        tree.dir(dir);
    }
    tree.file("init", ROOT_INIT, 0o755);
    let busybox = Search::require_program(BUSYBOX, BUSYBOX_PACKAGE)?;
    tree.copy(&busybox, "bin/busybox", 0o755)?;
    add(&mut tree, &modules.dir, &modules.order.root)?;
    let digest = tree.digest(cache)?;
    let key = KeyBuilder::new().text("tree", digest.hex()).build();
    let build = async |dir: &Path| {
        made_of::write(dir, &tree)?;
        let path = dir.join(ROOT);
        std::fs::write(&path, archive(&tree)?).map_err(Error::io("write", path))
    };
    let artifact = cache.get_or_build("root-initramfs", &key, build).await?;
    Ok(artifact.dir.join(ROOT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn modules_are_listed_in_the_order_in_which_they_are_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let order = ["irqbypass", "kvm", "kvm_amd"].map(|name| PlainName::new(name).unwrap());
        for name in &order {
            std::fs::write(dir.path().join(format!("{name}.ko")), name.as_str()).unwrap();
        }
        let mut tree = Tree::default();
        add(&mut tree, dir.path(), &order).unwrap();
        let out = tempfile::tempdir().unwrap();
        tree.write_below(out.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(out.path().join(DIR).join(name)).unwrap();
        assert_eq!(read("order"), "irqbypass\nkvm\nkvm_amd\n");
        assert_eq!(read("kvm.ko"), "kvm");
        assert_eq!(read("load"), LOAD);
    }
}
