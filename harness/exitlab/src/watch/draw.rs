//! The view on a screen of any size.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row as Cells, Table, TableState};

use exitlab_analysis::export::{grouped, nanoseconds};
use exitlab_base::foreign::cell as shown;

use super::action::Sort;
use super::below;
use super::keys::HELP;
use super::view::{PICTURED, Row, View};

/// Heights of an eighth to eight eighths.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Narrowest that a row's name gets.
const NAME: u16 = 18;

/// Widest: most names are shorter.
const LONGEST: u16 = 36;

/// Columns of numbers, with what is between them.
const NUMBERS: u16 = 6 + 12 + 10 + 10 + 8;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, view: &View) {
    let areas = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(1),
        Constraint::Length(below::height(view, frame.area().height)),
        Constraint::Length(1),
    ]);
    let [head, middle, lower, foot] = areas.areas(frame.area());
    frame.render_widget(Paragraph::new(heading(view)), head);
    if view.is_empty() {
        let waits = "No sample yet.";
        frame.render_widget(Paragraph::new(waits).alignment(Alignment::Center), middle);
    } else {
        table(frame, view, middle);
        if view.open {
            below::draw(frame, view, lower);
        }
    }
    let words = match view.filtering {
        true => format!(
            "filter: {}▏  enter keeps it, esc clears it",
            shown(&view.filter)
        ),
        false => HELP.to_owned(),
    };
    let dim = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Paragraph::new(words).style(dim), foot);
}

fn heading(view: &View) -> Text<'_> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let now = view.moment();
    let state = match (view.paused, view.recorded) {
        (true, _) => "paused",
        (false, true) => "played back",
        (false, false) => "live",
    };
    let first = Line::styled(format!("exitlab watch  {}", view.title), bold);
    if now.number == 0 {
        return Text::from(vec![first, Line::raw(format!("{state}  {}", view.status))]);
    }
    let length = now.length.map_or_else(
        || "since power-on".to_owned(),
        |length| format!("interval of {length:.2} s"),
    );
    let mut second = format!(
        "{state}  sample {} {} ({}) of {}  at {:.2} s  {length}",
        now.number, now.label, now.phase, now.of, now.seconds
    );
    if let Some(baseline) = now.baseline {
        second += &format!("  × against sample {baseline}");
    }
    if let Some(whose) = view.whose() {
        second += &format!("  {whose}");
    }
    let rate = now.length.map_or_else(String::new, |length| {
        format!("  {}/s", per_second(now.new as f64 / length))
    });
    let order = match view.sort {
        Sort::Rate => "by new exits",
        Sort::Count => "by count",
        Sort::Number => "by number",
    };
    let filter = match (view.filtering, view.filter.is_empty()) {
        (false, false) => format!("  filter '{}'", shown(&view.filter)),
        _ => String::new(),
    };
    let third = format!(
        "exits {}  new {}{rate}  {order}{filter}  {}",
        grouped(now.total.into()),
        grouped(now.new.into()),
        view.status
    );
    Text::from(vec![first, Line::raw(second), Line::raw(third)])
}

/// Columns that are there only where there is something in them.
#[derive(Clone, Copy)]
struct Optional {
    cycles: bool,
    times: bool,
    against: bool,
}

impl Optional {
    /// Their titles and widths.
    fn columns(self) -> impl Iterator<Item = (&'static str, u16)> {
        let all = [
            (self.cycles, ("cycles", 9)),
            (self.times, ("mean", 8)),
            (self.against, ("×", 7)),
        ];
        all.into_iter()
            .filter_map(|(is_there, column)| is_there.then_some(column))
    }
}

fn table(frame: &mut Frame<'_>, view: &View, area: Rect) {
    let rows = view.rows();
    let optional = Optional {
        cycles: rows.iter().any(|row| row.cycles.is_some()),
        times: rows.iter().any(|row| row.mean_ns.is_some()),
        against: view.moment().baseline.is_some(),
    };
    let more: u16 = optional.columns().map(|(_, width)| width + 1).sum();
    let left = area.width.saturating_sub(NUMBERS + more);
    // A third of the rest is the picture's, where there is room for it.
    let picture = (left / 3).min(PICTURED as u16);
    // No wider than names are: numbers stand beside them.
    let name = left
        .saturating_sub(picture + 1)
        .min(LONGEST)
        .max(NAME.min(left));
    let mut widths = vec![Constraint::Length(5), Constraint::Length(name)];
    widths.extend([11, 9, 9, 7].map(Constraint::Length));
    let mut titles = vec!["#", "exit reason", "count", "new", "/s", "share"];
    for (title, width) in optional.columns() {
        titles.push(title);
        widths.push(Constraint::Length(width));
    }
    widths.push(Constraint::Length(picture));
    titles.push("");
    let titled = titles.into_iter().enumerate().map(|(at, title)| match at {
        0 | 2.. => right(title.to_owned()),
        1 => Cell::from(title),
    });
    let header = Cells::new(titled).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let body = rows.iter().map(|row| line(row, optional, picture));
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    let body = Table::new(body, widths)
        .header(header)
        .row_highlight_style(chosen);
    let mut state = TableState::new().with_selected(Some(view.selected));
    frame.render_stateful_widget(body, area, &mut state);
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::raw(text).alignment(Alignment::Right))
}

