//! What a finished artifact consists of: written when it is built, held against its files
//! whenever it is used.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::{self, Digest};
use super::key::Key;
use crate::error::{Error, Result};
use crate::files::write_whole;

/// The file in every artifact that says what it was made of, and of what files it consists.
pub(super) const MANIFEST: &str = "manifest.json";

/// What an artifact has in its place that was built before there were manifests.
pub(super) const INPUTS: &str = "inputs.json";

/// What [`MANIFEST`] holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// What it was made of: name, and digest or value.
    inputs: Vec<(String, String)>,
    /// Every file but this one, by name.
    files: Vec<Entry>,
}

/// A file of an artifact.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Its path in the artifact.
    name: PathBuf,
    #[serde(flatten)]
    content: Content,
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Content {
    /// Where a symbolic link leads.
    Link { link: PathBuf },
    /// A file's size, bytes, and its BLAKE3 digest.
    File { size: u64, blake3: String },
}

/// How digests of files come to be known.
pub(super) struct Digests<'a> {
    /// From memory, where the file did not move since.
    pub remembered: &'a dyn Fn(&Path) -> Result<Digest>,
    /// From the file.
    pub read: &'a dyn Fn(&Path) -> Result<Digest>,
}

/// Whether an artifact can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Absent,
    /// Every file is what was built.
    Sound,
    /// Something is not, and that is what.
    Damaged(String),
}

/// Whether `text` is the manifest of the artifact that is called by this key.
pub(super) fn is_of(text: &[u8], key: &str) -> bool {
    let manifest = serde_json::from_slice::<Manifest>(text);
    manifest.is_ok_and(|manifest| Key::of(manifest.inputs).hex() == key)
}

/// Writes the manifest of the artifact that was built in `dir`, and has all of it reach the
/// disk: what is renamed after that is whole, also after a power loss.
pub(super) fn seal(dir: &Path, key: &Key) -> Result<()> {
    let names = digest::list(dir, &|_| false)?;
    write(dir, key, &names, &digest::file)?;
    let mut dirs = vec![dir.to_owned()];
    for name in names
        .iter()
        .map(PathBuf::as_path)
        .chain([Path::new(MANIFEST)])
    {
        let path = dir.join(name);
        if !path.is_symlink() {
            sync(&path)?;
        }
        let parents = name.ancestors().skip(1).map(|parent| dir.join(parent));
        dirs.extend(parents.filter(|parent| parent != dir));
    }
    dirs.sort();
    dirs.dedup();
    // What is inside a directory before the directory.
    dirs.iter().rev().try_for_each(|dir| sync(dir))
}

/// Has a file's content, or a directory's names, reach the disk (`fsync(2)`).
pub(super) fn sync(path: &Path) -> Result<()> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("write to disk", path))
}

/// Holds the artifact of `key` in `dir` against its manifest. Files whose size, times and inode did not move
/// since their digest was taken are not read.
pub(super) fn state(dir: &Path, key: &Key, digests: &Digests<'_>) -> Result<State> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) => return Err(Error::io("read", dir)(error)),
        Ok(_) if !dir.is_dir() => return Ok(State::Damaged("it is no directory".to_owned())),
        Ok(_) => {}
    }
    let path = dir.join(MANIFEST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return adopt(dir, key, digests),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) else {
        return Ok(State::Damaged(format!("its {MANIFEST} cannot be read")));
    };
    if manifest.inputs != key.inputs() {
        return Ok(State::Damaged(format!("its {MANIFEST} is another one's")));
    }
    for entry in &manifest.files {
        if let Some(damage) = entry.damage(dir, digests)? {
            return Ok(State::Damaged(format!("{} {damage}", entry.name.display())));
        }
    }
    Ok(State::Sound)
}

/// Gives an artifact its manifest that was built before there were any. Its files are taken
/// as they are, once: to build all kernels again would cost hours.
fn adopt(dir: &Path, key: &Key, digests: &Digests<'_>) -> Result<State> {
    if !dir.join(INPUTS).is_file() {
        return Ok(State::Damaged(format!("it has no {MANIFEST}")));
    }
    let names = digest::list(dir, &|_| false)?;
    let written = write(dir, key, &names, digests.remembered);
    // In a cache that cannot be written to it stays as it was.
    if written.is_ok() {
        sync(&dir.join(MANIFEST))?;
        sync(dir)?;
        let _ = fs::remove_file(dir.join(INPUTS));
    }
    Ok(State::Sound)
}

fn write(
    dir: &Path,
    key: &Key,
    names: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Digest>,
) -> Result<()> {
    let is_listed = |name: &&PathBuf| ![MANIFEST, INPUTS].map(Path::new).contains(&name.as_path());
    let files = names.iter().filter(is_listed).map(|name| {
        let path = dir.join(name);
        let metadata = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
        let content = if metadata.is_symlink() {
            let link = fs::read_link(&path).map_err(Error::io("read", &path))?;
            Content::Link { link }
        } else {
            let (size, blake3) = (metadata.len(), read(&path)?.hex().to_owned());
            Content::File { size, blake3 }
        };
        let name = name.clone();
        Ok(Entry { name, content })
    });
    let manifest = Manifest {
        inputs: key.inputs().to_vec(),
        files: files.collect::<Result<_>>()?,
    };
    let path = dir.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest).map_err(Error::json("write", &path))?;
    write_whole(&path, &text)
}

impl Entry {
    /// What is wrong with the file; none if nothing is.
    fn damage(&self, dir: &Path, digests: &Digests<'_>) -> Result<Option<String>> {
        let is_plain = |part: Component| matches!(part, Component::Normal(_));
        if self.name.as_os_str().is_empty() || !self.name.components().all(is_plain) {
            return Ok(Some("is no name of a file in it".to_owned()));
        }
        let path = dir.join(&self.name);
        let metadata = match fs::symlink_metadata(&path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Some("is missing".to_owned()));
            }
            other => other.map_err(Error::io("read", &path))?,
        };
        let other = Some("has other contents than were built".to_owned());
        match &self.content {
            Content::Link { link } => {
                let same =
                    metadata.is_symlink() && fs::read_link(&path).is_ok_and(|to| to == *link);
                Ok(other.filter(|_| !same))
            }
            Content::File { .. } if !metadata.is_file() => Ok(Some("is no file".to_owned())),
            Content::File { size, .. } if *size != metadata.len() => Ok(Some(format!(
                "has {} bytes, and {size} were built",
                metadata.len()
            ))),
            Content::File { blake3, .. } => {
                let same = (digests.remembered)(&path)?.hex() == blake3
                    // The memory of digests may be what is damaged.
                    || (digests.read)(&path)?.hex() == blake3;
                Ok(other.filter(|_| !same))
            }
        }
    }
}

/// What tells a remembered digest from one that was damaged on the disk.
pub(super) fn check(stamp: &Digest, digest: &Digest) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [stamp, digest] {
        digest::feed(&mut hasher, part.hex().as_bytes());
    }
    Digest::of(&hasher).hex()[..16].to_owned()
}
