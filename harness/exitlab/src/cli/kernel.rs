//! `exitlab kernel`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::shared::CacheArgs;

const INSTALL_EXAMPLES: &str = "\
Examples:
  exitlab kernel install                           the running kernel's configuration
  exitlab kernel install --config my.config --source ~/src/linux
  exitlab kernel install --set kernel.census=false    the same kernel as it is, to compare

It builds, says where the kernel lies and prints the commands that install and boot it. With
--yes it runs those that install it; it never boots it.";

const MODULES_EXAMPLES: &str = "\
Examples:
  exitlab kernel modules                           for the running kernel
  exitlab kernel modules --release 6.1.0-56-amd64
  exitlab kernel modules --headers /usr/src/linux-headers-6.1.0-56-amd64

It builds, says where the modules lie and prints the commands that load them. It loads none.";

const PATCH_EXAMPLES: &str = "\
Examples:
  exitlab kernel patch ~/src/linux >census.patch
  exitlab kernel patch . | git apply --index       in a tree of your own

It only reads the tree. What the tree lacks of what the census is hooked to is named.";

/// The commands about kernels of machines that exitlab does not boot.
#[derive(Debug, Subcommand)]
pub enum KernelCommand {
    /// Build a kernel with the exit census to be installed, and say how.
    Install(InstallArgs),
    /// Build only KVM's modules with the exit census, for a kernel that is installed.
    Modules(ModulesArgs),
    /// Print the exit census as a patch for a kernel tree.
    Patch(PatchArgs),
}

/// `exitlab kernel install`
#[derive(Debug, Clone, Args)]
#[command(after_help = INSTALL_EXAMPLES)]
pub struct InstallArgs {
    /// An experiment whose [kernel] section names source, patches and fragments [default: the
    /// built-in boot-vs-idle].
    #[arg(value_name = "CONFIG")]
    pub experiment: Option<PathBuf>,
    /// Override one key of the experiment; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// The configuration to build, a .config or config.gz [default: the running kernel's].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The source; short for --set kernel.source=SOURCE.
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// What is made of it [default: debian where there is dpkg, else directory].
    #[arg(long, value_enum, value_name = "FORM")]
    pub form: Option<PackageForm>,
    /// Install the kernel on this machine, through sudo if need be, instead of saying how.
    #[arg(long)]
    pub yes: bool,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// What is made of a kernel to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PackageForm {
    /// Packages for dpkg.
    Debian,
    /// A directory with boot/ and lib/modules/, for other systems.
    Directory,
}

/// `exitlab kernel modules`
#[derive(Debug, Clone, Args)]
#[command(after_help = MODULES_EXAMPLES)]
pub struct ModulesArgs {
    /// The kernel, by its `uname -r` [default: the running one].
    #[arg(long, value_name = "RELEASE", conflicts_with = "headers")]
    pub release: Option<String>,
    /// The directory of its headers [default: /lib/modules/RELEASE/build].
    #[arg(long, value_name = "DIR")]
    pub headers: Option<PathBuf>,
    /// The source that it was built from [default: Debian's linux-source of its series].
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// `exitlab kernel patch`
#[derive(Debug, Clone, Args)]
#[command(after_help = PATCH_EXAMPLES)]
pub struct PatchArgs {
    /// The unpacked tree.
    #[arg(value_name = "TREE")]
    pub tree: PathBuf,
}
