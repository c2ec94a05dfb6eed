//! Everything that exitlab writes of results: made by the program itself, of files that others
//! may have made.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use exitlab_analysis::export;
use exitlab_analysis::figures::RunFigures;
use exitlab_analysis::log::{Row as Logged, array};
use exitlab_base::foreign;
use exitlab_model::log::{Cause, LoggedExit, ToldBy};
use serde_json::{Value, json};

use super::proof::Kind::{self, *};
use super::words::{self, Words};
use crate::support::{Place, exitlab};

/// What was written, by its command or its file.
pub type Written = BTreeMap<String, (Kind, String)>;

/// Files that are full of words, and what was made of them.
pub struct Outputs<'a> {
    pub place: Place,
    pub words: Words,
    places: &'a [String],
    pub written: Written,
}

const OUT: &str = "--out";

impl<'a> Outputs<'a> {
    /// Of nothing yet.
    pub fn new(words: Words, places: &'a [String]) -> Outputs<'a> {
        Outputs {
            place: Place::new(),
            words,
            places,
            written: Written::new(),
        }
    }

    /// A file whose very name is words.
    pub fn path(&self, name: &str) -> PathBuf {
        let name = format!("{name} {}", self.words.name(name.len()));
        self.place.path(&name)
    }

    pub fn keep(&mut self, name: &str, kind: Kind, text: impl Into<String>) {
        let before = self.written.insert(name.to_owned(), (kind, text.into()));
        assert!(before.is_none(), "{name} twice");
    }

    /// Keeps what a command wrote into a file.
    pub fn file(&mut self, name: &str, kind: Kind, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.keep(name, kind, text),
            Err(error) => self.keep(name, Terminal, format!("none: {error}")),
        }
    }

