//! A phase's workload: its command in the guest, as often as the plan says, each time with all
//! that it starts.

use exitlab_base::shell::quoted;
use exitlab_model::failure::FailureKind;
use exitlab_model::plan::{LeftBehind, Phase};
use exitlab_model::record::Remainder;

use crate::failure::Failure;
use crate::leftovers::Leftovers;
use crate::shell::{End, Printed, Shell, exec, last_lines};
use crate::watchdog::Watchdog;

/// How many of the processes that a phase leaves behind are named.
const MOST_NAMES: usize = 3;

/// Runs the command to its end, `repeat` times. The first that fails is the last. Returns what
/// was left behind, if anything was.
pub async fn run(
    phase: &Phase,
    shell: &dyn Shell,
    watchdog: &Watchdog,
) -> Result<Option<Remainder>, Failure> {
    // In place of the shell that SSH starts: the sampler is the command's only relative.
    let mode = phase.left_behind.word();
    let command = format!("exec exit-sampler run {mode} {}", quoted(&phase.run));
    let mut left = Remainder {
        phase: phase.name.clone(),
        processes: 0,
        commands: Vec::new(),
        fate: phase.left_behind,
    };
    for turn in 1..=phase.repeat {
        let printed = Printed::up_to(0);
        let outcome = exec(shell, &command, &phase.run, &printed, watchdog).await;
        let said = Said::of(&printed);
        let end = outcome.map_err(|failure| said.explain(failure, phase, turn))?;
        let Some(leftovers) = &said.leftovers else {
            return Err(said.failed(end, phase, turn, watchdog));
        };
        if leftovers.end != End::Exit(0) {
            return Err(said.failed(leftovers.end, phase, turn, watchdog));
        }
        if leftovers.processes > 0 && phase.left_behind == LeftBehind::Refuse {
            return Err(said.refused(leftovers, phase, turn, watchdog));
        }
        left.processes += leftovers.processes;
        left.commands.extend(leftovers.commands.iter().cloned());
        left.commands.truncate(MOST_NAMES);
    }
    Ok((left.processes > 0).then_some(left))
}

/// What a command said, and what the sampler said of it.
struct Said {
    stdout: String,
    stderr: String,
    leftovers: Option<Leftovers>,
}

impl Said {
    fn of(printed: &Printed) -> Said {
        let (stdout, stderr) = printed.texts();
        let (own, leftovers) = Leftovers::of(&stderr);
        Said {
            stderr: own.to_owned(),
            stdout,
            leftovers,
        }
    }

    /// Its own words say more than the guest's console.
    fn lines(&self) -> Vec<String> {
        last_lines(&self.stdout, &self.stderr)
    }

    /// Of a command that did not come to its end.
    fn explain(&self, failure: Failure, phase: &Phase, turn: u32) -> Failure {
        let named = named(phase, turn);
        let message = match &self.leftovers {
            Some(left) if left.waiting && failure.kind == FailureKind::Deadline => format!(
                "phase {named}: {}, though '{}' itself has ended and left behind: {}; \
                 left_behind = \"end\" ends what is left",
                failure.message,
                phase.run,
                left.commands.join("; ")
            ),
            _ => format!("phase {named}: {}", failure.message),
        };
        let mut tail = failure.tail;
        tail.extend(self.lines());
        Failure {
            message,
            tail,
            ..failure
        }
    }

    fn failed(&self, end: End, phase: &Phase, turn: u32, watchdog: &Watchdog) -> Failure {
        let how = match end {
            End::Exit(0) => "ended, and exit-sampler did not tell how".to_owned(),
            End::Exit(_) => format!("ended with {end}"),
            End::Signal(_) => format!("was ended by {end}"),
        };
        let message = format!("phase {}: '{}' {how}", named(phase, turn), phase.run);
        Failure {
            tail: self.lines(),
            ..watchdog.failure(FailureKind::Workload, message)
        }
    }

    fn refused(&self, left: &Leftovers, phase: &Phase, turn: u32, watchdog: &Watchdog) -> Failure {
        let message = format!(
            "phase {}: '{}' left {} behind, which left_behind = \"refuse\" forbids: {}",
            named(phase, turn),
            phase.run,
            match left.processes {
                1 => "a process".to_owned(),
                processes => format!("{processes} processes"),
            },
            left.commands.join("; ")
        );
        Failure {
            tail: self.lines(),
            ..watchdog.failure(FailureKind::Workload, message)
        }
    }
}

/// `disk`, or `disk (2 of 3)` where the command runs more than once.
fn named(phase: &Phase, turn: u32) -> String {
    match phase.repeat {
        1 => phase.name.clone(),
        repeat => format!("{} ({turn} of {repeat})", phase.name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::watchdog::test_watchdog;
    use super::*;

    fn phase() -> Phase {
        Phase {
            name: "disk".to_owned(),
            run: "dd".to_owned(),
            repeat: 3,
            left_behind: LeftBehind::Wait,
        }
    }

    fn said(stderr: &str) -> Said {
        let printed = Printed::up_to(0);
        let stdout: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        printed.stdout(stdout.as_bytes());
        printed.stderr(stderr.as_bytes());
        Said::of(&printed)
    }

    #[test]
    fn a_failure_shows_the_last_lines_of_the_output() {
        let (_alive, watchdog) = test_watchdog(1.0);
        let said = said("dd: no room\nexit-sampler: exit 1, alone\n");
        let failure = said.failed(End::Exit(1), &phase(), 2, &watchdog);
        let message = "phase disk (2 of 3): 'dd' ended with exit status 1";
        assert_eq!(failure.message, message);
        assert_eq!(failure.tail.len(), 15);
        assert_eq!(failure.tail[0], "line 7");
        assert_eq!(failure.tail[14], "dd: no room");
    }

    #[test]
    fn what_keeps_a_phase_from_its_end_is_named() {
        let (_alive, watchdog) = test_watchdog(1.0);
        let said = said("exit-sampler: exit 0, waiting for 1: sleep 100\n");
        let late = watchdog.failure(FailureKind::Deadline, "no end of 'dd' within 1 s");
        assert_eq!(
            said.explain(late, &phase(), 1).message,
            "phase disk (1 of 3): no end of 'dd' within 1 s, though 'dd' itself has ended and \
             left behind: sleep 100; left_behind = \"end\" ends what is left"
        );
    }
}
