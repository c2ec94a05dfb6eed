//! Lists of values.

use super::resolve_text;
use crate::Matrix;
use exitlab_model::plan::Machine;

#[test]
fn lists_of_values_make_a_matrix() {
    let text = "name = 'x'\nrepeat = 2\n[guest]\nmachine = ['q35', 'microvm']\n\
                [kvm_intel]\nept = [true,\n false]\n";
    let of = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        resolve_text(text.to_owned(), &sets)
    };
    let ids = |matrix: &Matrix| {
        let ids: Vec<&str> = matrix.cells.iter().map(|cell| cell.id.as_str()).collect();
        ids.join(" ")
    };
    let matrix = of(&[]).expect("a good matrix");
    assert_eq!((matrix.cells.len(), matrix.repeat), (8, 2));
    let [first, .., last] = matrix.cells.as_slice() else {
        panic!("no cells")
    };
    assert_eq!(first.id, "guest.machine=q35,kvm_intel.ept=true,r1");
    assert_eq!(first.plan.guest.machine, Machine::Q35);
    assert_eq!(last.values["kvm_intel.ept"], "false");
    assert_eq!(last.plan.kvm[0].value, "0");

    // A `--set` takes an axis away, and another adds one.
    let sets = [
        "kvm_intel.ept=true",
        "repeat=1",
        "guest.vcpus=[1, 2]",
        "guest.machine=pc",
    ];
    let matrix = of(&sets).expect("a good matrix");
    assert_eq!(ids(&matrix), "guest.vcpus=1,r1 guest.vcpus=2,r1");
    assert_eq!(matrix.cells[1].plan.guest.machine, Machine::Pc);

    let wrong = |sets: &[&str]| {
        let error = of(sets).expect_err("wrong");
        format!("{error} | {}", error.cure())
    };
    let cases = [
        wrong(&["guest.vcpus=[]"]),
        wrong(&["guest.vcpus=[1, 1]"]),
        wrong(&["guest.vcpus=[1, 99]"]),
        wrong(&["repeat=0"]),
        wrong(&["repeat=[1, 2]"]),
        wrong(&["name=['a', 'b']"]),
    ];
    insta::assert_snapshot!(cases.join("\n\n"));
}

#[test]
fn the_bound_on_cells_counts_repeats_and_is_known_before_any_cell_is_made() {
    let of = |text: &str| {
        let started = std::time::Instant::now();
        let error = resolve_text(text.to_owned(), &[]).expect_err("too many");
        // Half a million plans take longer, and gigabytes.
        assert!(started.elapsed() < std::time::Duration::from_secs(5));
        error.to_string()
    };
    let list = |count: u32| {
        let values: Vec<String> = (1..=count).map(|n| format!("'w{n}'")).collect();
        values.join(", ")
    };
    let text = format!(
        "name = 'x'\nrepeat = 1000\n[guest]\ncmdline = [{}]\nseed = [{}]\n",
        list(24),
        list(24)
    );
    let error = of(&text);
    let counted = "576 combinations, each 1000 times, are 576000 cells, more than 10000";
    assert!(error.contains(counted), "{error}");
    let text = format!("name = 'x'\n[guest]\ncmdline = [{}]\n", list(10_001));
    let error = of(&text);
    assert!(
        error.contains("10001 combinations, more than 10000"),
        "{error}"
    );
}
