//! Two logs in words.

use super::{Divergence, Exit, Hosts, Moved, Parted, Shown};
use crate::export::{grouped, signed};
use crate::log::printing::seconds;
use exitlab_base::foreign::{cell, line};

/// For people.
pub fn table(found: &Divergence) -> String {
    let mut text = String::new();
    for (word, side) in [("base", &found.base), ("head", &found.head)] {
        let exits = grouped(side.exits.into());
        text += &format!("{word}: {}, {exits} exits\n", line(&side.name));
    }
    for note in &found.notes {
        text += &format!("note: {}\n", line(note));
    }
    if found.vcpus.is_empty() {
        return text + "\nThe logs do not part: the same exits in the same order.\n";
    }
    for parted in &found.vcpus {
        text += &of_vcpu(parted);
    }
    text + &summary(found)
}

fn of_vcpu(parted: &Parted) -> String {
    let mut text = String::new();
    if let Some(Hosts { from, partings }) = parted.hosts {
        let (from, times) = (grouped(from as u128), grouped(partings as u128));
        text += &format!(
            "\nvCPU {}: from exit #{from} on, interrupts of the host came elsewhere than before \
             ({times} partings of nothing else are passed over).\n",
            parted.vcpu
        );
    }
    for (number, shown) in (1_usize..).zip(&parted.partings) {
        text += &format!("\nvCPU {}, parting {number}", parted.vcpu);
        text += &of_parting(shown, number == 1);
    }
    let more = parted.number - parted.partings.len();
    if more > 0 {
        let more = grouped(more as u128);
        text += &format!("\nvCPU {} parts {more} times more.\n", parted.vcpu);
    }
    text
}

fn of_parting(shown: &Shown, first: bool) -> String {
    let common = grouped(shown.common as u128);
    let since = if first { "" } else { " since they met" };
    let mut text = format!(", after {common} common exits{since}:\n");
    for exit in &shown.before {
        text += &of_exit("both", exit);
    }
    for (word, exits, own) in [
        ("base", &shown.base, shown.only_base),
        ("head", &shown.head, shown.only_head),
    ] {
        for (at, exit) in exits.iter().enumerate() {
            // What it does not have to itself comes next on both sides.
            let mark = if at < own {
                word.to_owned()
            } else {
                format!("({word})")
            };
            text += &of_exit(&mark, exit);
        }
        if exits.is_empty() {
            text += &format!("  {word:<6}  ends here\n");
        }
        if own > exits.len() {
            let more = grouped((own - exits.len()) as u128);
            text += &format!("  {word:<6}  … and {more} more\n");
        }
    }
    let counts = (
        grouped(shown.only_base as u128),
        grouped(shown.only_head as u128),
    );
    text + &match shown.meets {
        true => format!(
            "They meet again: the base has {} to itself, the head {}.\n",
            counts.0, counts.1
        ),
        false => format!(
            "They do not meet again: {} exits of the base are left, {} of the head.\n",
            counts.0, counts.1
        ),
    }
}

fn of_exit(word: &str, exit: &Exit) -> String {
    let number = format!("#{}", exit.number);
    let text = format!(
        "  {word:<6} {number:>9} {:>15}  {:<30}  {:<40}  {}",
        seconds(exit.time_ns),
        cell(&exit.reason),
        cell(&exit.detail),
        cell(&exit.place)
    );
    format!("{}\n", text.trim_end())
}

fn summary(found: &Divergence) -> String {
    if found.moved == 0 {
        return "\nBy cause there are as many exits on both sides: only their order differs.\n"
            .to_owned();
    }
    let mut text = "\nBy cause, of all exits (base, head, difference):\n".to_owned();
    for Moved {
        reason,
        detail,
        place,
        base,
        head,
    } in &found.causes
    {
        let difference = signed(i128::from(*head) - i128::from(*base));
        let place = if place.is_empty() { "anywhere" } else { place };
        let words = format!(
            "  {:>10} {:>10} {difference:>10}  {:<30}  {:<40}  {}",
            grouped((*base).into()),
            grouped((*head).into()),
            cell(reason),
            cell(detail),
            cell(place)
        );
        text += &format!("{}\n", words.trim_end());
    }
    let more = found.moved - found.causes.len();
    if more > 0 {
        text += &format!("  … and {} causes more\n", grouped(more as u128));
    }
    text
}
