//! What an image is made of: the packages that its files are from, kept beside it in the
//! cache. Asking for them takes longer than finding the image there.

use std::path::Path;

use exitlab_base::archive::{Tree, packages_of};
use exitlab_base::artifact::Artifact;
use exitlab_base::error::{Error, Result};

/// Names and versions of packages, by name.
pub type Packages = Vec<(String, String)>;

/// The file in an image's artifact.
const FILE: &str = "packages.json";

/// Writes the packages of a tree into an artifact that is being made.
pub fn write(dir: &Path, tree: &Tree) -> Result<()> {
    let path = dir.join(FILE);
    let text = serde_json::to_vec(&packages_of(tree.origins())?).map_err(|e| Error::Io {
        action: "write",
        path: path.clone(),
        source: e.into(),
    })?;
    std::fs::write(&path, text).map_err(Error::io("write", path))
}

/// Reads the packages of an artifact.
pub fn read(artifact: &Artifact) -> Result<Packages> {
    let path = artifact.dir.join(FILE);
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&text).map_err(|e| Error::Io {
        action: "read",
        path,
        source: e.into(),
    })
}
