//! What is looked at: samples, and how they are shown. Pure: keys and events go in, rows
//! come out.

use std::collections::BTreeSet;

use super::action::{Action, Sort};
use super::kept::Kept;
use super::moment::{Moment, Stand, Whose};
use exitlab_analysis::figures::Within;
use exitlab_base::foreign::cell;
use exitlab_model::event::Event;
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::Sample;

/// Most samples that are kept: more than an hour of one a second.
const MOST: usize = 4096;

/// So many intervals a row's small picture has at most.
pub const PICTURED: usize = 60;

/// What is shown.
#[derive(Debug)]
pub struct View {
    /// What is watched.
    pub title: String,
    /// How it goes with it.
    pub status: String,
    /// Whether all is there: it is played back, one sample a second.
    pub recorded: bool,
    /// Whether it stands still.
    pub paused: bool,
    /// What names and numbers must have.
    pub filter: String,
    /// Whether keys go into the filter.
    pub filtering: bool,
    /// The order of the rows.
    pub sort: Sort,
    /// The row that is chosen.
    pub selected: usize,
    /// Whether what lies below its reason is shown.
    pub open: bool,
    table: Option<&'static ReasonTable>,
    moments: Vec<Moment>,
    at: usize,
    follows: bool,
    all: bool,
    baseline: Option<usize>,
    /// The vCPU that alone is shown, by its place among `threads`.
    vcpu: Option<usize>,
    /// The threads of vCPUs that have had an exit in any sample.
    threads: BTreeSet<u64>,
    kept: Kept,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The reason's number as its manual writes it.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Exits up to the sample.
    pub count: u64,
    /// Exits of the interval before it.
    pub new: u64,
    /// The same for a second; none before the first sample.
    pub rate: Option<f64>,
    /// Of all exits of the interval, 0 to 1.
    pub share: f64,
    /// Mean cycles of an exit in the interval, if they are counted.
    pub cycles: Option<f64>,
    /// Mean time of an exit in the interval, nanoseconds, if times are taken.
    pub mean_ns: Option<f64>,
    /// The rate by that of the baseline.
    pub against: Option<f64>,
    /// Rates of the intervals up to this one.
    pub past: Vec<u64>,
}

impl View {
    /// Of nothing yet; `recorded` begins with the first sample and plays, else the last is
    /// followed.
    pub fn new(title: &str, recorded: bool) -> View {
        View {
            title: cell(title),
            status: String::new(),
            recorded,
            paused: false,
            filter: String::new(),
            filtering: false,
            sort: Sort::Rate,
            selected: 0,
            open: false,
            table: None,
            moments: Vec::new(),
            at: 0,
            follows: !recorded,
            all: false,
            baseline: None,
            vcpu: None,
            threads: BTreeSet::new(),
            kept: Kept::default(),
        }
    }

    /// Shows one vCPU alone, from 0, or all of them.
    pub fn with_vcpu(self, vcpu: Option<usize>) -> View {
        View { vcpu, ..self }
    }

    /// Forgets all that came.
    pub fn again(&mut self) {
        let title = std::mem::take(&mut self.title);
        *self = View {
            title,
            vcpu: self.vcpu,
            ..View::new("", self.recorded)
        };
    }

