//! Events in words, the same for every display that people read.

use exitlab_analysis::export::{self, grouped};
use exitlab_model::event::Event;

/// A line for an event; `None` for what needs no words.
pub fn describe(event: &Event) -> Option<String> {
    match event {
        Event::Started { kernel, cpu, .. } => Some(format!("host is up: Linux {kernel} on {cpu}")),
        Event::Qemu { version } => Some(format!("QEMU {version}")),
        Event::Channels { channels } => {
            let names: Vec<String> = channels.iter().map(ToString::to_string).collect();
            Some(format!("channels: {}", names.join(", ")))
        }
        Event::Attached(vm) => Some(format!(
            "attached to {} (process {}, {}, vCPUs: {})",
            vm.name, vm.pid, vm.vmm, vm.vcpus
        )),
        Event::Phase { name, .. } => Some(format!("phase {name}")),
        Event::Sample(sample) => {
            let total: u128 = sample.counts().iter().map(|&n| u128::from(n)).sum();
            let (whose, at) = match sample.clocks.guest_s {
                Some(guest_s) => ("guest", guest_s),
                None => ("host", sample.clocks.host_s),
            };
            let label = &sample.label;
            Some(format!(
                "sample {label:<5} {whose} at {at:>7.3} s  {:>10} exits",
                grouped(total)
            ))
        }
        Event::LeftBehind(left) => Some(export::left_behind(left)),
        Event::Inspected(inspection) => Some(format!(
            "inspected: {} ({})",
            inspection.command,
            inspection.ended()
        )),
        Event::Logged(log) => Some(format!("log: {} exits", grouped(log.exits.into()))),
        Event::Found(finding) => Some(export::finding_line(finding)),
        _ => None,
    }
}
