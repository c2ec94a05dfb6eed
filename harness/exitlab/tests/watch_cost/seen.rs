//! What each watcher says it has seen.

/// How a watcher's lines are read.
#[derive(Debug, Clone, Copy)]
pub enum Seen {
    /// `sample 3 attached 3 at 3.00 s: 20,830 exits, 10 new`
    Exitlab,
    /// A line of names, then lines of what is new of each.
    KvmStat,
    /// `Total Samples:2345, Total events handled time:…`, for each second.
    Perf,
    /// It tells no exits by reason, or draws a screen.
    Nothing,
}

/// Intervals at the end that are looked at.
const LAST: usize = 30;

impl Seen {
    /// Exits a second, in the mean of the last intervals.
    pub fn rate(self, text: &str) -> Option<f64> {
        match self {
            Seen::Exitlab => exitlab(text),
            Seen::KvmStat => kvm_stat(text),
            Seen::Perf => perf(text),
            Seen::Nothing => None,
        }
    }
}

fn number(words: &str) -> Option<f64> {
    words.replace(',', "").parse().ok()
}

fn exitlab(text: &str) -> Option<f64> {
    let samples: Vec<(f64, f64)> = text
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.strip_prefix("sample ")?.split_once(" at ")?;
            let (time, rest) = rest.split_once(" s: ")?;
            let (exits, _) = rest.split_once(" exits")?;
            Some((number(time)?, number(exits)?))
        })
        .collect();
    let last = samples.last()?;
    let first = samples.get(samples.len().checked_sub(LAST + 1)?)?;
    Some((last.1 - first.1) / (last.0 - first.0))
}

fn mean(rates: &[f64]) -> Option<f64> {
    let last = rates.get(rates.len().checked_sub(LAST)?..)?;
    Some(last.iter().sum::<f64>() / LAST as f64)
}

fn kvm_stat(text: &str) -> Option<f64> {
    let mut column = None;
    let mut rates = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(',');
        match fields.clone().position(|field| field.trim() == "kvm_exit") {
            Some(at) => column = Some(at),
            None => rates.extend(fields.nth(column?).and_then(|field| number(field.trim()))),
        }
    }
    mean(&rates)
}

fn perf(text: &str) -> Option<f64> {
    let samples = text.split("Total Samples:").skip(1);
    let rates: Vec<f64> = samples
        .filter_map(|rest| number(rest.split(", ").next()?.trim()))
        .collect();
    mean(&rates)
}
