//! In which order cells run.

use exitlab_config::Cell;

/// Cells in the order in which they run. Where nothing disturbs a run, the plan's. Elsewhere
/// round by round, every second one backwards (A B, B A, …), so that what drifts with time
/// meets all combinations alike.
pub fn interleaved(cells: Vec<&Cell>) -> Vec<&Cell> {
    if cells.iter().all(|cell| cell.plan.platform.repeats()) {
        return cells;
    }
    let last = cells.iter().map(|cell| cell.repeat).max().unwrap_or(0);
    let round = |repeat| {
        let mut round: Vec<&Cell> = cells
            .iter()
            .filter(|cell| cell.repeat == repeat)
            .copied()
            .collect();
        if repeat % 2 == 0 {
            round.reverse();
        }
        round
    };
    (1..=last).flat_map(round).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use exitlab_config::{Matrix, load_matrix};

    fn matrix(platform: &str) -> Matrix {
        let sets = [
            format!("platform={platform}"),
            "host.memory=['1024M', '2048M']".to_owned(),
            "repeat=3".to_owned(),
        ];
        load_matrix(None, &sets, Path::new("/"), &[]).unwrap()
    }

    fn order(matrix: &Matrix) -> Vec<String> {
        let cells = interleaved(matrix.cells.iter().collect());
        cells.iter().map(|cell| cell.id.to_string()).collect()
    }

    #[test]
    fn where_time_is_real_every_second_round_runs_backwards() {
        let ids = order(&matrix("nested"));
        let short: Vec<String> = ids
            .iter()
            .map(|id| id.replace("host.memory=", ""))
            .collect();
        assert_eq!(
            short,
            [
                "1024M,r1", "2048M,r1", "2048M,r2", "1024M,r2", "1024M,r3", "2048M,r3"
            ]
        );
        let ids = order(&matrix("tcg-svm"));
        assert_eq!(ids[1], "host.memory=1024M,r2");
    }
}
