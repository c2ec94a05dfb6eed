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
