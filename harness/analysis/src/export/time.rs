//! The table of where the time went, as a grid of texts, and what is to be said of it.

use super::grid::{self, Grid};
use super::numbers::{counted, decimal, grouped, percent};
use crate::figures::{RunFigures, TimeRow, TimeTable};
use exitlab_model::reasons::Isa;

/// What the table is called.
pub(super) const TITLE: &str = "Time from VM exit to the next VM entry";

/// On a terminal, reasons with less than this part of the time are folded into one line.
const LEAST_SHARE: f64 = 0.001;

/// What one column of the grid shows. Phases count from 0: up to the first sample, then
/// each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Reason number.
    Reason,
    /// Reason name.
    Name,
    /// Time in a phase.
    Time(usize),
    /// Part of the time of all reasons in a phase.
    Share(usize),
    /// Part of the time that passed in a phase, on all vCPUs.
    Passed(usize),
    /// Cycles for each exit, over the whole run.
    CyclesPerExit,
    /// The same as a time.
    TimePerExit,
}

/// Every figure that is known, for every reason.
pub(super) fn full(time: &TimeTable, isa: Isa) -> Grid {
    let mut figures = vec![Figure::Reason, Figure::Name];
    for phase in 0..time.phases.len() {
        figures.extend([Figure::Time(phase), Figure::Share(phase)]);
        figures.extend(time.phases[phase].passed.map(|_| Figure::Passed(phase)));
    }
    figures.push(Figure::CyclesPerExit);
    figures.extend(time.hz.map(|_| Figure::TimePerExit));
    let lines: Vec<Line> = time.rows.iter().map(|row| Line::of(row, isa)).collect();
    grid(time, &figures, &lines)
}

/// What a terminal has room for: the first phase and the last, and the reasons that took
/// their time.
pub(super) fn compact(time: &TimeTable, isa: Isa) -> Grid {
    let last = time.phases.len().saturating_sub(1);
    let mut figures = vec![
        Figure::Reason,
        Figure::Name,
        Figure::Time(0),
        Figure::Share(0),
    ];
    if last > 0 {
        figures.extend([Figure::Time(last), Figure::Share(last)]);
        figures.extend(time.phases[last].passed.map(|_| Figure::Passed(last)));
    }
    figures.push(match time.hz {
        Some(_) => Figure::TimePerExit,
        None => Figure::CyclesPerExit,
    });
    let matters = |row: &&TimeRow| {
        [0, last]
            .iter()
            .any(|&phase| share(time, row, phase) >= LEAST_SHARE)
    };
    let (shown, rest): (Vec<&TimeRow>, Vec<&TimeRow>) = time.rows.iter().partition(matters);
    let mut lines: Vec<Line> = shown.into_iter().map(|row| Line::of(row, isa)).collect();
    match rest[..] {
        [] => {}
        [row] => lines.push(Line::of(row, isa)),
        _ => lines.push(Line::sum(counted(rest.len(), "other"), rest)),
    }
    grid(time, &figures, &lines)
}

fn share(time: &TimeTable, row: &TimeRow, phase: usize) -> f64 {
    let cycles = row.cycles.get(phase).copied().unwrap_or(0);
    match time.phases.get(phase) {
        Some(all) if all.handling > 0 => cycles as f64 / all.handling as f64,
        _ => 0.0,
    }
}

/// One line of the table: a reason, or several together.
struct Line {
    reason: String,
    name: String,
    cycles: Vec<i128>,
    exits: u128,
}

impl Line {
    fn of(row: &TimeRow, isa: Isa) -> Line {
        Line {
            reason: isa.label(row.reason),
            ..Line::sum(row.name.clone(), vec![row])
        }
    }

    fn sum(name: String, rows: Vec<&TimeRow>) -> Line {
        let phases = rows.first().map_or(0, |row| row.cycles.len());
        let of_phase = |phase: usize| rows.iter().map(|row| row.cycles[phase]).sum();
        Line {
            reason: String::new(),
            name,
            cycles: (0..phases).map(of_phase).collect(),
            exits: rows.iter().map(|row| u128::from(row.exits)).sum(),
        }
    }

    fn cell(&self, figure: Figure, time: &TimeTable) -> String {
        let cycles = |phase: usize| self.cycles.get(phase).copied().unwrap_or(0);
        let per_exit = self.cycles.iter().sum::<i128>() as f64 / self.exits.max(1) as f64;
        match figure {
            Figure::Reason => self.reason.clone(),
            Figure::Name => self.name.clone(),
            Figure::Time(phase) => amount(cycles(phase), time.hz),
            Figure::Share(phase) => part(cycles(phase), time.phases[phase].handling),
            Figure::Passed(phase) => {
                let passed = time.phases[phase].passed.unwrap_or(0);
                part(cycles(phase), passed as i128)
            }
            Figure::CyclesPerExit => grouped(per_exit.max(0.0).round() as u128),
            Figure::TimePerExit => time
                .hz
                .map_or("unknown".to_owned(), |hz| decimal(per_exit / hz * 1e6)),
        }
    }
}

