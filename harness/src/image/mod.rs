//! The images that a run boots from, built without root and byte for byte equal for
//! equal inputs: the guest's initramfs and the host's root file system.

mod closure;
mod cpio;
mod guest;
mod host;
pub mod keys;
pub mod tree;

pub use closure::LOADER;
pub use guest::{GuestImage, build_guest, keys_archive};
pub use host::{
    CYLINDER, HostForm, HostImage, HostParts, build_bare_host, build_host, kit, order_archive,
};
