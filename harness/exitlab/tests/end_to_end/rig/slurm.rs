//! A real Slurm of one node with two slots, on the loopback interface, for one test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::processes_below;

/// Controller and node daemon.
pub struct Slurm {
    daemons: Vec<Child>,
    conf: PathBuf,
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Slurm {
    /// Starts both daemons; their files lie in `dir`.
    pub fn start(dir: &Path) -> Slurm {
        for name in ["state", "spool"] {
            std::fs::create_dir_all(dir.join(name)).unwrap();
        }
        let conf = dir.join("slurm.conf");
        let at = |name: &str| dir.join(name).display().to_string();
        let (user, host) = (said("id", &["-un"]), said("hostname", &[]));
        let text = format!(
            "ClusterName=exitlab\nSlurmctldHost={host}(127.0.0.1)\n\
             SlurmctldPort={}\nSlurmdPort={}\n\
             AuthType=auth/none\nCredType=cred/none\nSlurmUser={user}\nSlurmdUser={user}\n\
             StateSaveLocation={}\nSlurmdSpoolDir={}\n\
             SlurmctldPidFile={}\nSlurmdPidFile={}\nSlurmctldLogFile={}\nSlurmdLogFile={}\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n\
             SchedulerType=sched/builtin\nSlurmdParameters=config_overrides\n\
             CommunicationParameters=NoCtldInAddrAny,NoInAddrAny\nReturnToService=2\n\
             MpiDefault=none\nJobAcctGatherType=jobacct_gather/none\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8192 State=UNKNOWN\n\
             PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP\n",
            free_port(),
            free_port(),
            at("state"),
            at("spool"),
            at("slurmctld.pid"),
            at("slurmd.pid"),
            at("slurmctld.log"),
            at("slurmd.log"),
        );
        std::fs::write(&conf, text).unwrap();
        let daemon = |program: &str, args: &[&str]| {
            Command::new(program)
                .args(["-D", "-f"])
                .arg(&conf)
                .args(args)
                .current_dir(dir)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(dir.join("daemons.err")).unwrap())
                .spawn()
                .unwrap()
        };
        let daemons = vec![
            daemon("/usr/sbin/slurmctld", &[]),
            daemon("/usr/sbin/slurmd", &["-N", &host]),
        ];
        let slurm = Slurm { daemons, conf };
        slurm.wait_until_idle();
        slurm
    }

    fn wait_until_idle(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let nodes = self
                .command("sinfo")
                .args(["-h", "-o", "%T"])
                .output()
                .unwrap();
            let state = String::from_utf8_lossy(&nodes.stdout).trim().to_owned();
            if state == "idle" {
                return;
            }
            assert!(Instant::now() < end, "Slurm does not start: {state:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A command that speaks to this Slurm.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", &self.conf);
        command
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // The controller's helper notices by itself that it is alone.
        let end = Instant::now() + Duration::from_secs(60);
        let dir = self.conf.parent().unwrap();
        while !processes_below(dir).is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
