//! `exitlab log` and `exitlab diverge`.

use super::told::print;
use crate::cli::{DivergeArgs, DivergeFormat, LogArgs};
use exitlab_analysis::log::diverge::{self, Extent};
use exitlab_analysis::log::printing::Printer;
use exitlab_analysis::log::{Log, Names, Phases, Selection};
use exitlab_analysis::reading::{Sight, look};
use exitlab_base::error::{Error, Result};
use exitlab_base::screen;

/// So much is printed at once, bytes.
const PIECE: usize = 64 << 10;

/// `exitlab log`
pub(super) fn log(args: &LogArgs) -> Result<()> {
    let Sight::Run { dir, record } = look(&args.run)? else {
        return Err(Error::Config {
            message: format!("{} is no single run", args.run.display()),
            cure: "give one run: of a matrix, a directory below cells".to_owned(),
        });
    };
    let selection = Selection {
        reasons: args.reason.clone(),
        vcpus: args.vcpu.iter().copied().collect(),
        phases: args.phase.clone(),
        places: args.place.clone(),
        details: args.detail.clone(),
        skip: args.skip,
        first: args.first,
        last: args.last.map(|last| last as usize),
    };
    let (names, phases) = (Names::of(&record), Phases::of(&record));
    let mut printer = Printer::new(args.format.into(), &names, &phases);
    let mut pieces = Pieces::default();
    let log = Log::open(&dir)?;
    pieces.add(&printer.begin())?;
    selection.each(log, &names, &phases, |exit| {
        let text = printer.exit(&exit);
        pieces.add(&text)
    })?;
    pieces.add(printer.end())?;
    pieces.flush().map(drop)
}

/// Text that is printed piece by piece.
#[derive(Debug, Default)]
struct Pieces(String);

impl Pieces {
    /// Whether somebody reads on.
    fn add(&mut self, text: &str) -> Result<bool> {
        self.0 += text;
        match self.0.len() >= PIECE {
            true => self.flush(),
            false => Ok(true),
        }
    }

    fn flush(&mut self) -> Result<bool> {
        let piece = std::mem::take(&mut self.0);
        match screen::out(&piece) {
            // A reader that has seen enough, such as `head`.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            printed => printed
                .map(|()| true)
                .map_err(Error::io("write", "standard output")),
        }
    }
}

/// `exitlab diverge`
pub(super) fn diverge(args: &DivergeArgs) -> Result<()> {
    let extent = Extent {
        partings: args.partings.into(),
        context: args.context.into(),
        causes: args.causes.into(),
    };
    let found = diverge::diverge(&args.base, &args.head, extent)?;
    print(&match args.format {
        DivergeFormat::Table => diverge::table(&found),
        DivergeFormat::Json => {
            let text = serde_json::to_string_pretty(&found);
            text.map_err(Error::json("write", "standard output"))? + "\n"
        }
    })
}
