//! An instance of tracefs (Documentation/trace/ftrace.rst, "Instances"): triggers of our own,
//! which nobody else's tracing sees. It is called by its owner: who finds one whose owner is
//! dead clears it away.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use exitlab_base::dir::Dir;
use exitlab_base::process::stat::Stat;
use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use rustix::io::Errno;

use super::kernel_fs::{self, KernelFs};
use crate::failure::Failure;

/// Where tracefs belongs. Without tracing in the kernel there is no such directory.
const TRACEFS: &str = "/sys/kernel/tracing";

/// The directory of instances.
const INSTANCES: &str = "instances";

/// Where tracefs makes events out of others, for all of its instances.
pub const SYNTHETIC: &str = "synthetic_events";

/// Begins the name of every instance of ours.
const PREFIX: &str = "exitlab-";

/// An instance of this process's.
#[derive(Debug)]
pub struct Instance {
    /// Tracefs.
    tracefs: KernelFs,
    name: String,
    dir: PathBuf,
    there: bool,
}

impl Instance {
    /// Makes one that counts, after clearing away those of the dead.
    pub fn make() -> Result<Instance, Failure> {
        let instance = Instance::make_for(None)?;
        // It has room for events, which nobody writes: a megabyte for each processor. What
        // cannot be made smaller does no harm.
        let _ = std::fs::write(instance.dir.join("buffer_size_kb"), "4");
        Ok(instance)
    }

    /// Makes another one beside it.
    pub fn make_for(purpose: Option<&str>) -> Result<Instance, Failure> {
        let tracefs = open()?;
        let instances = tracefs.path().join(INSTANCES);
        if !is_there(&instances)? {
            return Err(no_tracing("its tracefs has no instances"));
        }
        sweep_in(tracefs.path(), Path::new("/proc"));
        let purpose = purpose.map_or(String::new(), |purpose| format!("-{purpose}"));
        let name = Owner::this().name() + &purpose;
        let dir = instances.join(&name);
        std::fs::create_dir(&dir).map_err(|e| refused("make", &dir, &e))?;
        Ok(Instance {
            tracefs,
            name,
            dir,
            there: true,
        })
    }

    /// The file system that it is an instance of.
    pub fn tracefs(&self) -> &Path {
        self.tracefs.path()
    }

    /// The name of an event of its own.
    pub fn event(&self) -> String {
        event_of(&self.name)
    }

    /// What is its own.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes it, and whatever it counts.
    pub fn remove(mut self) -> Result<(), Failure> {
        self.there = false;
        let removed = Dir::open(&self.tracefs.path().join(INSTANCES));
        let removed = removed.and_then(|dir| dir.remove_if_empty(&self.name));
        removed.map_err(|e| {
            let message = format!("failed to remove {}: {e}", self.dir.display());
            Failure::new(Stage::Host, FailureKind::Host, message)
        })
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // What stays is cleared away by the next agent.
        if self.there {
            unhook(self.tracefs.path(), &self.name);
            let _ = std::fs::remove_dir(&self.dir);
        }
    }
}

/// Clears away the instances of agents that died without doing so themselves. Where there is no
/// tracefs, or none that we may change, nobody has left anything that we could.
pub fn sweep() {
    if let Ok(tracefs) = open() {
        sweep_in(tracefs.path(), Path::new("/proc"));
    }
}

/// Names of events have no hyphens.
fn event_of(instance: &str) -> String {
    instance.replace('-', "_")
}

/// Takes away what keeps an instance: histograms that refer to one another, the last one first,
/// and the event that they make. Most instances have none.
fn unhook(tracefs: &Path, instance: &str) {
    let event = event_of(instance);
    let events = tracefs.join(INSTANCES).join(instance).join("events");
    for event in [
        &*format!("synthetic/{event}"),
        "kvm/kvm_entry",
        "kvm/kvm_exit",
    ] {
        let _ = kernel_fs::forget(&events.join(event).join("trigger"));
    }
    let _ = kernel_fs::tell(&tracefs.join(SYNTHETIC), &format!("!{event}"));
}

fn sweep_in(tracefs: &Path, proc: &Path) {
    let Ok(dir) = Dir::open(&tracefs.join(INSTANCES)) else {
        return;
    };
    let this = Owner::this();
    for name in dir.names().unwrap_or_default() {
        let owner = name.to_str().and_then(Owner::of_name);
        // Who lives in another namespace of processes cannot be seen to live.
        let dead = owner.is_some_and(|o| o.namespace == this.namespace && !o.lives(proc));
        if dead {
            unhook(tracefs, &name.to_string_lossy());
            let _ = dir.remove_if_empty(&name);
        }
    }
}

