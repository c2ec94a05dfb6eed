//! What the crates of the workspace say that they use.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// A crate of the workspace.
pub struct Package {
    pub name: String,
    pub manifest: PathBuf,
    pub uses: Vec<Use>,
}

/// A dependency that a crate declares.
pub struct Use {
    pub name: String,
    pub in_workspace: bool,
    pub for_tests: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    /// `dev` or `build`; none for a normal one.
    kind: Option<String>,
    /// Where it lies, if it lies here.
    path: Option<PathBuf>,
}

impl Package {
    pub fn dir(&self) -> &Path {
        self.manifest.parent().unwrap()
    }
}

/// Every crate of the workspace, as Cargo sees it.
pub fn packages(workspace: &Path) -> Vec<Package> {
    let words = "metadata --format-version 1 --no-deps --offline";
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo
        .args(words.split(' '))
        .current_dir(workspace)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {words}: {complaint}");
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    metadata.packages.into_iter().map(package).collect()
}

fn package(package: MetadataPackage) -> Package {
    let uses = package.dependencies.into_iter().map(|dependency| Use {
        name: dependency.name,
        in_workspace: dependency.path.is_some() && dependency.kind.is_none(),
        for_tests: dependency.kind.as_deref() == Some("dev"),
    });
    Package {
        name: package.name,
        uses: uses.collect(),
        manifest: package.manifest_path,
    }
}

/// The dependencies of a manifest that say more than `workspace = true`.
pub fn own_terms(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let inherited = toml::Table::from_iter([("workspace".to_owned(), true.into())]);
    let mut own = Vec::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = manifest.get(kind).and_then(|table| table.as_table()) else {
            continue;
        };
        let differ = table
            .iter()
            .filter(|(_, terms)| terms.as_table() != Some(&inherited));
        own.extend(differ.map(|(name, _)| name.clone()));
    }
    own
}
