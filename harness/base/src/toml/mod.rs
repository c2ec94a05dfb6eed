//! TOML documents whose mistakes are told with file, line, key and value.

mod problem;
mod suggestion;
mod text;

pub use problem::{Problem, Wrong, as_error};
pub use suggestion::nearest;
pub use text::{Text, key_segment, line_of, snippet, wrong_type};
