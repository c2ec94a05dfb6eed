//! What another machine is and has, as far as a shell can tell: asked before anything is
//! brought there.

use std::path::{Path, PathBuf};

use super::part::Part;
use crate::qemu_files::{LEAST, version};
use exitlab_base::error::{Error, Result};
use exitlab_model::name::PlainName;

/// Begins every line that is meant for us: a login may print lines of its own.
const MARK: &str = "exitlab:";

/// Asks. Its arguments are the digests that the machine may have already. What nobody asked
/// for in a month goes.
pub const SCRIPT: &str = "\
umask 077
base=\"${XDG_CACHE_HOME:-$HOME/.cache}/exitlab\"
mkdir -p \"$base/parts\" \"$base/agents\" || exit
say() { echo \"exitlab: $*\"; }
say base \"$base\"
say machine \"$(uname -m)\"
qemu=$(command -v qemu-system-x86_64) && {
  say qemu \"$qemu\"
  say qemu-version $(\"$qemu\" --version 2>&1 | head -n 1)
}
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then say kvm open
elif [ -e /dev/kvm ]; then say kvm closed
fi
[ -e /sys/module/kvm/parameters/exit_census_cycles ] && say census
command -v sha256sum > /dev/null && say sha256sum
say free $(df -Pk \"$base\" | tail -n 1)
for hash in \"$@\"; do
  [ -f \"$base/parts/$hash\" ] && touch \"$base/parts/$hash\" && say has \"$hash\"
done
find \"$base/parts\" -type f -mtime +30 -exec rm -f {} +";

/// Room to leave on the other machine, KiB: for sockets, logs and the guest's keys.
const SPARE_KIB: u64 = 16 * 1024;

/// KVM's device there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kvm {
    #[default]
    None,
    Closed,
    Open,
}

/// What a task needs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// To run our agent: the VM runs there already.
    Agent,
    /// To run a guest.
    Guest,
    /// That KVM counts by reason, and QEMU tells it.
    Census,
}

/// What the machine answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    base: PathBuf,
    machine: String,
    qemu: Option<PathBuf>,
    qemu_says: String,
    kvm: Kvm,
    census: bool,
    sha256sum: bool,
    free_kib: Option<u64>,
    has: Vec<String>,
}

impl Facts {
    /// Reads what [`SCRIPT`] printed.
    pub fn read(text: &str) -> Result<Facts, String> {
        let mut facts = Facts::default();
        for line in text.lines().filter_map(|line| line.strip_prefix(MARK)) {
            let line = line.trim_start();
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "base" => facts.base = place(value)?,
                "machine" => facts.machine = value.to_owned(),
                "qemu" => facts.qemu = Some(place(value)?),
                "qemu-version" => facts.qemu_says = value.to_owned(),
                "kvm" if value == "open" => facts.kvm = Kvm::Open,
                "kvm" => facts.kvm = Kvm::Closed,
                "census" => facts.census = true,
                "sha256sum" => facts.sha256sum = true,
                // POSIX: file system, size, used, available, ...
                "free" => {
                    let available = value.split_whitespace().nth(3);
                    facts.free_kib = available.and_then(|kib| kib.parse().ok());
                }
                // Only what was asked for is ever looked up in it.
                "has" => facts.has.push(value.to_owned()),
                _ => {}
            }
        }
        match facts.base.as_os_str().is_empty() {
            false => Ok(facts),
            true => Err("did not say where its cache is".to_owned()),
        }
    }

    /// Whether its KVM counts by reason.
    pub fn has_census(&self) -> bool {
        self.census
    }

    /// Fails with everything that the machine lacks.
    pub fn require(&self, address: &str, demand: Demand) -> Result<()> {
        let (guest, counts) = (demand != Demand::Agent, demand == Demand::Census);
        let (mut missing, mut cures) = (Vec::new(), Vec::new());
        let mut lacks = |lack: bool, what: &str, cure: &str| {
            if lack {
                missing.push(format!("{what}, on {address}"));
                cures.push(cure.to_owned());
            }
        };
        lacks(
            self.machine != "x86_64",
            &format!(
                "processor: exitlab's guests are of x86_64 (found {})",
                self.machine
            ),
            "choose another machine",
        );
        lacks(
            guest && self.qemu.is_none(),
            "qemu-system-x86_64: runs the guest",
            "sudo apt-get install --no-install-recommends qemu-system-x86",
        );
        let old = counts && version(&self.qemu_says).is_none_or(|version| version < LEAST);
        let (major, minor) = LEAST;
        lacks(
            self.qemu.is_some() && old,
            &format!(
                "QEMU {major}.{minor} or newer: tells KVM's statistics, query-stats (found: {})",
                self.qemu_says
            ),
            "install a newer QEMU there, before the other on the search path of `ssh MACHINE COMMAND`",
        );
        lacks(
            guest && self.kvm == Kvm::None,
            "/dev/kvm: runs the guest on the processor",
            "sudo modprobe kvm_intel, or kvm_amd; virtualization may be off in the firmware",
        );
        lacks(
            guest && self.kvm == Kvm::Closed,
            "permission for /dev/kvm: runs the guest on the processor",
            "sudo usermod -aG kvm \"$USER\"",
        );
        lacks(
            counts && self.kvm != Kvm::None && !self.census,
            "exit census in the kernel's KVM: counts exits by reason",
            "install and boot a kernel that has it: exitlab kernel install (docs/kernel-build.md)",
        );
        lacks(
            !self.sha256sum,
            "sha256sum: checks what is copied",
            "sudo apt-get install coreutils",
        );
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::Prerequisite {
            missing,
            cure: format!("on {address}:\n  {}", cures.join("\n  ")),
        })
    }

    /// Fails if what is missing there does not fit.
    pub fn require_room(&self, address: &str, parts: &[Part]) -> Result<()> {
        let bytes: u64 = self.missing(parts).map(Part::size).sum();
        let needed = bytes.div_ceil(1024) + SPARE_KIB;
        match self.free_kib {
            Some(free) if free < needed => Err(Error::Prerequisite {
                missing: vec![format!(
                    "{needed} KiB of disk in {}, on {address} (there are {free})",
                    self.base.display()
                )],
                cure: format!(
                    "free some space there; what exitlab put there before is in {} and can go",
                    self.base.join("parts").display()
                ),
            }),
            _ => Ok(()),
        }
    }

    /// The parts that are not there.
    pub fn missing<'a>(&self, parts: &'a [Part]) -> impl Iterator<Item = &'a Part> {
        parts
            .iter()
            .filter(|part| !self.has.iter().any(|hash| hash == part.hash()))
    }

    /// Where a part is there, or will be.
    pub fn place_of(&self, part: &Part) -> PathBuf {
        self.base.join("parts").join(part.hash())
    }

    /// Where agents work there.
    pub fn agents(&self) -> PathBuf {
        self.base.join("agents")
    }

    /// QEMU there.
    pub fn qemu(&self) -> &Path {
        self.qemu
            .as_deref()
            .unwrap_or(Path::new("qemu-system-x86_64"))
    }
}

