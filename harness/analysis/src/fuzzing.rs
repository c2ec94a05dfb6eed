//! Files that anyone may have written, as bytes. For the fuzzer, and for the tests that
//! replay its seeds.

use std::collections::BTreeMap;
use std::path::Path;

use exitlab_base::toml::Text;
use exitlab_model::record::RunRecord;

use crate::compare::{CellCounts, Settings, Side, channels_of, compare};
use crate::export::{self, ComparisonFormat};
use crate::figures::RunFigures;
use crate::{baseline, gate};

/// A `run.json`: every table of it, and a comparison with itself.
pub fn run_json(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<RunRecord>(data) else {
        return;
    };
    let _ = export::tables(&record);
    let _ = export::terminal_table(&RunFigures::of_record(&record, record.reasons()));
    for channel in channels_of(&record) {
        let cell = CellCounts::of_record(&record, BTreeMap::new(), channel, "run");
        let Ok(cell) = cell else { continue };
        compared(vec![cell]);
    }
}

/// A baseline. Whatever is read is written, and read as the same again.
pub fn baseline(data: &[u8]) {
    let Ok(cells) = baseline::document::read(&text(data)) else {
        return;
    };
    let written = baseline::text(&cells);
    let again = baseline::document::read(&Text::new("again", written.clone()));
    let again = again.map(|cells| baseline::text(&cells)).ok();
    assert_eq!(again, Some(written));
    compared(cells);
}

/// A file of rules.
pub fn rules(data: &[u8]) {
    let _ = gate::document::read(&text(data), Path::new("/nowhere"));
}

fn text(data: &[u8]) -> Text {
    Text::new("fuzzed", String::from_utf8_lossy(data).into_owned())
}

fn compared(cells: Vec<CellCounts>) {
    let side = |cells| Side {
        name: "side".to_owned(),
        cells,
        left_out: Vec::new(),
    };
    let (base, head) = (side(cells.clone()), side(cells));
    if let Ok(comparison) = compare(&base, &head, &Settings::default()) {
        for format in [
            ComparisonFormat::Table,
            ComparisonFormat::Markdown,
            ComparisonFormat::Json,
        ] {
            let _ = export::comparison(&comparison, format, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use exitlab_fixtures::fuzz::replay;

    #[test]
    fn no_file_panics_or_changes_on_the_way() {
        replay("run-json", super::run_json);
        replay("baseline", super::baseline);
        replay("rules", super::rules);
    }
}
