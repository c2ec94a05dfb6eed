//! The same as text, for scripts: a table for each sample, or for one.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::Source;
use super::draw::per_second;
use super::feed::News;
use super::view::View;
use crate::signals::Interrupt;
use exitlab_analysis::export::grouped;
use exitlab_base::error::Result;

/// How often it is looked for something new.
const LOOK: Duration = Duration::from_millis(200);

/// Tells each sample that comes, or, `once`, the last one that is there, or else the first
/// interval that comes, until nothing more can come or the user ends it.
pub async fn follow(
    source: &mut Source,
    view: &mut View,
    once: bool,
    interrupt: &mut Interrupt,
    tell: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut told = 0;
    loop {
        // Asked before it is read: what was written last is not missed.
        let over = source.is_over()?;
        let events = match source.feed.more()? {
            News::Events(events) => events,
            News::Again => {
                view.again();
                told = 0;
                continue;
            }
        };
        for event in &events {
            view.take(event);
            let now = view.moment();
            if now.number > told && !once {
                told = now.number;
                tell(&table(view))?;
            }
        }
        let now = view.moment();
        let enough = now.length.is_some() || over;
        if once && enough && now.number > 0 && events.is_empty() {
            return tell(&table(view));
        }
        if over && events.is_empty() {
            return Ok(());
        }
        if events.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = interrupt.asked() => return Ok(()),
            }
        }
    }
}

/// The interval of the view.
fn table(view: &View) -> String {
    let now = view.moment();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["#", "exit reason", "count", "new", "/s", "share"]);
    for row in view.rows() {
        table.add_row([
            row.number,
            row.name,
            grouped(row.count.into()),
            grouped(row.new.into()),
            row.rate.map_or_else(String::new, per_second),
            format!("{:.1} %", row.share * 100.0),
        ]);
    }
    for column in [0, 2, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let whose = view.whose().map(|whose| format!(", {whose}"));
    let whose = whose.unwrap_or_default();
    format!(
        "sample {} {} ({}) at {:.2} s{whose}: {} exits, {} new\n{}\n\n",
        now.number,
        now.label,
        now.phase,
        now.seconds,
        grouped(now.total.into()),
        grouped(now.new.into()),
        table.trim_fmt()
    )
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::live;

    #[test]
    fn a_sample_as_text() {
        insta::assert_snapshot!(super::table(&live()));
    }
}
