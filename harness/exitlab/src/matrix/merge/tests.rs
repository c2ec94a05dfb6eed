use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::*;
use exitlab_config::load_matrix;
use exitlab_model::record::Provenance;

/// A matrix of two cells, and where parts of it lie.
struct Parts {
    place: tempfile::TempDir,
    index: Index,
}

impl Parts {
    fn new() -> Parts {
        let sets = ["repeat=2".to_owned(), "platform=tcg-svm".to_owned()];
        let matrix = load_matrix(None, &sets, Path::new("/"), &[]).unwrap();
        Parts {
            place: tempfile::tempdir().unwrap(),
            index: super::index::of(&matrix, None).unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A part in which one cell is done, by the exitlab of that digest.
    fn part(&self, name: &str, cell: usize, exitlab: &str) -> PathBuf {
        let dir = self.path(name);
        let cell = &self.index.cells[cell];
        fs::create_dir_all(cell.dir(&dir)).unwrap();
        let index = serde_json::to_vec_pretty(&self.index).unwrap();
        fs::write(dir.join(MATRIX), index).unwrap();
        let provenance = Provenance {
            exitlab_digest: exitlab.to_owned(),
            ..Provenance::default()
        };
        let record = json!({
            "schema": 2, "experiment": "", "started": "", "platform": "", "plan": null,
            "outcome": {"state": "complete"}, "provenance": provenance,
            "statuses": [], "samples": [], "inspections": [],
        });
        fs::write(cell.dir(&dir).join("run.json"), record.to_string()).unwrap();
        fs::write(cell.dir(&dir).join("samples.csv"), "counts").unwrap();
        dir
    }

    fn merge(&self, parts: &[PathBuf]) -> Result<usize, String> {
        let merged = merge(&OutDir::given(self.path("out")), parts);
        merged.map(|(cells, _)| cells).map_err(|e| e.to_string())
    }

    /// Everything below the place, and how long it is.
    fn all(&self) -> Vec<(PathBuf, u64)> {
        let (mut all, mut dirs) = (Vec::new(), vec![self.place.path().to_owned()]);
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let (path, metadata) = {
                    let entry = entry.unwrap();
                    (entry.path(), entry.metadata().unwrap())
                };
                match metadata.is_dir() {
                    true => dirs.push(path),
                    false => all.push((path, metadata.len())),
                }
            }
        }
        all.sort();
        all
    }
}

#[test]
fn parts_of_one_build_are_put_together_and_stay_as_they_are() {
    let parts = Parts::new();
    let (one, two) = (parts.part("one", 0, "x"), parts.part("two", 1, "x"));
    fs::create_dir(parts.index.cells[0].dir(&one).join(".machine")).unwrap();
    let before = parts.all();
    assert_eq!(parts.merge(&[one, two]), Ok(2));
    let out = parts.path("out");
    assert_eq!(super::index::read(&out).unwrap(), parts.index);
    for cell in &parts.index.cells {
        let text = fs::read_to_string(cell.dir(&out).join("samples.csv"));
        assert_eq!(text.unwrap(), "counts");
    }
    let outside = |(path, _): &(PathBuf, u64)| !path.starts_with(&out);
    let after: Vec<_> = parts.all().into_iter().filter(outside).collect();
    assert_eq!(after, before);
}

/// What leads elsewhere, in names and by links, leaves everything as it was.
#[test]
fn a_part_that_leads_elsewhere_is_refused_and_nothing_is_written() {
    let id = |to: &str| {
        let to = to.to_owned();
        move |parts: &Parts, part: &Path| {
            let id = parts.index.cells[0].id.as_str();
            let text = fs::read_to_string(part.join(MATRIX)).unwrap();
            let to = to.replace("PLACE", parts.place.path().to_str().unwrap());
            let from = format!("\"id\": \"{id}\"");
            fs::write(
                part.join(MATRIX),
                text.replace(&from, &format!("\"id\": \"{to}\"")),
            )
            .unwrap();
        }
    };
    let linked = |name: &'static str| {
        move |parts: &Parts, part: &Path| {
            let cell = parts.index.cells[0].dir(part);
            let path = match name {
                "cells" => part.join("cells"),
                "cell" => cell,
                file => cell.join(file),
            };
            let aside = parts.path("aside");
            match path.exists() {
                true => fs::rename(&path, &aside).unwrap(),
                false => fs::write(&aside, "precious").unwrap(),
            }
            symlink(&aside, &path).unwrap();
        }
    };
    type Change = Box<dyn Fn(&Parts, &Path)>;
    let changes: [(Change, &str); 6] = [
        (Box::new(id("PLACE/two/cells/r2")), "no plain name"),
        (Box::new(id("../../.ssh")), "no plain name"),
        (Box::new(id("r2")), "matrix.json was changed"),
        (Box::new(linked("cells")), "does not follow it"),
        (Box::new(linked("cell")), "does not follow it"),
        (Box::new(linked("more.csv")), "does not follow it"),
    ];
    for (change, words) in changes {
        let parts = Parts::new();
        let (one, two) = (parts.part("one", 0, "x"), parts.part("two", 1, "x"));
        change(&parts, &one);
        let before = parts.all();
        let why = parts.merge(&[one, two]).unwrap_err();
        assert!(why.contains(words), "{why}");
        assert_eq!(parts.all(), before, "{words}");
    }
}

#[test]
fn parts_of_two_builds_are_refused() {
    let parts = Parts::new();
    let (one, two) = (parts.part("one", 0, "x"), parts.part("two", 1, "y"));
    let why = parts.merge(&[one, two]).unwrap_err();
    assert!(why.contains("different artifacts: exitlab binary"), "{why}");
    assert!(!parts.path("out").exists());
}
