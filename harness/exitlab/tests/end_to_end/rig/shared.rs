//! Runs whose results several tests look at. Each is made once, by the test that comes first;
//! the others wait for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use crate::support::{Outcome, exitlab, processes_below};

/// A run that ended well. Nobody changes its directory.
#[derive(Clone)]
pub struct Shared {
    pub dir: PathBuf,
    pub stdout: String,
}

type Once = Arc<OnceLock<Shared>>;

/// The default experiment on `tcg-svm` with a small machine, and these words set.
pub fn quick_run(sets: &[&str]) -> Shared {
    static RUNS: Mutex<BTreeMap<Vec<String>, Once>> = Mutex::new(BTreeMap::new());
    let key: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let (run, number) = {
        // A test that failed while it held the lock has changed nothing.
        let mut runs = RUNS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let number = runs.len();
        (runs.entry(key).or_default().clone(), number)
    };
    run.get_or_init(|| make(sets, &place().join(number.to_string())))
        .clone()
}

fn make(sets: &[&str], dir: &Path) -> Shared {
    let mut command = exitlab();
    command.args(["run", "--platform", "tcg-svm", "--progress", "plain"]);
    for set in [&["guest.machine=microvm"], sets].concat() {
        command.args(["--set", set]);
    }
    let outcome = Outcome::from(command.arg("--out").arg(dir).output().unwrap());
    assert_eq!(outcome.code, Some(0), "{sets:?}: {}", outcome.stderr);
    assert!(processes_below(dir).is_empty(), "left behind");
    Shared {
        dir: dir.to_owned(),
        stdout: outcome.stdout,
    }
}

/// Where the results of this process lie. No test is the last one to need them: they go when
/// the next process comes.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared-runs");
        std::fs::create_dir_all(&parent).unwrap();
        for left in std::fs::read_dir(&parent).unwrap() {
            let left = left.unwrap();
            if !Path::new("/proc").join(left.file_name()).exists() {
                std::fs::remove_dir_all(left.path()).unwrap();
            }
        }
        let own = parent.join(std::process::id().to_string());
        std::fs::create_dir_all(&own).unwrap();
        own
    })
}
