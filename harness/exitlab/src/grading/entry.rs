//! Which kernels are to be graded: files and directories of the command line, and the list of
//! a teacher.

use std::path::{Path, PathBuf};

use exitlab_base::error::{Error, Result};

use super::names;

/// More files are no hand-ins of a class, but a directory that was named by mistake.
const MOST: usize = 2000;

/// Directories below one that is named.
const DEEPEST: usize = 8;

/// The mark of the boot protocol, and where it is (Documentation/arch/x86/boot.rst).
const MARK: (&[u8], usize) = (b"HdrS", 0x202);

/// A kernel that is to be graded, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was asked for: `class.toml:12`, `--kernel`.
    pub place: String,
    /// The image; none of a kernel that is built.
    pub path: Option<PathBuf>,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its own settings, `key=value`.
    pub sets: Vec<String>,
    /// Its own leaf map.
    pub leaf_map: Option<u8>,
    /// Its own year of the manual.
    pub sdm: Option<u16>,
}

impl Entry {
    fn of(path: PathBuf, name: String) -> Entry {
        Entry {
            place: "--kernel".to_owned(),
            path: Some(path),
            name: Some(name),
            sets: Vec::new(),
            leaf_map: None,
            sdm: None,
        }
    }

    /// The kernel that the experiment names.
    pub fn built() -> Entry {
        Entry {
            place: "the experiment".to_owned(),
            path: None,
            name: Some("kernel".to_owned()),
            sets: Vec::new(),
            leaf_map: None,
            sdm: None,
        }
    }

    /// What it is called, if nobody else is.
    pub fn wanted_name(&self) -> String {
        let of_path = || self.path.as_deref().map(names::of_path);
        self.name.clone().or_else(of_path).unwrap_or_default()
    }
}

/// The kernels of `--kernel PATH`: the file, or what is in the directory. A file that is not
/// there is one, too: it has a row that says so.
pub fn of_argument(path: &Path) -> Result<Vec<Entry>> {
    if !path.is_dir() {
        return Ok(vec![Entry::of(path.to_owned(), names::of_path(path))]);
    }
    let entries = of_directory(path)?;
    if entries.is_empty() {
        return Err(Error::Config {
            message: format!("--kernel {}: there is no file in it", path.display()),
            cure: "name a directory of images, or of directories with an image each".to_owned(),
        });
    }
    Ok(entries)
}

/// Each file in a directory is a hand-in, and so is each directory in it: of that, every file
/// that is an image or is called as one; or, if there is none, its only file, or itself.
fn of_directory(dir: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in listed(dir)? {
        let relative = path.strip_prefix(dir).unwrap_or(&path).to_owned();
        if !is_real_directory(&path) {
            let name = names::of_path(&relative);
            entries.push(Entry::of(path, name));
            continue;
        }
        let mut images = Vec::new();
        find_images(&path, DEEPEST, &mut images)?;
        let whose = relative.to_string_lossy().into_owned();
        if let [] | [_] = images.as_slice() {
            let image = match images.pop() {
                Some(image) => image,
                None => only_file(&path)?.unwrap_or(path),
            };
            entries.push(Entry::of(image, whose));
            continue;
        }
        for image in images {
            let below = image.strip_prefix(&path).unwrap_or(&image);
            let name = format!("{whose}-{}", below.to_string_lossy());
            entries.push(Entry::of(image, name));
        }
    }
    match entries.len() > MOST {
        true => Err(too_many(dir)),
        false => Ok(entries),
    }
}

fn too_many(dir: &Path) -> Error {
    Error::Config {
        message: format!(
            "--kernel {}: there are more than {MOST} files in it",
            dir.display()
        ),
        cure: "name a directory of images, or write a list for --kernels".to_owned(),
    }
}

fn find_images(dir: &Path, depth: usize, images: &mut Vec<PathBuf>) -> Result<()> {
    for path in listed(dir)? {
        if images.len() > MOST {
            return Err(too_many(dir));
        }
        if is_real_directory(&path) {
            if depth > 0 {
                find_images(&path, depth - 1, images)?;
            }
        } else if is_called_an_image(&path) || has_mark(&path) {
            images.push(path);
        }
    }
    Ok(())
}

fn only_file(dir: &Path) -> Result<Option<PathBuf>> {
    let mut files = listed(dir)?;
    Ok(match files.as_slice() {
        [only] if !is_real_directory(only) => files.pop(),
        _ => None,
    })
}

/// What is in a directory, in order, without hidden things.
fn listed(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = Error::io("read", dir);
    let entries = std::fs::read_dir(dir).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<Vec<_>>>()
    });
    let mut paths = entries.map_err(read)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.')
    });
    paths.sort();
    Ok(paths)
}

/// A link may lead anywhere, and in a circle.
fn is_real_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
}

fn is_called_an_image(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    ["bzimage", "vmlinuz"]
        .iter()
        .any(|image| name.starts_with(image) || name.ends_with(image))
}

fn has_mark(path: &Path) -> bool {
    use std::os::unix::fs::FileExt;
    // A pipe would never open.
    if !path.metadata().is_ok_and(|about| about.is_file()) {
        return false;
    }
    let (mark, at) = MARK;
    let mut bytes = [0; MARK.0.len()];
    let read = std::fs::File::open(path).and_then(|file| file.read_exact_at(&mut bytes, at as u64));
    read.is_ok() && bytes == mark
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 0x300];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = of_argument(path).unwrap();
        entries.iter().map(Entry::wanted_name).collect()
    }

    #[test]
    fn a_directory_holds_files_and_directories_of_hand_ins() {
        let dir = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 9] = [
            ("ada.bzImage", b"whatever"),
            ("letter.txt", b"Dear teacher"),
            (".DS_Store", b"x"),
            ("bob/bzImage", b"cut"),
            ("bob/config", b"CONFIG_KVM=y"),
            ("carol/build/kernel-of-carol", &image()),
            ("dave/notes.txt", b"sorry"),
            ("eve/one/bzImage", &image()),
            ("eve/two/bzImage", &image()),
        ];
        for (path, bytes) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        // A circle is not walked.
        std::os::unix::fs::symlink("..", dir.path().join("bob/up")).unwrap();
        assert_eq!(
            names(dir.path()),
            [
                "ada",
                "bob",
                "carol",
                "dave",
                "eve-one/bzImage",
                "eve-two/bzImage",
                "letter.txt"
            ]
        );
        let none = of_argument(&dir.path().join("none")).unwrap();
        assert_eq!(none.len(), 1, "a row that says so");
    }

    #[test]
    fn an_empty_directory_is_a_mistake() {
        let dir = tempfile::tempdir().unwrap();
        let error = of_argument(dir.path()).unwrap_err();
        assert!(error.to_string().contains("no file in it"), "{error}");
    }
}
