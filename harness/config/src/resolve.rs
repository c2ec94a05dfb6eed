//! Texts to plan: every value is checked, every path made absolute, and everything that
//! is wrong is reported at once.

use std::ops::RangeInclusive;

use super::choice::{self, Asked};
use super::document::Document;
use super::layer::Layers;
use super::resolver::Resolver;
use super::value::{address, choose, cmdline, existing_file, name, not_blank, within};
use super::{defaults, guest, parameter, phase, size, speed};
use exitlab_base::toml::{Problem, Wrong};
use exitlab_model::plan::{GuestRecipe, HostPlan, Plan};
use exitlab_model::platform::{Accelerator, PlatformKind};

/// What the host needs beside the guest's memory: kernel, root file system, QEMU.
const HOST_OWN_MIB: u32 = 400;
/// Processors that an emulated host can have; more make it slower, not faster.
const CPUS: RangeInclusive<i64> = 1..=8;

/// What makes KVM count cycles, on the host's command line.
const COUNT_CYCLES: &str = "kvm.exit_census_cycles=1";

/// Resolves the texts, or lists everything that is wrong with them.
pub(super) fn resolve(layers: &Layers, usable: &[PlatformKind]) -> Result<Plan, Vec<Problem>> {
    let mut resolver = Resolver::of(layers);
    let mut plan = defaults::plan();
    resolver.experiment(&mut plan, usable);
    resolver.kernel(&mut plan.kernel);
    resolver.host(&mut plan.host, plan.platform);
    resolver.guest(&mut plan.guest);
    acknowledge_interrupts_by_exits(&mut plan);
    resolver.hurry_large_guests(&mut plan);
    resolver.sampling(&mut plan);
    resolver.symbols(&mut plan);
    resolver.phases(&mut plan);
    resolver.deadlines(&mut plan);
    resolver.emulated_for_nested_only(&plan);
    resolver.guest_fits(&plan);
    resolver.host_holds_guest(&plan);
    resolver.parameters(&mut plan);
    count_cycles(&mut plan);
    if resolver.problems.is_empty() {
        Ok(plan)
    } else {
        Err(resolver.problems)
    }
}

/// The last word on a command line wins, so it comes last.
fn count_cycles(plan: &mut Plan) {
    if plan.sampling.cycles {
        let words = format!("{} {COUNT_CYCLES}", plan.host.cmdline);
        plan.host.cmdline = words.trim_start().to_owned();
    }
}

impl<'a> Resolver<'a> {
    fn experiment(&mut self, plan: &mut Plan, usable: &[PlatformKind]) {
        if self.layers.entry("name", |d| &d.name).is_none() {
            let missing = Wrong::new(
                "name is missing",
                "add a line such as name = \"boot-vs-idle\"",
            );
            self.problems
                .push(missing.at(self.layers.file_name(), "name"));
        }
        self.value("name", |d| &d.name, &mut plan.name, |e| name(e.value));
        self.platform(plan, usable);
        self.list(
            "inspect",
            |d| &d.inspect,
            &mut plan.inspect,
            |e| not_blank(e.value),
        );
    }

    fn platform(&mut self, plan: &mut Plan, usable: &[PlatformKind]) {
        let mut named = None;
        self.value(
            "platform",
            |d| &d.platform,
            &mut named,
            |e| {
                let known = PlatformKind::ALL.map(|platform| (platform.name(), Some(platform)));
                let platforms = [&[("auto", None)], &known[..]].concat();
                choose(e.value, "platform", &platforms)
            },
        );
        plan.platform = named.unwrap_or_else(|| {
            let (platform, why) = choice::choose(&self.asked(), usable);
            plan.platform_choice = Some(why);
            platform
        });
    }

    /// What the texts say that a platform can be chosen by.
    fn asked(&self) -> Asked {
        let cmdline = self.layers.entry("host.cmdline", |d| &d.host.cmdline);
        let speed = |d: &'a Document| &d.host.instructions_per_second;
        let speed = self.layers.entry("host.instructions_per_second", speed);
        let cycles = self.layers.entry("sampling.cycles", |d| &d.sampling.cycles);
        // What is wrong with a parameter is reported where it is read for the plan.
        let (parameters, _) = parameter::read(self.layers);
        let words = parameters.iter().map(ToString::to_string);
        let cmdline = cmdline.map(|entry| entry.value.to_owned());
        Asked {
            cmdline: cmdline
                .into_iter()
                .chain(words)
                .collect::<Vec<_>>()
                .join(" "),
            speed: speed.map_or(0, |entry| *entry.value),
            cycles: cycles.is_some_and(|entry| *entry.value),
        }
    }

