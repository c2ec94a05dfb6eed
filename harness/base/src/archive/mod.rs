//! Trees of files, and the archives that Linux unpacks at boot.

mod closure;
mod cpio;
mod elf;
mod packages;
mod tree;

pub use closure::LOADER;
pub use cpio::archive;
pub use elf::has_interpreter;
pub use packages::packages_of;
pub use tree::{Node, Tree};
