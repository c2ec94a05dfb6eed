//! KVM's binary statistics of a vCPU (`KVM_GET_STATS_FD`, Documentation/virt/kvm/api.rst).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use kvm_bindings::KVMIO;
use kvm_ioctls::VcpuFd;
use vmm_sys_util::ioctl::ioctl;

vmm_sys_util::ioctl_io_nr!(KVM_GET_STATS_FD, KVMIO, 0xce);

/// `struct kvm_stats_header`: six 32-bit words.
const HEADER: usize = 24;
/// `struct kvm_stats_desc` without the name: flags, exponent, size, offset, bucket size.
const DESCRIPTOR: usize = 16;
/// More of a name or a list than any KVM has.
const SANE: usize = 1 << 16;

/// Statistics by name; histograms have many values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics(BTreeMap<String, Vec<u64>>);

impl Statistics {
    /// A counter.
    pub fn counter(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.first().copied()
    }

    /// A histogram.
    pub fn histogram(&self, name: &str) -> Option<&[u64]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Adds another vCPU's.
    pub fn add(&mut self, other: Statistics) {
        for (name, values) in other.0 {
            let sums = self.0.entry(name).or_insert_with(|| vec![0; values.len()]);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
}

/// Reads the statistics of a vCPU.
pub fn vcpu_statistics(vcpu: &VcpuFd) -> Result<Statistics, String> {
    // SAFETY: the ioctl takes no argument and returns a new file descriptor, which nothing
    // else owns.
    #[expect(unsafe_code, reason = "kvm-ioctls does not offer KVM_GET_STATS_FD")]
    let file = unsafe {
        let fd = ioctl(vcpu, KVM_GET_STATS_FD());
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return Err(format!("KVM failed to open a vCPU's statistics: {error}"));
        }
        File::from_raw_fd(fd)
    };
    let read = |at: usize, len: usize| {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, at as u64)
            .map_err(|e| format!("failed to read a vCPU's statistics: {e}"))?;
        Ok::<_, String>(bytes)
    };
    parse(read)
}

/// Reads header, descriptors and data through `read(offset, length)`.
fn parse(read: impl Fn(usize, usize) -> Result<Vec<u8>, String>) -> Result<Statistics, String> {
    let header = read(0, HEADER)?;
    let [_, name_size, count, _, descriptors, data] =
        std::array::from_fn(|at| word(&header, 4 * at) as usize);
    if name_size > SANE || count > SANE {
        return Err("a vCPU's statistics have a senseless header".to_owned());
    }
    let size = DESCRIPTOR + name_size;
    let list = read(descriptors, count * size)?;
    let mut statistics = Statistics::default();
    for descriptor in list.chunks_exact(size) {
        let values = usize::from(u16::from_le_bytes([descriptor[6], descriptor[7]]));
        let offset = word(descriptor, 8) as usize;
        let name = descriptor[DESCRIPTOR..].split(|byte| *byte == 0).next();
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let bytes = read(data + offset, values * 8)?;
        let (values, _) = bytes.as_chunks::<8>();
        let values = values.iter().map(|value| u64::from_le_bytes(*value));
        statistics.0.insert(name, values.collect());
    }
    Ok(statistics)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A file as `Documentation/virt/kvm/api.rst` lays it out: one counter, one histogram.
    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        for value in [0_u32, 8, 2, HEADER as u32, 32, 80] {
            file.extend(value.to_le_bytes());
        }
        file.extend(b"kvm-1\0\0\0");
        for (size, offset, name) in [(1_u16, 0_u32, b"exits\0\0\0"), (3, 8, b"by_why\0\0")] {
            file.extend([0; 6]);
            file.extend(size.to_le_bytes());
            file.extend(offset.to_le_bytes());
            file.extend([0; 4]);
            file.extend(name);
        }
        for value in [7_u64, 1, 2, 4] {
            file.extend(value.to_le_bytes());
        }
        file
    }

    #[test]
    fn counters_and_histograms_are_read_and_summed() {
        let file = file();
        let read = |at: usize, len: usize| {
            let bytes = file.get(at..at + len);
            bytes.map(<[u8]>::to_vec).ok_or("too short".to_owned())
        };
        let mut sum = parse(read).unwrap();
        sum.add(parse(read).unwrap());
        assert_eq!(sum.counter("exits"), Some(14));
        assert_eq!(sum.histogram("by_why"), Some([2, 4, 8].as_slice()));
        assert_eq!(sum.counter("no_such"), None);
    }

    #[test]
    fn a_short_file_is_an_error() {
        let file = file();
        let read = |at: usize, len: usize| {
            let bytes = file[..90].get(at..at + len);
            bytes.map(<[u8]>::to_vec).ok_or("too short".to_owned())
        };
        assert_eq!(parse(read), Err("too short".to_owned()));
    }
}
