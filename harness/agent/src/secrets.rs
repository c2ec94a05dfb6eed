//! What lets the agent into a guest, appended to the guest's initramfs on the host.

use std::path::Path;

use exitlab_base::archive::{Tree, archive};
use exitlab_base::error::{Error, Result};
use exitlab_model::plan::{GuestPlan, GuestRecipe};

use crate::keys::GuestKeys;

/// Where `exit-sampler` comes to lie in a guest that gets it with its keys.
const SAMPLER: &str = "usr/bin/exit-sampler";

/// What is below this directory of its initramfs, Debian copies to its root file system.
const DEBIAN_ROOT: &str = "exitlab";

/// What is appended to a guest's initramfs so that it lets us in: Linux unpacks one archive
/// after the other. `sampler` goes with it where the image has none.
pub fn secrets(plan: &GuestPlan, keys: &GuestKeys, sampler: Option<&Path>) -> Result<Vec<u8>> {
    let bad_key = |e: russh::keys::ssh_key::Error| Error::Build {
        stage: "guest image".into(),
        message: format!("failed to write the guest's keys: {e}"),
        tail: Vec::new(),
        cure: "choose another guest.seed".into(),
    };
    let debian = plan.uses_recipe() && plan.image == GuestRecipe::Debian;
    let at = |path: &str| match debian {
        true => format!("{DEBIAN_ROOT}/{path}"),
        false => path.to_owned(),
    };
    let mut tree = Tree::default();
    let authorized = keys.authorized_keys().map_err(bad_key)?;
    tree.file(&at("root/.ssh/authorized_keys"), authorized, 0o600);
    if debian {
        let key = keys.server_openssh().map_err(bad_key)?;
        tree.file(&at("etc/ssh/ssh_host_ed25519_key"), key, 0o600);
    } else {
        tree.file(&at("etc/dropbear/host_key"), keys.server_dropbear(), 0o600);
    }
    if let Some(sampler) = sampler {
        tree.copy(sampler, &at(SAMPLER), 0o755)?;
    }
    archive(&tree)
}
