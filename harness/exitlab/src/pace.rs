//! Work that may be left out now and then, and is, where it would take too much of the time.

use std::time::{Duration, Instant};

/// How often a piece of work is done.
#[derive(Debug)]
pub struct Pace {
    /// It takes no more than one part in so many of the time.
    one_in: u32,
    /// When it may be done again.
    due: Option<Instant>,
}

impl Pace {
    /// Of work that takes no more than one part in `one_in` of the time.
    pub fn one_in(one_in: u32) -> Pace {
        Pace { one_in, due: None }
    }

    /// Does the work, if it is its time: at first, and then when `one_in` times as long as it
    /// took has gone by.
    pub fn keep<E>(&mut self, work: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let begin = Instant::now();
        if self.due.is_some_and(|due| begin < due) {
            return Ok(());
        }
        work()?;
        let took: Duration = begin.elapsed();
        self.due = Instant::now().checked_add(took.saturating_mul(self.one_in));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times_of_two(one_in: u32) -> u32 {
        let mut pace = Pace::one_in(one_in);
        let mut times = 0;
        for _ in 0..2 {
            let done: Result<(), ()> = pace.keep(|| {
                times += 1;
                std::thread::sleep(Duration::from_millis(1));
                Ok(())
            });
            assert_eq!(done, Ok(()));
        }
        times
    }

    #[test]
    fn what_took_long_waits_for_its_turn() {
        assert_eq!([0, 1_000_000].map(times_of_two), [2, 1]);
    }

    #[test]
    fn what_failed_is_tried_again() {
        let mut pace = Pace::one_in(1_000_000);
        assert_eq!(pace.keep(|| Err("a full disk")), Err("a full disk"));
        let mut done = false;
        let again: Result<(), ()> = pace.keep(|| {
            done = true;
            Ok(())
        });
        assert!(again.is_ok() && done);
    }
}
