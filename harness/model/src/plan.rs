//! The plan: an experiment with every path absolute and every default filled in.
//! Nothing downstream of `exitlab-config` ever sees TOML.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::platform::{Accelerator, PlatformKind};
use crate::record::Channel;

pub use crate::left_behind::LeftBehind;

/// A validated experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the experiment: part of the results directory's name.
    pub name: String,
    /// Where the host comes from.
    pub platform: PlatformKind,
    /// Why `auto` chose that platform; none if the platform was named.
    pub platform_choice: Option<String>,
    /// The host's kernel (the guest runs the same image).
    pub kernel: KernelPlan,
    /// The host.
    pub host: HostPlan,
    /// The guest.
    pub guest: GuestPlan,
    /// What names code of the guest that the guest does not name itself: a file of the user's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_symbols: Option<PathBuf>,
    /// When and how counters are read.
    pub sampling: SamplingPlan,
    /// Commands run in the guest over SSH after the last sample, each between two
    /// `stats` readings; their output goes to `run.json`.
    pub inspect: Vec<String>,
    /// Workloads run in the guest over SSH after the schedule, each followed by a sample.
    pub phases: Vec<Phase>,
    /// Parameters of KVM on the host, on its command line already.
    pub kvm: Vec<KvmParameter>,
    /// How long each wait may take.
    pub deadlines: Deadlines,
}

impl Plan {
    /// What results call the platform: one that is only tried must not look like the
    /// real processor.
    pub fn platform_name(&self) -> String {
        let which = match (self.platform, self.host.accelerator) {
            (PlatformKind::Nested, Accelerator::Tcg) => Some("emulated by TCG"),
            (PlatformKind::Ssh, _) => Some(self.host.address.as_str()),
            _ => None,
        };
        self.platform.place(which)
    }
}

/// What kernel to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelPlan {
    /// Where the source comes from.
    pub source: KernelSource,
    /// Whether KVM is given the exit census; `false` builds the kernel as it is.
    pub census: bool,
    /// Patches of the user's own, applied in this order after the census.
    pub patches: Vec<PathBuf>,
    /// Kconfig fragments of the user's own, merged after exitlab's.
    pub fragments: Vec<PathBuf>,
    /// Whether the kernel can trace; follows from [`SamplingPlan::channels`].
    pub tracing: bool,
}

/// Where a kernel's source comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelSource {
    /// A Debian source package installed through apt: `linux-source-6.12`.
    Debian(String),
    /// A directory that holds a kernel tree. It is copied, never changed.
    Tree(PathBuf),
    /// A tarball with one kernel tree.
    Tarball(PathBuf),
    /// A commit of a Git repository, which stays as it is.
    Revision {
        /// A work tree of the repository, or a bare one.
        repo: PathBuf,
        /// The commit's whole hash.
        commit: String,
    },
    /// A bzImage, ready to boot: nothing is built, and the rest of [`KernelPlan`] says
    /// nothing about it.
    Image(PathBuf),
    /// A distribution's kernel as it is, with its modules: as for [`KernelSource::Image`],
    /// nothing is built.
    Package(KernelPackage),
}

impl KernelSource {
    /// Whether the kernel is there already, and nothing of it is built.
    pub fn is_ready(&self) -> bool {
        matches!(self, KernelSource::Image(_) | KernelSource::Package(_))
    }
}

/// A package of Debian's kind that holds a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelPackage {
    /// By its name, which apt knows: `linux-image-cloud-amd64`.
    Named(String),
    /// A file: `linux-image-6.1.0-56-cloud-amd64.deb`.
    File(PathBuf),
}

/// The host (L1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Number of processors.
    pub cpus: u32,
    /// More words for the host kernel's command line.
    pub cmdline: String,
    /// Instructions that make one second of emulated time; 0 on the real clock.
    pub instructions_per_second: u64,
    /// What executes the host's instructions on [`PlatformKind::Nested`]; of no meaning on
    /// the others.
    pub accelerator: Accelerator,
    /// The machine of [`PlatformKind::Ssh`] as `ssh` takes it: `user@machine`; of no meaning
    /// on the others.
    pub address: String,
    /// A configuration for `ssh` in place of the user's own.
    pub ssh_config: Option<PathBuf>,
}

/// QEMU machine type of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Machine {
    /// ICH9, PCI Express: what people use.
    Q35,
    /// i440FX.
    Pc,
    /// No PCI, no firmware worth the name: a third of the exits, hardly any of port I/O.
    Microvm,
}

/// What the guest boots where the plan names no file of the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestRecipe {
    /// Our kernel, and an initramfs of busybox and dropbear.
    Tiny,
    /// Debian 12 with its own kernel, systemd and OpenSSH.
    Debian,
}

/// A disk image of the user's own. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// The image.
    pub path: PathBuf,
    /// Its format, as it says itself.
    pub format: DiskFormat,
}

/// Formats of disk images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU's own.
    Qcow2,
}

