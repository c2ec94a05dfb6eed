//! The images that a run boots from, built without root and byte for byte equal for
//! equal inputs: the guest's initramfs and the host's root file system.

mod closure;
mod cpio;
mod debian;
mod files;
mod guest;
mod host;
pub mod keys;
mod tiny;
pub mod tree;

pub use closure::LOADER;
pub use cpio::archive;
pub use files::GuestFiles;
pub use guest::{GuestImage, build_guest, secrets};
pub use host::{CYLINDER, HostForm, HostImage, build_bare_host, build_host, kit, order_archive};