/// A path that the machine names: absolute, and it leads nowhere but down. Files are put below
/// it, and one of them is run.
fn place(text: &str) -> Result<PathBuf, String> {
    let plain = |part: &str| PlainName::new(part.trim_start_matches('.')).is_ok();
    let mut parts = text.split('/').skip(1);
    match text.starts_with('/') && parts.all(plain) {
        true => Ok(PathBuf::from(text)),
        false => Err(format!("named a place that is none: {:.100?}", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
Welcome to the machine!
exitlab: base /home/me/.cache/exitlab
exitlab: machine x86_64
exitlab: qemu /usr/bin/qemu-system-x86_64
exitlab: qemu-version QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)
exitlab: kvm open
exitlab: census
exitlab: sha256sum
exitlab: free /dev/sda1 1000 400 600 40% /home
exitlab: has abc
";

    fn text(error: Error) -> String {
        exitlab_base::error::for_people(&error)
    }

    #[test]
    fn a_good_machine_lacks_nothing_but_what_is_brought() {
        let facts = Facts::read(GOOD).unwrap();
        facts.require("me@there", Demand::Census).unwrap();
        assert_eq!(facts.free_kib, Some(600));
        assert_eq!(facts.has, ["abc"]);
        assert_eq!(facts.agents(), Path::new("/home/me/.cache/exitlab/agents"));
    }

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let facts = Facts::read("exitlab: base /x\nexitlab: machine aarch64\n").unwrap();
        insta::assert_snapshot!(text(facts.require("me@there", Demand::Census).unwrap_err()));
        let closed = GOOD
            .replace("kvm open", "kvm closed")
            .replace("exitlab: census\n", "");
        let closed = Facts::read(&closed).unwrap();
        insta::assert_snapshot!(text(
            closed.require("me@there", Demand::Census).unwrap_err()
        ));
        assert!(closed.require("me@there", Demand::Guest).is_err());
    }

    #[test]
    fn a_qemu_without_statistics_is_refused_unless_nothing_is_read() {
        let with = |version: &str| Facts::read(&GOOD.replace("7.2.22", version)).unwrap();
        insta::assert_snapshot!(text(with("6.2.0").require("me@there", Demand::Census).unwrap_err()), @r"
        exitlab: missing:
          QEMU 7.1 or newer: tells KVM's statistics, query-stats (found: QEMU emulator version 6.2.0 (Debian 1:7.2+dfsg-7+deb12u18)), on me@there
          cure: on me@there:
                install a newer QEMU there, before the other on the search path of `ssh MACHINE COMMAND`
        ");
        with("6.2.0").require("me@there", Demand::Guest).unwrap();
        with("10.0.2").require("me@there", Demand::Census).unwrap();
        assert!(
            with("x").require("me@there", Demand::Census).is_err(),
            "one that does not start"
        );
    }

    #[test]
    fn a_disk_that_is_too_small_is_seen_before_anything_is_copied() {
        let facts = Facts::read(GOOD).unwrap();
        insta::assert_snapshot!(text(facts.require_room("me@there", &[]).unwrap_err()));
    }

    #[test]
    fn a_shell_that_answers_nonsense_is_refused() {
        assert!(Facts::read("what?").is_err());
        for bad in [
            "relative",
            "",
            "/",
            "/home/../etc",
            "/a//b",
            "/a/.",
            "/a\u{1b}[2J",
        ] {
            let facts = Facts::read(&format!("exitlab: base {bad}\n"));
            assert!(facts.is_err(), "{bad:?}: {facts:?}");
            let qemu = Facts::read(&format!("{GOOD}exitlab: qemu {bad}\n"));
            assert!(qemu.is_err(), "{bad:?}: {qemu:?}");
        }
    }

    #[test]
    fn the_script_answers_here() {
        let home = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", SCRIPT, "sh", "no-such-part"])
            .env_remove("XDG_CACHE_HOME")
            .env("HOME", home.path())
            .output()
            .unwrap();
        let facts = Facts::read(&String::from_utf8(output.stdout).unwrap()).unwrap();
        assert_eq!(facts.base, home.path().join(".cache/exitlab"));
        assert!(facts.sha256sum && facts.free_kib.is_some() && facts.has.is_empty());
        assert!(facts.agents().is_dir());
    }
}
