//! Exit reasons for people: one in a heading, and the list of all, as `exitlab reasons`
//! prints it.

use comfy_table::{Table, presets};
use serde_json::json;

use super::csv::csv_text;
use crate::compare::UNKNOWN_REASON;
use exitlab_model::reasons::{Isa, Reason, ReasonTable};

/// Number and name of a reason.
pub fn reason_title(reason: u32, isa: Isa) -> String {
    match reason {
        UNKNOWN_REASON => "unknown reasons".to_owned(),
        reason => format!(
            "{} {}",
            isa.label(reason),
            ReasonTable::of(isa).name(reason)
        ),
    }
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// The defined reasons, or those that the SDM of a year defines.
pub fn reasons(sdm: Option<u16>, format: Format) -> String {
    let all = ReasonTable::vmx();
    let cut = sdm.map(|year| all.up_to(year));
    let rows: Vec<&Reason> = cut.as_ref().unwrap_or(all).defined().collect();
    match format {
        Format::Table => table(&rows),
        Format::Csv => csv(&rows),
        Format::Json => json(&rows),
    }
}

fn table(rows: &[&Reason]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["reason", "name", "meaning"]);
    for row in rows {
        table.add_row([
            row.number.to_string(),
            row.name.to_string(),
            row.meaning.to_string(),
        ]);
    }
    format!("{}\n", table.trim_fmt())
}

fn csv(rows: &[&Reason]) -> String {
    let header = ["reason", "name", "mnemonic", "class", "sdm", "meaning"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.number.to_string(),
            row.name.clone(),
            row.mnemonic.clone(),
            row.class.to_string(),
            row.sdm.to_string(),
            row.meaning.clone(),
        ]
    }));
    csv_text(&lines)
}

fn json(rows: &[&Reason]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "reason": row.number,
                "name": row.name,
                "mnemonic": row.mnemonic,
                "class": row.class,
                "sdm": row.sdm,
                "meaning": row.meaning,
            })
        })
        .collect();
    format!("{:#}\n", json!(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_manual_defines_fewer_reasons() {
        assert_eq!(reasons(Some(2021), Format::Csv).lines().count(), 1 + 66);
        assert!(reasons(None, Format::Csv).lines().count() > 67);
    }
}
