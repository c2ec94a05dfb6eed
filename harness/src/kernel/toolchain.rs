//! The tools whose versions a kernel depends on.

use crate::error::{Error, Result};

/// What compiler and linker say of themselves.
pub async fn versions() -> Result<Vec<(&'static str, String)>> {
    let mut versions = Vec::new();
    for program in ["gcc", "ld"] {
        let output = tokio::process::Command::new(program)
            .arg("--version")
            .env("LC_ALL", "C")
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Error::io("start", program))?;
        let text = String::from_utf8_lossy(&output.stdout);
        versions.push((program, text.lines().next().unwrap_or_default().to_owned()));
    }
    Ok(versions)
}
