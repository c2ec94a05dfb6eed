//! Lines over time. What a line says is said in words, too.

use std::fmt::Write;

use exitlab_analysis::export::decimal;

use crate::bar::{picture, short};
use crate::html::{Element, element};

/// Width and height of the space in which lines are drawn; the page stretches it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// Values at moments, none of which is before the one before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    points: Vec<(f64, f64)>,
    sorted: Vec<f64>,
}

impl Line {
    /// A line through moments, in seconds, and their values.
    pub fn new(points: Vec<(f64, f64)>) -> Line {
        let mut sorted: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        sorted.sort_by(f64::total_cmp);
        Line { points, sorted }
    }

    /// The smallest value, 0 of none.
    pub fn least(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(0.0)
    }

    /// The largest value, 0 of none.
    pub fn most(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(0.0)
    }

    /// The value in the middle, 0 of none.
    pub fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        match self.sorted.len() {
            0 => 0.0,
            n if n % 2 == 1 => self.sorted[middle],
            _ => (self.sorted[middle - 1] + self.sorted[middle]) / 2.0,
        }
    }

    /// Its way, where `top` is the value at the upper edge.
    fn way(&self, top: f64) -> String {
        let (from, to) = match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => (first.0, last.0),
            _ => return String::new(),
        };
        let across = if to > from { WIDTH / (to - from) } else { 0.0 };
        let up = if top > 0.0 { HEIGHT / top } else { 0.0 };
        let mut way = String::new();
        for (number, (at, value)) in self.points.iter().enumerate() {
            let command = if number == 0 { 'M' } else { 'L' };
            let y = HEIGHT - value.max(0.0) * up;
            let _ = write!(way, "{command}{} {}", short((at - from) * across), short(y));
        }
        way
    }
}

/// A line as large as the page is wide, with its scales; `words` say what it shows.
pub fn chart(line: &Line, title: &str, words: &str, seconds: f64) -> Element {
    let top = round_up(line.most());
    let quarters = [0.0, 25.0, 50.0, 75.0, 100.0];
    let grid: String = quarters.iter().map(|y| format!("M0 {y}H{WIDTH}")).collect();
    let drawn = element("svg")
        .class("chart")
        .with("viewBox", format!("0 0 {WIDTH} {HEIGHT}"))
        .with("preserveAspectRatio", "none")
        .with("role", "img")
        .with("aria-label", title)
        .holds(element("title").words(title))
        .holds(element("desc").words(words))
        .holds(element("path").class("grid").way(&grid))
        .holds(element("path").class("line").way(&line.way(top)));
    let scale = |class, words: Vec<String>| {
        let words = words.into_iter().map(|words| element("span").words(words));
        element("div")
            .class(class)
            .with("aria-hidden", "true")
            .all(words)
    };
    let upright = quarters
        .iter()
        .map(|part| decimal(top * (1.0 - part / 100.0)));
    let along = (0..=4).map(|part| format!("{:.0} s", seconds * f64::from(part) / 4.0));
    element("div")
        .class("plot")
        .holds(scale("upright", upright.collect()))
        .holds(drawn)
        .holds(scale("along", along.collect()))
}

/// A line as small as a word.
pub fn spark(line: &Line) -> Element {
    let way = element("path").class("line").way(&line.way(line.most()));
    picture("spark", &format!("0 0 {WIDTH} {HEIGHT}")).holds(way)
}

/// A round number that is not below: 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0].map(|step| step * power);
    let fits = steps.into_iter().find(|step| *step >= value);
    fits.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points() {
        let line = Line::new(vec![(0.5, 0.0), (1.5, 10.0), (2.5, 5.0)]);
        assert_eq!(line.way(10.0), "M0 100L500 0L1000 50");
        assert_eq!((line.least(), line.median(), line.most()), (0.0, 5.0, 10.0));
        assert_eq!(Line::new(vec![(1.0, 3.0)]).way(0.0), "M0 100");
        let none = Line::new(Vec::new());
        assert_eq!((none.way(1.0).as_str(), none.median()), ("", 0.0));
        assert_eq!(Line::new(vec![(0.0, 1.0), (1.0, 2.0)]).median(), 1.5);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        let ends = [0.0, 0.3, 1.0, 36.0, 41.0, 999.0].map(round_up);
        let wanted = [1.0, 0.4, 1.0, 40.0, 50.0, 1000.0];
        let near = ends
            .iter()
            .zip(wanted)
            .all(|(one, other)| (one - other).abs() < 1e-9);
        assert!(near, "{ends:?}");
    }
}
