//! The files that a guest is run with, wherever they lie: the one list of them for every
//! platform.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Paths of a guest's files; none for what it does without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestFiles {
    /// Its kernel.
    pub kernel: Option<PathBuf>,
    /// Its initramfs, without its keys.
    pub initramfs: Option<PathBuf>,
    /// The image of its disk.
    pub disk: Option<PathBuf>,
    /// `exit-sampler`, for a guest whose image has none.
    pub sampler: Option<PathBuf>,
}

impl GuestFiles {
    /// What there is, each with the name that tells it from the others.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let all = [
            ("kernel", &self.kernel),
            ("initramfs", &self.initramfs),
            ("disk", &self.disk),
            ("exit-sampler", &self.sampler),
        ];
        all.into_iter()
            .filter_map(|(name, path)| Some((name, path.as_deref()?)))
    }

    /// The paths of what there is.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let all = [
            &mut self.kernel,
            &mut self.initramfs,
            &mut self.disk,
            &mut self.sampler,
        ];
        all.into_iter().flatten().collect()
    }

    /// The same files, each by its name in a directory.
    pub fn in_dir(&self, dir: &str) -> GuestFiles {
        let mut files = self.clone();
        let names: Vec<_> = self.named().map(|(name, _)| name).collect();
        for (path, name) in files.paths_mut().into_iter().zip(names) {
            *path = Path::new(dir).join(name);
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_belong_together() {
        let files = GuestFiles {
            kernel: Some("/boot/vmlinuz".into()),
            sampler: Some("/x/exit-sampler".into()),
            ..GuestFiles::default()
        };
        let moved = files.in_dir("/guest");
        let named: Vec<_> = moved.named().collect();
        let expected = [
            ("kernel", Path::new("/guest/kernel")),
            ("exit-sampler", Path::new("/guest/exit-sampler")),
        ];
        assert_eq!(named, expected);
    }
}
