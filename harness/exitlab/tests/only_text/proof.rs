//! What an output is made of, read as its reader reads it. Words that are only words leave that
//! as it is with harmless ones, and what does harm is found on the way.

use exitlab_fixtures::hostile::{INJECTED, does_harm};

/// How an output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines on a terminal, or in the log of a CI system.
    Terminal,
    /// The same, where what is told may have several lines.
    Paragraphs,
    Markdown,
    Csv,
    Json,
    /// The same in a file, which nothing prints: other programs read it.
    JsonFile,
    Html,
    Xml,
    OpenMetrics,
    Ktap,
    Toml,
}

/// The form of an output, or what is wrong with it.
pub fn form(kind: Kind, text: &str) -> Result<Vec<String>, String> {
    let read = std::panic::catch_unwind(|| read(kind, text));
    read.map_err(|why| match why.downcast::<String>() {
        Ok(why) => *why,
        Err(why) => format!("{:?}", why.downcast_ref::<&str>()),
    })
}

/// Whether two forms are the same, or where they part.
pub fn same(plain: &[String], hostile: &[String]) -> Result<(), String> {
    let pairs = plain
        .iter()
        .zip(hostile)
        .position(|(one, other)| one != other);
    match pairs {
        None if plain.len() == hostile.len() => Ok(()),
        at => {
            let at = at.unwrap_or(plain.len().min(hostile.len()));
            let (plain, hostile) = (plain.get(at), hostile.get(at));
            Err(format!("{hostile:?} in place of {plain:?}"))
        }
    }
}

fn read(kind: Kind, text: &str) -> Vec<String> {
    shows(kind, text);
    match kind {
        Kind::Terminal => {
            let commands = text.lines().filter(|line| line.starts_with("::"));
            let commands = commands.map(properties).collect::<Vec<_>>();
            [vec![format!("{} lines", text.lines().count())], commands].concat()
        }
        Kind::Paragraphs => Vec::new(),
        Kind::Markdown => markdown(text),
        Kind::Csv => csv(text),
        Kind::Json | Kind::JsonFile => {
            let mut form = Vec::new();
            for line in json(text) {
                values(&line, &mut form);
            }
            form
        }
        Kind::Html => tags(text.strip_prefix("<!doctype html>\n").unwrap()),
        Kind::Xml => tags(text.split_once("?>\n").unwrap().1),
        Kind::OpenMetrics => text.lines().map(metric).collect(),
        Kind::Ktap => text.lines().map(test).collect(),
        Kind::Toml => {
            let mut form = Vec::new();
            let document: toml::Table = text.parse().unwrap();
            values(&serde_json::to_value(document).unwrap(), &mut form);
            form
        }
    }
}

/// Nothing in it does anything but show, and no line begins with what nobody wrote.
fn shows(kind: Kind, text: &str) {
    let printed = matches!(kind, Kind::Terminal | Kind::Paragraphs);
    let harm = |c: char| does_harm(c) && !(c == '\t' && printed) && kind != Kind::JsonFile;
    if let Some(at) = text.find(harm) {
        let around: String = text[at..].chars().take(80).collect();
        panic!("{around:?} does more than show");
    }
    for line in text.lines() {
        // Where what was said may have lines, and in code, they begin with anything.
        let has_lines = matches!(kind, Kind::Paragraphs | Kind::Html | Kind::Markdown);
        let begins = !has_lines && line.trim_start().starts_with(INJECTED);
        assert!(!begins, "{line:?} is a line of its own");
        let command = line.trim_start().starts_with("::") && !is_ours(line);
        let command = command || line.contains("##[") || line.contains("##vso[");
        assert!(!(printed && command), "{line:?} is a command");
    }
}

fn is_ours(line: &str) -> bool {
    line.starts_with("::error file=") || line.starts_with("::warning file=")
}

/// The command of a line, and its properties by name.
fn properties(line: &str) -> String {
    let (command, rest) = line[2..].split_once(' ').unwrap();
    let (properties, said) = rest.split_once("::").unwrap();
    assert!(!said.is_empty() || properties.contains("title="), "{line}");
    let names = properties
        .split(',')
        .map(|one| one.split_once('=').unwrap().0);
    format!("{command} {}", names.collect::<Vec<_>>().join(","))
}

/// What is markup once escapes and what stands in code are left out, line by line.
fn markdown(text: &str) -> Vec<String> {
    let (mut form, mut fence) = (Vec::new(), None);
    for line in text.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        if let Some(opened) = fence {
            if ticks >= opened && line[ticks..].trim().is_empty() {
                fence = None;
                form.push("end of code".to_owned());
            }
            continue;
        }
        if ticks >= 3 {
            fence = Some(ticks);
        }
        if line.starts_with("    ") {
            form.push("code".to_owned());
            continue;
        }
        assert!(!line.trim_start().starts_with(INJECTED), "{line:?}");
        form.push(markup(line));
    }
    assert_eq!(fence, None, "code without end");
    form
}

