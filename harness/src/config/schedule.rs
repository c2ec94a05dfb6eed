//! The schedule: `boot`, then `+DURATION` after the moment before or `@DURATION` after
//! the boot sample, always forwards.

use std::time::Duration;

use super::duration;
use super::plan::Moment;
use super::problem::Wrong;

/// Reads the entries of a schedule in order.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Time of the entry before since the boot sample; none before `boot`.
    now: Option<Duration>,
}

impl Clock {
    /// Reads the next entry.
    pub(super) fn next(&mut self, entry: &str) -> Result<Moment, Wrong> {
        let (moment, now) = match (entry, self.now) {
            ("boot", None) => (Moment::Boot, Duration::ZERO),
            ("boot", Some(_)) => return Err(backwards("the guest boots once", BOOT_CURE)),
            (_, None) => {
                // The entries after it are judged as if `boot` had been there: one
                // mistake, one message.
                self.now = Some(Duration::ZERO);
                return Err(backwards("nothing can be sampled before boot", BOOT_CURE));
            }
            (_, Some(before)) => {
                let now = time(entry, before)?;
                (Moment::After((now - before).as_secs_f64()), now)
            }
        };
        self.now = Some(now);
        Ok(moment)
    }
}

const BOOT_CURE: &str = "begin the schedule with \"boot\", and give it once";

/// When `entry` is, since the boot sample; later than `before`.
fn time(entry: &str, before: Duration) -> Result<Duration, Wrong> {
    let relative = entry.strip_prefix('+');
    if relative.is_some_and(|rest| rest.starts_with('-')) {
        return Err(backwards(
            "a negative time",
            "give a time later than the entry before",
        ));
    }
    let now = match (relative, entry.strip_prefix('@')) {
        (Some(rest), _) => before + duration::parse(rest)?,
        (None, Some(rest)) => duration::parse(rest)?,
        (None, None) => {
            return Err(Wrong::new(
                "not a moment",
                "write \"boot\", \"+5s\" (after the entry before) or \"@12s\" (after the boot sample)",
            ));
        }
    };
    if now <= before {
        let before = duration::format(before);
        return Err(backwards(
            &format!("the entry before is already {before} after the boot sample"),
            "give a time later than the entry before",
        ));
    }
    Ok(now)
}

fn backwards(why: &str, cure: &str) -> Wrong {
    Wrong::new(format!("the schedule runs backwards: {why}"), cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str]) -> Result<Vec<Moment>, Wrong> {
        let mut clock = Clock::default();
        entries.iter().map(|entry| clock.next(entry)).collect()
    }

    #[test]
    fn absolute_moments_become_differences() {
        let moments = read(&["boot", "+5s", "@12s", "+500ms", "@1m"]).expect("a good schedule");
        let after = [5.0, 7.0, 0.5, 47.5].map(Moment::After);
        assert_eq!(moments[0], Moment::Boot);
        assert_eq!(moments[1..], after);
    }

    #[test]
    fn time_only_runs_forwards() {
        for bad in [
            &["+5s"][..],
            &["boot", "boot"],
            &["boot", "+0s"],
            &["boot", "+-5s"],
            &["boot", "@0s"],
            &["boot", "+5s", "@5s"],
            &["boot", "@5s", "@4s"],
        ] {
            let wrong = read(bad).expect_err("runs backwards");
            assert!(
                wrong.what.contains("runs backwards"),
                "{bad:?}: {}",
                wrong.what
            );
        }
    }
}
