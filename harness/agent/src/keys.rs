//! The two key pairs of a run: the guest's host key, so that it is known before the
//! guest exists, and the key with which the agent logs in.
//!
//! Both are derived from a seed. On a host that exitlab boots it is the plan's, because on a
//! repeatable platform every byte counts: with fresh random keys two equal runs would differ,
//! here and on another machine. They protect nothing there: such a guest has no network that
//! leaves its host (`docs/determinism.md`). On a machine that others use, too, it is
//! a fresh random one, which is never written down.

use p256::SecretKey;
use russh::keys::ssh_key::private::{EcdsaKeypair, Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKey};

/// The key pairs of one guest.
///
/// The guest's server checks a signature of the client's key, and an emulated guest pays for
/// each instruction: 12 million with this curve, where dropbear needs 32 million for Ed25519
/// and its small multiplications. To sign with its own key it needs fewer for Ed25519.
#[derive(Debug, Clone)]
pub struct GuestKeys {
    host: Ed25519Keypair,
    client: EcdsaKeypair,
}

impl GuestKeys {
    /// Derives both pairs from a seed.
    pub fn derive(seed: &str) -> GuestKeys {
        let secret = |purpose: &str| {
            let context = format!("exitlab 2026 guest key: {purpose}");
            blake3::derive_key(&context, seed.as_bytes())
        };
        GuestKeys {
            host: Ed25519Keypair::from_seed(&secret("ssh server")),
            client: on_p256(secret("ssh client")),
        }
    }

    /// What the agent expects the guest's server to show.
    pub fn server_public(&self) -> PublicKey {
        PublicKey::from(self.host.public)
    }

    /// What the agent logs in with.
    pub fn client_private(&self) -> Result<PrivateKey, russh::keys::ssh_key::Error> {
        PrivateKey::new(KeypairData::Ecdsa(self.client.clone()), "exitlab")
    }

    /// The line of `authorized_keys` that lets the agent in.
    pub fn authorized_keys(&self) -> Result<String, russh::keys::ssh_key::Error> {
        Ok(format!(
            "{}\n",
            self.client_private()?.public_key().to_openssh()?
        ))
    }

    /// The server's private key in the format of OpenSSH's key files.
    pub fn server_openssh(&self) -> Result<String, russh::keys::ssh_key::Error> {
        let key = PrivateKey::new(KeypairData::Ed25519(self.host.clone()), "exitlab")?;
        Ok(key
            .to_openssh(russh::keys::ssh_key::LineEnding::LF)?
            .to_string())
    }

    /// The server's private key in the format of dropbear's key files: the name of the
    /// algorithm, then the private and the public half as one string.
    pub fn server_dropbear(&self) -> Vec<u8> {
        let name = b"ssh-ed25519";
        let halves = self.host.to_bytes();
        let mut out = Vec::new();
        out.extend_from_slice(&(name.len() as u32).to_be_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(&(halves.len() as u32).to_be_bytes());
        out.extend_from_slice(&halves);
        out
    }
}

/// The pair whose private half are these bytes; one in four billion is none of the curve's
/// scalars (SEC 1, 3.2.1), and gives its digest's.
fn on_p256(bytes: [u8; 32]) -> EcdsaKeypair {
    match SecretKey::from_slice(&bytes) {
        Ok(secret) => EcdsaKeypair::NistP256 {
            public: secret.public_key().into(),
            private: secret.into(),
        },
        Err(_) => on_p256(*blake3::hash(&bytes).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn equal_seeds_give_equal_keys_and_the_two_pairs_differ() {
        let (a, b) = (GuestKeys::derive("x"), GuestKeys::derive("x"));
        assert_eq!(a.server_dropbear(), b.server_dropbear());
        assert_ne!(
            a.server_dropbear(),
            GuestKeys::derive("y").server_dropbear()
        );
        let shown = |key: PublicKey| key.to_openssh().unwrap();
        let client = |keys: &GuestKeys| shown(keys.client_private().unwrap().public_key().clone());
        assert_eq!(client(&a), client(&b));
        assert_ne!(client(&a), client(&GuestKeys::derive("y")));
        assert_eq!(a.authorized_keys().unwrap().trim(), client(&a));
    }

    #[test]
    fn bytes_beyond_the_curves_order_give_another_key() {
        let beyond = [0xff; 32];
        let digest = *blake3::hash(&beyond).as_bytes();
        assert_eq!(on_p256(beyond), on_p256(digest));
        assert_ne!(on_p256(beyond), on_p256([1; 32]));
    }

    #[test]
    fn dropbear_reads_the_server_key() {
        let keys = GuestKeys::derive("test");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, keys.server_dropbear()).unwrap();
        let output = Command::new("dropbearkey")
            .arg("-y")
            .arg("-f")
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = keys.server_public().to_openssh().unwrap();
        assert!(text.contains(expected.trim()), "{text}");
    }
}
