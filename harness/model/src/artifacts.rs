//! What was built, for those who boot it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::name::PlainName;

/// A kernel that can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKernel {
    /// The compressed image that a boot loader takes.
    pub image: PathBuf,
    /// The uncompressed ELF without symbols: QEMU boots it without unpacking (PVH).
    pub vmlinux: Option<PathBuf>,
    /// Its configuration; unknown of a ready image.
    pub config: Option<PathBuf>,
    /// The part of it that is not in the image; none of a kernel that loads no modules.
    pub modules: Option<KernelModules>,
    /// `uname -r`.
    pub release: String,
    /// Digest of every input.
    pub key: String,
    /// The inputs one by one: name, and digest or version.
    pub inputs: Vec<(String, String)>,
    /// Digest of `image`.
    pub digest: String,
}

/// Modules of a kernel that its machines need, in files called `NAME.ko`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelModules {
    /// The directory that holds them.
    pub dir: PathBuf,
    /// Which of them who loads.
    pub order: ModuleOrder,
}

/// Names of modules, each after those that it needs; without what is in the kernel itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleOrder {
    /// Disk and file system of a host whose root is not in memory.
    pub root: Vec<PlainName>,
    /// KVM, of both vendors.
    pub host: Vec<PlainName>,
    /// Devices of QEMU's machines.
    pub guest: Vec<PlainName>,
}