fn line(row: &Row, optional: Optional, picture: u16) -> Cells<'_> {
    let mut cells = vec![
        right(row.number.clone()),
        Cell::from(row.name.as_str()),
        right(grouped(row.count.into())),
        right(grouped(row.new.into())),
        right(row.rate.map_or_else(String::new, per_second)),
        right(format!("{:.1} %", row.share * 100.0)),
    ];
    if optional.cycles {
        let told = row.cycles.map(|cycles| grouped(cycles as u128));
        cells.push(right(told.unwrap_or_default()));
    }
    if optional.times {
        cells.push(right(row.mean_ns.map_or_else(String::new, nanoseconds)));
    }
    if optional.against {
        let told = row.against.map(|ratio| format!("{ratio:.2}"));
        cells.push(right(told.unwrap_or_default()));
    }
    cells.push(Cell::from(bars(row, picture)));
    Cells::new(cells)
}

/// The last intervals of a row, each by its share of the highest.
fn bars(row: &Row, width: u16) -> String {
    let from = row.past.len().saturating_sub(width.into());
    let past = &row.past[from..];
    let most = past.iter().max().copied().unwrap_or(0);
    let bar = |value: &u64| match *value {
        0 => ' ',
        value => BARS[(u128::from(value) * 7).div_euclid(u128::from(most.max(1))) as usize],
    };
    past.iter().map(bar).collect()
}

/// As short as it can be read: tenths below ten.
pub fn per_second(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        rate if rate < 10.0 => format!("{rate:.1}"),
        rate => grouped(rate.round() as u128),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::action::Action;
    use super::super::view::tests::{idle, live, sample, started};
    use super::*;

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn on_a_usual_terminal() {
        insta::assert_snapshot!(drawn(&live(), 80, 14));
    }

    #[test]
    fn on_a_wide_one_against_a_baseline() {
        let mut view = live();
        view.act(Action::Baseline);
        view.take(&idle(4));
        insta::assert_snapshot!(drawn(&view, 140, 14));
    }

    /// A run whose ports, places and times are counted.
    fn detailed() -> View {
        let mut view = View::new("results/detailed", false);
        view.take(&started());
        for number in 1..=3 {
            let mut event = serde_json::to_value(idle(number)).unwrap();
            let io = 10 * u64::from(number) + 19_970;
            event["trace"]["counts"][30] = io.into();
            event["trace"]["details"] = serde_json::json!([
                {"source": "qualification", "entries": [[30, 0x3f8_0000, io - 700], [30, 0x3fd_0008, 700]]},
                {"source": "place", "entries": [[30, 0xfe05b, 700], [30, 0xffff_ffff_8100_0010_u64, io - 700]]},
            ]);
            event["trace"]["durations"] =
                serde_json::json!({"buckets": [[30, 24_576, 26_623, io, io * 26_000]]});
            view.take(&serde_json::from_value(event).unwrap());
        }
        view.act(Action::Down);
        view.act(Action::Open);
        view
    }

    #[test]
    fn what_lies_below_a_reason() {
        insta::assert_snapshot!(drawn(&detailed(), 80, 24));
        insta::assert_snapshot!(drawn(&detailed(), 140, 20));
        let mut without = live();
        without.act(Action::Open);
        assert!(drawn(&without, 80, 24).contains("nothing below the reasons is counted"));
    }

    #[test]
    fn any_size_will_do() {
        for (width, height) in [(1, 1), (10, 3), (79, 5), (500, 100)] {
            drawn(&live(), width, height);
            drawn(&detailed(), width, height);
            drawn(&View::new("nothing", false), width, height);
        }
    }

    #[test]
    fn words_from_outside_only_show() {
        for word in exitlab_fixtures::hostile::WORDS {
            let mut view = View::new(word, false);
            view.take(&started());
            view.take(&sample(1, word, 800, 19_950));
            view.take(&sample(2, word, 900, 19_990));
            for c in word.chars() {
                assert!(view.act(Action::Write(c)));
            }
            view.act(Action::All);
            for line in drawn(&view, 140, 30).lines() {
                exitlab_fixtures::hostile::assert_is_a_line(line);
            }
        }
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(per_second(9.96), "10.0");
        assert_eq!(per_second(1234.5), "1,235");
    }
}
