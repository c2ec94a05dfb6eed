//! How much memory the control groups of this process allow, as in a container: version 2
//! (Documentation/admin-guide/cgroup-v2.rst) and version 1 (cgroup-v1/memory.rst). Every group
//! on the way up to the one that is visible as the root may have a limit of its own.

use std::path::{Path, PathBuf};

/// Memory, MiB; none is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Allowance {
    /// The least limit of all groups.
    pub limit_mib: Option<u64>,
    /// What is left below the limit that is nearest. Pages of files that the kernel would give
    /// up first count as left.
    pub left_mib: Option<u64>,
}

/// The names of one version's files.
struct Files {
    limits: &'static [&'static str],
    usage: &'static str,
    /// The line of `memory.stat` that is given up first.
    reclaimable: &'static str,
}

const V2: Files = Files {
    // Above `high` the kernel makes a group wait rather than give it more.
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    reclaimable: "inactive_file",
};

const V1: Files = Files {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

/// No limit, in version 1: the largest number of bytes in whole pages.
const ENDLESS: u64 = 1 << 60;

impl Allowance {
    /// What the groups of this process allow, on the machine below `root`.
    pub(super) fn of(root: &Path) -> Allowance {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
        let mut allowance = Allowance::default();
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(group)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let files = match controllers {
                "" => &V2,
                list if list.split(',').any(|one| one == "memory") => &V1,
                _ => continue,
            };
            if let Some(mount) = Mount::of(&mounts, controllers) {
                for dir in mount.way_up(group) {
                    allowance.take(&root.join(dir.strip_prefix("/").unwrap_or(&dir)), files);
                }
            }
        }
        allowance
    }

    fn take(&mut self, dir: &Path, files: &Files) {
        let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
        let number = |name: &str| text(name).trim().parse::<u64>().ok();
        let limits = files.limits.iter().filter_map(|name| number(name));
        let Some(limit) = limits.filter(|limit| *limit < ENDLESS).min() else {
            return;
        };
        let stat = text("memory.stat");
        let reclaimable = stat.lines().find_map(|line| {
            let value = line.strip_prefix(files.reclaimable)?;
            value.trim().parse::<u64>().ok()
        });
        let used = number(files.usage).unwrap_or(0);
        let used = used.saturating_sub(reclaimable.unwrap_or(0));
        let least = |old: Option<u64>, new: u64| Some(old.map_or(new, |old| old.min(new)));
        self.limit_mib = least(self.limit_mib, limit >> 20);
        self.left_mib = least(self.left_mib, limit.saturating_sub(used) >> 20);
    }
}

/// Where a hierarchy of groups is mounted, and which group is seen there as its root.
struct Mount {
    root: PathBuf,
    at: PathBuf,
}

impl Mount {
    /// The mount of version 2 if no controllers are named, or of `memory` in version 1, in the
    /// lines of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
    fn of(mounts: &str, controllers: &str) -> Option<Mount> {
        mounts.lines().find_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            let mut mount = mount.split(' ').skip(3);
            let (root, at) = (mount.next()?, mount.next()?);
            let mut system = system.split(' ');
            let (kind, options) = (system.next()?, system.nth(1)?);
            let right = match controllers {
                "" => kind == "cgroup2",
                _ => kind == "cgroup" && options.split(',').any(|one| one == "memory"),
            };
            right.then(|| Mount {
                root: root.into(),
                at: at.into(),
            })
        })
    }

    /// The directories of a group and of all above it. A group that is not below what is
    /// mounted, as in a container that shows the machine's names, is the mounted one.
    fn way_up(&self, group: &str) -> Vec<PathBuf> {
        let group = Path::new(group);
        let below = group.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let plain = |part: std::path::Component| matches!(part, std::path::Component::Normal(_));
        let below = if below.components().all(plain) {
            below
        } else {
            Path::new("")
        };
        below.ancestors().map(|dir| self.at.join(dir)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// What a machine with these files allows.
    fn allowed(files: &[(&str, &str)]) -> Allowance {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Allowance::of(dir.path())
    }

    fn mib(limit: u64, left: u64) -> Allowance {
        Allowance {
            limit_mib: Some(limit),
            left_mib: Some(left),
        }
    }

    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_least_limit_on_the_way_up_counts() {
        let machine = [
            ("proc/self/cgroup", "0::/user.slice/me.scope\n"),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/user.slice/me.scope/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/me.scope/memory.high", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "3221225472\n"),
            ("sys/fs/cgroup/user.slice/memory.high", "2147483648\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "1610612736\n"),
            (
                "sys/fs/cgroup/user.slice/memory.stat",
                "anon 1\ninactive_file 536870912\n",
            ),
        ];
        assert_eq!(allowed(&machine), mib(2048, 1024));
        assert_eq!(allowed(&machine[..4]), Allowance::default());
        assert_eq!(allowed(&[]), Allowance::default());
    }

    #[test]
    fn a_container_is_its_own_root() {
        let of = |group: &str, root: &str| {
            let mount = format!("30 23 0:26 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
            allowed(&[
                ("proc/self/cgroup", &format!("0::{group}\n")),
                ("proc/self/mountinfo", &mount),
                ("sys/fs/cgroup/memory.max", "1073741824"),
            ])
        };
        assert_eq!(of("/", "/"), mib(1024, 1024));
        assert_eq!(of("/docker/abc", "/docker/abc"), mib(1024, 1024));
        assert_eq!(of("/../../other", "/"), mib(1024, 1024));
    }

    #[test]
    fn version_1_has_other_names_and_a_number_for_no_limit() {
        let of = |limit: &str| {
            let mount = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                         41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
            allowed(&[
                (
                    "proc/self/cgroup",
                    "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n",
                ),
                ("proc/self/mountinfo", mount),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n"),
            ])
        };
        assert_eq!(of("2147483648\n"), mib(2048, 2047));
        assert_eq!(of("9223372036854771712\n"), Allowance::default());
    }
}
