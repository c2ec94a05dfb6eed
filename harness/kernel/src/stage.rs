//! Stages of a kernel's build, as errors name them.

/// The census's hooks are applied.
pub const HOOKS: &str = "apply hooks";
/// Patches of the user's own are applied.
pub const PATCHES: &str = "apply kernel.patches";
/// Fragments become a configuration.
pub const CONFIGURE: &str = "configure";
/// `make` compiles and links.
pub const COMPILE: &str = "compile";

/// Begins every stage in an error.
const PREFIX: &str = "kernel: ";

/// A stage as an error names it.
pub fn named(stage: &str) -> String {
    format!("{PREFIX}{stage}")
}

/// Whether what fails in a stage, as an error names it, can be the fault of the source, and
/// not only of this machine.
pub fn is_of_the_source(stage: &str) -> bool {
    let stage = stage.strip_prefix(PREFIX);
    stage.is_some_and(|stage| [HOOKS, PATCHES, CONFIGURE, COMPILE].contains(&stage))
}
