//! Elements of a page. Names of elements and attributes are the program's; every word and
//! every value goes through [`foreign::html`], so that nothing that a run, a guest or a file
//! said can be anything but text.

use std::fmt::Write;

use exitlab_base::foreign;

/// Elements that hold nothing: those of HTML, and those of SVG that are used.
const EMPTY: [&str; 6] = ["meta", "input", "rect", "path", "line", "circle"];

/// An element with all that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: String,
    inside: String,
}

/// An element without attributes that holds nothing yet.
pub fn element(name: &'static str) -> Element {
    Element {
        name,
        attributes: String::new(),
        inside: String::new(),
    }
}

impl Element {
    /// With an attribute.
    pub fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Element {
        let value = foreign::html(value.as_ref());
        let _ = write!(self.attributes, " {name}=\"{value}\"");
        self
    }

    /// With the way of a line: commands and coordinates, which may be many.
    pub fn way(mut self, way: &str) -> Element {
        let belongs = |c: &char| c.is_ascii_digit() || "MLHv. ".contains(*c);
        let way: String = way.chars().filter(belongs).collect();
        let _ = write!(self.attributes, " d=\"{way}\"");
        self
    }

    /// With an attribute that is just there.
    pub fn flag(mut self, name: &'static str) -> Element {
        self.attributes.push(' ');
        self.attributes.push_str(name);
        self
    }

    /// With a class, or several.
    pub fn class(self, class: &str) -> Element {
        self.with("class", class)
    }

    /// With words at the end of what it holds.
    pub fn words(mut self, words: impl AsRef<str>) -> Element {
        self.inside.push_str(&foreign::html(words.as_ref()));
        self
    }

    /// With a sentence at the end of what it holds: no number stands apart from its `%`.
    pub fn sentence(mut self, words: impl AsRef<str>) -> Element {
        let words = foreign::html(words.as_ref()).replace(" %", "\u{a0}%");
        self.inside.push_str(&words);
        self
    }

    /// With lines at the end of what it holds, for `pre`.
    pub fn lines(mut self, words: &str) -> Element {
        let lines: Vec<String> = words.lines().map(foreign::html).collect();
        self.inside.push_str(&lines.join("\n"));
        self
    }

    /// With the program's own text, which is none of a run's: a style or a script.
    pub fn own(mut self, text: &'static str) -> Element {
        self.inside.push_str(text);
        self
    }

    /// With another element at the end of what it holds.
    pub fn holds(mut self, other: Element) -> Element {
        other.write(&mut self.inside);
        self
    }

    /// With further elements.
    pub fn all(self, others: impl IntoIterator<Item = Element>) -> Element {
        others.into_iter().fold(self, Element::holds)
    }

    fn write(&self, text: &mut String) {
        let Element {
            name,
            attributes,
            inside,
        } = self;
        let _ = match EMPTY.contains(name) {
            true => write!(text, "<{name}{attributes}/>"),
            false => write!(text, "<{name}{attributes}>{inside}</{name}>"),
        };
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_words_wherever_they_stand() {
        let bad = "</p><script>a('\"&\u{1b}\u{202e}')</script>";
        let element = element("p")
            .with("title", bad)
            .words(bad)
            .holds(element("input").flag("hidden"));
        insta::assert_snapshot!(element, @r#"<p title="&lt;/p&gt;&lt;script&gt;a(&#39;&quot;&amp;\u001b\u202e&#39;)&lt;/script&gt;">&lt;/p&gt;&lt;script&gt;a(&#39;&quot;&amp;\u001b\u202e&#39;)&lt;/script&gt;<input hidden/></p>"#);
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        let item = element("li").sentence("2,977 (36.0 % of all <exits>).");
        assert_eq!(
            item.to_string(),
            "<li>2,977 (36.0\u{a0}% of all &lt;exits&gt;).</li>"
        );
    }

    #[test]
    fn lines_stay_lines() {
        let pre = element("pre").lines("a\r\nb\t<\n");
        assert_eq!(pre.to_string(), "<pre>a\nb\\t&lt;</pre>");
    }
}
