//! Faults on the host itself: of the agent, and of the QEMU that runs the guest.
//!
//! In a host that exitlab boots nobody can reach a process: it has neither network nor a console
//! that listens, and either would be another machine than the one whose exits are counted. So this happens on a machine that exitlab uses as it is, by SSH; agent and
//! QEMU are the same programs there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::aftermath::{self, End};
use crate::fault::{Inside, Seen};
use crate::field::Field;
use crate::run::{PATIENCE, Run};

#[allow(dead_code, reason = "the end-to-end tests have more of it")]
#[path = "../end_to_end/rig/machine.rs"]
mod machine;

use machine::RealMachine;

/// When counters are read.
const SCHEDULE: &str = r#"["boot", "+1s", "+5s"]"#;
const SAMPLES: usize = 3;

/// A machine, and the experiment for it.
pub struct Elsewhere {
    machine: RealMachine,
    experiment: PathBuf,
    /// How long an undisturbed run takes there.
    usual: Duration,
}

impl Elsewhere {
    /// Boots it, and runs the experiment once: then everything that it needs is there.
    pub fn new(field: &Field) -> Elsewhere {
        let output = field
            .exitlab_that_tells()
            .args(["build", "kernel"])
            .output();
        let kernel = String::from_utf8_lossy(&output.unwrap().stdout)
            .trim()
            .to_owned();
        let kernel = PathBuf::from(kernel);
        let dir = field.path("inside");
        fs::create_dir(&dir).unwrap();
        fs::copy(&kernel, dir.join("bzImage")).unwrap();
        let experiment = dir.join("inside.toml");
        fs::write(&experiment, machine::experiment("inside", SCHEDULE)).unwrap();
        // Not below the field: it goes on between faults.
        let place = field.beside("machine");
        let machine = RealMachine::boot(&place, &kernel.with_file_name("vmlinux"), &[]);
        let mut here = Elsewhere {
            machine,
            experiment,
            usual: Duration::from_secs(60),
        };
        let started = Instant::now();
        let (end, said) = here.run(field, &dir.join("undisturbed"), |_| {});
        // Its QEMU may deliver an interrupt twice, which stops a guest (docs/determinism.md).
        let stopped = said.contains("fell silent");
        let good = matches!(&end, End::Status(status) if status.success());
        assert!(good || stopped, "by SSH, undisturbed: {said}");
        here.usual = started.elapsed();
        here
    }

    fn run(&self, field: &Field, out: &Path, meanwhile: impl Fn(&Run)) -> (End, String) {
        let mut command = self.machine.run_there("machine", &[]);
        command
            .arg(&self.experiment)
            .args(["--progress", "json", "--out"])
            .arg(out);
        command.current_dir(field.path(""));
        command.stdout(std::process::Stdio::null());
        let mut run = Run::of_words(field, command, out.to_owned(), "inside");
        meanwhile(&run);
        let end = aftermath::wait(&mut run.child, self.usual + PATIENCE);
        let said = fs::read(&run.said).unwrap_or_default();
        (end, String::from_utf8_lossy(&said).into_owned())
    }
}

/// A signal to one of them; a stop is followed by going on.
pub fn signal(field: &Field, number: u64, who: Inside, signal: &str, at: f64) -> Seen {
    let elsewhere = field.elsewhere();
    let out = field.out(number);
    let machine = &elsewhere.machine;
    let (end, said) = elsewhere.run(field, &out, |_| {
        std::thread::sleep(elsewhere.usual.mul_f64(at));
        let found = machine.processes(match who {
            Inside::Agent => " --below ",
            Inside::Qemu => "qemu-system-x86_64",
        });
        // It may have ended meanwhile: that is a moment like any other.
        for process in found {
            machine.ssh(&format!("kill -{signal} {process}"));
            if signal == "STOP" {
                std::thread::sleep(Duration::from_secs(2));
                machine.ssh(&format!("kill -CONT {process}"));
            }
        }
    });
    let mut wrong = aftermath::of_command(&end, &said, false);
    wrong.extend(machine.left());
    let record = fs::read_to_string(out.join("run.json")).unwrap_or_default();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap_or_default();
    let complete = record["outcome"]["state"] == "complete";
    let samples = record["samples"].as_array().map_or(0, Vec::len);
    wrong.extend((complete && samples != SAMPLES).then(|| format!("complete with {samples}")));
    let good = matches!(&end, End::Status(status) if status.success());
    wrong.extend(
        (good != complete).then(|| format!("{}, complete: {complete}", aftermath::words(&end))),
    );
    let ended = aftermath::words(&end);
    Seen { ended, wrong }
}
