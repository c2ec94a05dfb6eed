//! What a host boots from.

use std::path::PathBuf;

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

/// Files that a run boots from, or that run it, by what they are.
pub type Files = Vec<(&'static str, PathBuf)>;
