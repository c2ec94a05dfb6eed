//! Trees of files, and the archives that Linux unpacks at boot.

mod closure;
mod cpio;
mod packages;
mod tree;

pub use closure::LOADER;
pub use cpio::archive;
pub use packages::packages_of;
pub use tree::{Node, Tree};