fn part(cycles: i128, whole: i128) -> String {
    percent(cycles.max(0) as u128, whole.max(0) as u128)
}

/// Milliseconds, or cycles where their length is not known.
fn amount(cycles: i128, hz: Option<f64>) -> String {
    match hz {
        Some(hz) => decimal(cycles as f64 / hz * 1e3),
        None => grouped(cycles.max(0) as u128),
    }
}

fn grid(time: &TimeTable, figures: &[Figure], lines: &[Line]) -> Grid {
    let cells = |line: &Line| figures.iter().map(|f| line.cell(*f, time)).collect();
    let total = Line::sum("total".to_owned(), time.rows.iter().collect());
    let titles = figures
        .iter()
        .map(|figure| title(*figure, time.hz.is_some()));
    Grid {
        text: figures.iter().map(|f| *f == Figure::Name).collect(),
        titles: titles.collect(),
        rows: lines.iter().map(cells).collect(),
        total: cells(&total),
    }
}

fn title(figure: Figure, timed: bool) -> String {
    let unit = if timed { "ms" } else { "cycles" };
    match figure {
        Figure::Reason => "#".to_owned(),
        Figure::Name => "exit reason".to_owned(),
        Figure::Time(phase) => format!("{} {unit}", phase_name(phase)),
        Figure::Share(_) => "share".to_owned(),
        Figure::Passed(phase) => format!("of {}", phase_name(phase)),
        Figure::CyclesPerExit => "cycles/exit".to_owned(),
        Figure::TimePerExit => "µs/exit".to_owned(),
    }
}

fn phase_name(phase: usize) -> String {
    match phase {
        0 => "boot".to_owned(),
        _ => format!("{phase}→{}", phase + 1),
    }
}

/// What a reader of the table must know.
pub fn explanations(time: &TimeTable) -> Vec<String> {
    let mut lines = vec![
        "share: of the time of all reasons in that phase. Time in KVM and in QEMU is in it."
            .to_owned(),
    ];
    let blocking: Vec<&str> = time
        .rows
        .iter()
        .filter(|row| row.blocks)
        .map(|row| &*row.name)
        .collect();
    if !blocking.is_empty() {
        lines.push(format!(
            "{} includes the time that the vCPU was blocked, waiting for something to happen.",
            blocking.join(" and ")
        ));
    }
    if let Some(hz) = time.hz {
        lines.push(format!(
            "Cycles are those of the host's TSC: {:.3} MHz by the host's own clock.",
            hz / 1e6
        ));
    }
    lines
}

/// What stands out, one sentence each.
pub fn observations(time: &TimeTable, figures: &RunFigures) -> Vec<String> {
    let last = time.phases.len().saturating_sub(1);
    let mut lines: Vec<String> = most(time, figures, 0).into_iter().collect();
    if last > 0 {
        lines.extend(most(time, figures, last));
        lines.extend(guest(time, figures, last));
    }
    lines
}

/// The reason that took the most time in a phase.
fn most(time: &TimeTable, figures: &RunFigures, phase: usize) -> Option<String> {
    let cycles = |row: &&TimeRow| row.cycles[phase];
    // The first of equals: rows are in a definite order.
    let top = time.rows.iter().rev().max_by_key(cycles)?;
    let handling = time.phases[phase].handling;
    let when = match phase {
        0 => format!("up to {}", grid::sample_words(&figures.table, 0)),
        _ => format!("in {}", grid::interval_title(&figures.table, phase)),
    };
    (cycles(&top) > 0).then(|| {
        format!(
            "Most time {when}: {}, {} of {} {} ({}).",
            figures.reason_label(top.reason),
            amount(cycles(&top), time.hz),
            amount(handling, time.hz),
            if time.hz.is_some() { "ms" } else { "cycles" },
            part(cycles(&top), handling),
        )
    })
}

/// What is left of the time that passed.
fn guest(time: &TimeTable, figures: &RunFigures, phase: usize) -> Option<String> {
    let passed = time.phases[phase].passed? as i128;
    let left = passed - time.phases[phase].handling;
    (left > 0).then(|| {
        format!(
            "In {} the guest itself ran for {} of {} {} ({}).",
            grid::interval_title(&figures.table, phase),
            amount(left, time.hz),
            amount(passed, time.hz),
            if time.hz.is_some() { "ms" } else { "cycles" },
            part(left, passed),
        )
    })
}
