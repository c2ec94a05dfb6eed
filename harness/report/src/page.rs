//! The frame of every page.

use crate::html::{Element, element};
use crate::policy::policy;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How every page begins.
const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\" data-exitlab=\"report\">";

/// A section of a page: what its link is called, and what it holds.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name within the page.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What stands below the heading.
    pub content: Vec<Element>,
}

/// Whether a text is a page that this crate made, by how it begins.
pub fn is_report(beginning: &[u8]) -> bool {
    beginning.starts_with(BEGINNING.as_bytes())
}

/// How many bytes [`is_report`] needs.
pub const BEGINNING_BYTES: usize = BEGINNING.len();

/// The whole page.
pub fn page(title: &str, header: Element, sections: Vec<Section>) -> String {
    let meta = |name, content: &str| element("meta").with("name", name).with("content", content);
    let head = element("head")
        .holds(element("meta").with("charset", "utf-8"))
        .holds(
            element("meta")
                .with("http-equiv", "Content-Security-Policy")
                .with("content", policy(STYLE, SCRIPT)),
        )
        .holds(meta("viewport", "width=device-width, initial-scale=1"))
        .holds(meta("color-scheme", "light dark"))
        .holds(meta("referrer", "no-referrer"))
        .holds(element("title").words(title))
        .holds(element("style").own(STYLE));
    let links = sections.iter().map(|section| {
        let link = element("a").with("href", format!("#{}", section.id));
        link.words(&section.title)
    });
    let links = element("nav").with("aria-label", "Sections").all(links);
    let links = (sections.len() > 1).then_some(links);
    let main = element("main").all(sections.into_iter().map(drawn));
    let footer =
        element("footer").words("Made by exitlab. This page loads nothing and sends nothing.");
    let body = element("body")
        .holds(header.all(links))
        .holds(main)
        .holds(footer)
        .holds(element("script").own(SCRIPT));
    format!("{BEGINNING}{head}{body}</html>\n")
}

fn drawn(section: Section) -> Element {
    let heading = format!("{}-heading", section.id);
    element("section")
        .with("id", section.id)
        .with("aria-labelledby", &heading)
        .holds(element("h2").with("id", &heading).words(&section.title))
        .all(section.content)
}
