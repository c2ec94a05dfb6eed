//! Faults of files that commands read: results, matrices, baselines, rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::aftermath;
use crate::damage;
use crate::dice::Dice;
use crate::fault::Seen;
use crate::field::Field;

/// A command that only reads takes no longer on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Words that lead elsewhere, and shards that cannot be.
const LURES: [(&str, &str); 6] = [
    ("\"id\":", "\"id\": \"../../outside\", \"was\":"),
    ("\"id\":", "\"id\": \"/etc\", \"was\":"),
    ("\"id\":", "\"id\": \"..\", \"was\":"),
    (
        "\"repeat\":",
        "\"shard\": {\"number\": 1, \"of\": 0}, \"repeat\":",
    ),
    ("\"schema\": 1", "\"schema\": 99"),
    ("\"name\":", "\"name\": \"\\u001b[2J::error::x\", \"was\":"),
];

/// Copies the undisturbed results, damages a file of them, and has them read by every
/// command that reads.
pub fn damaged(field: &Field, number: u64, dice: &mut Dice) -> Seen {
    let out = field.out(number);
    fs::create_dir(&out).unwrap();
    let run = out.join("run");
    copy(&field.path("undisturbed"), &run);
    let matrix = out.join("matrix");
    copy_matrix(field, &matrix);
    let baseline = out.join("baseline.toml");
    let gate = out.join("gate.toml");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/baseline");
    fs::copy(repository.join("baseline.toml"), &baseline).unwrap();
    fs::copy(repository.join("gate.toml"), &gate).unwrap();

    let victims = [
        run.join("run.json"),
        matrix.join("matrix.json"),
        baseline.clone(),
        gate.clone(),
    ];
    let victim = &victims[dice.below(victims.len())];
    let how = spoil(victim, dice);
    // What a damaged file leads to, outside of the results.
    let link = matrix.join("cells").join("link");
    let _ = std::os::unix::fs::symlink(field.path("outside"), link);

    let path = |path: &Path| path.display().to_string();
    let [run, matrix, whole] = [&run, &matrix, &field.path("undisturbed")].map(|p| path(p));
    let merged = path(&out.join("merged"));
    let saved = path(&out.join("saved.toml"));
    let commands: [&[&str]; 7] = [
        &["compare", &whole, &run],
        &["compare", &path(&baseline), &run, "--format", "markdown"],
        &["gate", &path(&gate), &run],
        &["baseline", "save", &saved, &run],
        &["baseline", "show", &path(&baseline)],
        &["merge", &matrix, "--out", &merged],
        &["compare", &matrix, &whole],
    ];
    let mut wrong = Vec::new();
    for words in commands {
        let said = field.path("said-one");
        let mut command = field.exitlab();
        command.args(words).stderr(fs::File::create(&said).unwrap());
        let end = aftermath::wait(&mut command.spawn().unwrap(), PATIENCE);
        let said = fs::read(&said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let seen = aftermath::of_command(&end, &said, false);
        wrong.extend(
            seen.into_iter()
                .map(|what| format!("{}: {what}", words.join(" "))),
        );
        let raw = said.contains('\u{1b}');
        wrong.extend(raw.then(|| format!("{}: it sends escape sequences", words.join(" "))));
    }
    let name = victim.file_name().unwrap().display();
    Seen {
        ended: format!("{how} in {name}"),
        wrong,
    }
}

fn spoil(path: &Path, dice: &mut Dice) -> &'static str {
    let mut bytes = fs::read(path).unwrap();
    let (from, to) = dice.one(&LURES);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let how = match text.contains(from) && dice.below(2) == 0 {
        true => {
            bytes = text.replacen(from, to, 1).into_bytes();
            "a lure"
        }
        false => damage::bytes(&mut bytes, dice),
    };
    fs::write(path, bytes).unwrap();
    how
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A small matrix, made once.
fn copy_matrix(field: &Field, to: &Path) {
    let made: PathBuf = field.path("matrix");
    if !made.exists() {
        let mut command = field.exitlab();
        command.arg("run").args(crate::field::WORDS);
        command.args(["--set", "repeat=2", "--out"]).arg(&made);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "a matrix: {said}");
    }
    copy(&made, to);
    fs::create_dir(to.join("cells")).unwrap();
    for cell in fs::read_dir(made.join("cells")).unwrap().flatten() {
        copy(&cell.path(), &to.join("cells").join(cell.file_name()));
    }
}
