//! Rules of the leaves: is there a census, and is every leaf of its form answered?

use exitlab_abi::{DISCOVERY, LEAF_MAPS, MAP_SHIFT};
use exitlab_model::rule::{Rule, Verdict};

use super::super::bench::Bench;
use super::super::guest::Step;
use super::super::leaves::POISON;
use super::super::look;
use super::super::shape::Shape;
use super::super::trouble::Result;
use super::verdict::{holds, looks_like};

/// What a leaf that no kernel answers is like.
const NOBODYS: &str = "answers what CPUID answers for a leaf that nobody defines";

/// The leaf of counts answers something that an unpatched KVM does not.
pub fn present(bench: &Bench) -> Result<Verdict> {
    let shape = look::see(bench)?;
    bench.learn(shape.clone());
    let (map, asked) = (bench.map, bench.asked());
    if !shape.answers(asked) {
        let (shape, _) = look::see_rest(shape, bench)?;
        bench.learn(shape.clone());
        let seen = format!("leaf {asked:#x} {NOBODYS}");
        return looks_like(elsewhere(&shape), seen);
    }
    let mut vm = bench.maker.vm(1)?;
    if !bench.has_discovery(&mut vm)? {
        return holds(format!(
            "leaf map {}, without exitlab's discovery leaf",
            map.number
        ));
    }
    let answer = vm.run(&[Step::cpuid(DISCOVERY, 0, POISON)])?[0];
    let said = answer.ebx >> MAP_SHIFT & 0xff;
    if said != u32::from(map.number) {
        let seen = format!(
            "the discovery leaf says leaf map {said}, asked for was {}",
            map.number
        );
        return looks_like("the option that names the leaf map", seen);
    }
    holds(format!(
        "leaf map {}, with exitlab's discovery leaf",
        map.number
    ))
}

/// What there is instead of the leaf that was asked for.
fn elsewhere(shape: &Shape) -> String {
    let by_reason = LEAF_MAPS.iter().find(|map| {
        let leaf = shape.leaf(map.count);
        leaf.counts_in.is_some() && !leaf.ignores_ecx
    });
    if let Some(map) = by_reason {
        return format!(
            "another form: leaf {:#x} counts by reason, as in leaf map {}; say --profile map-{1}",
            map.count, map.number
        );
    }
    let totals = LEAF_MAPS.iter().find(|map| {
        let leaf = shape.leaf(map.total_count);
        leaf.counts_in.is_some() && leaf.ignores_ecx
    });
    match totals {
        Some(map) => format!(
            "another form: leaf {:#x} counts all exits; say --profile totals",
            map.total_count
        ),
        None => "an unpatched kernel, other leaf numbers, or leaves switched off".to_owned(),
    }
}

/// Each leaf of the form is answered.
pub fn every_leaf(bench: &Bench) -> Result<Verdict> {
    let map = bench.map;
    let (shape, harm) = look::see_rest(bench.shape(), bench)?;
    bench.learn(shape.clone());
    if let Some((leaf, trouble)) = harm {
        return Ok(match trouble.verdict(Rule::Leaves) {
            Verdict::Broken {
                seen,
                looks_like,
                mistake,
            } => Verdict::Broken {
                seen: format!("leaf {leaf:#x} was read: {seen}"),
                looks_like,
                mistake,
            },
            other => other,
        });
    }
    let mut form = vec![
        (map.total_count, "the total count"),
        (map.total_cycles, "the total cycles"),
    ];
    if map.shares_totals() {
        form = vec![(map.total_count, "the totals")];
    }
    if !bench.order.totals_only {
        form.insert(0, (map.count, "the count of a reason"));
        // Map 1 is the form of an assignment that has no such leaf.
        if map.number != LEAF_MAPS[0].number {
            form.push((map.cycles, "the cycles of a reason"));
        }
    }
    let missing = form.iter().filter(|(leaf, _)| !shape.answers(*leaf));
    let missing: Vec<String> = missing
        .map(|(leaf, what)| format!("leaf {leaf:#x} ({what}) {NOBODYS}"))
        .collect();
    if missing.is_empty() {
        let leaves: Vec<String> = form.iter().map(|(leaf, _)| format!("{leaf:#x}")).collect();
        return holds(format!("{} answered", leaves.join(", ")));
    }
    let why = "a leaf that the kernel's code never answers";
    looks_like(why, missing.join("; "))
}