/// A process for which no other can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    /// Inode of the namespace that `process` is of; 0 where there are none.
    namespace: u64,
    process: u32,
    /// When it was started, ticks since boot (proc(5), `starttime`).
    start: u64,
}

impl Owner {
    fn this() -> Owner {
        let process = std::process::id();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let namespace = namespace.to_string_lossy();
        let digits: String = namespace.chars().filter(char::is_ascii_digit).collect();
        Owner {
            namespace: digits.parse().unwrap_or(0),
            process,
            start: start_of(Path::new("/proc"), process).unwrap_or(0),
        }
    }

    fn name(self) -> String {
        let Owner {
            namespace,
            process,
            start,
        } = self;
        format!("{PREFIX}{namespace}-{process}-{start}")
    }

    fn of_name(name: &str) -> Option<Owner> {
        let mut numbers = name.strip_prefix(PREFIX)?.split('-');
        let mut number = || numbers.next()?.parse::<u64>().ok();
        let owner = Owner {
            namespace: number()?,
            process: number()?.try_into().ok()?,
            start: number()?,
        };
        let purpose = name.strip_prefix(&owner.name())?;
        (purpose.is_empty() || purpose.starts_with('-')).then_some(owner)
    }

    fn lives(self, proc: &Path) -> bool {
        start_of(proc, self.process) == Some(self.start)
    }
}

/// When the process of this number began.
fn start_of(proc: &Path, process: u32) -> Option<u64> {
    Some(Stat::of(&proc.join(process.to_string()))?.start)
}

fn open() -> Result<KernelFs, Failure> {
    let place = Path::new(TRACEFS);
    KernelFs::open("tracefs", place, "events").map_err(|e| match Errno::from_io_error(&e) {
        // No such file system; a kernel that is older than fsopen(2).
        Some(Errno::NODEV) => no_tracing("it has no tracefs (CONFIG_FTRACE)"),
        Some(Errno::NOSYS) => no_tracing("tracefs is not mounted on /sys/kernel/tracing"),
        _ => refused("open", place, &e),
    })
}

/// What may not be looked at is not called missing.
pub fn is_there(path: &Path) -> Result<bool, Failure> {
    path.try_exists().map_err(|e| refused("look at", path, &e))
}

fn refused(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::PermissionDenied => {
            "; the channel \"trace\" needs root (or CAP_SYS_ADMIN and CAP_DAC_OVERRIDE), and a \
             kernel that is not locked down to confidentiality (/sys/kernel/security/lockdown)"
        }
        ErrorKind::ReadOnlyFilesystem => "; in a container, tracefs must be there to write to",
        _ => "",
    };
    let message = format!("failed to {what} {}: {error}{why}", path.display());
    Failure::new(Stage::Host, FailureKind::Host, message)
}

/// The kernel cannot do it.
pub fn no_tracing(lacks: &str) -> Failure {
    let message = format!("the host's kernel cannot count its tracepoint kvm_exit: {lacks}");
    Failure::new(Stage::Host, FailureKind::NoTracing, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_instances_of_the_dead_are_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str| dir.path().join(INSTANCES).join(name);
        std::fs::create_dir(dir.path().join(INSTANCES)).unwrap();
        std::fs::write(dir.path().join(SYNTHETIC), "").unwrap();
        let this = Owner::this();
        let alive = this.name();
        // Its number was given to us; another namespace's; nobody's.
        let earlier = Owner { start: 1, ..this }.name();
        let elsewhere = Owner {
            namespace: 7,
            start: 1,
            ..this
        }
        .name();
        let (log, earlier_log) = (format!("{alive}-log"), format!("{earlier}-log"));
        for name in [
            &alive,
            &log,
            &earlier,
            &earlier_log,
            &elsewhere,
            "exitlab-mine",
            "somebody-else",
        ] {
            std::fs::create_dir(of(name)).unwrap();
        }
        sweep_in(dir.path(), Path::new("/proc"));
        assert!(!of(&earlier).exists() && !of(&earlier_log).exists());
        let told = std::fs::read_to_string(dir.path().join(SYNTHETIC)).unwrap();
        // In whichever order they were found: the kernel takes one after the other.
        let unmade = [&earlier, &earlier_log].map(|name| format!("!{}", event_of(name)));
        assert!(unmade.contains(&told), "{told}");
        for name in [&alive, &log, &elsewhere, "exitlab-mine", "somebody-else"] {
            assert!(of(name).exists(), "{name}");
        }
    }
}