fn markup(line: &str) -> String {
    let (mut marks, mut rest) = (String::new(), line.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.peek().is_some_and(char::is_ascii_punctuation) => drop(rest.next()),
            '<' if rest.peek().is_none_or(|c| c.is_ascii_digit() || *c == ' ') => {}
            '|' | '`' | '[' | ']' | '<' | '>' | '*' | '~' => marks.push(c),
            _ => {}
        }
    }
    let block = line.split(' ').next().unwrap_or_default();
    let block = block
        .chars()
        .all(|c| "#-+=.".contains(c) || c.is_ascii_digit());
    let address = ["://", "www."].map(|begin| line.matches(begin).count());
    let begin = if block {
        line.split(' ').next().unwrap_or_default()
    } else {
        ""
    };
    // How long the line below a table's titles is says nothing.
    let begin = begin.trim_matches('-');
    format!("{begin} {marks} {address:?}")
}

/// How many cells each row has; no cell is a formula.
fn csv(text: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).from_reader(text.as_bytes());
    let rows = reader.into_records().map(|row| {
        let row = row.unwrap();
        for cell in &row {
            let amount = |rest: &str| rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
            let formula = match cell.chars().next() {
                Some('=' | '@' | '\t' | '\r') => true,
                Some('+' | '-') => !amount(&cell[1..]),
                _ => false,
            };
            assert!(!formula, "{cell:?} is a formula");
        }
        format!("{} cells", row.len())
    });
    rows.collect()
}

/// One document, or a document in each line.
fn json(text: &str) -> Vec<serde_json::Value> {
    match serde_json::from_str(text) {
        Ok(one) => vec![one],
        Err(_) => text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    }
}

/// Kinds of values, in order; keys may be words from outside.
fn values(value: &serde_json::Value, form: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::Array(items) => {
            form.push(format!("array of {}", items.len()));
            // Their order may be that of words.
            form.extend(sorted(items.iter()).concat());
        }
        Value::Object(fields) => {
            form.push(format!("object of {}", fields.len()));
            form.extend(sorted(fields.values()).concat());
        }
        Value::String(_) => form.push("string".to_owned()),
        Value::Null => form.push("null".to_owned()),
        Value::Bool(_) | Value::Number(_) => form.push("value".to_owned()),
    }
}

fn sorted<'a>(all: impl Iterator<Item = &'a serde_json::Value>) -> Vec<Vec<String>> {
    let forms = all.map(|value| {
        let mut form = Vec::new();
        values(value, &mut form);
        form
    });
    let mut forms: Vec<Vec<String>> = forms.collect();
    forms.sort();
    forms
}

/// Every tag with the names of its attributes; text between them refers to characters only.
fn tags(text: &str) -> Vec<String> {
    let (mut form, mut rest) = (Vec::new(), text);
    while let Some((before, from)) = rest.split_once('<') {
        words(before);
        let end = from.find('>').unwrap();
        let (tag, after) = (&from[..end], &from[end + 1..]);
        rest = after;
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let named = name.trim_matches('/');
        assert!(
            named.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "<{tag}>"
        );
        let mut names = vec![name.to_owned()];
        while let Some((attribute, after)) = attributes.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            words(value);
            names.push(attribute.trim().to_owned());
            attributes = after;
        }
        form.push(names.join(" "));
        // The page's own.
        if ["style", "script"].contains(&name) {
            rest = rest.split_once(&format!("</{name}")).unwrap().1;
        }
    }
    words(rest);
    form
}

fn words(text: &str) {
    assert!(!text.contains("]]>"), "{text}");
    for (at, _) in text.match_indices('&') {
        let name = text[at + 1..].split(';').next().unwrap_or_default();
        let known = ["amp", "lt", "gt", "quot", "apos", "#39", "#10"].contains(&name);
        assert!(known, "&{name}; in {text}");
    }
}

/// The name of a metric and of its labels (OpenMetrics 1.0, "ABNF").
fn metric(line: &str) -> String {
    if line.starts_with('#') {
        let known = [
            "# EOF",
            "# TYPE exitlab_",
            "# HELP exitlab_",
            "# UNIT exitlab_",
        ];
        assert!(known.iter().any(|begin| line.starts_with(begin)), "{line}");
        return line.to_owned();
    }
    let (name, mut rest) = line.split_once('{').unwrap();
    let mut form = name.to_owned();
    while let Some((label, value)) = rest.split_once("=\"") {
        form += &format!(" {}", label.trim_start_matches(','));
        let mut escaped = false;
        let end = value.char_indices().find(|(_, c)| {
            let end = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            end
        });
        rest = &value[end.unwrap().0 + 1..];
    }
    let number = rest.strip_prefix("} ").unwrap();
    assert!(number.parse::<f64>().is_ok(), "{line}");
    form
}

/// What a line of KTAP is (`Documentation/dev-tools/ktap.rst`).
fn test(line: &str) -> String {
    let words = line.trim_start();
    let indentation = " ".repeat(line.len() - words.len());
    if words.starts_with("KTAP version 1") || words.starts_with("1..") {
        return line.to_owned();
    }
    if let Some(said) = words.strip_prefix('#') {
        let subtest = if said.starts_with(" Subtest:") {
            "subtest"
        } else {
            "said"
        };
        return format!("{indentation}{subtest}");
    }
    let (word, rest) = words.split_at(words.find(|c: char| c.is_ascii_digit()).unwrap());
    assert!(["ok ", "not ok "].contains(&word), "{line}");
    let number = rest.split(' ').next().unwrap();
    let directive = rest
        .split_once(" # ")
        .map_or("", |(_, rest)| rest.split(' ').next().unwrap());
    format!("{indentation}{word}{number} {directive}")
}
