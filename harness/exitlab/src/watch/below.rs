//! The lower part of the screen: what lies below the chosen reason.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;

use exitlab_analysis::export::{grouped, nanoseconds, percent};
use exitlab_analysis::figures::{Bounds, Spread};
use exitlab_base::foreign::cell;

use super::view::View;

/// Lines of it, where there is room.
const LINES: u16 = 10;

/// Where the terminal is as wide as this, details and places stand side by side.
const WIDE: u16 = 110;

/// How high it is on a screen of that height.
pub fn height(view: &View, screen: u16) -> u16 {
    match view.open {
        true => LINES.min(screen / 2),
        false => 0,
    }
}

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, view: &View, area: Rect) {
    let one = Constraint::Length(1);
    let [head, taken, lists] = Layout::vertical([one, one, Constraint::Min(0)]).areas(area);
    let underlined = Style::new().add_modifier(Modifier::UNDERLINED);
    let Some((row, within)) = view.below() else {
        let words = match view.whose() {
            None => "nothing below the reasons is counted here (sampling.detail, .places, .time)",
            Some(_) => "what lies below is told of all vCPUs together (v)",
        };
        frame.render_widget(Paragraph::new(words).style(underlined), head);
        return;
    };
    let times = within
        .spread
        .as_ref()
        .map_or("no times are taken".to_owned(), times);
    frame.render_widget(Paragraph::new(times), taken);
    let title = format!(
        "{} {}  {} new",
        row.number,
        row.name,
        grouped(row.new.into())
    );
    frame.render_widget(Paragraph::new(title).style(underlined), head);
    let left = match area.width >= WIDE && !within.places.is_empty() {
        true => {
            let halves = [Constraint::Fill(1), Constraint::Fill(1)];
            let [left, right] = Layout::horizontal(halves).areas(lists);
            frame.render_widget(list(&within.places, row.new, right.height), right);
            (within.details, left)
        }
        false => ([within.details, within.places].concat(), lists),
    };
    let (details, area) = left;
    frame.render_widget(list(&details, row.new, area.height), area);
}

/// As many as there is room for; of the others how many there are.
fn list(all: &[(String, u64)], new: u64, lines: u16) -> Paragraph<'static> {
    let room = usize::from(lines);
    let shown = match all.len() > room {
        true => room.saturating_sub(1),
        false => all.len(),
    };
    let line = |(words, count): &(String, u64)| {
        let (number, part) = (
            grouped((*count).into()),
            percent((*count).into(), new.into()),
        );
        Line::raw(format!("{number:>11} {part:>8}  {}", cell(words)))
    };
    let mut text: Vec<Line<'static>> = all.iter().take(shown).map(line).collect();
    if shown < all.len() {
        let rest = &all[shown..];
        let sum: u128 = rest.iter().map(|(_, count)| u128::from(*count)).sum();
        let words = format!("{:>11}           in {} others", grouped(sum), rest.len());
        text.push(Line::raw(words));
    }
    Paragraph::new(Text::from(text))
}

/// `1,234 times: min 24.1 µs  p50 …`
fn times(spread: &Spread) -> String {
    let told = |bounds: Option<Bounds>| {
        let middle = bounds.map(|(least, most)| least as f64 / 2.0 + most as f64 / 2.0);
        middle.map_or_else(|| "–".to_owned(), nanoseconds)
    };
    let percentiles = [50, 90, 99].map(|percent| {
        let bounds = spread.percentile(percent);
        format!("p{percent} {}", told(bounds))
    });
    match spread.count() {
        0 => "none has a time".to_owned(),
        _ => format!(
            "{} times: min {}  {}  max {}",
            grouped(spread.count().into()),
            told(spread.least()),
            percentiles.join("  "),
            told(spread.most())
        ),
    }
}
