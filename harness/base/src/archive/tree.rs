//! A file tree: what an image will hold, before it has a format. Files of this machine are read
//! when it gets one: an image that is in the cache already needs their digests alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::artifact::{Cache, Digest, digest};
use crate::dir::Dir;
use crate::error::{Error, Result};

/// One entry of a tree. Owner is always root and time always 0: neither may depend on
/// the machine that builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory, mode 0755.
    Dir,
    /// A file with its content.
    File {
        /// The content.
        content: Content,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What is in a file of this machine.
    Of {
        /// The file.
        path: PathBuf,
        /// What the tree's digest was made of, once it was.
        digest: Option<Digest>,
    },
}

impl Content {
    /// The bytes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is another one by now than the digest was made of.
    pub fn read(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Content::Bytes(bytes) => Ok(bytes.into()),
            Content::Of { path, digest } => {
                let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
                let known = digest.as_ref();
                if known.is_some_and(|known| *known != digest::bytes(&bytes)) {
                    return Err(Error::Build {
                        stage: "image".into(),
                        message: format!("{} changed while an image was made", path.display()),
                        tail: Vec::new(),
                        cure: "run it again once packages are installed".into(),
                    });
                }
                Ok(bytes.into())
            }
        }
    }
}

/// A file tree. Keys are paths without a leading slash and without `.` and `..`, so that the
/// order of the map puts every directory before what it holds, and nothing is outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    /// Files of this machine that were copied.
    origins: BTreeSet<PathBuf>,
}

impl Tree {
    /// Adds a directory and its parents.
    pub fn dir(&mut self, path: &str) {
        let path = key(path);
        for (slash, _) in path.match_indices('/') {
            self.nodes
                .entry(path[..slash].to_owned())
                .or_insert(Node::Dir);
        }
        if !path.is_empty() {
            self.nodes.entry(path).or_insert(Node::Dir);
        }
    }

    /// Adds a file; its parents come with it.
    pub fn file(&mut self, path: &str, content: impl Into<Vec<u8>>, mode: u32) {
        self.insert(
            path,
            Node::File {
                content: Content::Bytes(content.into()),
                mode,
            },
        );
    }

    /// Adds a symbolic link; its parents come with it.
    pub fn link(&mut self, path: &str, target: &str) {
        self.insert(
            path,
            Node::Link {
                target: target.to_owned(),
            },
        );
    }

    /// Copies a file of this machine to `path`; symbolic links are followed.
    pub fn copy(&mut self, from: &Path, path: &str, mode: u32) -> Result<()> {
        std::fs::metadata(from).map_err(Error::io("read", from))?;
        let content = Content::Of {
            path: from.to_owned(),
            digest: None,
        };
        self.insert(path, Node::File { content, mode });
        self.origins.insert(from.to_owned());
        Ok(())
    }

    /// Copies a program of this machine, and every library it needs, each to the path
    /// it has here.
    pub fn program(&mut self, from: &Path) -> Result<()> {
        self.program_at(from, &from.to_string_lossy())
    }

    /// The same, with the program at another path.
    pub fn program_at(&mut self, from: &Path, path: &str) -> Result<()> {
        self.copy(from, path, 0o755)?;
        for library in super::closure::libraries(from)? {
            self.copy(&library, &library.to_string_lossy(), 0o755)?;
        }
        Ok(())
    }

    /// Files of this machine that were copied into the tree.
    pub fn origins(&self) -> impl Iterator<Item = &PathBuf> {
        self.origins.iter()
    }