/// The guest (L2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPlan {
    /// What is built for it.
    pub image: GuestRecipe,
    /// A kernel of the user's own: a bzImage, a vmlinux, a multiboot image.
    pub kernel: Option<PathBuf>,
    /// An initramfs of the user's own.
    pub initrd: Option<PathBuf>,
    /// A disk of the user's own.
    pub disk: Option<DiskPlan>,
    /// Machine type.
    pub machine: Machine,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Number of vCPUs.
    pub vcpus: u32,
    /// QEMU's `-cpu`.
    pub cpu: String,
    /// More words for the guest kernel's command line.
    pub cmdline: String,
    /// More devices, each as QEMU's `-device` takes it.
    pub devices: Vec<String>,
    /// Packages that [`GuestRecipe::Debian`] has beside its own.
    pub packages: Vec<String>,
    /// Programs of L0 copied into the guest's image with the libraries they need.
    pub files: Vec<PathBuf>,
    /// What the guest's key pairs are derived from: equal seeds give equal images.
    pub seed: String,
    /// Whether the guest has an SSH server that lets the agent in. Without, it is only
    /// watched: its samples are taken by time, by lines of its console, and at its end.
    pub ssh: bool,
}

impl GuestPlan {
    /// Whether it boots from what the recipe has for it, and nothing of the user's own but
    /// perhaps another kernel.
    pub fn uses_recipe(&self) -> bool {
        // A kernel that need not let anybody in has no use for an initramfs of ours.
        let bare = self.kernel.is_some() && !self.ssh;
        self.initrd.is_none() && self.disk.is_none() && !bare
    }

    /// Whether a boot loader on its disk starts it, and no kernel is named.
    pub fn boots_itself(&self) -> bool {
        self.disk.is_some() && self.kernel.is_none()
    }
}

/// When and how counters are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplingPlan {
    /// The moments, in order; the first is always [`Moment::Boot`].
    pub schedule: Vec<Moment>,
    /// The channels.
    pub channels: Vec<Channel>,
    /// Whether the host decides: `channels` are right where its KVM carries the census, and
    /// where it carries none it is [`Channel::Trace`].
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub auto: bool,
    /// Whether KVM counts cycles, too. The host's command line says so to KVM.
    pub cycles: bool,
    /// Whether [`Channel::Trace`] counts what lies below the reasons, too.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub detail: bool,
    /// Whether it counts exits by the place in the guest that caused them, too.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub places: bool,
    /// Whether it takes how long exits take, too.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub time: bool,
    /// Whether it keeps a log of every single exit, and how.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogPlan>,
}

impl SamplingPlan {
    /// Counts by these channels at these moments, and nothing else.
    pub fn of_counts(schedule: impl Into<Vec<Moment>>, channels: &[Channel]) -> SamplingPlan {
        SamplingPlan {
            schedule: schedule.into(),
            channels: channels.to_vec(),
            auto: false,
            cycles: false,
            detail: false,
            places: false,
            time: false,
            log: None,
        }
    }
}

/// How the log of single exits is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlan {
    /// How many exits it keeps; the others are counted only.
    pub limit: u64,
    /// How much of the host's memory its events have until the agent takes them, KiB for each
    /// processor.
    pub buffer_kib: u32,
}

/// A moment of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// As soon as SSH login works. For a guest without SSH: before its first instruction.
    Boot,
    /// So many seconds after the moment before: of the guest's time where it can be asked,
    /// else of the host's.
    After(f64),
    /// When the console of a guest without SSH has printed a line that contains this.
    Line(String),
    /// When a guest without SSH has ended, and its counters have not.
    End,
}

impl Moment {
    /// As written in a configuration: `boot`, `+5s`, `line:READY`, `end`.
    pub fn label(&self) -> String {
        match self {
            Moment::Boot => "boot".to_owned(),
            Moment::After(seconds) => format!("+{seconds}s"),
            Moment::Line(text) => format!("line:{text}"),
            Moment::End => "end".to_owned(),
        }
    }
}

/// A workload in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name: that of the sample after it, too.
    pub name: String,
    /// The command line for the guest's shell.
    pub run: String,
    /// How often it runs.
    pub repeat: u32,
    /// What becomes of what the command leaves behind.
    #[serde(default)]
    pub left_behind: LeftBehind,
}

/// A parameter of one of KVM's modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvmParameter {
    /// `kvm`, `kvm_intel` or `kvm_amd`.
    pub module: String,
    /// `ept`.
    pub name: String,
    /// As on a command line: `0`.
    pub value: String,
}

impl std::fmt::Display for KvmParameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}={}", self.module, self.name, self.value)
    }
}

/// How long each wait may take. Wall time unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deadlines {
    /// From the emulator's start to the agent's first event, seconds of wall time.
    pub host_boot_s: f64,
    /// Longest silence of the agent, seconds of wall time.
    pub silence_s: f64,
    /// From QEMU's start to an SSH login, seconds of the host's clock.
    pub guest_ssh_s: f64,
    /// One QMP command or one exchange over SSH, seconds of the host's clock.
    pub exchange_s: f64,
    /// One run of a phase's command, or the wait for a line or the end of a guest without
    /// SSH, seconds of the host's clock.
    pub phase_s: f64,
}
