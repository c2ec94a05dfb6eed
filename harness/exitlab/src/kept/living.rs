//! Whether somebody works in a results directory: each of its locks says it.

use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_base::error::Result;
use exitlab_model::layout::{CELLS, KERNELS, STEPS};

use crate::litter::{LOCK, MACHINE, OWNER};

/// Takes all locks of a results directory and of those in it; none if somebody works in one.
/// As long as they are held, nobody begins to.
pub fn locks(dir: &Dir) -> Result<Option<Vec<Lock>>> {
    let mut held = Vec::new();
    Ok(take(dir, &mut held, true)?.then_some(held))
}

fn take(dir: &Dir, held: &mut Vec<Lock>, deeper: bool) -> Result<bool> {
    let Some(whole) = Lock::try_whole(dir)? else {
        return Ok(false);
    };
    held.push(whole);
    if !take_named(dir, LOCK, held)? {
        return Ok(false);
    }
    if let Ok(machine) = dir.inner(MACHINE)
        && !take_named(&machine, OWNER, held)?
    {
        return Ok(false);
    }
    // A matrix's cells are covered by its lock; a bisection's steps are matrices.
    for group in [STEPS, KERNELS, CELLS] {
        let Some(group) = dir.inner(group).ok().filter(|_| deeper) else {
            continue;
        };
        for name in group.dirs()? {
            let mut inner = Vec::new();
            let free = match group.inner(&name) {
                Ok(dir) => take(&dir, &mut inner, false)?,
                // It went meanwhile.
                Err(_) => true,
            };
            // Not kept: there may be more of them than files may be open.
            if !free {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Takes a lock if there is one.
fn take_named(dir: &Dir, name: &str, held: &mut Vec<Lock>) -> Result<bool> {
    if !dir.has(name) {
        return Ok(true);
    }
    let lock = Lock::try_existing_in(dir, name)?;
    let free = lock.is_some();
    held.extend(lock);
    Ok(free)
}
