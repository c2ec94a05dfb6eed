//! Where a run came from: collected here, kept in [`exitlab_model::record::Provenance`].

use std::collections::BTreeMap;
use std::path::Path;

use crate::build::Artifacts;
use exitlab_base::error::{Error, Result};
use exitlab_host::{image, platform};
use exitlab_model::plan::Plan;
use exitlab_model::record::Provenance;

/// Collects what is known before the host boots.
pub fn collect(plan: &Plan, artifacts: &Artifacts) -> Result<Provenance> {
    Ok(Provenance {
        packages: packages(artifacts),
        kernel_key: artifacts.kernel.key.clone(),
        kernel_inputs: artifacts.kernel.inputs.clone(),
        kernel_digest: artifacts.kernel.digest.clone(),
        host_image_digest: artifacts
            .host
            .as_ref()
            .map_or_else(String::new, |host| host.digest.clone()),
        guest_image_digest: artifacts.guest.digest.clone(),
        emulator: platform::emulator_version(plan.platform)?,
        ..of_this_program()?
    })
}

/// What is known before anything is built.
pub fn of_this_program() -> Result<Provenance> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    Ok(Provenance {
        exitlab: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit(),
        exitlab_digest: digest(&exe)?,
        agent_digest: digest(&image::companion(image::AGENT)?)?,
        ..Provenance::default()
    })
}

/// The commit that a package was made from (`scripts/package`).
pub const PACKAGED_FROM: Option<&str> = option_env!("EXITLAB_PACKAGED_FROM");

/// In a clone it is not compiled in: the same code is the same binary.
fn commit() -> String {
    let told = std::env::var("EXITLAB_COMMIT").ok();
    told.or_else(|| PACKAGED_FROM.map(str::to_owned))
        .unwrap_or_default()
}

fn digest(program: &Path) -> Result<String> {
    let bytes = std::fs::read(program).map_err(Error::io("read", program))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// The packages of all images together.
fn packages(artifacts: &Artifacts) -> Vec<(String, String)> {
    let host = artifacts.host.iter().flat_map(|host| &host.packages);
    let all: BTreeMap<_, _> = host.chain(&artifacts.guest.packages).cloned().collect();
    all.into_iter().collect()
}

/// The time of day, UTC, RFC 3339, whole seconds.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
