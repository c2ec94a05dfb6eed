//! Every prerequisite of a run, checked at once, with the one command that installs
//! whatever is missing.

mod local;
mod need;
mod nested;
mod platforms;
mod system;

use std::path::Path;

use comfy_table::{Table, presets};

use exitlab_base::error::{Error, Result};
use exitlab_base::need::Cure;
pub use exitlab_kernel::needs::KernelBuild;
use exitlab_model::plan::KernelSource;
use exitlab_model::plan::Plan;
use exitlab_model::platform::PlatformKind;
use system::System;

/// Something that a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prerequisite {
    /// The program, file or resource.
    pub what: String,
    /// What it is needed for.
    pub why: &'static str,
    /// What to do if it is missing.
    pub cure: Cure,
    /// Where it is, or how much of it there is; none if it is missing.
    pub found: Option<String>,
}

/// All prerequisites of one plan on this machine.
#[derive(Debug, Clone)]
pub struct Report {
    prerequisites: Vec<Prerequisite>,
    /// Whether packages have Debian's names and come through apt.
    debian: bool,
    /// Whether packages can be installed without sudo.
    superuser: bool,
}

/// Checks everything that `plan` needs on this machine. Built artifacts go to `cache`,
/// which need not exist yet.
pub fn check(plan: &Plan, cache: &Path) -> Report {
    check_on(&System::this(cache), plan)
}

fn check_on(system: &System, plan: &Plan) -> Report {
    let mut report = platforms::report(system, plan.platform, plan.host.accelerator);
    let shared = need::shared(plan);
    let shared = shared.iter().map(|need| need::look_up(need, system));
    report.prerequisites.extend(shared);
    report
}

/// Checks everything that building `build` of `source` needs on this machine.
pub fn check_kernel_build(source: &KernelSource, build: KernelBuild, cache: &Path) -> Report {
    let system = System::this(cache);
    let needs = exitlab_kernel::needs::needs(source, build);
    let found = needs
        .iter()
        .map(|need| need::look_up(need, &system))
        .collect();
    platforms::of_this(&system, found)
}

/// The platforms whose own needs this machine meets.
pub fn usable() -> Vec<PlatformKind> {
    // No platform of its own needs the cache.
    platforms::usable(&System::this(Path::new("")))
}

/// Memory that programs can still have, MiB; 0 if this machine does not say.
pub fn memory_mib() -> u64 {
    let system = System::this(Path::new(""));
    system.meminfo_mib("MemAvailable:").unwrap_or(0)
}

/// Every platform for people: usable or not, what is missing, how to get it.
pub fn platforms(plan: &Plan) -> String {
    platforms::render(&System::this(Path::new("")), plan)
}

impl Report {
    /// Every prerequisite, found or not.
    pub fn prerequisites(&self) -> &[Prerequisite] {
        &self.prerequisites
    }

    /// Succeeds if nothing is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Prerequisite`] with all that is missing and what cures it.
    pub fn require(&self) -> Result<()> {
        let line = |missing: &Prerequisite| format!("{}: {}", missing.what, missing.why);
        let missing: Vec<String> = self.missing().map(line).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::Prerequisite {
            missing,
            cure: self.cure(),
        })
    }

    /// The report for people: one row for each prerequisite, then what to do.
    pub fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for prerequisite in &self.prerequisites {
            let (mark, found) = match &prerequisite.found {
                Some(found) => ("✓", shortened(found)),
                None => ("✗", "missing".to_owned()),
            };
            table.add_row([mark, &prerequisite.what, prerequisite.why, &found]);
        }
        let rows = table.trim_fmt();
        match self.missing().count() {
            0 => format!("{rows}\n\nNothing is missing.\n"),
            missing => format!("{rows}\n\n{missing} missing. Cure:\n  {}\n", self.cure()),
        }
    }

    fn missing(&self) -> impl Iterator<Item = &Prerequisite> {
        self.prerequisites
            .iter()
            .filter(|prerequisite| prerequisite.found.is_none())
    }

    /// One command for all packages, then whatever no package cures.
    fn cure(&self) -> String {
        let mut packages: Vec<&str> = Vec::new();
        let mut actions: Vec<&str> = Vec::new();
        for missing in self.missing() {
            let (cure, list) = match &missing.cure {
                Cure::Package(package) => (package, &mut packages),
                Cure::Action(action) => (action, &mut actions),
            };
            // Several programs of one package are one package to install.
            if !list.contains(&cure.as_str()) {
                list.push(cure);
            }
        }
        let install = (!packages.is_empty()).then(|| self.install(&packages.join(" ")));
        let source = packages
            .iter()
            .find(|package| package.starts_with("linux-source-"));
        let source = source.map(|package| {
            format!("if {package} is not to be had, set kernel.source to a kernel tree or tarball")
        });
        let actions = actions.into_iter().map(str::to_owned);
        install
            .into_iter()
            .chain(source)
            .chain(actions)
            .collect::<Vec<_>>()
            .join("\n  ")
    }

    fn install(&self, packages: &str) -> String {
        let apt = "apt-get install --no-install-recommends";
        match (self.debian, self.superuser) {
            (true, true) => format!("{apt} {packages}"),
            (true, false) => format!("sudo {apt} {packages}"),
            (false, _) => {
                format!("install what is missing; Debian's packages for it are: {packages}")
            }
        }
    }
}

/// The end of a path, which tells more than its beginning, so that a row fits into 100
/// columns.
fn shortened(found: &str) -> String {
    const COLUMNS: usize = 27;
    let length = found.chars().count();
    if length <= COLUMNS {
        return found.to_owned();
    }
    let end = found.chars().skip(length - COLUMNS + 1);
    std::iter::once('…').chain(end).collect()
}

#[cfg(test)]
mod tests;
