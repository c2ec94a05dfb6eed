//! C as anchors see it: tokens, without white space, comments and directives of the
//! preprocessor; which bracket closes which; and which `#if` a token is in.

use std::ops::Range;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its bytes in the text.
    pub place: Range<usize>,
    /// The branch of `#if` that it is in; 0 outside of all.
    pub branch: usize,
}

/// A text and its tokens.
pub struct Code<'a> {
    text: &'a [u8],
    /// All of them, in their order.
    pub tokens: Vec<Token>,
    /// For each token that is a bracket, the other one of the pair.
    pairs: Vec<Option<usize>>,
    comments: Vec<Range<usize>>,
    /// The `#include`s before the first token, each with its branch.
    pub includes: Vec<(Range<usize>, usize)>,
}

impl<'a> Code<'a> {
    /// Takes a text apart. Any bytes will do: what is no C has tokens, too.
    pub fn new(text: &'a [u8]) -> Self {
        let mut reader = Reader {
            text,
            at: 0,
            fresh_line: true,
            branches: vec![Branch::default()],
            last_branch: 0,
            open: Vec::new(),
            code: Self {
                text,
                tokens: Vec::new(),
                pairs: Vec::new(),
                comments: Vec::new(),
                includes: Vec::new(),
            },
        };
        while reader.step() {}
        reader.code
    }

    /// What token `index` says.
    pub fn word(&self, index: usize) -> &'a [u8] {
        self.tokens
            .get(index)
            .map_or(&[], |token| &self.text[token.place.clone()])
    }

    /// The bracket that belongs to the one at `index`.
    pub fn pair(&self, index: usize) -> Option<usize> {
        self.pairs.get(index).copied().flatten()
    }

    /// The text from the first to the last of these tokens.
    pub fn words(&self, tokens: Range<usize>) -> &'a [u8] {
        match self.tokens.get(tokens) {
            Some([first, .., last]) => &self.text[first.place.start..last.place.end],
            Some([only]) => &self.text[only.place.clone()],
            _ => &[],
        }
    }

    /// Where the line begins that holds the byte `at`.
    pub fn line_start(&self, at: usize) -> usize {
        let before = &self.text[..at.min(self.text.len())];
        before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1)
    }

    /// Where the line after the one with the byte `at` begins.
    pub fn next_line(&self, at: usize) -> usize {
        let after = &self.text[at.min(self.text.len())..];
        after
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// The white space with which the line of the byte `at` begins.
    pub fn indentation(&self, at: usize) -> &'a [u8] {
        let line = &self.text[self.line_start(at)..];
        let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
        &line[..line.iter().take_while(blank).count()]
    }

    /// Where the line of a token begins, or that of the comments right above it.
    pub fn with_comments(&self, index: usize) -> usize {
        let Some(token) = self.tokens.get(index) else {
            return self.text.len();
        };
        let mut start = self.line_start(token.place.start);
        let above = |start: usize| {
            self.comments.iter().find(|comment| {
                self.next_line(comment.end) == start && self.blank(comment.end..start)
            })
        };
        while let Some(comment) = above(start).filter(|comment| comment.start < start) {
            let line = self.line_start(comment.start);
            if !self.blank(line..comment.start) {
                break;
            }
            start = line;
        }
        start
    }

    /// Whether there is nothing but white space.
    pub fn blank(&self, range: Range<usize>) -> bool {
        self.text[range].iter().all(u8::is_ascii_whitespace)
    }
}

/// A branch of `#if`, and which brackets were open where the `#if` stood.
#[derive(Debug, Clone, Default)]
struct Branch {
    number: usize,
    open: Vec<usize>,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether nothing but white space and comments came since the line began.
    fresh_line: bool,
    branches: Vec<Branch>,
    last_branch: usize,
    open: Vec<usize>,
    code: Code<'a>,
}

