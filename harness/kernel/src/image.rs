//! A kernel of the user's own that is ready to boot: nothing is built.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_model::artifacts::HostKernel;

/// The setup code of a bzImage is at most 64 sectors and a boot sector
/// (Documentation/arch/x86/boot.rst).
const SETUP_BYTES: u64 = 65 * 512;

/// The kernel at `path`.
pub fn load(cache: &Cache, path: &Path) -> Result<HostKernel> {
    let mut setup = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SETUP_BYTES).read_to_end(&mut setup))
        .map_err(Error::io("read", path))?;
    let release = release(&setup).ok_or_else(|| Error::Config {
        message: format!("kernel.source: {} is no bzImage", path.display()),
        cure: "give image: the path of arch/x86/boot/bzImage of a build with CONFIG_KVM=y and \
               CONFIG_KVM_INTEL=y or CONFIG_KVM_AMD=y (a distribution has it as modules: name \
               its package, kernel.source=package:linux-image-cloud-amd64)"
            .into(),
    })?;
    let digest = cache.file_digest(path)?.hex().to_owned();
    let key = KeyBuilder::new().text("image", &digest).build();
    Ok(HostKernel {
        image: path.to_owned(),
        vmlinux: None,
        modules: None,
        config: None,
        release,
        key: key.hex().to_owned(),
        inputs: key.inputs().to_vec(),
        digest,
    })
}

/// The release in the header of a bzImage; none if it is not one.
pub(crate) fn release(setup: &[u8]) -> Option<String> {
    let is_bzimage =
        setup.get(0x1fe..0x200)? == [0x55, 0xaa] && setup.get(0x202..0x206)? == b"HdrS";
    let pointer = u16::from_le_bytes(setup.get(0x20e..0x210)?.try_into().ok()?);
    if !is_bzimage || pointer == 0 {
        return None;
    }
    // `6.12.117 (user@host) #1 SMP …`
    let text = setup.get(usize::from(pointer) + 0x200..)?;
    let end = text.iter().position(|byte| *byte == 0 || *byte == b' ')?;
    String::from_utf8(text[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The header of a bzImage as the boot protocol has it.
    fn header() -> Vec<u8> {
        let mut setup = vec![0; 0x400];
        setup[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        setup[0x202..0x206].copy_from_slice(b"HdrS");
        setup[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        setup[0x300..0x30d].copy_from_slice(b"6.12.117 (me)");
        setup
    }

    #[test]
    fn the_release_is_read_and_the_digest_is_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        let path = dir.path().join("bzImage");
        std::fs::write(&path, header()).unwrap();
        let kernel = load(&cache, &path).unwrap();
        assert_eq!((&*kernel.release, kernel.config), ("6.12.117", None));
        assert_eq!(kernel.inputs, [("image".to_owned(), kernel.digest)]);

        std::fs::write(&path, [header(), vec![0]].concat()).unwrap();
        assert_ne!(load(&cache, &path).unwrap().key, kernel.key);
    }

    #[test]
    fn what_is_no_bzimage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        let path = dir.path().join("vmlinux");
        for text in [&b"\x7fELF"[..], &[0; 0x1000], &header()[..0x250]] {
            std::fs::write(&path, text).unwrap();
            let error = load(&cache, &path).unwrap_err();
            assert!(
                error.to_string().contains("vmlinux is no bzImage"),
                "{error}"
            );
        }
    }
}
