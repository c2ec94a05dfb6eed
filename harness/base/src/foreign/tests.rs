use proptest::prelude::*;

use super::*;

/// What no text that is shown may hold.
fn is_harmful(c: char) -> bool {
    let number = u32::from(c);
    number < 0x20
        || (0x7f..0xa0).contains(&number)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || ('\u{200b}'..='\u{200f}').contains(&c)
        || c == '\u{feff}'
}

/// Texts in which what does harm is frequent.
fn foreign() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        ".{0,6}",
        prop::sample::select(vec![
            "\u{1b}[2J",
            "\u{1b}]0;x\u{7}",
            "\u{9b}31m",
            "\r",
            "\n",
            "\t",
            "\0",
            "::error::x",
            "##[error]",
            "  ::set-env::",
            "|",
            "\\|",
            "\\",
            "`",
            "<script>",
            "![x](y)",
            "&lt;",
            "# ",
            "=1+1",
            "@",
            "\u{202e}",
            "\u{200b}",
            "\u{e0041}",
            "%",
            "https://a.b",
            "*",
            "_",
            "- ",
            "1. ",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// How many cells GitHub finds in a row (`table_cell` of cmark-gfm: a backslash and
/// punctuation are one; else a bar is an end).
fn cells(row: &str) -> usize {
    let mut bars = 0;
    let mut rest = row.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.peek().is_some_and(char::is_ascii_punctuation) => drop(rest.next()),
            '|' => bars += 1,
            _ => {}
        }
    }
    bars - 1
}

proptest! {
    #[test]
    fn what_is_shown_only_shows(words in foreign()) {
        for shown in [line(&words), cell(&words), csv(&words), toml(&words), markdown(&words)] {
            prop_assert!(!shown.contains(is_harmful), "{:?}", shown);
        }
        for shown in [text(&words).into_owned(), paragraph(&words)] {
            let harm = |c: char| c != '\n' && c != '\t' && is_harmful(c);
            prop_assert!(!shown.contains(harm), "{:?}", shown);
            prop_assert_eq!(&*text(&shown), &*shown);
        }
        for shown in [data(&words), property(&words)] {
            prop_assert!(!shown.contains(is_harmful), "{:?}", shown);
        }
        prop_assert!(!property(&words).contains([':', ',']));
    }

    #[test]
    fn no_line_is_a_command(words in foreign()) {
        let shown = uncommanded(&words);
        for line in shown.split('\n') {
            prop_assert!(!line.trim_start().starts_with("::"), "{:?}", line);
            prop_assert!(!line.contains("##["), "{:?}", line);
        }
    }

    #[test]
    fn a_row_keeps_its_cells_and_its_markup_is_only_seen(one in foreign(), two in foreign()) {
        let (one, two) = (markdown(&one), markdown(&two));
        prop_assert_eq!(cells(&format!("| {one} | {two} |")), 2);
        prop_assert_eq!(format!("|{one}|{two}|").matches('|').count(), 3);
        prop_assert!(!one.contains("<s") && !one.contains("://") && !one.contains(">"));
        prop_assert!(!one.starts_with("# ") && !one.starts_with('=') && !one.starts_with("- "));
    }

    #[test]
    fn json_stays_the_same(words in foreign()) {
        let json = serde_json::to_string(&[&words]).unwrap();
        let shown = text(&json).into_owned();
        let back: Vec<String> = serde_json::from_str(&uncommanded(&shown)).unwrap();
        prop_assert_eq!(&back[0], &words);
    }

    #[test]
    fn toml_comes_back(words in foreign()) {
        let read: std::collections::BTreeMap<String, String> =
            ::toml::from_str(&format!("{} = {}\n", toml(&words), toml(&words))).unwrap();
        prop_assert_eq!(read.get(&words), Some(&words));
    }

    #[test]
    fn a_length_is_kept(words in ".{0,400}", most in 0usize..300) {
        prop_assert!(bounded(&words, most).chars().count() <= most + 40);
    }
}

#[test]
fn what_does_not_show_is_written_out() {
    assert_eq!(
        line("a\u{1b}[31mb\r\nc\td\u{9b}e"),
        "a\\u001b[31mb\\r\\nc\\td\\u009be"
    );
    assert_eq!(line("\u{202e}cba\u{e0041}"), "\\u202ecba\\udb40\\udc41");
    assert_eq!(text("a\tb\nc \u{1b}"), "a\tb\nc \\u001b");
    assert_eq!(bytes(b"a\xff\xc3\xa9\xc3"), "a\\xffé\\xc3");
    assert_eq!(text("Größe 5 µs → ✓"), "Größe 5 µs → ✓");
}

#[test]
fn what_is_too_long_is_counted() {
    let long = "x".repeat(65_536);
    let shown = cell(&long);
    assert_eq!(
        shown,
        format!("{}… (65336 more characters)", "x".repeat(CELL))
    );
    let lines = paragraph(&"a line\n".repeat(1_000));
    assert_eq!(lines.lines().count(), LINES + 1);
    assert!(lines.contains("\n… (800 more lines)\n"));
    assert_eq!(paragraph("\ta\tb\nc"), "\ta\tb\nc");
}

#[test]
fn markup_is_only_seen() {
    for (words, text) in [
        ("a|b", "a&#124;b"),
        ("a\\|b", "a\\\\&#124;b"),
        ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
        ("![i](http://x)", "!\\[i\\](http&#58;//x)"),
        ("# h", "\\# h"),
        ("- x", "\\- x"),
        ("1. x", "1\\. x"),
        ("a\nb", "a b"),
        ("KBUILD_BUILD_HOST", "KBUILD_BUILD_HOST"),
        ("6.12.117-exitlab", "6.12.117-exitlab"),
        ("<0.1", "<0.1"),
        ("&amp; R&D &", "&amp;amp; R&amp;D &amp;"),
        ("C:\\new", "C:\\new"),
        ("`x`", "\\`x\\`"),
    ] {
        assert_eq!(markdown(words), text);
    }
}

#[test]
fn a_formula_is_a_text_and_an_amount_is_none() {
    for (words, text) in [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+5s", "+5s"),
        ("-12.5", "-12.5"),
        ("\t=1", "\\t=1"),
        ("\r=1", "\\r=1"),
        ("EPT violation", "EPT violation"),
    ] {
        assert_eq!(csv(words), text);
    }
}

#[test]
fn commands_are_only_seen() {
    assert_eq!(
        uncommanded("a\n  ::error::b\nc ::d"),
        "a\n  \\u003a:error::b\nc ::d"
    );
    assert_eq!(uncommanded("x ##[error]y"), "x #\\u0023[error]y");
    assert_eq!(data("50 %\nb\r"), "50 %25%0Ab\\r");
    assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    assert_eq!(data("##[error]x"), "#\\u0023[error]x");
}
