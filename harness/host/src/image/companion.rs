//! Programs that come from the same build as the running one, and lie beside it.

use std::path::PathBuf;

use exitlab_base::error::{Error, Result};

/// What runs on the host.
pub const AGENT: &str = "exitlab-agent";

/// What runs in the guest.
pub const SAMPLER: &str = "exit-sampler";

/// Where the program of that name is.
///
/// # Errors
///
/// [`Error::Prerequisite`] if it is not there.
pub fn companion(name: &str) -> Result<PathBuf> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    // Test binaries run from `deps/`, one level deeper.
    let beside = exe.ancestors().skip(1).take(2).map(|dir| dir.join(name));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| Error::Prerequisite {
            missing: vec![format!("{name} beside {}", exe.display())],
            cure: "cargo build --release; of a package: install it again, whole".into(),
        })
}
