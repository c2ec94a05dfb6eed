//! Bars, each with its exact number beside it. The number is text; the bar is for the eyes
//! alone, and no reader speaks of it.

use crate::html::{Element, element};
use crate::scale::Scale;

/// A count on a logarithmic scale, `kind` being the class of its colour.
pub fn counted(scale: Scale, kind: &str, count: u128, words: &str) -> Element {
    let lines = scale.grid().map(|at| format!("M{} 0v24", short(at)));
    let grid = element("path")
        .class("grid")
        .way(&lines.collect::<String>());
    whole(Some(grid), kind, scale.at(count), words)
}

/// A part of a whole, from 0 to 1.
pub fn part(kind: &str, part: f64, words: &str) -> Element {
    whole(None, kind, part.clamp(0.0, 1.0) * 100.0, words)
}

/// A bar as high as its row, so that the lines of its scale meet those of its neighbours.
fn whole(grid: Option<Element>, kind: &str, percent: f64, words: &str) -> Element {
    let mut bar = picture("bar", "0 0 100 24").all(grid);
    if percent > 0.0 {
        let drawn = element("rect").class(kind).with("y", "8");
        bar = bar.holds(drawn.with("width", short(percent)).with("height", "8"));
    }
    let number = element("span").words(words);
    element("span").class("measure").holds(bar).holds(number)
}

/// A picture that stretches to its place and says nothing by itself.
pub fn picture(class: &str, view: &str) -> Element {
    element("svg")
        .class(class)
        .with("viewBox", view)
        .with("preserveAspectRatio", "none")
        .with("aria-hidden", "true")
}

/// A coordinate with as many digits as a screen can show.
pub fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_its_number_beside_it() {
        let scale = Scale::reaching(1_000);
        insta::assert_snapshot!(counted(scale, "k0", 100, "100"), @r#"<span class="measure"><svg class="bar" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="M0 0v24M33.3 0v24M66.7 0v24M100 0v24"/><rect class="k0" y="8" width="66.7" height="8"/></svg><span>100</span></span>"#);
        insta::assert_snapshot!(counted(scale, "k0", 0, "0"), @r#"<span class="measure"><svg class="bar" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="M0 0v24M33.3 0v24M66.7 0v24M100 0v24"/></svg><span>0</span></span>"#);
        insta::assert_snapshot!(part("k1", 0.256, "25.6 %"), @r#"<span class="measure"><svg class="bar" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><rect class="k1" y="8" width="25.6" height="8"/></svg><span>25.6 %</span></span>"#);
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(
            [0.0, 12.0, 33.333, 99.96].map(short),
            ["0", "12", "33.3", "100"]
        );
    }
}
