//! Text from a guest, a file or a kernel is text in every output, and nothing else: each is
//! made of hostile words and of harmless ones, read as its reader reads it, and has the same
//! form. An output that is not tried here fails here.

mod outputs;
mod proof;
mod several;
mod words;

use std::path::Path;

use clap::CommandFactory;
use exitlab::cli::Cli;
use exitlab_fixtures::hostile::WORDS;
use exitlab_model::layout;

use outputs::{Outputs, Written};
use proof::form;
use words::{Words, places};

/// Outputs that no results can be made into here: the test that has them (`file::test`), or why
/// there is none.
const OTHERWISE: [(&str, &str); 32] = [
    (
        "--progress",
        "src/ui/plain.rs::words_from_outside_only_show",
    ),
    (
        "attach",
        "src/command/attach.rs::vms_are_listed_and_their_names_do_nothing_but_show",
    ),
    ("ab", "as compare and gate, by the same code"),
    ("ab --format", "as compare and gate, by the same code"),
    ("ab --junit", "as compare and gate, by the same code"),
    (
        "bisect",
        "src/bisect/report.rs::words_from_outside_only_show",
    ),
    ("bisect-step", "an exit code"),
    ("build", "a path of the cache"),
    (
        "plan --emit slurm",
        "src/matrix/emit.rs::every_engine_gets_its_own_words",
    ),
    ("verdicts", "numbers"),
    ("schema", "its own words"),
    ("reasons", "its own words"),
    ("reasons --format", "its own words"),
    ("kernel install", "paths and commands of its own"),
    ("kernel modules", "paths and commands of its own"),
    ("kernel patch", "a patch"),
    ("completions", "its own words"),
    ("manual", "its own words"),
    (layout::RUN, "JSON"),
    (layout::EVENTS, "JSON"),
    (layout::ROSTER, "JSON"),
    (layout::ROW, "JSON"),
    (layout::TRIED, "JSON"),
    (layout::TIMINGS, "JSON"),
    (layout::LOG, "numbers"),
    (
        layout::FOUND,
        "src/bisect/report.rs::words_from_outside_only_show",
    ),
    (layout::HOST_CONSOLE, "a console as it was"),
    (layout::GUEST_CONSOLE, "a console as it was"),
    (layout::QEMU_LOG, "what QEMU said as it was"),
    (layout::EMULATOR_LOG, "what an emulator said as it was"),
    (layout::GIT_LOG, "what Git said as it was"),
    (layout::BISECT_LOG, "what Git said as it was"),
];

fn all(words: Words, places: &[String]) -> Written {
    let mut outputs = Outputs::new(words, places);
    outputs.of_runs();
    outputs.of_a_matrix();
    outputs.of_kernels();
    outputs.of_experiments();
    outputs.place.assert_deserted();
    outputs.written
}

#[test]
fn words_from_outside_are_text_in_every_output() {
    let places = places();
    assert!(places.len() > 60, "only {} hold words", places.len());
    let harmless = all(Words { turn: None }, &places);
    let untried: Vec<String> = wanted()
        .into_iter()
        .filter(|output| !is_tried(output, &harmless))
        .collect();
    assert!(untried.is_empty(), "not tried: {untried:#?}");
    let mut wrong = Vec::new();
    for turn in 0..WORDS.len() {
        let hostile = all(Words { turn: Some(turn) }, &places);
        assert_eq!(hostile.len(), harmless.len());
        for (name, (kind, text)) in &hostile {
            let (plain_kind, plain) = &harmless[name];
            let seen = form(*kind, text).and_then(|text| {
                let plain = form(*plain_kind, plain).map_err(|why| format!("harmless: {why}"))?;
                proof::same(&plain, &text)
            });
            wrong.extend(seen.err().map(|why| format!("{name}, turn {turn}: {why}")));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are more than text:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Every output that there is: commands, each with what it can be written as, and files.
fn wanted() -> Vec<String> {
    let mut root = Cli::command();
    root.build();
    let mut outputs = Vec::new();
    commands(&root, "", &mut outputs);
    outputs.extend(layout::FILES.map(str::to_owned));
    outputs.push("GITHUB_STEP_SUMMARY".to_owned());
    outputs
}

fn commands(command: &clap::Command, name: &str, outputs: &mut Vec<String>) {
    let inner = command.get_subcommands().filter(|c| c.get_name() != "help");
    let mut is_leaf = true;
    for inner in inner {
        is_leaf = false;
        let name = format!("{name} {}", inner.get_name());
        commands(inner, name.trim_start(), outputs);
    }
    if !is_leaf {
        return;
    }
    outputs.push(name.to_owned());
    for argument in command.get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        match long {
            "format" | "emit" => outputs.extend(
                argument
                    .get_possible_values()
                    .iter()
                    .map(|value| format!("{name} --{long} {}", value.get_name())),
            ),
            "junit" | "progress" => outputs.push(format!("{name} --{long}")),
            _ => {}
        }
    }
}

/// Whether it was written, or what has it instead is there.
fn is_tried(output: &str, written: &Written) -> bool {
    let (command, argument) = match output.split_once(" --") {
        Some((command, argument)) => (command, Some(format!("--{argument}"))),
        None => (output, None),
    };
    let is_of = |name: &str| {
        let begins = name == command || name.starts_with(&format!("{command} "));
        let has = argument.as_ref().is_none_or(|words| name.contains(words));
        begins && has || name.ends_with(&format!("/{output}"))
    };
    if written.keys().any(|name| is_of(name)) {
        return true;
    }
    is_tried_elsewhere(output)
}

/// Whether another test has it, which is there, or none need have it.
fn is_tried_elsewhere(output: &str) -> bool {
    let fits = |(name, _): &&(&str, &str)| {
        let progress = *name == "--progress" && output.ends_with(name);
        let inner = name.contains("--") && output.starts_with(name);
        *name == output || progress || inner
    };
    let Some((_, why)) = OTHERWISE.iter().find(fits) else {
        return false;
    };
    let Some((file, test)) = why.split_once("::") else {
        return !why.is_empty();
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(&format!("fn {test}()")), "{why} is not there");
    true
}
