//! Hosts: what they boot from, and the machines that they are.
//!
//! ```text
//! image: build_guest ─► GuestImage ─► build_host ─► HostImage
//! platform: start ─► Machine ─► what the agent on it says
//! ```

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod image;
pub mod platform;
pub mod qemu_files;

/// What hosts and guests need of this machine.
pub mod needs {
    pub use crate::image::needs::{guest, images};
    pub use crate::platform::needs::{of_platform, qemu};
}
