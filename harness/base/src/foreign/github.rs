//! Commands to GitHub Actions ("Workflow commands for GitHub Actions", docs.github.com): a line
//! of a step's output that begins with `::`, blanks before it or not, or, in their first form,
//! one that holds `##[` anywhere (`ActionCommand.cs` of actions/runner).

use std::borrow::Cow;

use super::{bounded_by, escape};

/// Most characters of what a command says: more would hide the others.
const MOST: usize = 4_000;

/// What a command says, in any number of lines.
pub fn data(words: &str) -> String {
    // The first form of a command may stand anywhere, also in what another one says.
    unbracketed(&bounded_by(words, MOST, |c| c == '\n'))
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a command, such as its title.
pub fn property(words: &str) -> String {
    data(words).replace(':', "%3A").replace(',', "%2C")
}

/// Text of which no line is a command.
pub fn uncommanded(text: &str) -> Cow<'_, str> {
    let begins = |line: &str| line.trim_start().starts_with("::");
    let is_command = |line: &str| begins(line) || line.contains("##[") || line.contains("##vso[");
    if !text.split('\n').any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| {
        let line = unbracketed(line);
        match begins(&line) {
            true => line.replacen("::", &format!("{}:", written(':')), 1),
            false => line,
        }
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// Words in which no command of the first form begins.
fn unbracketed(words: &str) -> String {
    words
        .replace("##[", &format!("#{}[", written('#')))
        .replace("##vso[", &format!("#{}vso[", written('#')))
}

fn written(c: char) -> String {
    let mut text = String::new();
    escape(&mut text, c);
    text
}
