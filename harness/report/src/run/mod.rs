//! The page of one run.

mod below;
mod course;
mod glance;
mod heading;
mod notes;
mod reasons;
mod spent;
mod took;

pub use heading::badge;

use exitlab_analysis::figures::RunFigures;
use exitlab_model::record::RunRecord;

use crate::page::{Section, page};
use crate::span::spans;

/// A run as a page: also one that failed, and one that still goes on.
pub fn run(record: &RunRecord) -> String {
    let figures = RunFigures::of_record(record, record.reasons());
    let spans = spans(&figures.table);
    let sections: [Option<Section>; 10] = [
        glance::section(&figures, &spans),
        reasons::section(&figures, &spans),
        course::section(&figures, &spans),
        spent::section(&figures, &spans),
        took::section(&figures),
        below::details(&figures, &spans),
        below::places(&figures, &spans),
        notes::checks(&figures),
        notes::inspections(record),
        Some(notes::origin(record, &figures)),
    ];
    let title = format!("{}: VM exits by reason", record.experiment);
    let header = heading::header(record, &figures, &spans);
    page(&title, header, sections.into_iter().flatten().collect())
}
