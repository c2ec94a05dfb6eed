//! `report`: what was counted, as a page.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::regression::compared;
use super::told::{print, shown};
use crate::cli::ReportArgs;
use crate::pages;
use exitlab_analysis::reading::{Sight, look, look_at_each};
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_model::layout::REPORT;
use exitlab_report as page;

/// What several runs are called that were named one by one.
const SEVERAL: &str = "Runs side by side";

/// `exitlab report`
pub(super) fn report(args: ReportArgs) -> Result<()> {
    let (page, usual) = match &*args.runs {
        [one] => match look(one)? {
            Sight::Run { dir, record } => (page::run(&record), dir.join(REPORT)),
            Sight::Several { dir, title, runs } => {
                (pages::side_by_side(&title, &runs)?, dir.join(REPORT))
            }
        },
        [base, head] => {
            let one = |path: &PathBuf| std::slice::from_ref(path).to_vec();
            let comparison = compared(&one(base), &one(head), args.promises.into())?;
            (page::sides(&comparison), PathBuf::from(REPORT))
        }
        several => {
            let runs = look_at_each(several)?;
            (pages::side_by_side(SEVERAL, &runs)?, PathBuf::from(REPORT))
        }
    };
    let out = args.out.unwrap_or(usual);
    require_no_other(&out)?;
    write_whole(&out, page.as_bytes())?;
    print(&format!("report: {}\n", shown(&out)))
}

/// Only a page of exitlab's own is written over.
fn require_no_other(out: &Path) -> Result<()> {
    let Ok(there) = out.symlink_metadata() else {
        return Ok(());
    };
    let mut beginning = Vec::new();
    if there.is_file() {
        let file = File::open(out).map_err(Error::io("read", out))?;
        let mut file = file.take(page::BEGINNING_BYTES as u64);
        let read = file.read_to_end(&mut beginning);
        read.map_err(Error::io("read", out))?;
    }
    if page::is_report(&beginning) {
        return Ok(());
    }
    Err(Error::Config {
        message: format!("{} is there, and is no report of exitlab", out.display()),
        cure: "give another file with --out".to_owned(),
    })
}
