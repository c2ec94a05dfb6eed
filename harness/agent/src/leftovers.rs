//! What `exit-sampler run` says at the end of a command: how it ended, and what it left
//! running.

use exitlab_base::bounded::shortened;

use crate::shell::End;

/// What its last line begins with.
const MARK: &str = "exit-sampler: ";

/// The most that is taken over of what a guest says.
const MOST_NAMES: usize = 3;
const LONGEST_NAME: usize = 60;

/// The end of a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// How the command itself ended.
    pub end: End,
    /// Whether what it left is still waited for.
    pub waiting: bool,
    /// How many processes it left.
    pub processes: u64,
    /// The command lines of some.
    pub commands: Vec<String>,
}

impl Leftovers {
    /// Of what a command printed on standard error: its own part, and the end of it that the
    /// sampler wrote. None where the sampler did not come to that.
    pub fn of(stderr: &str) -> (&str, Option<Leftovers>) {
        let line = stderr.trim_end_matches('\n');
        let last = line.rfind('\n').map_or(0, |end| end + 1);
        // A command may end without an end of its line.
        let found = line[last..].rfind(MARK).map(|at| at + last);
        match found.and_then(|at| Some((at, parse(&line[at + MARK.len()..])?))) {
            Some((at, leftovers)) => (own(&stderr[..at]), Some(leftovers)),
            None => (stderr, None),
        }
    }
}

/// Without what the sampler said while it waited.
fn own(stderr: &str) -> &str {
    match Leftovers::of(stderr) {
        (own, Some(Leftovers { waiting: true, .. })) => own,
        _ => stderr,
    }
}

fn parse(text: &str) -> Option<Leftovers> {
    let (end, left) = text.split_once(", ")?;
    let end = match end.split_once(' ')? {
        ("exit", status) => End::Exit(status.parse().ok()?),
        ("signal", number) => End::Signal(number.parse().ok()?),
        _ => return None,
    };
    if left == "alone" {
        return Some(Leftovers {
            end,
            waiting: false,
            processes: 0,
            commands: Vec::new(),
        });
    }
    let (counted, names) = left.split_once(": ")?;
    let (done, processes) = counted.rsplit_once(' ')?;
    let names = names.split("; ").take(MOST_NAMES);
    Some(Leftovers {
        end,
        waiting: match done {
            "waiting for" => true,
            "waited for" | "ended" | "found" => false,
            _ => return None,
        },
        processes: processes.parse().ok()?,
        commands: names.map(|name| shortened(name, LONGEST_NAME)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(end: End, waiting: bool, processes: u64, commands: &[&str]) -> Option<Leftovers> {
        Some(Leftovers {
            end,
            waiting,
            processes,
            commands: commands.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    #[test]
    fn the_samplers_last_line_is_told_from_the_commands_own() {
        let of = Leftovers::of;
        let alone = left(End::Exit(3), false, 0, &[]);
        assert_eq!(of("exit-sampler: exit 3, alone\n"), ("", alone));
        let killed = left(End::Signal(9), false, 0, &[]);
        let text = "no\nhalf a lineexit-sampler: signal 9, alone\n";
        assert_eq!(of(text), ("no\nhalf a line", killed));
        let waiting = "err\nexit-sampler: exit 0, waiting for 2: sleep 1; nc\n";
        let two = &["sleep 1", "nc"];
        assert_eq!(of(waiting), ("err\n", left(End::Exit(0), true, 2, two)));
        let waited = format!("{waiting}exit-sampler: exit 0, waited for 2: sleep 1; nc\n");
        assert_eq!(of(&waited), ("err\n", left(End::Exit(0), false, 2, two)));
    }

    #[test]
    fn what_the_sampler_does_not_say_is_the_commands() {
        for text in [
            "",
            "exit-sampler: failed to start /bin/sh: no such file\n",
            "exit-sampler: exit x, alone\n",
            "exit-sampler: exit 0, lost 2: a\n",
            "exit-sampler: exit 0, alone\nand more\n",
        ] {
            assert_eq!(Leftovers::of(text), (text, None));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(exit-sampler: |exit |signal |, alone|, ended |: |; |\n|[0-9äx ]){0,30}") {
            let (own, _) = Leftovers::of(&text);
            proptest::prop_assert!(text.starts_with(own));
        }
    }
}
