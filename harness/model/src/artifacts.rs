//! What was built, for those who boot it.

use std::path::PathBuf;

/// A kernel that can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKernel {
    /// The compressed image that a boot loader takes.
    pub image: PathBuf,
    /// The uncompressed ELF without symbols: QEMU boots it without unpacking (PVH).
    pub vmlinux: Option<PathBuf>,
    /// Its configuration; unknown of a ready image.
    pub config: Option<PathBuf>,
    /// `uname -r`.
    pub release: String,
    /// Digest of every input.
    pub key: String,
    /// The inputs one by one: name, and digest or version.
    pub inputs: Vec<(String, String)>,
    /// Digest of `image`.
    pub digest: String,
}
