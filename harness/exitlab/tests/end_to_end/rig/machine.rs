//! A "real" machine for tests: a computer that QEMU emulates (an AMD processor with SVM, and a
//! network), running a kernel of exitlab's or of a distribution's, an SSH server, QEMU and
//! exitlab. Nothing on it was booted by exitlab: to it, this is the machine it runs on, or one
//! that it reaches by SSH.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use exitlab_agent::keys::GuestKeys;
use exitlab_base::archive::Tree;
use serde_json::Value;

use crate::support::{Outcome, exitlab};

/// What the machine does when it has booted. Two more names for its root have little room:
/// `small` in its home, `full` where parts are kept.
const INIT: &str = "#!/bin/busybox sh
export PATH=/bin:/usr/bin:/usr/sbin HOME=/root
busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t tmpfs tmpfs /tmp
busybox mount -t tmpfs tmpfs /run
busybox mount -t tmpfs -o mode=700 tmpfs /root
busybox mount -t tmpfs -o mode=700,size=4m tmpfs /home/small
busybox mount -t tmpfs -o mode=700 tmpfs /home/full
for home in /root /home/small /home/full; do
  busybox mkdir -p $home/.ssh
  busybox cp /etc/dropbear/authorized_keys $home/.ssh
done
busybox mkdir -p /home/full/.cache/exitlab/parts
busybox mount -t tmpfs -o size=2m tmpfs /home/full/.cache/exitlab/parts
[ ! -f /modules/load ] || . /modules/load
busybox --install -s /bin
ifconfig lo up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
dropbear -E -r /etc/dropbear/host_key -p 22 -P /run/dropbear.pid && echo 'machine: it listens'
while :; do sleep 3600; done
";

/// What its console says then.
const LISTENS: &str = "machine: it listens";

/// An experiment for such a machine; its kernel lies beside it. The machine is emulated by QEMU,
/// and its guests must acknowledge interrupts by exits (docs/determinism.md).
pub fn experiment(name: &str, schedule: &str) -> String {
    format!(
        "\
name = \"{name}\"
[kernel]
source = \"image:bzImage\"
[guest]
machine = \"microvm\"
cpu = \"host,-kvm-pv-eoi\"
[sampling]
schedule = {schedule}
[deadlines]
silence = \"1m\"
"
    )
}

/// A firmware of 16-bit code, for a VM that is nothing else.
pub fn firmware(program: &[u8]) -> Vec<u8> {
    let mut rom = vec![0xf4; 1 << 16];
    rom[..program.len()].copy_from_slice(program);
    // Where processors begin: ljmp $0xf000, $0.
    rom[0xfff0..0xfff5].copy_from_slice(&[0xea, 0x00, 0x00, 0x00, 0xf0]);
    rom
}

/// What loads modules on a host that exitlab boots.
const LOAD: &str = include_str!("../../../../host/src/image/load-modules.sh");

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh
small:x:0:0:small:/home/small:/bin/sh
full:x:0:0:full:/home/full:/bin/sh
";

const FIRMWARE: [&str; 5] = [
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/seabios/bios-microvm.bin",
    "/usr/share/qemu/kvmvapic.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
    "/usr/share/qemu/pvh.bin",
];

/// How long the machine may take to boot, real time: ten seconds of a processor, of which other
/// work may leave it little.
const BOOT: Duration = Duration::from_secs(300);

/// A running machine.
pub struct RealMachine {
    qemu: Child,
    /// Its input must not end.
    _monitor: ChildStdin,
    dir: PathBuf,
}

