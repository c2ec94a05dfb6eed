//! What a host boots from.

use crate::image::HostImage;
use exitlab_model::artifacts::HostKernel;

/// What a host boots from.
#[derive(Debug, Clone, Copy)]
pub struct Boot<'a> {
    /// The host's kernel.
    pub kernel: &'a HostKernel,
    /// The host's root file system.
    pub image: &'a HostImage,
}
