//! What an exitlab leaves that was killed: the emulator's directory in a run's, which may be
//! large, and matrices that were begun and never got their name. Each belongs to the living as
//! long as its lock is held, and goes at the next start in the same place.

use std::ffi::OsStr;
use std::path::Path;

use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_base::error::Result;
use exitlab_model::layout::{CELLS, EMULATOR_LOG, STEPS};

/// Where the emulator works, below the results directory, while the run lasts.
pub const MACHINE: &str = ".machine";

/// The lock in it.
pub const OWNER: &str = ".owner";

/// Begins the name of a matrix that is being begun.
pub const BEGINNING: &str = ".beginning-";

/// The lock of a matrix: two processes do not run the cells of one.
pub const LOCK: &str = ".lock";

/// Results directories lie in one another: a bisection's steps, their cells.
const DEEPEST: u32 = 3;

/// Sweeps a directory of results directories. It fails at nothing: what cannot be removed does
/// no harm.
pub fn sweep(place: &Path) {
    if let Err(error) = Dir::open(place).and_then(|place| sweep_all(&place, DEEPEST)) {
        tracing::debug!("{error}");
    }
}

fn sweep_all(place: &Dir, deeper: u32) -> Result<()> {
    for name in place.names()? {
        // Other files, links, and what is somebody else's are passed by.
        let Ok(dir) = place.inner(&name) else {
            continue;
        };
        if !dir.is_ours() {
            continue;
        }
        if is_beginning(&name) {
            if let Ok(Some(_lock)) = Lock::try_existing_in(&dir, LOCK) {
                place.remove(&name)?;
            }
            continue;
        }
        if sweep_machine(&dir)? {
            // Of a run that was killed before it had a record.
            place.remove_if_empty(&name)?;
        }
        for group in [CELLS, STEPS] {
            if deeper > 1
                && let Ok(group) = dir.inner(group)
            {
                sweep_all(&group, deeper - 1)?;
            }
        }
    }
    Ok(())
}

/// Removes the emulator's directory of a run if its owner is gone; its log stays.
fn sweep_machine(dir: &Dir) -> Result<bool> {
    let Ok(machine) = dir.inner(MACHINE) else {
        return Ok(false);
    };
    let Some(_lock) = Lock::try_existing_in(&machine, OWNER)? else {
        return Ok(false);
    };
    if machine.has(EMULATOR_LOG) {
        // Where it is there already, that of the last attempt is the one.
        let _ = machine.move_to(EMULATOR_LOG, dir, EMULATOR_LOG);
    }
    dir.remove(MACHINE)?;
    Ok(true)
}

/// Whether something of that name is a matrix, or a roster, that is being begun.
pub fn is_beginning(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(BEGINNING)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_have_stays() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let machine = |run: &str| {
            let dir = at(run).join(MACHINE);
            fs::create_dir_all(dir.join("tree")).unwrap();
            fs::write(dir.join("tree/disk"), "80 MB").unwrap();
            fs::write(dir.join(EMULATOR_LOG), "last words").unwrap();
            fs::write(dir.join(OWNER), "").unwrap();
            dir
        };
        let dead = machine("dead");
        fs::write(at("dead/run.json"), "{}").unwrap();
        let in_a_matrix = machine("bisection/steps/1-abc/cells/r1");
        let living = machine("living");
        let held = Lock::try_acquire(&living.join(OWNER)).unwrap().unwrap();
        // Killed before it had anything to keep.
        fs::create_dir_all(at("new/.machine")).unwrap();
        fs::write(at("new/.machine/.owner"), "").unwrap();
        // Of an earlier version, which held no lock.
        fs::create_dir_all(at("old/.machine/x")).unwrap();
        // What leads elsewhere.
        let theirs = machine("elsewhere/theirs");
        symlink(at("elsewhere/theirs"), at("link")).unwrap();
        fs::create_dir(at("run")).unwrap();
        symlink(&theirs, at("run/.machine")).unwrap();
        for begun in ["begun", "living"] {
            fs::create_dir_all(at(&format!(".beginning-{begun}/cells"))).unwrap();
            fs::write(at(&format!(".beginning-{begun}/.lock")), "").unwrap();
        }
        let begins = Lock::try_acquire(&at(".beginning-living/.lock")).unwrap();
        symlink(at("elsewhere"), at(".beginning-link")).unwrap();

        sweep(place.path());
        assert!(!dead.exists() && at("dead/run.json").exists());
        assert!(at("dead").join(EMULATOR_LOG).exists());
        assert!(!in_a_matrix.exists() && !at("new").exists());
        assert!(living.join("tree/disk").exists() && at("old/.machine/x").exists());
        assert!(theirs.join("tree/disk").exists() && at(".beginning-link").exists());
        assert!(!at(".beginning-begun").exists() && at(".beginning-living/cells").exists());
        drop((held, begins));
        sweep(place.path());
        assert!(!living.exists() && !at(".beginning-living").exists());
        sweep(&at("no such place"));
    }
}
