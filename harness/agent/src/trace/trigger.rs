//! The triggers of an event, by its file `trigger`.

use std::path::Path;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;

use super::kernel_fs;
use crate::failure::Failure;

/// Starts one, or stops it if it begins with `!`.
pub fn write(event: &Path, trigger: &str) -> Result<(), Failure> {
    let path = event.join("trigger");
    kernel_fs::tell(&path, trigger).map_err(|e| {
        failed(format!(
            "failed to write '{trigger}' to {}: {e}",
            path.display()
        ))
    })
}

/// The host is not as it must be.
pub fn failed(message: String) -> Failure {
    Failure::new(Stage::Host, FailureKind::Host, message)
}
