//! A kernel of the user's own that is ready to boot: nothing is built.

mod built_in;

pub use built_in::{BuiltIn, built_in};

use std::fs::File;
use std::io::Read;
use std::path::Path;

use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_model::artifacts::HostKernel;

/// The setup code of a bzImage is at most 64 sectors and a boot sector
/// (Documentation/arch/x86/boot.rst).
const SETUP_BYTES: u64 = 65 * 512;

/// What the header of a bzImage says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `uname -r`.
    pub release: String,
    /// Bytes that the file must have at least: the setup code and the kernel after it.
    size: u64,
    /// Where the compressed kernel begins, bytes from the file's start; none before version
    /// 2.08 of the boot protocol.
    payload: Option<u64>,
}

/// The header of the kernel at `path`.
///
/// # Errors
///
/// [`Error::Config`] if it is no bzImage, or a part of one.
pub fn look(path: &Path) -> Result<Header> {
    let mut setup = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    file.take(SETUP_BYTES)
        .read_to_end(&mut setup)
        .map_err(Error::io("read", path))?;
    let header = Header::of(&setup).ok_or_else(|| Error::Config {
        message: format!("kernel.source: {} is no bzImage", path.display()),
        cure: "give image: the path of arch/x86/boot/bzImage of a build with CONFIG_KVM=y and \
               CONFIG_KVM_INTEL=y or CONFIG_KVM_AMD=y (distributions have KVM as modules, which \
               no host here loads)"
            .into(),
    })?;
    if length < header.size {
        return Err(Error::Config {
            message: format!(
                "kernel.source: {} is cut off: it has {length} bytes, and its header speaks of {}",
                path.display(),
                header.size
            ),
            cure: "copy it again, or build it again".into(),
        });
    }
    Ok(header)
}

/// The kernel at `path`.
pub fn load(cache: &Cache, path: &Path) -> Result<HostKernel> {
    let Header { release, .. } = look(path)?;
    let digest = cache.file_digest(path)?.hex().to_owned();
    let key = KeyBuilder::new().text("image", &digest).build();
    Ok(HostKernel {
        image: path.to_owned(),
        vmlinux: None,
        config: None,
        release,
        key: key.hex().to_owned(),
        inputs: key.inputs().to_vec(),
        digest,
    })
}

impl Header {
    /// None if it is not one (Documentation/arch/x86/boot.rst).
    fn of(setup: &[u8]) -> Option<Header> {
        let word = |at: usize| Some(u16::from_le_bytes(setup.get(at..at + 2)?.try_into().ok()?));
        let long = |at: usize| Some(u32::from_le_bytes(setup.get(at..at + 4)?.try_into().ok()?));
        let is_bzimage = word(0x1fe)? == 0xaa55 && setup.get(0x202..0x206)? == b"HdrS";
        let (pointer, version) = (word(0x20e)?, word(0x206)?);
        if !is_bzimage || pointer == 0 {
            return None;
        }
        // `6.12.117 (user@host) #1 SMP …`
        let text = setup.get(usize::from(pointer) + 0x200..)?;
        let end = text.iter().position(|byte| *byte == 0 || *byte == b' ')?;
        let sectors = match setup.get(0x1f1)? {
            0 => 4,
            sectors => u64::from(*sectors),
        };
        let start = (sectors + 1) * 512;
        // In paragraphs of 16 bytes, the last of which may not be full.
        let kernel = u64::from(long(0x1f4)?) * 16;
        Some(Header {
            release: String::from_utf8(text[..end].to_vec()).ok()?,
            size: start + kernel.saturating_sub(15),
            payload: match version {
                0x0208.. => Some(start + u64::from(long(0x248)?)),
                _ => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The header of a bzImage as the boot protocol has it.
    fn header() -> Vec<u8> {
        let mut setup = vec![0; 5 * 512 + 64];
        setup[0x1f4] = 4;
        setup[0x206..0x208].copy_from_slice(&[0x0f, 0x02]);
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
    fn what_is_cut_off_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bzImage");
        let whole = header();
        for length in [whole.len() - 16, 5 * 512, 0x400] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = look(&path).unwrap_err().to_string();
            assert!(error.contains("is cut off"), "{error}");
        }
        std::fs::write(&path, &whole[..whole.len() - 15]).unwrap();
        assert_eq!(look(&path).unwrap().payload, Some(5 * 512));
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
