//! Words in what programs of other projects read: names of tests in KTAP, labels of
//! OpenMetrics.

use super::line;

/// The name of a test in KTAP, in which `#` begins a directive
/// (`Documentation/dev-tools/ktap.rst`).
pub fn ktap(words: &str) -> String {
    line(words).replace('#', "\\u0023")
}

/// The value of a label of OpenMetrics, between its quotes, which knows three escapes.
pub fn label(words: &str) -> String {
    line(words).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_name_or_a_label() {
        assert_eq!(ktap("a # SKIP\nok 1"), "a \\u0023 SKIP\\nok 1");
        assert_eq!(label("a\"} 1\n\\"), "a\\\"} 1\\\\n\\\\");
    }
}
