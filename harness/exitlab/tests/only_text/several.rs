//! Outputs of several results: matrices, classes of kernels, experiments that are asked for.

use std::path::Path;

use exitlab::conformance::Report;
use exitlab::grading::{Judged, Mark, Pupil, Roster, Row};
use exitlab_base::artifact::digest;
use exitlab_base::error::{Error, for_people};
use exitlab_model::matrix::{Cell, Dimension, Index, SCHEMA, cell_name};
use exitlab_model::plan::Plan;
use serde_json::json;

use super::outputs::{Outputs, printed, results};
use super::proof::Kind::*;

/// The key of an axis: any other one leads to no directory.
const AXIS: &str = "guest.cmdline";

fn plan() -> Plan {
    let sets = ["platform=tcg-svm".to_owned()];
    exitlab_config::load(None, &sets, Path::new("/"), &[]).unwrap()
}

impl Outputs<'_> {
    /// A matrix of two cells that have run.
    pub fn of_a_matrix(&mut self) {
        let values = [self.words.at(0), self.words.at(3)];
        let cells: Vec<Cell> = (1..)
            .zip(&values)
            .map(|(number, value)| {
                let values = [(AXIS.to_owned(), value.clone())].into();
                Cell {
                    id: cell_name(number, &values, 1).unwrap(),
                    values,
                    repeat: 1,
                    plan: plan(),
                }
            })
            .collect();
        let index = Index {
            schema: SCHEMA,
            experiment: self.words.at(1),
            plan_digest: exitlab_model::matrix::digest(&cells).unwrap(),
            axes: vec![Dimension {
                key: AXIS.to_owned(),
                values: values.to_vec(),
            }],
            repeat: 1,
            shard: None,
            cells,
        };
        let part = self.path("part");
        for cell in &index.cells {
            let mut record = self.record(false);
            record["cell"] = json!({"values": cell.values, "repeat": 1});
            results(&cell.dir(&part), &record, 0);
        }
        let text = serde_json::to_string_pretty(&index).unwrap();
        std::fs::write(part.join("matrix.json"), text).unwrap();
        let whole = self.place.path("whole");
        self.run("merge", &[&whole, &part], Terminal);
        for (name, kind) in [
            ("cells.csv", Csv),
            ("samples.csv", Csv),
            ("matrix.json", JsonFile),
        ] {
            self.file(&format!("matrix/{name}"), kind, &whole.join(name));
        }
        self.file("matrix/report.html", Html, &whole.join("report.html"));
    }

    /// A class of two kernels, of which one was not tried.
    pub fn of_kernels(&mut self) {
        let dir = self.place.path("class");
        let agent = Path::new(env!("CARGO_BIN_EXE_exitlab")).with_file_name("exitlab-agent");
        let pupil = |name: &str| Pupil {
            name: name.to_owned(),
            image: None,
            settings: vec![self.words.at(2)],
            order: serde_json::from_value(json!({"leaf_map": 1, "sdm": null})).unwrap(),
            plan: plan(),
        };
        let roster = Roster {
            schema: 1,
            exitlab: self.words.at(4),
            agent: digest::file(&agent).unwrap().hex().to_owned(),
            points: Some(serde_json::from_value(json!({"present": 2})).unwrap()),
            kernels: vec![pupil("ada"), pupil("eve")],
        };
        let rows = roster.kernels.iter().enumerate();
        let rows: Vec<Row> = rows.map(|(at, pupil)| self.row(at, pupil)).collect();
        for row in &rows {
            let own = dir.join("kernels").join(&row.name);
            std::fs::create_dir_all(&own).unwrap();
            std::fs::write(own.join("row.json"), serde_json::to_string(row).unwrap()).unwrap();
        }
        roster.write(&dir).unwrap();
        let cache = self.place.path("cache");
        let given = [dir.as_path(), Path::new("--cache"), &cache];
        for (format, kind) in [
            ("table", Terminal),
            ("csv", Csv),
            ("json", Json),
            ("ktap", Ktap),
        ] {
            let command = format!("conformance --format {format} --resume");
            self.run(&command, &given, kind);
        }
        for (name, kind) in [
            ("grades.csv", Csv),
            ("findings.csv", Csv),
            ("grades.json", JsonFile),
        ] {
            self.file(name, kind, &dir.join(name));
        }
        self.file("grades.md", Markdown, &dir.join("grades.md"));
        self.file("pages/ada.md", Markdown, &dir.join("pages/ada.md"));
        self.file("pages/eve.md", Markdown, &dir.join("pages/eve.md"));
        self.of_one_kernel();
    }

    /// What came of a kernel; the second one was hindered.
    fn row(&self, at: usize, pupil: &Pupil) -> Row {
        let mut row = Row::new(&pupil.name, None, self.words.at(at), &pupil.settings);
        (row.digest, row.kernel) = (self.words.at(at + 1), self.words.at(at + 2));
        let marks = [Mark::Holds, Mark::Broken, Mark::NotJudged];
        let rules = ["present", "per-vm", "statistics"];
        let judged = (at..).zip(marks.iter().zip(rules));
        let judged = judged.map(|(n, (mark, rule))| Judged {
            rule: rule.to_owned(),
            mistake: None,
            demand: self.words.at(n),
            verdict: *mark,
            evidence: self.words.at(n + 3),
            looks_like: Some(self.words.at(n + 6)),
        });
        row.findings = judged.collect();
        if at == 1 {
            let hindered = json!({
                "kind": "panic", "seen": self.words.at(7), "cure": self.words.at(8),
                "evidence": (0..9).map(|at| self.words.at(at)).collect::<Vec<_>>(),
            });
            row.hindered = Some(serde_json::from_value(hindered).unwrap());
        }
        row
    }

    fn of_one_kernel(&mut self) {
        let broken =
            json!({"seen": self.words.at(1), "looks_like": self.words.at(2), "mistake": 7});
        let report: Report = serde_json::from_value(json!({
            "schema": 1, "exitlab": self.words.at(3), "platform": self.words.at(4),
            "emulator": self.words.at(5), "kernel": self.words.at(6),
            "kernel_digest": self.words.at(7), "cpu": self.words.at(8), "leaf_map": 1, "sdm": null,
            "findings": [
                {"rule": "present", "verdict": "holds", "seen": self.words.at(0)},
                {"rule": "per-vm", "verdict": "broken", "seen": broken["seen"],
                 "looks_like": broken["looks_like"], "mistake": 7},
                {"rule": "statistics", "verdict": "not-judged", "because": self.words.at(3)},
            ],
        }))
        .unwrap();
        // Sentences are broken where they are long.
        self.keep(
            "conformance of one",
            Paragraphs,
            printed(&report.for_people()),
        );
        self.keep("conformance.json", JsonFile, report.to_json().unwrap());
        self.keep("conformance of one, KTAP", Ktap, report.to_ktap());
    }

    /// Experiments of other people's, and what is said of them.
    pub fn of_experiments(&mut self) {
        let config = |inspect: &str, name: &str| {
            toml::Table::from_iter([
                ("name".to_owned(), name.into()),
                ("platform".to_owned(), "tcg-svm".into()),
                ("inspect".to_owned(), toml::Value::from(vec![inspect])),
                ("repeat".to_owned(), 2.into()),
            ])
            .to_string()
        };
        let (good, bad) = (self.path("experiment.toml"), self.path("wrong.toml"));
        std::fs::write(&good, config(&self.words.at(0), "own")).unwrap();
        std::fs::write(&bad, config(&self.words.at(0), &self.words.at(1))).unwrap();
        self.run("plan --emit json", &[&good], Json);
        self.run("plan --emit github", &[&good], Json);
        self.run("doctor --set repeat=1", &[&good], Terminal);
        self.run("plan", &[&bad], Paragraphs);
        self.run("doctor", &[&bad], Paragraphs);
        self.run("run", &[&self.path("nothing.toml")], Paragraphs);
        self.of_errors();
    }

    fn of_errors(&mut self) {
        let words = || self.words.at(6);
        let errors = [
            Error::Config {
                message: words(),
                cure: words(),
            },
            Error::Build {
                stage: words(),
                message: words(),
                tail: vec![words()],
                cure: words(),
            },
            Error::Experiment {
                stage: words(),
                message: words(),
                tail: vec![words()],
                cure: words(),
            },
            Error::Prerequisite {
                missing: vec![words()],
                cure: words(),
            },
            Error::io("read", words())(std::io::Error::other(words())),
        ];
        let told: Vec<String> = errors.iter().map(for_people).collect();
        self.keep("errors", Paragraphs, printed(&told.concat()));
    }
}
