//! An event stream that is not the one that had to come, as an error.

use exitlab_base::error::Error;
use exitlab_model::stream::Broken;

/// The error; its console lines are whoever reads the stream's to add.
pub fn broken(broken: Broken) -> Error {
    Error::Stream {
        expected: broken.expected,
        came: broken.came,
        tail: Vec::new(),
        cure: broken.cure.to_owned(),
    }
}
