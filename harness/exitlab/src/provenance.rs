//! Where a run came from: collected here, kept in [`exitlab_model::record::Provenance`].

use crate::build::Artifacts;
use exitlab_base::error::{Error, Result};
use exitlab_host::platform;
use exitlab_model::plan::Plan;
use exitlab_model::record::Provenance;

/// Collects what is known before the host boots.
pub fn collect(plan: &Plan, artifacts: &Artifacts) -> Result<Provenance> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    let binary = std::fs::read(&exe).map_err(Error::io("read", &exe))?;
    Ok(Provenance {
        exitlab: env!("CARGO_PKG_VERSION").to_owned(),
        // Not compiled in: the binary is part of the host's image, and a commit that
        // changes no code must change no count.
        commit: std::env::var("EXITLAB_COMMIT").unwrap_or_default(),
        exitlab_digest: blake3::hash(&binary).to_hex().to_string(),
        kernel_key: artifacts.kernel.key.clone(),
        kernel_inputs: artifacts.kernel.inputs.clone(),
        kernel_digest: artifacts.kernel.digest.clone(),
        host_image_digest: artifacts
            .host
            .as_ref()
            .map_or_else(String::new, |host| host.digest.clone()),
        guest_image_digest: artifacts.guest.digest.clone(),
        emulator: platform::emulator_version(plan.platform),
        ..Provenance::default()
    })
}

/// The time of day, UTC, RFC 3339, whole seconds.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
