//! The seed of a guest's keys on a machine that others use, too.

use std::io::Read;

use exitlab_base::error::{Error, Result};

/// A seed that nobody can guess, for a guest that others may be able to reach.
pub fn fresh_seed() -> Result<String> {
    let mut bytes = [0; 32];
    let source = "/dev/urandom";
    let mut file = std::fs::File::open(source).map_err(Error::io("open", source))?;
    file.read_exact(&mut bytes)
        .map_err(Error::io("read", source))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
