//! What an artifact is made of.

use std::path::Path;

use crate::artifact::digest::{self, Digest};
use crate::error::Result;

/// Every input of an artifact, and the digest of them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    inputs: Vec<(String, String)>,
    digest: Digest,
}

impl Key {
    /// The digest of all inputs, 64 hexadecimal digits.
    pub fn hex(&self) -> &str {
        self.digest.hex()
    }

    /// The key of inputs, in their order.
    pub(super) fn of(inputs: Vec<(String, String)>) -> Key {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in &inputs {
            digest::feed(&mut hasher, name.as_bytes());
            digest::feed(&mut hasher, value.as_bytes());
        }
        Key {
            digest: Digest::of(&hasher),
            inputs,
        }
    }

    /// The inputs one by one: name, and digest or value.
    pub fn inputs(&self) -> &[(String, String)] {
        &self.inputs
    }
}

/// Collects the inputs of an artifact.
#[derive(Debug, Clone, Default)]
pub struct KeyBuilder {
    inputs: Vec<(String, String)>,
}

impl KeyBuilder {
    /// No inputs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An input that is short enough to be kept as it is: a version, a setting.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inputs.push((name.into(), value.into()));
        self
    }

    /// An input of which the digest is kept.
    #[must_use]
    pub fn bytes(self, name: impl Into<String>, value: &[u8]) -> Self {
        self.text(name, digest::bytes(value).hex())
    }

    /// The contents of a file.
    pub fn file(self, name: impl Into<String>, path: &Path) -> Result<Self> {
        Ok(self.text(name, digest::file(path)?.hex()))
    }

    /// All files of a directory: paths, contents, execute bits, symbolic links.
    pub fn dir(self, name: impl Into<String>, dir: &Path) -> Result<Self> {
        let files = digest::list(dir, &|_| false)?;
        Ok(self.text(name, digest::listed(dir, &files)?.hex()))
    }

    /// The key of these inputs, in this order.
    pub fn build(self) -> Key {
        Key::of(self.inputs)
    }
}
