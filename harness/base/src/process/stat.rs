//! What the kernel says of a process or a thread in `/proc/PID/stat` (proc(5)).

use std::path::Path;
use std::time::Duration;

/// Ticks of that file's clock in a second (`USER_HZ`).
const TICKS: u32 = 100;

/// What is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// `R` runs, `S` and `D` wait, `T` and `t` are stopped, `Z` has ended.
    pub state: char,
    /// Processor time of all its threads in user mode, a guest's among it.
    pub user: Duration,
    /// Processor time of all its threads in the kernel.
    pub kernel: Duration,
    /// When it began, in ticks since the machine's boot: with its number, which process it is.
    pub start: u64,
}

impl Stat {
    /// Of this directory in `/proc`; none where it has ended.
    pub fn of(directory: &Path) -> Option<Stat> {
        parse(&std::fs::read_to_string(directory.join("stat")).ok()?)
    }

    /// Of the process of this number.
    pub fn of_process(id: u32) -> Option<Stat> {
        Stat::of(&Path::new("/proc").join(id.to_string()))
    }

    /// Its processor time.
    pub fn busy(&self) -> Duration {
        self.user.saturating_add(self.kernel)
    }

    /// When it began, since the machine's boot.
    pub fn began(&self) -> Duration {
        of_ticks(self.start)
    }
}

/// The name, the second word, is in parentheses and may hold anything. After it come the
/// state, and as the 14th, 15th and 22nd of all words the times.
fn parse(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |word: usize| words.get(word - 3)?.parse::<u64>().ok();
    Some(Stat {
        state: words.first()?.chars().next()?,
        user: of_ticks(number(14)?),
        kernel: of_ticks(number(15)?),
        start: number(22)?,
    })
}

fn of_ticks(ticks: u64) -> Duration {
    Duration::from_secs(ticks) / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let stat = "12 (a) S b) R 1 12 12 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 1 0 577 1";
        let read = parse(stat).unwrap();
        assert_eq!((read.state, read.start), ('R', 577));
        assert_eq!(read.kernel, Duration::from_millis(310));
        assert_eq!(read.busy(), Duration::from_millis(2810));
        assert_eq!(read.began(), Duration::from_millis(5770));
    }

    #[test]
    fn what_is_cut_off_or_no_number_is_nothing() {
        for stat in [
            "",
            "12 (a",
            "12 (a) R 1",
            "12 (a) R 1 2 3 4 5 6 7 8 9 10 x 31",
        ] {
            assert_eq!(parse(stat), None, "{stat}");
        }
    }

    #[test]
    fn of_ourselves_there_is_one() {
        let own = Stat::of_process(std::process::id()).unwrap();
        assert_eq!(Stat::of(Path::new("/proc/self")).unwrap().start, own.start);
        assert_eq!(Stat::of(Path::new("/proc/0")), None);
    }
}