    /// Takes an event in. Whether there is anything new to show.
    pub fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { isa, kernel, .. } => {
                self.of(*isa);
                self.status = format!("Linux {}", cell(kernel));
            }
            Event::Attached(vm) => self.title = format!("{} ({})", cell(&vm.name), vm.pid),
            Event::Discovered(discovery) => self.of(Some(discovery.isa)),
            Event::Stage { stage, .. } => self.status = stage.to_string(),
            Event::Sample(sample) => self.sample(sample),
            Event::Finished { .. } => self.status = "finished".to_owned(),
            _ => return false,
        }
        true
    }

    fn of(&mut self, isa: Option<Isa>) {
        self.table = isa.map(ReasonTable::of).or(self.table);
    }

    fn sample(&mut self, sample: &Sample) {
        if self.moments.len() == MOST {
            self.moments.remove(0);
            self.kept.forget_first();
            self.at = self.at.saturating_sub(1);
            self.baseline = self.baseline.and_then(|at| at.checked_sub(1));
        }
        self.kept.push(sample.trace.as_ref());
        let moment = Moment::of(sample);
        let threads = moment.vcpus.iter().map(|vcpu| vcpu.thread);
        self.threads.extend(threads);
        self.moments.push(moment);
        if self.follows && !self.paused {
            self.at = self.moments.len() - 1;
        }
    }

    /// A second has passed: what is played back goes on by a sample. Whether there is more.
    pub fn tick(&mut self) -> bool {
        let more = self.at + 1 < self.moments.len();
        if more && !self.paused && !self.follows {
            self.at += 1;
        }
        more
    }

    /// Does what a key asks for. Whether it goes on.
    pub fn act(&mut self, action: Action) -> bool {
        let last = self.moments.len().saturating_sub(1);
        let stand = |view: &mut View, at: usize| {
            view.at = at.min(last);
            view.paused = true;
        };
        match action {
            Action::Quit => return false,
            Action::Pause => {
                self.paused = !self.paused;
                if !self.paused && self.follows {
                    self.at = last;
                }
            }
            Action::Back => stand(self, self.at.saturating_sub(1)),
            Action::Forward => stand(self, self.at + 1),
            Action::First => stand(self, 0),
            Action::Last => {
                self.at = last;
                self.follows = true;
                self.paused = false;
            }
            Action::Sort => {
                self.sort = match self.sort {
                    Sort::Rate => Sort::Count,
                    Sort::Count => Sort::Number,
                    Sort::Number => Sort::Rate,
                }
            }
            Action::All => self.all = !self.all,
            Action::Baseline => {
                self.baseline = match self.baseline {
                    None => Some(self.at),
                    Some(_) => None,
                }
            }
            Action::Up => self.selected = self.selected.saturating_sub(1),
            Action::Down => self.selected += 1,
            Action::Open => self.open = !self.open,
            Action::Vcpu => {
                let next = self.vcpu.map_or(0, |vcpu| vcpu + 1);
                self.vcpu = (next < self.threads.len()).then_some(next);
            }
            Action::Filter => self.filtering = true,
            Action::Write(c) => self.filter.push(c),
            Action::Erase => drop(self.filter.pop()),
            Action::Done => self.filtering = false,
            Action::Clear => {
                self.filter.clear();
                self.filtering = false;
            }
        }
        self.selected = self.selected.min(self.rows().len().saturating_sub(1));
        true
    }

    /// Whether there is nothing to show yet.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    fn chosen(&self) -> Whose {
        let Some(vcpu) = self.vcpu else {
            return Whose::All;
        };
        let thread = self.threads.iter().nth(vcpu);
        thread.map_or(Whose::Nobody, |thread| Whose::Thread(*thread))
    }

    /// Which vCPU alone is shown, if one is: `vCPU 1 of 4, thread 4711`.
    pub fn whose(&self) -> Option<String> {
        let (vcpu, of) = (self.vcpu?, self.threads.len());
        Some(match (self.chosen(), of) {
            (Whose::Thread(thread), _) => format!("vCPU {vcpu} of {of}, thread {thread}"),
            (_, 0) => format!("vCPU {vcpu}: nobody tells vCPUs apart here"),
            _ => format!("vCPU {vcpu}: {of} have had exits"),
        })
    }

    /// Where it stands.
    pub fn moment(&self) -> Stand {
        let Some(now) = self.moments.get(self.at) else {
            return Stand {
                number: 0,
                of: 0,
                label: String::new(),
                phase: String::new(),
                seconds: 0.0,
                length: None,
                total: 0,
                new: 0,
                baseline: None,
            };
        };
        let slots = 0..now.counts.len();
        Stand {
            number: now.number,
            of: self.moments.len(),
            label: now.label.clone(),
            phase: now.phase.clone(),
            seconds: now.seconds,
            length: self.length(self.at),
            total: slots
                .clone()
                .map(|slot| now.count(slot, self.chosen()))
                .sum(),
            new: slots.map(|slot| self.new_at(self.at, slot)).sum(),
            baseline: self.baseline.map(|at| self.moments[at].number),
        }
    }

    /// The rows, in their order.
    pub fn rows(&self) -> Vec<Row> {
        let (Some(now), Some(table)) = (self.moments.get(self.at), self.table) else {
            return Vec::new();
        };
        let new = self.moment().new.max(1) as f64;
        let wanted = self.filter.to_lowercase();
        let mut rows: Vec<(usize, Row)> = Vec::new();
        for (slot, number) in table.slots() {
            let count = now.count(slot, self.chosen());
            let (label, name) = (table.isa().label(number), table.name(number));
            let fits = name.to_lowercase().contains(&wanted) || label == wanted;
            if !fits || (count == 0 && !self.all) {
                continue;
            }
            let fresh = self.new_at(self.at, slot);
            let row = Row {
                number: label,
                name: name.to_owned(),
                count,
                new: fresh,
                rate: self.rate(self.at, slot),
                share: fresh as f64 / new,
                cycles: self.cycles(slot),
                mean_ns: match self.vcpu {
                    None => self.kept.mean_ns(self.at, number, table),
                    Some(_) => None,
                },
                against: self.against(slot),
                past: self.past(slot),
            };
            rows.push((slot, row));
        }
        match self.sort {
            Sort::Rate => rows.sort_by_key(|(slot, row)| (u64::MAX - row.new, *slot)),
            Sort::Count => rows.sort_by_key(|(slot, row)| (u64::MAX - row.count, *slot)),
            Sort::Number => {}
        }
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// What lies below the reason of the chosen row, in the interval that is shown: none where
    /// that is not known any more.
    pub fn below(&self) -> Option<(Row, Within)> {
        // It is told of all vCPUs together.
        let row = self.rows().into_iter().nth(self.selected);
        let row = row.filter(|_| self.vcpu.is_none())?;
        let table = self.table?;
        let mut slots = table.slots().into_iter();
        let (_, reason) = slots.find(|(_, number)| table.isa().label(*number) == row.number)?;
        let within = self.kept.within(self.at, reason, table)?;
        Some((row, within))
    }

    /// Exits of the interval that ends with a sample; the first has all that came before it.
    fn new_at(&self, at: usize, slot: usize) -> u64 {
        let count = |at: usize| self.moments[at].count(slot, self.chosen());
        count(at).saturating_sub(at.checked_sub(1).map_or(0, count))
    }

    fn length(&self, at: usize) -> Option<f64> {
        let before = self.moments.get(at.checked_sub(1)?)?;
        let length = self.moments[at].seconds - before.seconds;
        (length > 0.0).then_some(length)
    }

    fn rate(&self, at: usize, slot: usize) -> Option<f64> {
        Some(self.new_at(at, slot) as f64 / self.length(at)?)
    }

    /// Only of all vCPUs together.
    fn cycles(&self, slot: usize) -> Option<f64> {
        if self.vcpu.is_some() {
            return None;
        }
        let of = |at: usize| self.moments[at].cycles.as_ref()?.get(slot).copied();
        let before = match self.at.checked_sub(1) {
            Some(before) => of(before)?,
            None => 0,
        };
        let spent = of(self.at)?.saturating_sub(before);
        let exits = self.new_at(self.at, slot);
        (exits > 0).then(|| spent as f64 / exits as f64)
    }

    fn against(&self, slot: usize) -> Option<f64> {
        let then = self.rate(self.baseline?, slot)?;
        (then > 0.0).then_some(self.rate(self.at, slot)? / then)
    }

    fn past(&self, slot: usize) -> Vec<u64> {
        let from = (self.at + 1).saturating_sub(PICTURED).max(1);
        let rates = (from..=self.at).map(|at| self.rate(at, slot).unwrap_or(0.0));
        // A picture knows whole numbers only; slow ones are to be seen too.
        rates.map(|rate| (rate * 1000.0) as u64).collect()
    }
}

#[cfg(test)]
pub mod tests;
