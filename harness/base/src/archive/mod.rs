//! Trees of files, and the archives that Linux unpacks at boot.

mod closure;
mod cpio;
mod tree;

pub use closure::LOADER;
pub use cpio::archive;
pub use tree::{Node, Tree};
