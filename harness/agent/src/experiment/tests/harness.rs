//! Orders, and how they are carried out with a script.

use exitlab_model::event::Event;
use exitlab_model::guest_files::GuestFiles;
use exitlab_model::order::{HostFiles, Order};
use exitlab_model::plan::{
    Deadlines, GuestPlan, GuestRecipe, LeftBehind, Machine, Moment, Phase, SamplingPlan,
};
use exitlab_model::record::{Channel, Sample};

use crate::awaited::Seeker;
use crate::events::Events;
use crate::experiment::Started;
use crate::failure::Failure;
use crate::scripted::{Act, Script, counted};
use crate::scripted_guest::Guest;
use crate::shell::{Printed, Shell};
use crate::trace::Trace;
use crate::watchdog::Watchdog;

/// Two moments, one phase, one look.
pub fn order(channels: &[Channel]) -> Order {
    Order {
        files: HostFiles {
            qemu: "qemu".into(),
            firmware: None,
            guest: GuestFiles::default(),
        },
        guest: GuestPlan {
            image: GuestRecipe::Tiny,
            kernel: None,
            initrd: None,
            disk: None,
            machine: Machine::Q35,
            memory_mib: 256,
            vcpus: 1,
            cpu: "host".into(),
            cmdline: String::new(),
            devices: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            seed: "x".into(),
            ssh: true,
        },
        sampling: SamplingPlan::of_counts([Moment::Boot, Moment::After(0.01)], channels),
        inspect: vec!["uname".into()],
        phases: vec![Phase {
            name: "disk".into(),
            run: "dd".into(),
            repeat: 2,
            left_behind: LeftBehind::Wait,
        }],
        kvm: Vec::new(),
        deadlines: deadlines(20.0),
        pulse_s: None,
    }
}

pub fn deadlines(seconds: f64) -> Deadlines {
    Deadlines {
        host_boot_s: seconds,
        silence_s: seconds,
        guest_ssh_s: seconds,
        exchange_s: seconds,
        phase_s: seconds,
    }
}

/// How an experiment went.
pub struct Went {
    /// Its end.
    pub outcome: Result<(), Failure>,
    /// What it told.
    pub events: Vec<Event>,
    /// What was asked of QEMU and guest.
    pub asked: Vec<String>,
}

impl Went {
    /// The samples among the events.
    pub fn samples(&self) -> Vec<&Sample> {
        let samples = self.events.iter().filter_map(|event| match event {
            Event::Sample(sample) => Some(sample.as_ref()),
            _ => None,
        });
        samples.collect()
    }

    /// What was asked after `first`, up to `last`.
    pub fn between(&self, first: &str, last: &str) -> Vec<&str> {
        let asked = self.asked.iter().map(String::as_str);
        let after = asked.skip_while(|asked| *asked != first).skip(1);
        after.take_while(|asked| *asked != last).collect()
    }
}

/// Carries out an order with a scripted QEMU whose guest's console prints `lines`.
pub async fn carry_out(
    order: &Order,
    script: &Script,
    trace: Option<&Trace>,
    lines: &[&str],
) -> Went {
    let file = tempfile::NamedTempFile::new().unwrap();
    let events = Events::open(file.path()).unwrap();
    let (seeker, found) = Seeker::of(&order.sampling.schedule);
    for line in lines {
        seeker.see(line);
    }
    let started = Started {
        order,
        counted: counted(),
        trace,
        log: None,
        found: Some(found).filter(|_| !order.guest.ssh),
        watchdog: script.watchdog(),
        events: &events,
    };
    let reach = async |_, watchdog: &Watchdog| {
        let guest = Guest::of(&script.stage);
        let printed = Printed::up_to(0);
        watchdog
            .wait("SSH login", guest.exec("login", &printed))
            .await?;
        Ok(guest)
    };
    let outcome = started.carry_out(&script.socket(), reach).await;
    drop(seeker);
    events.close().await;
    let text = std::fs::read_to_string(file.path()).unwrap();
    Went {
        outcome,
        events: text.lines().filter_map(opened).collect(),
        asked: script.stage.take_asked(),
    }
}

/// The event of a line; none of the marker. What begins and ends a stream is not the
/// experiment's part of it, so only lines are opened here.
fn opened(line: &str) -> Option<Event> {
    let (_, rest) = line.split_once(' ').unwrap();
    let (_, json) = rest.split_once(' ')?;
    Some(serde_json::from_str(json).unwrap())
}

/// A QEMU and a guest without surprises.
pub fn as_usual() -> Script {
    Script::start(|_, _| Act::AsUsual)
}
