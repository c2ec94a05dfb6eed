//! Attaching to a virtual machine that runs already, of whatever VMM.

use serde::{Deserialize, Serialize};

/// A virtual machine that runs on a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundVm {
    /// Its process.
    pub pid: u32,
    /// What it is called: QEMU's `-name`, else the name of its process.
    pub name: String,
    /// The program that runs it: `qemu-system-x86_64`.
    pub vmm: String,
    /// How many vCPUs it has now.
    pub vcpus: u32,
    /// Since when its process runs, seconds.
    pub up_s: f64,
}

/// What is to be done with virtual machines that run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttachOrder {
    /// The process or the name of the one to count; none only to list all.
    pub target: Option<String>,
    /// Seconds between samples; none for one sample at the end.
    pub every_s: Option<f64>,
    /// Seconds until the last sample; none until it is asked for.
    pub for_s: Option<f64>,
}

/// What the samples are called, from 1 on.
pub fn phase(number: u32) -> String {
    format!("attached {number}")
}