impl Reader<'_> {
    /// Reads one token, comment, directive or blank; says whether there was one.
    fn step(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.first() else {
            return false;
        };
        match first {
            b'\n' => {
                self.fresh_line = true;
                self.at += 1;
            }
            blank if blank.is_ascii_whitespace() => self.at += 1,
            b'#' if self.fresh_line => self.directive(),
            b'/' if rest.starts_with(b"//") || rest.starts_with(b"/*") => {
                let end = self.at + comment_length(rest);
                self.code.comments.push(self.at..end);
                self.at = end;
            }
            b'"' | b'\'' => self.token(quoted_length(rest)),
            letter if is_word(*letter) => {
                let length = rest.iter().take_while(|byte| is_word(**byte)).count();
                self.token(length);
            }
            _ => self.token(1),
        }
        true
    }

    fn branch(&self) -> usize {
        self.branches.last().map_or(0, |branch| branch.number)
    }

    fn token(&mut self, length: usize) {
        let index = self.code.tokens.len();
        let place = self.at..self.at + length;
        self.at = place.end;
        self.fresh_line = false;
        let word = &self.text[place.clone()];
        let branch = self.branch();
        self.code.tokens.push(Token { place, branch });
        self.code.pairs.push(None);
        match word {
            b"(" | b"[" | b"{" => self.open.push(index),
            b")" | b"]" | b"}" => self.close(index),
            _ => {}
        }
    }

    /// The innermost open bracket of the same kind is the other one; what is open inside
    /// of it has none.
    fn close(&mut self, index: usize) {
        let kind: &[u8] = match self.code.word(index) {
            b")" => b"(",
            b"]" => b"[",
            _ => b"{",
        };
        let code = &self.code;
        let same = self.open.iter().rposition(|open| code.word(*open) == kind);
        if let Some(position) = same {
            let open = self.open[position];
            self.open.truncate(position);
            self.code.pairs[open] = Some(index);
            self.code.pairs[index] = Some(open);
        }
    }

    /// A line of the preprocessor, and the lines that continue it.
    fn directive(&mut self) {
        let length = directive_length(&self.text[self.at..]);
        let place = self.at..self.at + length;
        let line = &self.text[place.clone()];
        let words = line[1..].trim_ascii_start();
        let name = words.iter().take_while(|byte| is_word(**byte)).count();
        match &words[..name] {
            b"if" | b"ifdef" | b"ifndef" => {
                self.last_branch += 1;
                self.branches.push(Branch {
                    number: self.last_branch,
                    open: self.open.clone(),
                });
            }
            b"elif" | b"elifdef" | b"elifndef" | b"else" if self.branches.len() > 1 => {
                self.last_branch += 1;
                if let Some(branch) = self.branches.last_mut() {
                    branch.number = self.last_branch;
                    self.open.clone_from(&branch.open);
                }
            }
            b"endif" if self.branches.len() > 1 => {
                self.branches.pop();
            }
            b"include" if self.code.tokens.is_empty() => {
                let branch = self.branch();
                self.code.includes.push((place.clone(), branch));
            }
            _ => {}
        }
        self.at = place.end;
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// How long the comment is with which a text begins; its newline is no part of `// …`.
fn comment_length(text: &[u8]) -> usize {
    if text.starts_with(b"//") {
        return text.iter().take_while(|byte| **byte != b'\n').count();
    }
    let end = text[2..].windows(2).position(|pair| pair == b"*/");
    end.map_or(text.len(), |inner| inner + 4)
}

/// How long the string or character is with which a text begins. It ends with its line.
fn quoted_length(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'\n' {
        if text[at] == text[0] {
            return at + 1;
        }
        at += 1 + usize::from(text[at] == b'\\');
    }
    at.min(text.len())
}

fn directive_length(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\n' if at == 0 || text[at - 1] != b'\\' => return at,
            b'/' if text[at..].starts_with(b"/*") => at += comment_length(&text[at..]),
            _ => at += 1,
        }
    }
    at.min(text.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let code = Code::new(text.as_bytes());
        let word = |index| String::from_utf8_lossy(code.word(index)).into_owned();
        (0..code.tokens.len()).map(word).collect()
    }

    #[test]
    fn comments_directives_and_white_space_are_no_tokens() {
        let text =
            "#define A {\\\n\t{\n/* } */ int\ta; // }\n  # if 0 /* over\n lines */\n\"}\\\"\";";
        assert_eq!(words(text), ["int", "a", ";", "\"}\\\"\"", ";"]);
    }

    #[test]
    fn brackets_close_also_where_branches_open_the_same_one_twice() {
        let code = Code::new(b"f() {\n#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\nx;\n}\n}\ny");
        assert_eq!(code.pair(3), Some(code.tokens.len() - 2));
        let branches: Vec<_> = code.tokens.iter().map(|token| token.branch).collect();
        assert_eq!(&branches[3..6], [0, 1, 1]);
        assert_eq!(branches.last(), Some(&0));
    }

    #[test]
    fn comments_right_above_belong_to_a_statement() {
        let text = b"a;\n\n/* far */\n\n/* one */\n// two\nb; /* end */\nc;";
        let code = Code::new(text);
        let of = |word: &str| {
            let found = (0..code.tokens.len()).find(|index| code.word(*index) == word.as_bytes());
            code.with_comments(found.unwrap())
        };
        assert!(text[of("b")..].starts_with(b"/* one"));
        assert!(text[of("c")..].starts_with(b"c;"), "not a comment of b's");
    }

    #[test]
    fn any_bytes_end() {
        for text in ["/*", "//", "\"", "'\\", "#", "#if\\", "}", ")(", "\u{e4}\0"] {
            let _ = words(text);
        }
    }
}
