//! What was looked for, what of it is missing, and the one command that installs it.

use comfy_table::{Table, presets};

use super::distribution::Distribution;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::cell;
use exitlab_base::need::Cure;

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
    pub(super) prerequisites: Vec<Prerequisite>,
    /// Whose packages it has.
    pub(super) distribution: Distribution,
    /// Whether packages can be installed without sudo.
    pub(super) superuser: bool,
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
            table.add_row([
                mark,
                &cell(&prerequisite.what),
                prerequisite.why,
                &cell(&found),
            ]);
        }
        let rows = table.trim_fmt();
        match self.missing().count() {
            0 => format!("{rows}\n\nNothing is missing.\n"),
            missing => format!("{rows}\n\n{missing} missing. Cure:\n  {}\n", self.cure()),
        }
    }

    pub(super) fn missing(&self) -> impl Iterator<Item = &Prerequisite> {
        self.prerequisites
            .iter()
            .filter(|prerequisite| prerequisite.found.is_none())
    }

    /// One command for all packages, then whatever no package cures.
    pub(super) fn cure(&self) -> String {
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
        let installs = match packages.as_slice() {
            [] => Vec::new(),
            packages => self.distribution.cures(packages, self.superuser),
        };
        let actions = actions.into_iter().map(str::to_owned);
        installs
            .into_iter()
            .chain(actions)
            .collect::<Vec<_>>()
            .join("\n  ")
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