    fn host(&mut self, plan: &mut HostPlan, platform: PlatformKind) {
        self.value(
            "host.memory",
            |d| &d.host.memory,
            &mut plan.memory_mib,
            |e| size::parse(e.value),
        );
        self.value(
            "host.cpus",
            |d| &d.host.cpus,
            &mut plan.cpus,
            |e| Ok(within(*e.value, CPUS)? as u32),
        );
        self.value(
            "host.cmdline",
            |d| &d.host.cmdline,
            &mut plan.cmdline,
            |e| cmdline(e.value),
        );
        plan.instructions_per_second = speed::of(platform);
        self.value(
            "host.instructions_per_second",
            |d| &d.host.instructions_per_second,
            &mut plan.instructions_per_second,
            |e| speed::parse(*e.value, platform),
        );
        self.value(
            "host.accelerator",
            |d| &d.host.accelerator,
            &mut plan.accelerator,
            |e| {
                let accelerators = [("kvm", Accelerator::Kvm), ("tcg", Accelerator::Tcg)];
                choose(e.value, "accelerator", &accelerators)
            },
        );
        self.value(
            "host.address",
            |d| &d.host.address,
            &mut plan.address,
            |e| address(e.value),
        );
        self.value(
            "host.ssh_config",
            |d| &d.host.ssh_config,
            &mut plan.ssh_config,
            |e| {
                if e.value.is_empty() {
                    Ok(None)
                } else {
                    existing_file(e).map(Some)
                }
            },
        );
        if platform == PlatformKind::Ssh && plan.address.is_empty() {
            self.no_address();
        }
    }

    /// On `tcg-svm`, an interrupt that is delivered twice ([`acknowledge_interrupts_by_exits`])
    /// is harmless to the tiny guest. A distribution's kernel acknowledges some interrupts
    /// with a lock held, and then waits for itself. What delivers them twice is the host's
    /// timers: fewer of them come between two instructions of a faster host.
    fn hurry_large_guests(&mut self, plan: &mut Plan) {
        let speed = |d: &'a Document| &d.host.instructions_per_second;
        let given = self.layers.entry("host.instructions_per_second", speed);
        let left_to_us = given.is_none_or(|entry| *entry.value == 0);
        let guest = &plan.guest;
        let tiny = guest.uses_recipe() && guest.image == GuestRecipe::Tiny;
        if plan.platform == PlatformKind::TcgSvm && left_to_us && !tiny {
            plan.host.instructions_per_second = speed::FASTEST_TCG;
        }
    }

    fn no_address(&mut self) {
        let wrong = Wrong::new(
            "platform ssh needs the machine that it goes to",
            "give it with --host user@machine, or set host.address",
        );
        let given = self.layers.entry("host.address", |d| &d.host.address);
        let named = self.layers.entry("platform", |d| &d.platform);
        self.problems
            .extend(given.or(named).map(|entry| entry.problem(wrong)));
    }

    fn phases(&mut self, plan: &mut Plan) {
        let (phases, problems) = phase::read(self.layers, &plan.sampling.channels);
        plan.phases = phases;
        self.problems.extend(problems);
    }

    /// KVM is told on the host's command line, where the last word wins.
    fn parameters(&mut self, plan: &mut Plan) {
        let (parameters, problems) = parameter::read(self.layers);
        for parameter in &parameters {
            let words = format!("{} {parameter}", plan.host.cmdline);
            plan.host.cmdline = words.trim_start().to_owned();
        }
        plan.kvm = parameters;
        self.problems.extend(problems);
    }

    /// The default goes with every platform, for it says nothing about the others.
    fn emulated_for_nested_only(&mut self, plan: &Plan) {
        let tcg = plan.host.accelerator == Accelerator::Tcg;
        if plan.platform == PlatformKind::Nested || !tcg {
            return;
        }
        let entry = self
            .layers
            .entry("host.accelerator", |d| &d.host.accelerator);
        let wrong = Wrong::new(
            format!("of no meaning on {}", plan.platform),
            "leave it out, or set platform to \"nested\"",
        );
        self.problems
            .extend(entry.map(|entry| entry.problem(wrong)));
    }

    fn host_holds_guest(&mut self, plan: &Plan) {
        let own = HOST_OWN_MIB.saturating_add(guest::files_mib(plan));
        let needed = plan.guest.memory_mib.saturating_add(own);
        if plan.host.memory_mib >= needed || !plan.platform.boots() {
            return;
        }
        // The defaults fit, so one of the two was given.
        let host = self.layers.entry("host.memory", |d| &d.host.memory);
        let guest = self.layers.entry("guest.memory", |d| &d.guest.memory);
        let wrong = Wrong::new(
            format!(
                "a host of {}M is too small for a guest of {}M and the {own}M that the host needs itself",
                plan.host.memory_mib, plan.guest.memory_mib
            ),
            format!("set host.memory to \"{needed}M\" or more, or make guest.memory smaller"),
        );
        self.problems
            .extend(host.or(guest).map(|entry| entry.problem(wrong)));
    }
}

/// The guest acknowledges interrupts in memory that it shares with KVM (`-cpu`).
const PV_EOI: &str = "kvm-pv-eoi";

/// QEMU's emulation of VMRUN leaves an injected interrupt pending inside of QEMU until
/// the next VM exit. If QEMU leaves its execution loop before that, for a timer of the
/// host, it delivers the interrupt a second time, even where the guest has interrupts
/// disabled: a guest then waits for ever for a lock that it holds. An acknowledgement
/// that is a VM exit comes a few hundred instructions after delivery and ends that;
/// KVM's paravirtual one is none.
fn acknowledge_interrupts_by_exits(plan: &mut Plan) {
    let by_tcg = match plan.platform {
        PlatformKind::BochsVmx | PlatformKind::Local | PlatformKind::Ssh => false,
        PlatformKind::TcgSvm => true,
        PlatformKind::Nested => plan.host.accelerator == Accelerator::Tcg,
    };
    if by_tcg && !plan.guest.cpu.contains(PV_EOI) {
        plan.guest.cpu += &format!(",-{PV_EOI}");
    }
}