impl RealMachine {
    /// Boots a machine whose files lie in `dir`. `files` are put into its `/exp`. Of a kernel out
    /// of a distribution's package the modules lie beside `kernel`.
    pub fn boot(dir: &Path, kernel: &Path, files: &[(&str, Vec<u8>)]) -> RealMachine {
        std::fs::create_dir_all(dir).unwrap();
        let keys = GuestKeys::derive("a real machine");
        let archive = exitlab_base::archive::archive(&tree(&keys, kernel, files)).unwrap();
        std::fs::write(dir.join("initramfs"), archive).unwrap();
        let mut qemu = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg,tb-size=512", "-cpu", "EPYC,+svm,-xsave"])
            // Its clock counts instructions while it works and goes with the real one while it
            // is idle: on a busy computer it is slow, but no timer of its guest is late.
            .args(["-icount", "shift=0"])
            .args([
                "-machine",
                "pc",
                "-m",
                "1536M",
                "-nodefaults",
                "-no-user-config",
            ])
            .args(["-display", "none", "-no-reboot", "-monitor", "stdio"])
            .args(["-serial", "file:console", "-initrd", "initramfs", "-kernel"])
            .arg(kernel)
            .args(["-append", "console=ttyS0 quiet no_timer_check panic=-1"])
            .args([
                "-netdev",
                "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22",
            ])
            .args(["-device", "virtio-net-pci,netdev=net0,romfile="])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.join("qemu.log")).unwrap())
            .spawn()
            .unwrap();
        let (port, monitor) = forwarded_port(&mut qemu);
        let mut machine = RealMachine {
            qemu,
            _monitor: monitor,
            dir: dir.to_owned(),
        };
        machine.configure_ssh(&keys, port);
        machine.wait_until_it_listens();
        machine
    }

    /// A configuration for `ssh` that knows the machine as `machine`, with its host key; as
    /// `stranger`, with another one; and as `unknown`, with none.
    fn configure_ssh(&self, keys: &GuestKeys, port: u16) {
        let write = |name: &str, text: &str| {
            let path = self.dir.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let client = keys.client_private().unwrap();
        let client = client.to_openssh(Default::default()).unwrap();
        let identity = write("identity", &client);
        let known = |name: &str, keys: &GuestKeys| {
            format!("{name} {}\n", keys.server_public().to_openssh().unwrap())
        };
        let other = GuestKeys::derive("somebody else");
        let known = write(
            "known_hosts",
            &(known("machine", keys) + &known("stranger", &other)),
        );
        let host = |name: &str, alias: &str, user: &str| {
            format!("Host {name}\n HostKeyAlias {alias}\n User {user}\n")
        };
        write(
            "ssh_config",
            &[
                host("machine", "machine", "root"),
                host("stranger", "stranger", "root"),
                host("unknown", "unknown", "root"),
                host("small", "machine", "small"),
                host("full", "machine", "full"),
                format!(
                    "Host *\n HostName 127.0.0.1\n Port {port}\n IdentityFile {identity}\n \
                     IdentitiesOnly yes\n UserKnownHostsFile {known}\n \
                     GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n"
                ),
            ]
            .concat(),
        );
    }

    /// Waits until it listens. To ask it by SSH instead takes five seconds each time, for QEMU
    /// answers in its place.
    fn wait_until_it_listens(&mut self) {
        let end = Instant::now() + BOOT;
        loop {
            let console = std::fs::read_to_string(self.dir.join("console")).unwrap_or_default();
            if console.contains(LISTENS) {
                return;
            }
            let ended = self.qemu.try_wait().unwrap();
            assert_eq!(ended, None, "the machine ended: {console}");
            assert!(Instant::now() < end, "the machine does not boot: {console}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The configuration for `ssh`.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    /// Runs a command on the machine.
    pub fn ssh(&self, command: &str) -> Output {
        Command::new("ssh")
            .arg("-F")
            .arg(self.ssh_config())
            .args("-o BatchMode=yes -o ConnectTimeout=5 machine".split(' '))
            .arg(command)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a command on the machine printed; it must be good.
    pub fn told(&self, command: &str) -> String {
        let output = self.ssh(command);
        let outcome = Outcome::from(output);
        assert_eq!(outcome.code, Some(0), "{command}: {}", outcome.stderr);
        outcome.stdout
    }

    /// `exitlab run` here, with the machine as its host.
    pub fn run_there(&self, host: &str, args: &[&str]) -> Command {
        let config = format!("host.ssh_config={}", self.ssh_config().display());
        let mut command = exitlab();
        command.args(["run", "--platform", "ssh", "--host", host, "--set", &config]);
        command.args(args);
        command
    }

    /// The numbers of the processes there whose command line contains `words`.
    pub fn processes(&self, words: &str) -> Vec<u32> {
        let found = self.told(&format!("{}; true", those_of(&[words])));
        found.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Fails unless, soon, no agent and no QEMU are left there and no directory of one.
    pub fn assert_deserted(&self) {
        assert_eq!(self.left(), None);
    }

    /// What is left there after some time: agents, QEMUs, and directories of theirs.
    pub fn left(&self) -> Option<String> {
        self.left_of(&[" --below ", "qemu-system-x86_64"])
    }

    /// Fails unless, soon, no agent is left there and no directory of one.
    pub fn assert_no_agent(&self) {
        assert_eq!(self.left_of(&[" --below "]), None);
    }

    /// The instances of tracefs there, and events that are made of others; it is mounted only
    /// meanwhile.
    pub fn instances(&self) -> String {
        let mount = "mkdir -p /tmp/t && mount -t tracefs tracefs /tmp/t";
        self.told(&format!(
            "{mount} && ls /tmp/t/instances; cat /tmp/t/synthetic_events; umount /tmp/t"
        ))
    }

    fn left_of(&self, words: &[&str]) -> Option<String> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let dirs = "ls -d /root/.cache/exitlab/agents/agent-* 2>/dev/null";
            let found = self.told(&format!("{}; {dirs}; true", those_of(words)));
            if found.is_empty() {
                return None;
            }
            if Instant::now() > end {
                return Some(format!(
                    "left on the machine, processes of {words:?} or directories: {found}"
                ));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Pulls the plug.
    pub fn die(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Drop for RealMachine {
    fn drop(&mut self) {
        self.end();
    }
}

/// What prints the numbers of processes whose command line contains one of the `words`, written
/// so that the line that looks does not find itself.
fn those_of(words: &[&str]) -> String {
    let mut line = "ps -o pid,args | grep".to_owned();
    for words in words {
        let (before, last) = words.split_at(words.len() - 1);
        line += &format!(" -e '{before}[{last}]'");
    }
    line + " | while read pid rest; do echo $pid; done"
}

fn tree(keys: &GuestKeys, kernel: &Path, files: &[(&str, Vec<u8>)]) -> Tree {
    let mut tree = Tree::default();
    for dir in [
        "dev",
        "proc",
        "sys",
        "tmp",
        "run",
        "root",
        "exp",
        "usr/sbin",
        "home/small",
        "home/full",
    ] {
        tree.dir(dir);
    }
    tree.file("init", INIT, 0o755);
    tree.file("etc/passwd", PASSWD, 0o644);
    tree.file("etc/group", "root:x:0:\n", 0o644);
    tree.file("etc/shells", "/bin/sh\n", 0o644);
    tree.file("etc/dropbear/host_key", keys.server_dropbear(), 0o600);
    tree.copy(Path::new("/bin/busybox"), "bin/busybox", 0o755)
        .unwrap();
    let authorized = keys.authorized_keys().unwrap();
    tree.file("etc/dropbear/authorized_keys", authorized, 0o600);
    tree.program(Path::new("/usr/sbin/dropbear")).unwrap();
    tree.program(Path::new("/usr/bin/qemu-system-x86_64"))
        .unwrap();
    for file in FIRMWARE.map(Path::new) {
        let name = file.file_name().unwrap().to_str().unwrap();
        tree.copy(file, &format!("usr/share/qemu/{name}"), 0o644)
            .unwrap();
    }
    let exe = Path::new(env!("CARGO_BIN_EXE_exitlab"));
    tree.copy(exe, "usr/bin/exitlab", 0o755).unwrap();
    for name in ["exitlab-agent", "exit-sampler"] {
        let beside = exe.with_file_name(name);
        tree.copy(&beside, &format!("usr/bin/{name}"), 0o755)
            .unwrap();
    }
    for (name, content) in files {
        tree.file(&format!("exp/{name}"), content.clone(), 0o644);
    }
    add_modules(&mut tree, kernel);
    tree
}

/// The modules of a distribution's kernel: KVM, and the network's of a machine of QEMU's, which
/// are those of a guest.
fn add_modules(tree: &mut Tree, kernel: &Path) {
    let about = std::fs::read(kernel.with_file_name("kernel.json")).unwrap();
    let about: Value = serde_json::from_slice(&about).unwrap();
    let Some(modules) = about.get("modules") else {
        return;
    };
    let of = |part: &str| modules[part].as_array().unwrap().clone();
    let order: String = [of("guest"), of("host")]
        .concat()
        .iter()
        .map(|name| format!("{}\n", name.as_str().unwrap()))
        .collect();
    for name in order.lines() {
        let file = format!("modules/{name}.ko");
        tree.copy(&kernel.with_file_name(&file), &file, 0o644)
            .unwrap();
    }
    tree.file("modules/order", order, 0o644);
    tree.file("modules/load", LOAD, 0o644);
}

/// Asks QEMU's monitor which port leads to the machine.
fn forwarded_port(qemu: &mut Child) -> (u16, ChildStdin) {
    let mut monitor = qemu.stdin.take().unwrap();
    monitor.write_all(b"info usernet\n").unwrap();
    let answer = BufReader::new(qemu.stdout.take().unwrap());
    let row = answer
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("HOST_FORWARD"));
    let row = row.expect("a row of the forwarded port");
    let port = row.split_whitespace().nth(3).unwrap();
    (port.parse().unwrap(), monitor)
}
