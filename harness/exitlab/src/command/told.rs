//! What every command tells on standard output.

use std::path::Path;

use exitlab_analysis::export;
use exitlab_analysis::figures::RunFigures;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::line;
use exitlab_base::screen;
use exitlab_model::record::RunRecord;

/// A path as the user would type it from here, in one line.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    let path = below.unwrap_or_else(|| path.to_owned());
    line(&path.display().to_string())
}

/// What was counted, as a table for the terminal.
pub(super) fn table(record: &RunRecord) -> String {
    export::terminal_table(&RunFigures::of_record(record, record.reasons()))
}

/// Prints an answer.
pub(super) fn print(text: &str) -> Result<()> {
    told(screen::out(text))
}

/// Prints commands to GitHub Actions.
pub(super) fn command(lines: &str) -> Result<()> {
    told(screen::command(lines))
}

fn told(written: std::io::Result<()>) -> Result<()> {
    match written {
        // A reader that has seen enough, such as `head`.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::io("write", "standard output")),
    }
}