    /// Runs a command, and keeps what it printed.
    pub fn run(&mut self, command: &str, files: &[&Path], kind: Kind) {
        let mut program = exitlab();
        // What the kernel's tools read is nothing that GitHub reads.
        if kind != Ktap {
            program.env("GITHUB_ACTIONS", "true");
            program.env("GITHUB_STEP_SUMMARY", self.place.path("summary.md"));
        }
        let output = program
            .args(command.split(' '))
            .args(files)
            .env("PATH", self.programs())
            .current_dir(self.place.path(""))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, told) = (text(output.stdout), text(output.stderr));
        let code = output.status.code();
        assert!(matches!(code, Some(0..=7)), "{command}: {code:?}, {told}");
        // Of what is refused there is no more than why.
        let kind = if out.is_empty() { Paragraphs } else { kind };
        self.keep(command, kind, out);
        self.keep(&format!("{command}: said"), Paragraphs, told);
        self.keep(&format!("{command}: code"), Terminal, format!("{code:?}"));
    }

    /// Where programs are found: one of them in a directory whose name is words.
    fn programs(&self) -> OsString {
        let dir = self.place.path(&self.words.name(5).replace(':', ";"));
        if !dir.is_dir() {
            std::fs::create_dir(&dir).unwrap();
            symlink("/usr/bin/make", dir.join("make")).unwrap();
        }
        let usual = std::env::var_os("PATH").unwrap_or_default();
        [dir.as_os_str(), OsStr::new(":"), &usual]
            .into_iter()
            .collect()
    }

    pub fn record(&self, head: bool) -> Value {
        words::record(self.words, self.places, head)
    }

    /// Two runs with a log, and what is made of them.
    pub fn of_runs(&mut self) {
        let (base, head) = (self.path("base"), self.path("head"));
        results(&base, &self.record(false), 0x10);
        results(&head, &self.record(true), 0x20);
        let mut damaged = self.record(false);
        damaged["outcome"] = json!({"state": self.words.at(3)});
        results(&self.path("damaged"), &damaged, 0);
        let mut elsewhere = self.record(false);
        elsewhere["platform"] = self.words.at(4).into();
        results(&self.path("elsewhere"), &elsewhere, 0);
        std::fs::create_dir(self.path("foreign")).unwrap();

        self.tables();
        let (out, page) = (Path::new(OUT), self.place.path("one.html"));
        self.run("report", &[&base, out, &page], Terminal);
        self.file("report.html", Html, &page);
        let page = self.place.path("two.html");
        self.run(
            "report --broken-checks",
            &[&base, &head, out, &page],
            Terminal,
        );
        self.file("comparison.html", Html, &page);
        let third = self.path("elsewhere");
        self.run("report --", &[&base, &head, &third], Terminal);
        self.file("several.html", Html, &self.place.path("report.html"));
        for (format, kind) in [("markdown", Markdown), ("csv", Csv), ("json", Json)] {
            self.run(&format!("export --format {format}"), &[&base], kind);
        }
        self.run("export --format openmetrics", &[&base], OpenMetrics);
        for (format, kind) in [("table", Terminal), ("csv", Csv), ("json", Json)] {
            self.run(&format!("log --format {format}"), &[&base], kind);
        }
        self.run("log --format perfetto", &[&base], Json);
        for (format, kind) in [("table", Terminal), ("json", Json)] {
            self.run(&format!("diverge --format {format}"), &[&base, &head], kind);
        }
        self.judged(&base, &head);
        self.watched(&base);
        let here = self.place.path("");
        for (format, kind) in [("table", Terminal), ("csv", Csv), ("json", Json)] {
            self.run(&format!("list --format {format}"), &[&here], kind);
        }
        self.run("clean --results", &[&here], Terminal);
    }

    /// What a run itself writes.
    fn tables(&mut self) {
        let record = serde_json::from_value(self.record(false)).unwrap();
        for (name, text) in export::tables(&record) {
            let kind = if name.ends_with(".md") { Markdown } else { Csv };
            self.keep(name, kind, text);
        }
        let figures = RunFigures::of_record(&record, record.reasons());
        let table = printed(&export::terminal_table(&figures));
        self.keep("run, its table", Terminal, table);
    }

    fn judged(&mut self, base: &Path, head: &Path) {
        for (format, kind) in [
            ("table", Terminal),
            ("markdown", Markdown),
            ("csv", Csv),
            ("json", Json),
        ] {
            let command = format!("compare --all --broken-checks --format {format}");
            self.run(&command, &[base, head], kind);
        }
        let baseline = self.path("baseline.toml");
        self.run(
            "baseline save --broken-checks",
            &[&baseline, base],
            Terminal,
        );
        self.file("baseline.toml", Toml, &baseline);
        self.run("baseline show", &[&baseline], Terminal);
        self.run(
            "baseline update --broken-checks --dry-run",
            &[&baseline, head],
            Terminal,
        );
        let rules = self.path("gate.toml");
        let rule = |name: &str| {
            toml::Table::from_iter([
                ("name".to_owned(), name.into()),
                ("exact".to_owned(), true.into()),
            ])
        };
        let rules_of: toml::Table = toml::Table::from_iter([(
            "rule".to_owned(),
            toml::Value::from(vec![rule(&self.words.at(0)), rule(&self.words.at(4))]),
        )]);
        std::fs::write(&rules, rules_of.to_string()).unwrap();
        let junit = self.place.path("junit.xml");
        let given = [
            head,
            Path::new("--base"),
            &baseline,
            Path::new("--rules"),
            &rules,
        ];
        for (format, kind) in [("table", Terminal), ("ktap", Ktap)] {
            let command = format!("gate --broken-checks --format {format}");
            self.run(&command, &given, kind);
        }
        let with_junit = [&given[..], &[Path::new("--junit"), &junit]].concat();
        self.run("gate --broken-checks", &with_junit, Terminal);
        self.file("gate --junit", Xml, &junit);
        let summary = self.place.path("summary.md");
        self.file("GITHUB_STEP_SUMMARY", Markdown, &summary);
    }

    fn watched(&mut self, dir: &Path) {
        let record = self.record(false);
        let mut events = vec![json!({
            "event": "started", "protocol": 3, "kernel": self.words.at(0),
            "cpu": self.words.at(1), "isa": "svm", "host_s": 0.5, "host_tsc": 1,
        })];
        for sample in record["samples"].as_array().unwrap() {
            let mut sample = sample.clone();
            sample["event"] = "sample".into();
            events.push(sample);
        }
        let lines: Vec<String> = events.iter().map(|event| format!("{event}\n")).collect();
        std::fs::write(dir.join("events.jsonl"), lines.concat()).unwrap();
        self.run("watch --plain", &[dir], Terminal);
        self.run("watch --once", &[dir], Terminal);
    }
}

/// What becomes of a text where it is printed: the screen is the last to look at it.
pub fn printed(text: &str) -> String {
    foreign::uncommanded(&foreign::text(text)).into_owned()
}

/// A results directory with a log, whose exits are so far from one another.
pub fn results(dir: &Path, record: &Value, apart: u64) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("run.json"), record.to_string()).unwrap();
    let rows = (0..6).map(|at| Logged {
        vcpu: 0,
        exit: LoggedExit {
            time_ns: at * 1000,
            duration_ns: Some(2000),
            cause: Cause {
                reason: 0x7b,
                rip: 0xffff_ffff_8100_0000 + at / 4 * apart,
                told: ToldBy::Pio,
                key: 0x3f8,
                ..Cause::default()
            },
            value: 0x41,
        },
    });
    let mut log = std::fs::File::create(dir.join("log.npy.gz")).unwrap();
    array::write(&mut log, 6, rows).unwrap();
}
