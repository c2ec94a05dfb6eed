//! A reader of markup that is stricter than a browser: what it does not know, it refuses.

/// A tag as it stands in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub ends: bool,
    pub empty: bool,
    pub attributes: Vec<(String, String)>,
}

/// What the page itself brings along.
const OWN: [&str; 2] = ["style", "script"];

/// Every tag, in order. What lies within style and script is skipped.
pub fn tags(page: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    each(page, |tag| tags.push(tag), |_| {});
    tags
}

/// All text that a reader sees, a space at each tag.
pub fn text(page: &str) -> String {
    let mut words = String::new();
    each(
        page,
        |_| {},
        |text| {
            words.push_str(text);
            words.push(' ');
        },
    );
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn each(page: &str, mut on_tag: impl FnMut(Tag), mut on_text: impl FnMut(&str)) {
    let mut rest = page.strip_prefix("<!doctype html>\n").unwrap();
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        assert!(
            !before.contains('>'),
            "an end without a beginning: {before}"
        );
        on_text(before);
        let end = from.find('>').unwrap();
        let tag = tag(&from[1..end]);
        rest = &from[end + 1..];
        if OWN.contains(&tag.name.as_str()) && !tag.ends {
            let end = rest.find(&format!("</{}>", tag.name)).unwrap();
            rest = &rest[end..];
        }
        on_tag(tag);
    }
    assert_eq!(rest, "\n");
}

fn tag(inside: &str) -> Tag {
    let (inside, ends) = match inside.strip_prefix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let (inside, empty) = match inside.strip_suffix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let (name, mut rest) = inside.split_at(inside.find(' ').unwrap_or(inside.len()));
    assert!(
        name.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
        "{inside}"
    );
    let mut attributes = Vec::new();
    while let Some(more) = rest.strip_prefix(' ') {
        let end = more.find(['=', ' ']).unwrap_or(more.len());
        let (name, value) = more.split_at(end);
        match value.strip_prefix("=\"") {
            Some(value) => {
                let (value, after) = value.split_once('"').unwrap();
                attributes.push((name.to_owned(), value.to_owned()));
                rest = after;
            }
            None => {
                attributes.push((name.to_owned(), String::new()));
                rest = value;
            }
        }
    }
    assert_eq!(rest, "", "{inside}");
    Tag {
        name: name.to_owned(),
        ends,
        empty,
        attributes,
    }
}

/// Fails unless each element ends where it must.
pub fn assert_balanced(tags: &[Tag]) {
    let mut open: Vec<&str> = Vec::new();
    for tag in tags {
        match (tag.ends, tag.empty) {
            (true, _) => assert_eq!(open.pop(), Some(tag.name.as_str())),
            (false, true) => {}
            (false, false) => open.push(&tag.name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
