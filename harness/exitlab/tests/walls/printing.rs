//! Who writes to standard output, standard error or a terminal: words from outside must pass
//! what makes them harmless, so there are few places, and they are named.

use std::path::Path;

use crate::code;

/// What of the program prints. `base/screen` makes everything harmless; the live line is
/// another crate's, and is given harmless words; the others are no part of the conductor, and
/// what they print is events, or words that the conductor takes for foreign.
const PRINTS: [&str; 9] = [
    "harness/base/src/screen.rs",
    "harness/exitlab/src/ui/terminal.rs",
    "harness/exitlab/src/watch/terminal.rs",
    "harness/agent/src/events.rs",
    "harness/agent/src/lib.rs",
    "harness/agent/src/main.rs",
    "guest-image/exit-sampler/src/command.rs",
    "guest-image/exit-sampler/src/main.rs",
    "guest-image/exit-sampler/src/spin.rs",
];

/// How one prints.
const WAYS: [&str; 9] = [
    "print!(",
    "println!(",
    "eprint!(",
    "eprintln!(",
    "dbg!(",
    "stdout()",
    "stderr()",
    "ProgressBar::",
    "ratatui::try_init(",
];

/// Every other file of the program that prints, and how.
pub fn elsewhere(workspace: &Path) -> Vec<String> {
    let files = super::MEASURED.map(|dir| code::rust_files(&workspace.join(dir)));
    let mut wrong = Vec::new();
    for path in files.concat() {
        let short = super::short(&path);
        let is_program = short.contains("/src/") && !short.contains("/tests");
        if !is_program || PRINTS.contains(&short.as_str()) {
            continue;
        }
        let code = code::program(&path);
        let ways = ways(&code).into_iter();
        wrong.extend(ways.map(|way| format!("{short} prints by {way}")));
    }
    wrong
}

fn ways(code: &str) -> Vec<&'static str> {
    let calls = |way: &&str| {
        code.match_indices(*way).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            !before.is_some_and(code::is_of_word)
        })
    };
    WAYS.into_iter().filter(calls).collect()
}

#[test]
fn every_way_is_seen_and_a_method_of_that_name_is_none() {
    assert_eq!(ways("std::io::stdout().write_all(b)"), ["stdout()"]);
    assert_eq!(ways("eprintln!(x)"), ["eprintln!("]);
    assert!(ways("command.stdout(writer); my_print!(); a.stderr").is_empty());
}
