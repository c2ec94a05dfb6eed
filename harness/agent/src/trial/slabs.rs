//! How often the host's kernel has allocated memory for itself: statistics of its allocator,
//! where it was built with them (`CONFIG_SLUB_STATS`, mm/slub.c).

use std::path::Path;

/// A directory for each kind of object.
const CACHES: &str = "/sys/kernel/slab";
/// Allocations of a kind: from the processor's own list, and the others. A number for all
/// processors, then one for each.
const COUNTERS: [&str; 2] = ["alloc_fastpath", "alloc_slowpath"];

/// The allocator's statistics.
pub struct Slabs;

impl Slabs {
    /// Allocations since the host booted; none where the kernel does not count them.
    pub fn count() -> Option<u64> {
        Slabs::count_below(Path::new(CACHES))
    }

    fn count_below(dir: &Path) -> Option<u64> {
        let mut sum = None;
        for cache in std::fs::read_dir(dir).ok()?.filter_map(Result::ok) {
            // A link is another name of the same kind.
            if !cache.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let counters = COUNTERS.iter().filter_map(|name| {
                let text = std::fs::read_to_string(cache.path().join(name)).ok()?;
                text.split_whitespace().next()?.parse::<u64>().ok()
            });
            for counter in counters {
                *sum.get_or_insert(0) += counter;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_counts_once_and_a_kernel_that_does_not_count_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join(":0000064");
        std::fs::create_dir(&cache).unwrap();
        assert_eq!(Slabs::count_below(dir.path()), None);
        std::fs::write(cache.join("alloc_fastpath"), "12 C0=5 C1=7\n").unwrap();
        std::fs::write(cache.join("alloc_slowpath"), "3\n").unwrap();
        std::os::unix::fs::symlink(&cache, dir.path().join("kmalloc-64")).unwrap();
        assert_eq!(Slabs::count_below(dir.path()), Some(15));
    }
}
