//! The table of platforms: which are usable on this machine, what the others lack, and how
//! to get it.

use comfy_table::{ContentArrangement, Table, presets};

use super::distribution::Distribution;
use super::report::{Prerequisite, Report};
use super::system::System;
use super::{local, need, nested};
use exitlab_host::needs::of_platform;
use exitlab_model::plan::Plan;
use exitlab_model::platform::{Accelerator, PlatformKind};

/// Columns of a terminal that the table fits into.
const WIDTH: u16 = 100;

/// What a platform needs of this machine, beside what every run needs.
pub(super) fn report(system: &System, platform: PlatformKind, accelerator: Accelerator) -> Report {
    let needs = of_platform(platform);
    let mut prerequisites: Vec<_> = needs
        .iter()
        .map(|need| need::look_up(need, system))
        .collect();
    if (platform, accelerator) == (PlatformKind::Nested, Accelerator::Kvm) {
        prerequisites.extend(nested::prerequisites(system));
    }
    if platform == PlatformKind::Local {
        prerequisites.extend(local::prerequisites(system));
    }
    of_this(system, prerequisites)
}

/// A report about this machine.
pub(super) fn of_this(system: &System, prerequisites: Vec<Prerequisite>) -> Report {
    Report {
        prerequisites,
        distribution: Distribution::of(&system.search),
        superuser: system.superuser,
    }
}

/// The same before there is a plan: this machine as it is counts by the census.
fn bare(system: &System, platform: PlatformKind) -> Report {
    let mut report = report(system, platform, Accelerator::Kvm);
    if platform == PlatformKind::Local {
        report.prerequisites.extend(local::counting(system, None));
    }
    report
}

/// The platforms whose own needs this machine meets.
pub(super) fn usable(system: &System) -> Vec<PlatformKind> {
    let lacks_nothing = |platform: &PlatformKind| bare(system, *platform).missing().count() == 0;
    PlatformKind::ALL
        .into_iter()
        .filter(lacks_nothing)
        .collect()
}

/// The table, with what `plan` runs on.
pub(super) fn render(system: &System, plan: &Plan) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    for platform in PlatformKind::ALL {
        let report = bare(system, platform);
        let missing: Vec<&str> = report.missing().map(|one| one.what.as_str()).collect();
        let mut text = is(platform).to_owned();
        let mark = if missing.is_empty() {
            "✓"
        } else {
            text += &format!("\nmissing: {}", missing.join(", "));
            let cure = report.cure();
            let cures: Vec<&str> = cure.lines().map(str::trim).collect();
            text += &format!("\ncure: {}", cures.join("\ncure: "));
            "✗"
        };
        table.add_row([mark, &platform.to_string(), &text]);
    }
    let chosen = match &plan.platform_choice {
        Some(why) => format!("auto is {}: {why}", plan.platform),
        None => format!("this experiment names {}", plan.platform_name()),
    };
    format!("\nPlatforms ({chosen}):\n\n{}\n", table.trim_fmt())
}

fn is(platform: PlatformKind) -> &'static str {
    match platform {
        PlatformKind::BochsVmx => "Intel with VMX and EPT, emulated; counts repeat bit for bit",
        PlatformKind::TcgSvm => {
            "AMD with SVM and nested paging, emulated; counts repeat bit for bit"
        }
        PlatformKind::Nested => "this machine's processor, through KVM; real time, nothing repeats",
        PlatformKind::Local => {
            "this machine as it is; real time; with any kernel by the tracepoint, as root"
        }
        PlatformKind::Ssh => {
            "another machine as it is; real time; with any kernel by the tracepoint, as root (what \
             that machine lacks is said when a run connects to it)"
        }
    }
}
