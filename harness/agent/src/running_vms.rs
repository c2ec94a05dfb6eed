//! The virtual machines that run on this host: processes with file descriptors of KVM, whatever
//! VMM they are (`anon_inode:kvm-vm`, `anon_inode:kvm-vcpu:N`; virt/kvm/kvm_main.c).

use std::path::{Path, PathBuf};

use exitlab_base::process::stat::Stat;
use exitlab_model::attach::FoundVm;

use crate::clock::host_seconds;

/// How much of a name is kept, characters.
const LONGEST: usize = 200;

/// A virtual machine that runs, and its process, for which no other can be taken.
#[derive(Debug)]
pub struct Running {
    /// What is known of it.
    pub found: FoundVm,
    start: u64,
}

impl Running {
    /// Whether its process still is the one that was found.
    pub fn lives(&self) -> bool {
        Stat::of_process(self.found.pid).is_some_and(|stat| stat.start == self.start)
    }

    /// How many vCPUs it has now; those that it had where that cannot be seen any more.
    pub fn vcpus(&self) -> u64 {
        let now = Descriptors::of(&dir(self.found.pid)).map(|all| all.vcpus);
        now.unwrap_or(0).max(self.found.vcpus).into()
    }
}

/// All that can be seen, by process, and whether every process could be looked at.
pub fn list() -> (Vec<FoundVm>, bool) {
    let (running, all) = look(Path::new("/proc"));
    (running.into_iter().map(|vm| vm.found).collect(), all)
}

/// The one of that process or that name.
///
/// # Errors
///
/// Why there is none, or which several there are.
pub fn find(target: &str) -> Result<Running, String> {
    let (running, all) = look(Path::new("/proc"));
    let is = |vm: &Running| vm.found.pid.to_string() == target;
    let (mut fit, others): (Vec<_>, Vec<_>) = running.into_iter().partition(is);
    if fit.is_empty() {
        fit = others;
        fit.retain(|vm| vm.found.name == target);
    }
    match fit.len() {
        1 => fit.pop().ok_or_else(String::new),
        0 if all => Err(format!(
            "no VM that runs here is process '{target}' or called so"
        )),
        0 => Err(format!(
            "no VM that can be seen here is process '{target}' or called so; those of other users \
             are seen by root only"
        )),
        _ => {
            let pids: Vec<String> = fit.iter().map(|vm| vm.found.pid.to_string()).collect();
            let pids = pids.join(", ");
            Err(format!(
                "several VMs are called '{target}': processes {pids}"
            ))
        }
    }
}

fn dir(process: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}

fn look(proc: &Path) -> (Vec<Running>, bool) {
    let (mut running, mut all) = (Vec::new(), true);
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    for entry in entries {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        match Descriptors::of(&entry.path()) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => all = false,
            // It ended meanwhile.
            Err(_) => {}
            Ok(Descriptors { vms: 0, .. }) => {}
            Ok(Descriptors { vcpus, .. }) => {
                running.extend(described(&entry.path(), pid, vcpus));
            }
        }
    }
    running.sort_by_key(|vm| vm.found.pid);
    (running, all)
}

fn described(dir: &Path, pid: u32, vcpus: u32) -> Option<Running> {
    let stat = Stat::of(dir)?;
    let comm = std::fs::read_to_string(dir.join("comm")).unwrap_or_default();
    let comm = comm.trim().to_owned();
    let exe = std::fs::read_link(dir.join("exe")).ok();
    let exe = exe.and_then(|exe| Some(exe.file_name()?.to_string_lossy().into_owned()));
    let cmdline = std::fs::read(dir.join("cmdline")).unwrap_or_default();
    let name = given_name(&cmdline).unwrap_or_else(|| comm.clone());
    let short = |text: String| text.chars().take(LONGEST).collect::<String>();
    Some(Running {
        found: FoundVm {
            pid,
            name: short(name),
            vmm: short(exe.unwrap_or(comm)),
            vcpus,
            up_s: (host_seconds() - stat.began().as_secs_f64()).max(0.0),
        },
        start: stat.start,
    })
}

/// QEMU's `-name NAME` or `-name guest=NAME,...`.
fn given_name(cmdline: &[u8]) -> Option<String> {
    let words = cmdline
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy);
    let value = words
        .skip_while(|word| word != "-name" && word != "--name")
        .nth(1)?;
    let named = value
        .split(',')
        .find_map(|part| part.strip_prefix("guest="));
    let name = named.or_else(|| value.split(',').next())?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// A process's descriptors of KVM.
#[derive(Debug, Default)]
struct Descriptors {
    vms: u32,
    vcpus: u32,
}

impl Descriptors {
    fn of(process: &Path) -> std::io::Result<Descriptors> {
        let mut all = Descriptors::default();
        for entry in std::fs::read_dir(process.join("fd"))?.flatten() {
            let Ok(target) = std::fs::read_link(entry.path()) else {
                continue;
            };
            let target = target.to_string_lossy();
            all.vms += u32::from(target == "anon_inode:kvm-vm");
            all.vcpus += u32::from(target.starts_with("anon_inode:kvm-vcpu:"));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A process as `/proc` has it.
    fn process(proc: &Path, pid: u32, cmdline: &str, fds: &[&str]) {
        let dir = proc.join(pid.to_string());
        std::fs::create_dir_all(dir.join("fd")).unwrap();
        for (number, target) in fds.iter().enumerate() {
            symlink(target, dir.join("fd").join(number.to_string())).unwrap();
        }
        let stat = format!("{pid} (vm) x) S {}77 1", "0 ".repeat(18));
        std::fs::write(dir.join("stat"), stat).unwrap();
        std::fs::write(dir.join("comm"), "vm) x\n").unwrap();
        std::fs::write(dir.join("cmdline"), cmdline.replace(' ', "\0")).unwrap();
    }

    #[test]
    fn vms_are_known_by_their_descriptors_of_whatever_program() {
        let proc = tempfile::tempdir().unwrap();
        let two = [
            "anon_inode:kvm-vm",
            "anon_inode:kvm-vcpu:0",
            "anon_inode:kvm-vcpu:1",
        ];
        process(
            proc.path(),
            30,
            "/usr/bin/qemu -name guest=db,debug-threads=on -m 1",
            &two,
        );
        process(proc.path(), 4, "firecracker --api", &two[..2]);
        process(
            proc.path(),
            5,
            "sh",
            &["/dev/null", "anon_inode:[eventpoll]"],
        );
        std::fs::create_dir(proc.path().join("self")).unwrap();
        let (running, all) = look(proc.path());
        let seen: Vec<_> = running
            .iter()
            .map(|vm| {
                (
                    vm.found.pid,
                    vm.found.name.as_str(),
                    vm.found.vcpus,
                    vm.start,
                )
            })
            .collect();
        assert_eq!(seen, [(4, "vm) x", 1, 77), (30, "db", 2, 77)]);
        assert!(all);
    }

    #[test]
    fn a_name_is_qemus_word_for_it() {
        let name = |line: &str| given_name(line.replace(' ', "\0").as_bytes());
        assert_eq!(name("q -name web,process=x").as_deref(), Some("web"));
        assert_eq!(name("q -name process=x,guest=y").as_deref(), Some("y"));
        assert_eq!(name("q -m 1"), None);
        assert_eq!(name("q -name"), None);
    }
}
