//! Lists of a Makefile, such as `kvm-y += x86.o \` and the lines that continue it.

use std::ops::Range;

/// The words of each assignment to `variable` that no `ifdef` or its kind surrounds.
pub fn lists(text: &[u8], variable: &str) -> Vec<Vec<Range<usize>>> {
    let mut depth = 0_usize;
    let mut lists = Vec::new();
    for line in logical_lines(text) {
        let words = words(text, line);
        let word = |index: usize| words.get(index).map_or(&[][..], |word| &text[word.clone()]);
        match word(0) {
            b"ifdef" | b"ifndef" | b"ifeq" | b"ifneq" | b"define" => depth += 1,
            b"endif" | b"endef" => depth = depth.saturating_sub(1),
            name if name == variable.as_bytes() && depth == 0 => {
                if matches!(word(1), b"=" | b":=" | b"+=" | b"::=" | b"?=") {
                    lists.push(words[2..].to_vec());
                }
            }
            _ => {}
        }
    }
    lists
}

/// Lines, with those that a backslash continues.
fn logical_lines(text: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte == b'\n' && (at == 0 || text[at - 1] != b'\\') {
            lines.push(start..at);
            start = at + 1;
        }
    }
    lines.push(start..text.len());
    lines
}

/// The words of a line, up to a comment.
fn words(text: &[u8], line: Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = line.start;
    while at < line.end {
        let rest = &text[at..line.end];
        let length = rest
            .iter()
            .take_while(|byte| !byte.is_ascii_whitespace())
            .count();
        match &rest[..length] {
            [] => at += 1,
            [b'#', ..] => break,
            b"\\" => at += 1,
            _ => {
                words.push(at..at + length);
                at += length;
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_go_on_over_lines_and_end_at_conditions_and_comments() {
        let text = b"kvm-y\t+= a.o b.o \\\n\t   c.o # d.o\nifdef X\nkvm-y += e.o\nendif\n\
            kvm-y-z += f.o\nkvm-y := g.o";
        let lists = lists(text, "kvm-y");
        let said = |word: &Range<usize>| String::from_utf8_lossy(&text[word.clone()]).into_owned();
        let said: Vec<Vec<_>> = lists.iter().map(|l| l.iter().map(said).collect()).collect();
        assert_eq!(said, [vec!["a.o", "b.o", "c.o"], vec!["g.o"]]);
    }
}
