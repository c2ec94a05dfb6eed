//! What moved below a reason, in words: as rows of a table, and as a line of its own.

use super::numbers::{decimal, grouped, signed};
use crate::compare::Moved;
use crate::figures::Kind;

/// So many things of a kind are named.
const TOP: usize = 3;

/// A row of a table: what it is, base, head and change.
pub(super) type Row = [String; 4];

/// Rows below that of a reason.
pub(super) fn rows(moved: &[Moved]) -> Vec<Row> {
    let mut rows = Vec::new();
    for moved in moved {
        let from = from(moved.kind);
        let (shown, others, rest) = moved.top(TOP);
        rows.extend(shown.iter().map(|one| {
            [
                format!("· {from}{}", one.words()),
                amount(one.base),
                amount(one.head),
                change(one.change()),
            ]
        }));
        let mut sum = |words: String, of: f64| {
            rows.push([words, String::new(), String::new(), change(of)]);
        };
        if others > 0 {
            sum(format!("· {from}{}", further(others, moved.kind)), rest);
        }
        if moved.untold != 0.0 {
            sum(format!("· {}", untold(moved.kind)), moved.untold);
        }
    }
    rows
}

/// A line for each kind: `write port 0x3f8 (COM1) +8,723; 3 others +5`, `from io_serial_out
/// +8,723`.
pub fn moved_lines(moved: &[Moved]) -> Vec<String> {
    let line = |moved: &Moved| {
        let (shown, others, rest) = moved.top(TOP);
        let mut parts: Vec<String> = shown
            .iter()
            .map(|one| format!("{} {}", one.words(), change(one.change())))
            .collect();
        if others > 0 {
            parts.push(format!("{} {}", further(others, moved.kind), change(rest)));
        }
        if moved.untold != 0.0 {
            parts.push(format!("{} {}", untold(moved.kind), change(moved.untold)));
        }
        format!("{}{}", from(moved.kind), parts.join("; "))
    };
    moved.iter().map(line).collect()
}

/// Reasons and by how much each changed, in the order that they have:
/// `30 I/O instruction +18,273; 2 others +3`.
pub(crate) fn changed(changes: &[(u32, f64)], title: impl Fn(u32) -> String) -> String {
    let (shown, others) = changes.split_at(changes.len().min(TOP));
    let mut parts: Vec<String> = shown
        .iter()
        .map(|(reason, by)| format!("{} {}", title(*reason), change(*by)))
        .collect();
    if !others.is_empty() {
        let rest = others.iter().map(|(_, by)| by).sum();
        let many = grouped(others.len() as u128);
        parts.push(format!("{many} other reasons {}", change(rest)));
    }
    parts.join("; ")
}

fn from(kind: Kind) -> &'static str {
    match kind {
        Kind::Place => "from ",
        _ => "",
    }
}

fn further(others: usize, kind: Kind) -> String {
    let others = grouped(others as u128);
    match kind {
        Kind::Place => format!("{others} other places"),
        _ => format!("{others} others"),
    }
}

fn untold(kind: Kind) -> String {
    format!("in none of the {}", kind.plural())
}

/// A count, or the mean of counts.
pub(super) fn amount(number: f64) -> String {
    match number.fract() == 0.0 {
        true => grouped(number as u128),
        false => decimal(number),
    }
}

/// A difference of them, with its sign.
pub(super) fn change(change: f64) -> String {
    match change.fract() == 0.0 {
        true => signed(change as i128),
        false if change > 0.0 => format!("+{}", decimal(change)),
        false => decimal(change),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Move;

    #[test]
    fn the_farthest_are_named_and_the_rest_is_summed() {
        let item = |spelling: &str, base, head| Move {
            spelling: spelling.to_owned(),
            name: None,
            base,
            head,
        };
        let places = Moved {
            kind: Kind::Place,
            items: vec![
                item("io_serial_out", 1_000.0, 9_723.0),
                item("hlt", 7.0, 0.0),
            ],
            others: 12,
            rest: 0.5,
            untold: -3.0,
        };
        let line = "from io_serial_out +8,723; hlt −7; 12 other places +0.5; in none of the places \
                    in the guest −3";
        assert_eq!(moved_lines(std::slice::from_ref(&places)), [line]);
        let rows: Vec<String> = rows(&[places]).iter().map(|row| row.join("|")).collect();
        let expected = [
            "· from io_serial_out|1,000|9,723|+8,723",
            "· from hlt|7|0|−7",
            "· from 12 other places|||+0.5",
            "· in none of the places in the guest|||−3",
        ];
        assert_eq!(rows, expected);
    }
}
