//! How the agent gets its task.

use std::io::Read;
use std::path::Path;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::order::{LONGEST, Task};

use super::failure::Failure;

/// Reads a task from a disk or file. A disk is padded with zeros.
pub fn read(path: &Path) -> Result<Task, Failure> {
    let failure = |why: String| {
        let message = format!("failed to read the plan from {}: {why}", path.display());
        Failure::new(Stage::Host, FailureKind::Host, message)
    };
    let file = std::fs::File::open(path).map_err(|e| failure(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LONGEST)
        .read_to_end(&mut bytes)
        .map_err(|e| failure(e.to_string()))?;
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    serde_json::from_slice(&bytes[..end]).map_err(|e| failure(e.to_string()))
}
