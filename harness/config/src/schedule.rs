//! The schedule: `boot`, then `+DURATION` after the moment before or `@DURATION` after
//! the boot sample, always forwards. A guest without SSH has moments of its own, too:
//! `line:TEXT`, and `end`, after which there is nothing.

use std::time::Duration;

use super::duration;
use exitlab_base::toml::Wrong;
use exitlab_model::plan::Moment;

/// Reads the entries of a schedule in order.
#[derive(Debug)]
pub(super) struct Clock {
    now: Now,
    ssh: bool,
}

/// What is known of the time of the entry before.
#[derive(Debug, Clone, Copy)]
enum Now {
    /// `boot` has not been seen.
    Off,
    /// So long after the boot sample.
    At(Duration),
    /// The guest decides when.
    Unknown,
    /// There is no later.
    Ended,
}

impl Clock {
    /// For a guest with or without SSH.
    pub(super) fn of(ssh: bool) -> Clock {
        Clock { now: Now::Off, ssh }
    }

    /// Reads the next entry.
    pub(super) fn next(&mut self, entry: &str) -> Result<Moment, Wrong> {
        let (moment, now) = match (entry, self.now) {
            ("boot", Now::Off) => (Moment::Boot, Now::At(Duration::ZERO)),
            ("boot", _) => return Err(backwards("the guest boots once", BOOT_CURE)),
            (_, Now::Off) => {
                // The entries after it are judged as if `boot` had been there: one
                // mistake, one message.
                self.now = Now::At(Duration::ZERO);
                return Err(backwards("nothing can be sampled before boot", BOOT_CURE));
            }
            (_, Now::Ended) => {
                return Err(backwards(
                    "the guest has ended",
                    "let \"end\" be the last entry",
                ));
            }
            (entry, _) if entry == "end" || entry.starts_with("line:") => {
                let moment = self.of_the_guest(entry)?;
                let ended = moment == Moment::End;
                (moment, if ended { Now::Ended } else { Now::Unknown })
            }
            (_, Now::At(before)) => {
                let now = time(entry, before)?;
                (Moment::After((now - before).as_secs_f64()), Now::At(now))
            }
            (_, Now::Unknown) if entry.starts_with('@') => {
                return Err(Wrong::new(
                    "nobody knows when the line before it comes",
                    "give the time after the line: \"+5s\"",
                ));
            }
            (_, Now::Unknown) => {
                let after = time(entry, Duration::ZERO)?;
                (Moment::After(after.as_secs_f64()), Now::Unknown)
            }
        };
        self.now = now;
        Ok(moment)
    }

    /// A moment that the guest decides.
    fn of_the_guest(&self, entry: &str) -> Result<Moment, Wrong> {
        if self.ssh {
            return Err(Wrong::new(
                "a moment of a guest without SSH",
                "give times, or set guest.ssh to false",
            ));
        }
        let Some(text) = entry.strip_prefix("line:") else {
            return Ok(Moment::End);
        };
        if text.trim().is_empty() || text.contains(char::is_control) {
            return Err(Wrong::new(
                "no text that a line can contain",
                "write what the guest prints: \"line:READY\"",
            ));
        }
        Ok(Moment::Line(text.to_owned()))
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
                "write \"boot\", \"+5s\" (after the entry before) or \"@12s\" (after the boot sample); \
                 of a guest without SSH also \"line:TEXT\" and \"end\"",
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
        read_of(true, entries)
    }

    fn read_of(ssh: bool, entries: &[&str]) -> Result<Vec<Moment>, Wrong> {
        let mut clock = Clock::of(ssh);
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

    #[test]
    fn a_guest_without_ssh_has_moments_of_its_own() {
        let entries = ["boot", "@1s", "line:TEST 2", "+500ms", "line:done", "end"];
        let moments = read_of(false, &entries).expect("a good schedule");
        let text = |text: &str| Moment::Line(text.to_owned());
        let expected = [
            Moment::Boot,
            Moment::After(1.0),
            text("TEST 2"),
            Moment::After(0.5),
            text("done"),
            Moment::End,
        ];
        assert_eq!(moments, expected);
        let labels: Vec<_> = moments.iter().map(Moment::label).collect();
        assert_eq!(labels[2..], ["line:TEST 2", "+0.5s", "line:done", "end"]);
    }

    #[test]
    fn moments_of_a_guest_are_refused_where_they_cannot_be() {
        let wrong = |ssh, entries: &[&str]| read_of(ssh, entries).expect_err("wrong").what;
        assert_eq!(
            wrong(true, &["boot", "end"]),
            "a moment of a guest without SSH"
        );
        assert!(wrong(false, &["boot", "end", "+1s"]).contains("runs backwards"));
        assert!(wrong(false, &["boot", "line: "]).contains("no text"));
        assert!(wrong(false, &["boot", "line:x", "@5s"]).contains("nobody knows"));
        assert!(wrong(false, &["boot", "line:x", "+0s"]).contains("runs backwards"));
    }
}
