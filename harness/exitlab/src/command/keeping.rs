//! `exitlab list`, `exitlab clean` and `exitlab export`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::told::{print, shown};
use crate::cli::{CleanArgs, ExportArgs, ListArgs, ListFormat};
use crate::kept::clearing::{self, Selection};
use crate::kept::{self, Kept, listing};
use exitlab_analysis::{export, reading};
use exitlab_base::artifact::{Cache, Contents};
use exitlab_base::error::{Error, Result};

/// Where results are unless the user says otherwise.
const RESULTS: &str = "results";

/// `exitlab export`
pub(super) fn export(args: &ExportArgs) -> Result<()> {
    let records = reading::records(&args.run)?;
    let text = export::export(&records, args.format.into());
    print(&text.map_err(Error::json("write", "standard output"))?)
}

/// `exitlab list`
pub(super) fn list(args: &ListArgs) -> Result<()> {
    let all = all_in(&args.dirs)?;
    print(&match args.format {
        ListFormat::Table => listing::table(&all),
        ListFormat::Csv => listing::csv(&all)?,
        ListFormat::Json => listing::json(&all)?,
    })
}

/// What lies in every directory. The usual one may not be there yet.
fn all_in(dirs: &[PathBuf]) -> Result<Vec<Kept>> {
    if dirs.is_empty() {
        let usual = Path::new(RESULTS);
        return match usual.symlink_metadata() {
            Ok(_) => kept::look(usual),
            Err(_) => Ok(Vec::new()),
        };
    }
    let mut all = Vec::new();
    for dir in dirs {
        all.extend(kept::look(dir)?);
    }
    Ok(all)
}

/// `exitlab clean`
pub(super) fn clean(args: &CleanArgs) -> Result<()> {
    let neither = args.results.is_none() && args.cache.is_none();
    if args.yes && neither {
        return Err(Error::Config {
            message: "--yes does not say what is to be removed".to_owned(),
            cure: "say --cache, which comes back by itself, --results, which do not, or both"
                .to_owned(),
        });
    }
    let selection = Selection {
        now: SystemTime::now(),
        older_than: args.older_than,
        keep: args.keep,
    };
    let mut something = false;
    if neither || args.results.is_some() {
        let dirs = args.results.as_deref().unwrap_or_default();
        something |= results(dirs, &selection, args.yes)?;
    }
    if neither || args.cache.is_some() {
        let dir = args.cache.clone().flatten();
        let dir = dir.map_or_else(Cache::default_dir, Ok)?;
        something |= cache(&dir, &selection, args.yes)?;
    }
    if something && !args.yes {
        let which = match neither {
            true => "with --results, --cache or both, --yes removes it",
            false => "--yes removes it",
        };
        print(&format!("\nNothing was removed: {which}.\n"))?;
    }
    Ok(())
}

/// Whether any results go.
fn results(dirs: &[PathBuf], selection: &Selection, yes: bool) -> Result<bool> {
    let chosen = clearing::of_results(all_in(dirs)?, selection);
    print(&clearing::results_table(&chosen, selection.now))?;
    if yes && !chosen.is_empty() {
        print(&clearing::remove_results(&chosen)?)?;
    }
    Ok(!chosen.is_empty())
}

/// Whether anything of the cache goes.
fn cache(dir: &Path, selection: &Selection, yes: bool) -> Result<bool> {
    let Some(contents) = Contents::of(dir)? else {
        print(&format!("No cache at {}.\n", shown(dir)))?;
        return Ok(false);
    };
    print(&format!("\ncache: {}\n", shown(dir)))?;
    let chosen = clearing::of_cache(&contents, selection);
    print(&clearing::cache_table(&chosen, selection.now))?;
    if yes && !chosen.is_empty() {
        print(&clearing::remove_from_cache(&contents, &chosen)?)?;
    }
    Ok(!chosen.is_empty())
}
