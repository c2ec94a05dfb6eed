//! Whether two cells are of one plan. Counts of unlike plans differ by design, so what a limit
//! says of them says nothing of the kernel: fewer exits of a smaller experiment are no
//! improvement.

use super::counts::CellCounts;
use super::facts::{Difference, is_under_test};
use super::plan_key::{PLAN, decides_nothing, is_of};

/// In what two cells are not of one plan, by the keys of the configuration. The kernel under
/// test and its parameters are what is compared, and no part of it.
pub(crate) fn unlike(base: &CellCounts, head: &CellCounts) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differs = |name: &str, base: &str, head: &str| {
        if base != head {
            found.push(Difference {
                name: name.to_owned(),
                base: Some(base.to_owned()),
                head: Some(head.to_owned()),
            });
        }
    };
    differs("name", &base.key.experiment, &head.key.experiment);
    match (says_its_plan(base), says_its_plan(head)) {
        (true, false) => differs("plan", "known", "not said"),
        (false, true) => differs("plan", "not said", "known"),
        _ => found.extend(of_the_plans(base, head)),
    }
    if found.is_empty() && base.phase_names() != head.phase_names() {
        found.push(Difference {
            name: "phase".to_owned(),
            base: Some(base.phase_names().join(", ")),
            head: Some(head.phase_names().join(", ")),
        });
    }
    found
}

fn says_its_plan(cell: &CellCounts) -> bool {
    cell.facts.0.keys().any(|name| name.starts_with(PLAN))
}

fn of_the_plans(base: &CellCounts, head: &CellCounts) -> Vec<Difference> {
    // Where keys of a guest are random, their seed is.
    let seed_decides = head.key.repeatable();
    let decides = |name: &str| !decides_nothing(name) && (seed_decides || name != "guest.seed");
    let differences = base.facts.differences(&head.facts).into_iter();
    let differences = differences.filter(|d| !is_under_test(d));
    let of_plan = differences.filter_map(|mut difference| {
        difference.name = difference.name.strip_prefix(PLAN)?.to_owned();
        decides(&difference.name).then_some(difference)
    });
    of_plan.collect()
}

/// Whether two cells say the same of a key of the configuration, whichever of them has it for
/// an axis of its matrix: each by its plan.
pub(super) fn say_the_same_of(key: &str, one: &CellCounts, other: &CellCounts) -> bool {
    if key == "platform" {
        return one.key.platform == other.key.platform;
    }
    let parameter = format!("parameter {key}");
    let of_key = |name: &str| match name.strip_prefix(PLAN) {
        Some(name) => is_of(name, key),
        None => name == parameter,
    };
    let differences = one.facts.differences(&other.facts);
    differences.iter().all(|d| !of_key(&d.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::planned;

    fn names(base: &CellCounts, head: &CellCounts) -> Vec<String> {
        unlike(base, head).into_iter().map(|d| d.name).collect()
    }

    #[test]
    fn what_decides_counts_makes_plans_unlike() {
        let base = planned("e", &[("guest.machine", "q35"), ("guest.vcpus", "1")]);
        assert_eq!(names(&base, &base), Vec::<String>::new());
        for (key, value) in [
            ("guest.machine", "microvm"),
            ("guest.cmdline", "quiet"),
            ("guest.seed", "another"),
            ("sampling.schedule", "boot"),
            ("sampling.channels", "stats"),
            ("sampling.detail", "true"),
            ("sampling.places", "true"),
            ("sampling.log", "1000000"),
            ("phases", "name cpu repeat 1 run x"),
            ("host.cpus", "2"),
            ("host.memory_mib", "512"),
            ("a_key_of_tomorrow", "x"),
        ] {
            let mut head = base.clone();
            head.facts.0.insert(format!("plan {key}"), value.to_owned());
            assert_eq!(names(&base, &head), [key]);
            assert_eq!(names(&head, &base), [key]);
        }
        for key in [
            "deadlines.silence_s",
            "platform_choice",
            "inspect",
            "kernel.source.tree",
            "kernel.patches",
            "kvm",
            "host.ssh_config",
        ] {
            let mut head = base.clone();
            head.facts.0.insert(format!("plan {key}"), "x".to_owned());
            assert_eq!(names(&base, &head), Vec::<String>::new(), "{key}");
        }
        let mut head = base.clone();
        let line = "kvm_amd.npt=0 kvm.halt_poll_ns=0".to_owned();
        head.facts.0.insert("plan host.cmdline".to_owned(), line);
        assert_eq!(names(&base, &head), Vec::<String>::new());
        let line = "kvm_amd.npt=0 mitigations=off".to_owned();
        head.facts.0.insert("plan host.cmdline".to_owned(), line);
        assert_eq!(names(&base, &head), ["host.cmdline"]);
        let other = planned("f", &[("guest.machine", "q35"), ("guest.vcpus", "1")]);
        assert_eq!(names(&base, &other), ["name"]);
    }

    #[test]
    fn a_plan_that_is_not_said_and_other_phases_are_unlike_too() {
        let base = planned("e", &[("guest.machine", "q35")]);
        assert_eq!(names(&planned("e", &[]), &base), ["plan"]);
        let mut head = base.clone();
        head.phases.truncate(1);
        assert_eq!(names(&base, &head), ["phase"]);
    }
}
