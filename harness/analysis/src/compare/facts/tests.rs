use serde_json::json;

use super::*;
use crate::figures::fixture::{plan, record};

#[test]
fn what_decides_counts_comes_first_and_directories_decide_nothing() {
    let mut base = record();
    base.plan = plan(
        json!({"guest": {"vcpus": 1, "files": ["/a/x"]}, "sampling": {"schedule": ["boot", {"after": 5.0}]}}),
    );
    let mut head = base.clone();
    head.plan = plan(
        json!({"guest": {"vcpus": 2, "files": ["/b/x"]}, "sampling": {"schedule": ["boot", {"after": 5.0}]}}),
    );
    head.provenance.qemu = "8".to_owned();
    head.provenance.host_kernel.clear();
    let facts = Facts::of_record(&base);
    assert_eq!(facts.0["plan sampling.schedule"], "boot, after 5.0");
    let found = facts.differences(&Facts::of_record(&head));
    let names: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["host kernel", "QEMU", "plan guest.vcpus"]);
    assert_eq!(found[0].head, None);
}

#[test]
fn a_package_and_a_compiler_are_surroundings_and_the_kernel_and_the_conductor_are_none() {
    let mut base = record();
    base.provenance.packages = vec![("libc6".to_owned(), "2.36-9".to_owned())];
    base.provenance.host_image_digest = "an image".to_owned();
    let around = |change: &dyn Fn(&mut RunRecord)| {
        let mut head = base.clone();
        change(&mut head);
        let (base, head) = (Facts::of_record(&base), Facts::of_record(&head));
        let names = base.surroundings(&head).into_iter().map(|d| d.name);
        names.collect::<Vec<_>>().join(", ")
    };
    let kernel = |head: &mut RunRecord| {
        head.provenance.kernel_digest = "another kernel".to_owned();
        head.provenance.host_image_digest = "with it in it".to_owned();
        head.provenance.exitlab_digest = "another conductor".to_owned();
    };
    assert_eq!(around(&kernel), "");
    let package = |head: &mut RunRecord| head.provenance.packages[0].1 = "2".to_owned();
    assert_eq!(around(&package), "", "the image is the same bytes");
    let another = |head: &mut RunRecord| {
        package(head);
        kernel(head);
    };
    assert_eq!(around(&another), "package libc6");
    let init = |head: &mut RunRecord| head.provenance.host_image_digest = "x".to_owned();
    assert_eq!(around(&init), "host image");
    let compiler = |head: &mut RunRecord| {
        let gcc = ("gcc".to_owned(), "gcc 14".to_owned());
        head.provenance.kernel_inputs.push(gcc);
        kernel(head);
    };
    assert_eq!(around(&compiler), "kernel input gcc");
}

#[test]
fn another_attempt_is_no_repeat_and_none_of_the_kernels_work() {
    let base = Facts::of_record(&record());
    let mut again = record();
    again.attempts = 2;
    let again = Facts::of_record(&again);
    let expected = Difference {
        name: "attempts".to_owned(),
        base: Some("1".to_owned()),
        head: Some("2".to_owned()),
    };
    assert_eq!(base.conflict(&again), Some(expected.clone()));
    assert_eq!(base.surroundings(&again), [expected]);
    assert_eq!(again.conflict(&again), None);
}

#[test]
fn what_was_booted_is_seen_whatever_else_is_equal() {
    let mut base = record();
    base.provenance.booted = ["host kernel", "host boot disk", "BIOS"]
        .map(|name| (name.to_owned(), "a".to_owned()))
        .into();
    let with = |change: &dyn Fn(&mut RunRecord)| {
        let mut head = base.clone();
        change(&mut head);
        let (base, head) = (Facts::of_record(&base), Facts::of_record(&head));
        let names = |all: Vec<Difference>| all.into_iter().map(|d| d.name).collect();
        let all: Vec<String> = names(base.differences(&head));
        let around: Vec<String> = names(base.surroundings(&head));
        (all.join(", "), around.join(", "))
    };
    let booted = |head: &mut RunRecord, i: usize| head.provenance.booted[i].1 = "b".to_owned();
    let told = "booted host kernel".to_owned();
    assert_eq!(with(&|head| booted(head, 0)), (told.clone(), told));
    let (_, around) = with(&|head| {
        head.provenance.kernel_digest = "another kernel".to_owned();
        (0..3).for_each(|i| booted(head, i));
    });
    assert_eq!(around, "booted BIOS");
    let (_, around) = with(&|head| {
        head.plan = plan(json!({"kvm": [{"module": "kvm_intel", "name": "ept"}]}));
        booted(head, 1);
    });
    assert!(!around.contains("booted"), "{around}");
    assert!(
        with(&|head| head.provenance.booted.clear())
            .0
            .contains("booted BIOS")
    );
}

#[test]
fn another_binary_is_still_a_repeat_and_another_kernel_is_none() {
    let base = Facts::of_record(&record());
    let mut other = record();
    other.provenance.exitlab_digest = "x".to_owned();
    let mut random = other.plan.whole().clone();
    random["guest"]["seed"] = json!("random");
    other.plan = plan(random);
    assert_eq!(base.conflict(&Facts::of_record(&other)), None);
    other.provenance.kernel_digest = "y".to_owned();
    let conflict = base.conflict(&Facts::of_record(&other)).unwrap();
    assert_eq!(conflict.name, "kernel image");
}
