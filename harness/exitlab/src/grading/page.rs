//! Pages in Markdown: one for each kernel, which can be handed back, and one with all of them.

use exitlab_base::foreign::{line, markdown};
use exitlab_model::rule::Rule;

use super::points::Points;
use super::row::{Hindered, Judged, Mark, Row};

/// The page of one kernel.
pub fn of(row: &Row, points: Option<&Points>) -> String {
    let mut text = format!("# {}\n\n{}\n", markdown(&row.name), facts(row));
    if let Some(points) = points {
        let score = points.of(row);
        text += &format!("**{} of {} points**", score.points, score.of);
        if score.not_judged > 0.0 {
            text += &format!(
                "; {} more are for rules that were not judged",
                score.not_judged
            );
        }
        text += ".\n\n";
    }
    text += &format!("{}\n", in_words(row));
    if let Some(hindered) = &row.hindered {
        text += &reason(hindered);
    }
    let sections = [
        (Mark::Broken, "Broken rules"),
        (Mark::NotJudged, "Rules that were not judged"),
        (Mark::Holds, "Rules that hold"),
    ];
    for (mark, heading) in sections {
        let those = row.findings.iter().filter(|judged| judged.verdict == mark);
        let items: Vec<String> = those.map(|judged| item(judged, points)).collect();
        if !items.is_empty() {
            text += &format!("\n## {heading}\n\n{}", items.concat());
        }
    }
    text
}

fn facts(row: &Row) -> String {
    let image = row.image.as_ref();
    let image = image.map_or("(built)".to_owned(), |image| image.display().to_string());
    let all = [
        ("image", image),
        ("digest (BLAKE3)", row.digest.clone()),
        ("release", row.kernel.clone()),
        ("tried on", row.platform.clone()),
        ("settings", row.settings.join(", ")),
    ];
    let mut text = String::from("| | |\n|---|---|\n");
    for (name, value) in all.iter().filter(|(_, value)| !value.is_empty()) {
        text += &format!("| {name} | {} |\n", markdown(value));
    }
    text
}

/// What came of it, in a sentence.
fn in_words(row: &Row) -> String {
    let [held, broken, open] =
        [Mark::Holds, Mark::Broken, Mark::NotJudged].map(|mark| row.count(mark));
    let judged = format!(
        "Of {} rules {held} hold, {broken} are broken, and {open} were not judged.",
        held + broken + open
    );
    match &row.hindered {
        Some(_) if row.findings.is_empty() => "This kernel could not be tried.".to_owned(),
        Some(_) => format!("The trial broke off. {judged}"),
        None => judged,
    }
}

/// Why it was not tried, with what its console said last.
fn reason(hindered: &Hindered) -> String {
    let mut text = format!(
        "\n## Why it was not tried\n\n**{}**: {}\n\nWhat to do: {}.\n",
        hindered.kind.name(),
        markdown(&hindered.seen),
        markdown(hindered.cure.trim_end_matches('.'))
    );
    if !hindered.evidence.is_empty() {
        text += "\nThe end of its console:\n\n";
        // Indented, it is code whatever is in it.
        for words in &hindered.evidence {
            text += format!("    {}", line(words)).trim_end();
            text.push('\n');
        }
    }
    text
}

fn item(judged: &Judged, points: Option<&Points>) -> String {
    let worth = points.map_or(0.0, |points| points.worth(&judged.rule));
    let worth = match worth {
        0.0 => String::new(),
        1.0 => ", 1 point".to_owned(),
        _ => format!(", {worth} points"),
    };
    let mark = judged.verdict.sign();
    let mut text = format!(
        "- {mark} **{}**{worth}: {}\n",
        judged.named(),
        markdown(&judged.demand)
    );
    let label = match judged.verdict {
        Mark::Holds | Mark::Broken => "seen",
        Mark::NotJudged => "not judged",
    };
    if !judged.evidence.is_empty() {
        text += &format!("  - {label}: {}\n", markdown(&judged.evidence));
    }
    if let Some(like) = &judged.looks_like {
        text += &format!("  - looks like: {}\n", markdown(like));
    }
    text
}

/// The page of all kernels.
pub fn grades(rows: &[Row], rules: &[Rule], points: Option<&Points>) -> String {
    let mut head = vec!["kernel".to_owned()];
    head.extend(rules.iter().map(|rule| rule.name().to_owned()));
    head.extend(points.map(|_| "points".to_owned()));
    head.push("broken, or why not tried".to_owned());
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let name = markdown(&row.name);
        // Names are plain: the page is beside this one.
        let mut cells = vec![format!("[{name}](pages/{}.md)", row.name)];
        cells.extend(rules.iter().map(|rule| {
            let judged = row.finding(rule.name());
            judged.map_or("", |judged| judged.verdict.sign()).to_owned()
        }));
        cells.extend(points.map(|points| points.of(row).to_string()));
        cells.push(markdown(&row.in_short()));
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::row::rules;
    use super::*;

    #[test]
    fn pages_that_can_be_handed_back() {
        let points = fixture::points();
        let pages: Vec<String> = fixture::rows()
            .iter()
            .map(|row| of(row, Some(&points)))
            .collect();
        insta::assert_snapshot!(pages.join("\n---\n\n"));
    }

    #[test]
    fn a_page_of_all() {
        let rows = fixture::rows();
        insta::assert_snapshot!(grades(&rows, &rules(&rows), None));
    }
}
