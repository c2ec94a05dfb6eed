use super::*;
use crate::compare::fixture::{cell, noisy};
use exitlab_model::reasons::Isa;

fn read(content: &str) -> Result<Vec<CellCounts>> {
    document::read(&Text::new("baseline.toml", content)).map_err(|problem| as_error(vec![problem]))
}

fn cells() -> Vec<CellCounts> {
    let mut repeated = cell(Isa::Vmx, false);
    repeated.absorb(cell(Isa::Vmx, false));
    repeated
        .key
        .values
        .insert("guest.machine".to_owned(), "a \"b\"".to_owned());
    vec![
        repeated,
        cell(Isa::Svm, true),
        noisy("n", &[100.0, 5.0], 0.0, 3),
    ]
}

#[test]
fn cells_come_back() {
    let cells = cells();
    let written = text(&cells);
    insta::assert_snapshot!(written);
    let mut back = read(&written).unwrap();
    assert_eq!(text(&back), written, "the same text again");
    back.sort_by(|one, other| one.key.cmp(&other.key));
    let mut cells = cells;
    cells.sort_by(|one, other| one.key.cmp(&other.key));
    for (cell, back) in cells.iter().zip(&back) {
        assert_eq!(
            (&cell.key, &cell.facts, cell.repeats),
            (&back.key, &back.facts, back.repeats)
        );
        assert_eq!(cell.phases, back.phases);
    }
}

#[test]
fn error_texts() {
    let good = text(&cells()[1..2]);
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        let error = read(&good.replacen(from, to, 1)).unwrap_err();
        format!("{error}\n  cure: {}\n", error.cure())
    };
    let texts = [
        changed("schema = 1", "schema = 2"),
        changed("repeats = 1", "repeats = 0"),
        changed("channel = \"stats\"", "chanel = \"stats\""),
        changed("\"0x072 CPUID\"", "\"CPUID\""),
        changed("\"0x072 CPUID\" = { exits", "\"0x072 CPUID\" = { exit"),
        changed(
            "\"0x072 CPUID\" = { exits = ",
            "\"0x072 CPUID\" = [1, 2]\n\"0x100\" = { exits = ",
        ),
        changed("\"0x072 CPUID\"", "\"0x400 NPF again\""),
        changed("phases = [\"boot\", ", "phases = ["),
        format!("{}\n", read("schema = 1\n").unwrap_err()),
        format!(
            "{}\n",
            read(&format!(
                "{good}{}",
                &good[good.find("\n[[cell]]").unwrap()..]
            ))
            .unwrap_err()
        ),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn an_update_keeps_what_no_run_was_given_for_and_save_overwrites_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("b.toml");
    let side = |cells: &[CellCounts]| Side {
        name: "runs".to_owned(),
        cells: cells.to_vec(),
        left_out: Vec::new(),
    };
    let all = cells();
    save(&path, &side(&all[..2])).unwrap();
    assert_eq!(
        save(&path, &side(&all)).unwrap_err().exit_code(),
        exitlab_base::error::exit_code::CONFIG
    );

    let same = Update::of(&path, side(&all[1..2]), &Settings::default()).unwrap();
    assert!(!same.changes && same.kept.len() == 1 && same.added.is_empty());
    let mut changed = all[1].clone();
    changed.phases[0].reasons.get_mut(&0x72).unwrap().exits[0] += 1;
    let update = Update::of(
        &path,
        side(&[changed, all[2].clone()]),
        &Settings::default(),
    )
    .unwrap();
    assert!(update.changes && update.added == ["synthetic on nested"]);
    let differs = update.comparison.as_ref().unwrap();
    assert_eq!(
        differs.count(|verdict| verdict == crate::compare::Verdict::Differs),
        1
    );
    assert_eq!(load(&path).unwrap().len(), 2, "nothing is written yet");
    update.write().unwrap();
    assert_eq!(load(&path).unwrap().len(), 3);
}
