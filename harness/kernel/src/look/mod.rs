//! What an image says before it is booted: whether it is a kernel, whole and as it was built,
//! for this processor, and with which KVM. All of it is read from the file, in a second.

mod header;
mod kind;
mod kvm;
mod payload;
mod unfit;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use exitlab_model::hindrance::Hindrance;
use exitlab_model::reasons::Isa;

use header::Header;
use kvm::has_text;
pub use kvm::{Kvm, Part};
pub(crate) use payload::{Failed, filtered};
pub use unfit::Unfit;

/// No image of a kernel is larger, bytes: what is, is a disk or a film.
const LARGEST: u64 = 1 << 30;

/// The name of the driver in the driver itself (`KBUILD_MODNAME`), between zeros: a kernel
/// that has it as a module does not hold the text.
const NETWORK: &[u8] = b"virtio_net\0";

/// What an image tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its release: `6.12.117`.
    pub release: String,
    /// The KVM in it; none if its payload could not be read here.
    pub kvm: Option<Kvm>,
    /// Whether the driver of a guest's network (`virtio_net`) is built in; none if its payload
    /// could not be read here.
    pub network: Option<bool>,
}

/// Looks at the image at `path`. Reads a regular file only: nothing else ends.
pub fn look(path: &Path) -> Result<Look, Unfit> {
    of_bytes(&read(path)?)
}

/// Whether the KVM that was seen can be used on a processor; an image that does not tell may
/// have one.
pub fn fits(look: &Look, isa: Isa) -> Result<(), Unfit> {
    look.kvm.as_ref().map_or(Ok(()), |kvm| kvm.fits(isa))
}

fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    let none = |why: String| Unfit::new(Hindrance::NoFile, why);
    let about = std::fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => none("there is no such file".to_owned()),
        _ => none(format!("it cannot be read: {e}")),
    })?;
    if about.is_dir() {
        return Err(none("it is a directory, and no image is in it".to_owned()));
    }
    if !about.is_file() {
        return Err(none("it is no regular file".to_owned()));
    }
    if about.len() > LARGEST {
        let seen = format!("it has {} bytes, more than any kernel", about.len());
        return Err(Unfit::new(Hindrance::NoKernel, seen));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(|e| none(format!("it cannot be read: {e}")))?;
    Ok(bytes)
}

fn of_bytes(image: &[u8]) -> Result<Look, Unfit> {
    if let Some(kind) = kind::other_than_kernel(image) {
        return Err(Unfit::new(Hindrance::NoKernel, kind));
    }
    let header = Header::of(image)?;
    header.require_whole(image)?;
    header.require_as_built(image)?;
    header.require_64_bits()?;
    let kernel = payload::unpacked(header.payload(image))?;
    Ok(Look {
        release: header.release,
        network: kernel.as_deref().map(|kernel| has_text(kernel, NETWORK)),
        kvm: kernel.map(|kernel| Kvm::of(&kernel)),
    })
}

/// The uncompressed kernel in the image at `path`, an ELF file without symbols; none where
/// this machine lacks what unpacks it.
pub fn unpacked(path: &Path) -> Result<Option<Vec<u8>>, Unfit> {
    let image = read(path)?;
    if let Some(kind) = kind::other_than_kernel(&image) {
        return Err(Unfit::new(Hindrance::NoKernel, kind));
    }
    let header = Header::of(&image)?;
    header.require_whole(&image)?;
    payload::unpacked(header.payload(&image))
}

#[cfg(test)]
mod tests;
