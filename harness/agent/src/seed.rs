//! The cloud-init seed (NoCloud) of a disk of the user's own: what lets the agent in, as a
//! directory that QEMU shows to the guest as a disk with the label `cidata`.
//!
//! `exit-sampler` lies there, too: the guest mounts the disk and finds it on its path.

use std::fs::{Permissions, create_dir, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::keys::GuestKeys;
use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;

use super::failure::Failure;
use exitlab_model::order::Order;

/// Writes the seed below `dir`, and says where it is; none for a guest that needs none.
pub fn lay_out(order: &Order, dir: &Path) -> Result<Option<PathBuf>, Failure> {
    if order.guest.disk.is_none() || !order.guest.ssh {
        return Ok(None);
    }
    let failure = |why: String| {
        let message = format!("failed to make the guest's cloud-init seed: {why}");
        Failure::new(Stage::Qemu, FailureKind::Host, message)
    };
    let keys = GuestKeys::derive(&order.guest.seed);
    let user_data = user_data(&keys).map_err(|e| failure(e.to_string()))?;
    let seed = dir.join("seed");
    let fill = || {
        create_dir(&seed)?;
        write(seed.join("meta-data"), META_DATA)?;
        write(seed.join("user-data"), user_data)?;
        if let Some(sampler) = &order.files.guest.sampler {
            let there = seed.join("exit-sampler");
            std::fs::copy(sampler, &there)?;
            set_permissions(&there, Permissions::from_mode(0o755))?;
        }
        std::io::Result::Ok(())
    };
    fill().map_err(|e| failure(e.to_string()))?;
    Ok(Some(seed))
}

const META_DATA: &str = "instance-id: exitlab\nlocal-hostname: exitlab\n";

/// Root with our key, and a host key that is known beforehand.
fn user_data(keys: &GuestKeys) -> Result<String, russh::keys::ssh_key::Error> {
    let indented: String = keys
        .server_openssh()?
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    let server = keys.server_public().to_openssh()?;
    let client = keys.authorized_keys()?;
    Ok(format!(
        "#cloud-config\n\
         disable_root: false\n\
         ssh_deletekeys: true\n\
         ssh_genkeytypes: []\n\
         ssh_keys:\n  ed25519_private: |\n{indented}  ed25519_public: {server}\n\
         users:\n  - name: root\n    ssh_authorized_keys:\n      - {client}\
         bootcmd:\n\
         {}{}{}",
        "  - [mkdir, -p, /run/exitlab]\n",
        "  - [mount, -o, ro, LABEL=cidata, /run/exitlab]\n",
        "  - [ln, -sf, /run/exitlab/exit-sampler, /usr/local/bin/exit-sampler]\n",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_lets_us_in_as_root() {
        let text = user_data(&GuestKeys::derive("seed test")).unwrap();
        // No private key, not even this one, where somebody may take it for theirs.
        let public = |line: &str| ["ssh", "-sha2-"].iter().any(|word| line.contains(word));
        let hidden = |line: &&str| line.starts_with("    ") && !public(line);
        let shown: Vec<_> = text.lines().filter(|line| !hidden(line)).collect();
        assert!(text.contains("\n    -----BEGIN OPENSSH PRIVATE KEY-----\n"));
        insta::assert_snapshot!(shown.join("\n"));
    }
}
