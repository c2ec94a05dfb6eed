//! The images that a run boots from, built without root and byte for byte equal for
//! equal inputs: the guest's initramfs and the host's root file system.

mod companion;
mod debian;
mod guest;
mod host;
mod made_of;
mod modules;
pub(crate) mod needs;
mod tiny;

pub use companion::{AGENT, companion};
pub use guest::{GuestImage, build_guest};
pub use host::{
    CYLINDER, HostForm, HostImage, build_bare_host, build_host, host_files, order_archive,
};
pub use made_of::Packages;
pub use modules::root_initramfs;