    /// Path and node of every entry, directories before what they hold.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Digest of everything in the tree. Files of this machine are read only if `cache` does not
    /// remember them, and must be the same when the tree is packed.
    pub fn digest(&mut self, cache: &Cache) -> Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        for (path, node) in &mut self.nodes {
            digest::feed(&mut hasher, path.as_bytes());
            match node {
                Node::Dir => digest::feed(&mut hasher, b"dir"),
                Node::File { content, mode } => {
                    digest::feed(&mut hasher, &mode.to_le_bytes());
                    let of = match content {
                        Content::Bytes(bytes) => digest::bytes(bytes),
                        Content::Of { path, digest } => {
                            digest.insert(cache.file_digest(path)?).clone()
                        }
                    };
                    digest::feed(&mut hasher, of.hex().as_bytes());
                }
                Node::Link { target } => {
                    digest::feed(&mut hasher, b"link");
                    digest::feed(&mut hasher, target.as_bytes());
                }
            }
        }
        Ok(Digest::of(&hasher))
    }

    /// Writes the tree below an existing directory that nothing is in.
    ///
    /// # Errors
    ///
    /// Also if something in the tree lies below what is no directory there: a link of the
    /// tree leads somewhere in the image, and anywhere on this machine.
    pub fn write_below(&self, root: &Path) -> Result<()> {
        let root = Dir::open(root)?;
        for (path, node) in &self.nodes {
            let mut parts = path.split('/');
            let name = parts.next_back().unwrap_or_default();
            let mut dir = None;
            for part in parts {
                let parent = dir.as_ref().unwrap_or(&root);
                dir = Some(parent.inner(part)?);
            }
            let dir = dir.as_ref().unwrap_or(&root);
            match node {
                Node::Dir => drop(dir.make(name)?),
                Node::File { content, mode } => {
                    dir.write(name, &content.read()?, *mode)?;
                    // Whatever the umask is.
                    let at = dir.path().join(name);
                    let permissions = std::fs::Permissions::from_mode(*mode);
                    std::fs::set_permissions(&at, permissions).map_err(Error::io("chmod", &at))?;
                }
                Node::Link { target } => dir.link(name, target)?,
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: &str, node: Node) {
        let path = key(path);
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.dir(parent);
        }
        self.nodes.insert(path, node);
    }
}

/// The path as a key. Above the root of a tree there is nothing, as in any file system.
fn key(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::archive;
    use super::*;

    #[test]
    fn parents_come_before_children() {
        let mut tree = Tree::default();
        tree.file("/a/b/c", "x", 0o644);
        tree.link("/a-b", "a");
        let paths: Vec<&str> = tree.nodes().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a-b", "a/b", "a/b/c"]);
    }

    #[test]
    fn digest_tells_content_mode_and_place_apart() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let tree = |path: &str, content: &str, mode| {
            let mut tree = Tree::default();
            tree.file(path, content, mode);
            tree.digest(&cache).unwrap()
        };
        let base = tree("a", "x", 0o644);
        assert_eq!(base, tree("a", "x", 0o644));
        for other in [
            tree("b", "x", 0o644),
            tree("a", "y", 0o644),
            tree("a", "x", 0o755),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_copied_file_is_its_content_and_must_stay_what_its_digest_was_made_of() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        let from = dir.path().join("from");
        std::fs::write(&from, "x").unwrap();
        let mut copied = Tree::default();
        copied.copy(&from, "a", 0o644).unwrap();
        let mut written = Tree::default();
        written.file("a", "x", 0o644);
        let digest = copied.digest(&cache).unwrap();
        assert_eq!(digest, written.digest(&cache).unwrap());
        assert_eq!(archive(&copied).unwrap(), archive(&written).unwrap());

        std::fs::write(&from, "y").unwrap();
        let error = archive(&copied).unwrap_err().to_string();
        assert!(error.contains("changed while an image was made"), "{error}");
        assert_ne!(copied.digest(&cache).unwrap(), digest);
        archive(&copied).unwrap();

        std::fs::remove_file(&from).unwrap();
        let error = archive(&copied).unwrap_err().to_string();
        assert!(error.contains("from"), "{error}");
        let error = copied.copy(&from, "b", 0o644).unwrap_err().to_string();
        assert!(error.contains("from"), "{error}");
    }

    #[test]
    fn no_path_leads_out_of_a_tree() {
        let mut tree = Tree::default();
        tree.file("/usr/../../../etc/x", "x", 0o644);
        tree.file("a/./b//c", "x", 0o644);
        tree.dir("../..");
        let paths: Vec<&str> = tree.nodes().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c", "etc", "etc/x"]);

        // Nor does what lies below a link.
        let parent = tempfile::tempdir().unwrap();
        let (root, outside) = (parent.path().join("root"), parent.path().join("outside"));
        for dir in [&root, &outside] {
            std::fs::create_dir(dir).unwrap();
        }
        let mut tree = Tree::default();
        tree.link("lib", "../outside");
        tree.file("lib/libc.so", "x", 0o644);
        tree.write_below(&root).unwrap_err();
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn tree_is_written_as_described() {
        let mut tree = Tree::default();
        tree.file("/etc/motd", "hello", 0o600);
        tree.link("/motd", "etc/motd");
        let dir = tempfile::tempdir().unwrap();
        tree.write_below(dir.path()).unwrap();
        assert_eq!(
            std::fs::read_to_string(dir.path().join("motd")).unwrap(),
            "hello"
        );
        let mode = std::fs::metadata(dir.path().join("etc/motd"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
