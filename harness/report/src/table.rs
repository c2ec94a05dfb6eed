//! Tables: with a caption, with scopes for who listens, in a frame that scrolls sideways by
//! itself and can be reached by keyboard. The script lets those sort that say so.

use crate::html::{Element, element};

/// A column's title.
#[derive(Debug, Clone)]
pub struct Title {
    words: String,
    class: &'static str,
}

impl Title {
    /// Of a column of words.
    pub fn words(words: impl Into<String>) -> Title {
        Title {
            words: words.into(),
            class: "",
        }
    }

    /// Of a column of numbers.
    pub fn numbers(words: impl Into<String>) -> Title {
        Title {
            words: words.into(),
            class: "n",
        }
    }

    /// Of a column of numbers with bars.
    pub fn bars(words: impl Into<String>) -> Title {
        Title {
            words: words.into(),
            class: "n b",
        }
    }

    /// Of a column that a narrow screen does without.
    pub fn aside(words: impl Into<String>) -> Title {
        Title {
            words: words.into(),
            class: "aside",
        }
    }
}

/// What stands in a row and a column.
#[derive(Debug, Clone)]
pub struct Cell {
    inside: Option<Element>,
    words: String,
    /// What it is sorted by, if not its words.
    value: Option<f64>,
}

impl Cell {
    /// Words.
    pub fn words(words: impl Into<String>) -> Cell {
        Cell {
            inside: None,
            words: words.into(),
            value: None,
        }
    }

    /// Words that are sorted by a number.
    pub fn number(words: impl Into<String>, value: f64) -> Cell {
        Cell {
            value: Some(value),
            ..Cell::words(words)
        }
    }

    /// Something drawn that is sorted by a number.
    pub fn drawn(inside: Element, value: f64) -> Cell {
        Cell {
            inside: Some(inside),
            ..Cell::number("", value)
        }
    }

    /// Something drawn that nothing is sorted by.
    pub fn picture(inside: Element) -> Cell {
        Cell {
            inside: Some(inside),
            ..Cell::words("")
        }
    }

    /// Whether it says that there is nothing: then it steps back.
    fn is_nothing(&self) -> bool {
        self.value == Some(0.0) || ["0", "0 %"].contains(&self.words.as_str())
    }

    fn within(&self, cell: Element) -> Element {
        let cell = match self.value {
            Some(value) => cell.with("data-v", value.to_string()),
            None => cell,
        };
        match &self.inside {
            Some(inside) => cell.holds(inside.clone()),
            None => cell.words(&self.words),
        }
    }
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What it shows, and how to read it.
    pub caption: String,
    /// The titles of its columns.
    pub titles: Vec<Title>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// The sum of them, if there is one.
    pub total: Option<Vec<Cell>>,
    /// Which column says what a row is about.
    pub subject: usize,
    /// By which column its rows stand in falling order, if the script may sort them; one
    /// beyond the last stands for an order of their own.
    pub sorted: Option<usize>,
}

impl Table {
    /// The table in its frame, with `class`.
    pub fn drawn(self, class: &str) -> Element {
        let head = self.titles.iter().enumerate().map(|(at, title)| {
            let cell = element("th").with("scope", "col");
            let cell = match title.class {
                "" => cell,
                class => cell.class(class),
            };
            let cell = match self.sorted == Some(at) {
                true => cell.with("aria-sort", "descending"),
                false => cell,
            };
            cell.words(&title.words)
        });
        let head = element("thead").holds(element("tr").all(head));
        let body = element("tbody").all(self.rows.iter().map(|row| self.row(row)));
        let foot = self.total.as_ref();
        let foot = foot.map(|total| element("tfoot").holds(self.row(total)));
        let class = match self.sorted {
            Some(_) => format!("{class} sorts"),
            None => class.to_owned(),
        };
        let table = element("table")
            .class(&class)
            .holds(element("caption").holds(element("span").words(&self.caption)))
            .holds(head)
            .holds(body)
            .all(foot);
        element("div")
            .class("frame")
            .with("tabindex", "0")
            .with("role", "region")
            .with("aria-label", &self.caption)
            .holds(table)
    }

    fn row(&self, cells: &[Cell]) -> Element {
        let cells = cells.iter().zip(&self.titles).enumerate();
        let cells = cells.map(|(at, (cell, title))| {
            let drawn = match at == self.subject {
                true => element("th").with("scope", "row"),
                false => element("td"),
            };
            let quiet = if cell.is_nothing() { " z" } else { "" };
            cell.within(match title.class {
                "" => drawn,
                class => drawn.class(&format!("{class}{quiet}")),
            })
        });
        element("tr").all(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_each_cell_is_about() {
        let table = Table {
            caption: "Exits".to_owned(),
            titles: vec![Title::words("reason"), Title::numbers("count")],
            rows: vec![
                vec![Cell::words("HLT <b>"), Cell::number("1,000", 1000.0)],
                vec![Cell::words("CPUID"), Cell::number("0", 0.0)],
            ],
            total: Some(vec![Cell::words("total"), Cell::number("1,000", 1000.0)]),
            subject: 0,
            sorted: Some(1),
        };
        insta::assert_snapshot!(table.drawn("plain"), @r#"<div class="frame" tabindex="0" role="region" aria-label="Exits"><table class="plain sorts"><caption><span>Exits</span></caption><thead><tr><th scope="col">reason</th><th scope="col" class="n" aria-sort="descending">count</th></tr></thead><tbody><tr><th scope="row">HLT &lt;b&gt;</th><td class="n" data-v="1000">1,000</td></tr><tr><th scope="row">CPUID</th><td class="n z" data-v="0">0</td></tr></tbody><tfoot><tr><th scope="row">total</th><td class="n" data-v="1000">1,000</td></tr></tfoot></table></div>"#);
    }
}
