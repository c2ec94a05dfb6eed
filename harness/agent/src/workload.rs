//! A phase's workload: its command in the guest, as often as the plan says.

use exitlab_model::failure::FailureKind;
use exitlab_model::plan::Phase;

use crate::failure::Failure;
use crate::shell::{Output, Shell, exec};
use crate::watchdog::Watchdog;

/// How many lines of a failed command's output an error shows.
const TAIL: usize = 15;

/// Runs the command to its end, `repeat` times. The first that fails is the last.
pub async fn run(phase: &Phase, shell: &dyn Shell, watchdog: &Watchdog) -> Result<(), Failure> {
    for turn in 1..=phase.repeat {
        let output = exec(shell, &phase.run, watchdog)
            .await
            .map_err(|failure| Failure {
                message: format!("phase {}: {}", named(phase, turn), failure.message),
                ..failure
            })?;
        if output.exit != 0 {
            return Err(failed(phase, turn, &output, watchdog));
        }
    }
    Ok(())
}

fn failed(phase: &Phase, turn: u32, output: &Output, watchdog: &Watchdog) -> Failure {
    let message = format!(
        "phase {}: '{}' ended with exit status {}",
        named(phase, turn),
        phase.run,
        output.exit
    );
    // Its own words say more than the guest's console.
    Failure {
        tail: last_lines(output),
        ..watchdog.failure(FailureKind::Workload, message)
    }
}

/// `disk`, or `disk (2 of 3)` where the command runs more than once.
fn named(phase: &Phase, turn: u32) -> String {
    match phase.repeat {
        1 => phase.name.clone(),
        repeat => format!("{} ({turn} of {repeat})", phase.name),
    }
}

/// Standard output, then standard error, which usually says why.
fn last_lines(output: &Output) -> Vec<String> {
    let lines = output.stdout.lines().chain(output.stderr.lines());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    lines[lines.len().saturating_sub(TAIL)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::watchdog::test_watchdog;
    use super::*;

    #[test]
    fn a_failure_shows_the_last_lines_of_the_output() {
        let phase = Phase {
            name: "disk".to_owned(),
            run: "dd".to_owned(),
            repeat: 3,
        };
        let output = Output {
            exit: 1,
            stdout: (1..=20).map(|n| format!("line {n}\n")).collect(),
            stderr: "dd: no room\n".to_owned(),
        };
        let (_alive, watchdog) = test_watchdog(1.0);
        let failure = failed(&phase, 2, &output, &watchdog);
        let message = "phase disk (2 of 3): 'dd' ended with exit status 1";
        assert_eq!(failure.message, message);
        assert_eq!(failure.tail.len(), TAIL);
        assert_eq!(failure.tail[0], "line 7");
        assert_eq!(failure.tail[TAIL - 1], "dd: no room");
    }
}
