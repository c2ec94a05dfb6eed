//! Whole pages: what must hold of each of them.

mod hostile;
mod markup;

use exitlab_analysis::compare::{CellCounts, Comparison, Settings, Side, compare};
use exitlab_model::record::{Channel, Durations, Histogram, Outcome, RunRecord, Source};

use crate::fixture::{detailed, many, record, timed};
use crate::{Panel, is_report, panels, run, sides};
use markup::{tags, text};

/// The most that a page of the default experiment may weigh, bytes.
const MOST_BYTES: usize = 300_000;

/// Two sides of one cell, compared.
fn compared(base: &RunRecord, head: &RunRecord) -> Comparison {
    let side = |name: &str, record: &RunRecord| Side {
        name: name.to_owned(),
        cells: vec![
            CellCounts::of_record(record, Default::default(), Channel::Stats, name).unwrap(),
        ],
        left_out: Vec::new(),
    };
    compare(
        &side("base", base),
        &side("head", head),
        &Settings::default(),
    )
    .unwrap()
}

/// One page of each kind.
fn pages(record: &RunRecord) -> Vec<String> {
    let mut head = record.clone();
    for reading in head
        .samples
        .iter_mut()
        .filter_map(|s| s.stats_before.as_mut())
    {
        let most = reading.counts.iter_mut().max().unwrap();
        *most += 3;
    }
    let traces = head.samples.iter_mut().filter_map(|s| s.trace.as_mut());
    for histogram in traces.flat_map(|trace| &mut trace.details) {
        if let Some(last) = histogram.entries.last_mut() {
            last[2] += 3;
        }
    }
    let six: Vec<Panel> = (0..6)
        .map(|at| Panel::of(&format!("guest.vcpus={at}"), (at != 3).then_some(record)))
        .collect();
    vec![
        run(record),
        sides(&compared(record, &head)),
        panels(&record.experiment, &six),
    ]
}

#[test]
fn pages_are_whole_and_ask_nobody_for_anything() {
    let all = pages(&record()).into_iter().chain(pages(&timed()));
    for page in all.chain([run(&many(300))]) {
        assert!(is_report(page.as_bytes()));
        assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
        assert_eq!(
            page,
            exitlab_base::foreign::text(&page),
            "all of it is seen"
        );
        let tags = tags(&page);
        markup::assert_balanced(&tags);
        for tag in &tags {
            for (name, value) in &tag.attributes {
                let leads_away = ["src", "srcset", "action", "data", "style"]
                    .contains(&name.as_str())
                    || name.starts_with("on")
                    || name == "href" && !value.starts_with('#');
                assert!(!leads_away, "{tag:?}");
            }
        }
        let of = |name: &str| {
            tags.iter()
                .filter(|tag| tag.name == name && !tag.ends)
                .count()
        };
        assert_eq!(
            (of("script"), of("style"), of("link"), of("img")),
            (1, 1, 0, 0)
        );
        assert!(page.contains("default-src &#39;none&#39;"));
    }
}

#[test]
fn every_table_and_picture_speaks() {
    let all = pages(&record()).into_iter().chain(pages(&timed()));
    for page in all.chain([run(&many(20))]) {
        let tags = tags(&page);
        let has = |tag: &markup::Tag, name: &str| tag.attributes.iter().any(|(own, _)| own == name);
        let begins =
            |name: &'static str| tags.iter().filter(move |tag| tag.name == name && !tag.ends);
        assert!(begins("th").all(|tag| has(tag, "scope")));
        assert_eq!(begins("table").count(), begins("caption").count());
        assert!(begins("svg").all(|tag| has(tag, "aria-hidden") || has(tag, "aria-label")));
        let mut ids: Vec<&String> = tags
            .iter()
            .flat_map(|tag| &tag.attributes)
            .filter(|(name, _)| name == "id")
            .map(|(_, id)| id)
            .collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "each name stands for one thing");
        for link in begins("a") {
            let (_, to) = link
                .attributes
                .iter()
                .find(|(name, _)| name == "href")
                .unwrap();
            assert!(
                ids.iter().any(|id| format!("#{id}") == *to),
                "{to} leads nowhere"
            );
        }
    }
}

#[test]
fn equal_records_make_equal_pages() {
    assert_eq!(pages(&record()), pages(&record()));
}

#[test]
fn a_page_has_the_numbers_of_the_run() {
    let record = record();
    let page = text(&run(&record));
    let all: u64 = record.samples[0].counts().iter().sum();
    let all = exitlab_analysis::export::grouped(all.into());
    for words in [
        "complete",
        "until boot",
        &all,
        "every promise held",
        "CPUID",
        "svm",
    ] {
        assert!(page.contains(words), "no {words:?}");
    }
    assert!(!page.contains("Over time"));
}

#[test]
fn three_hundred_samples_are_lines() {
    let page = run(&many(300));
    assert!(text(&page).contains("Over time"));
    assert!(page.contains("between 300 samples, 299.0 s"));
    assert!(!text(&page).contains("Counts at each sample"));
}

#[test]
fn a_run_that_ended_badly_is_shown_with_what_it_has() {
    let mut record = record();
    record.outcome = Outcome::Failed {
        message: "the guest <panicked>".to_owned(),
    };
    record.samples.truncate(1);
    let page = run(&record);
    assert!(page.contains("failed: the guest &lt;panicked&gt;"));
    record.samples.clear();
    let page = text(&run(&record));
    assert!(page.contains("failed: the guest") && !page.contains("until boot"));
}

#[test]
fn what_differs_comes_with_its_verdict() {
    let record = record();
    let equal = text(&sides(&compared(&record, &record)));
    assert!(equal.contains("no difference in") && !equal.contains("Exits that differ"));
    let mut head = record.clone();
    for sample in &mut head.samples {
        sample.stats_before.as_mut().unwrap().counts[0x72] += 1;
    }
    head.provenance.host_kernel = "6.1".to_owned();
    let page = text(&sides(&compared(&record, &head)));
    for words in ["1 of ", "differs", "host kernel", "Exits that differ"] {
        assert!(page.contains(words), "no {words:?}");
    }
}

#[test]
fn details_and_places_are_folded_below_the_reasons() {
    let page = text(&run(&detailed()));
    for words in [
        "Below the reasons",
        "2 details",
        "write port 0x3f8 (COM1)",
        "Not counted on this host: MSRs; there is no tracepoint kvm_msr.",
        "Where in the guest",
        "3 places",
        "io_serial_out+0x10 [8250]",
        "0x7f0000001000 (user space)",
    ] {
        assert!(page.contains(words), "no {words:?}");
    }
    let plain = text(&run(&record()));
    assert!(!plain.contains("Below the reasons") && !plain.contains("Where in the guest"));
}

#[test]
fn times_are_told_with_their_bounds_and_halting_apart() {
    let page = run(&timed());
    let words = text(&page);
    for words_of in [
        "How long exits took",
        "Working: what KVM and the VMM did",
        "Halting: the guest waited until",
        " µs ±",
    ] {
        assert!(words.contains(words_of), "no {words_of:?}");
    }
    let before = |one: &str, other: &str| page.find(one).unwrap() < page.find(other).unwrap();
    assert!(before("Working: ", "Halting: "));
    assert!(!text(&run(&detailed())).contains("How long exits took"));
    let mut lacking = timed();
    for sample in &mut lacking.samples {
        let trace = sample.trace.as_mut().unwrap();
        let why = "it has no synthetic events".to_owned();
        trace.durations = Some(Durations {
            lacks: Some(why),
            ..Durations::default()
        });
    }
    let page = text(&run(&lacking));
    assert!(page.contains("Not taken on this host: it has no synthetic events."));
}

#[test]
fn more_details_than_fit_are_counted() {
    let mut record = detailed();
    for sample in &mut record.samples {
        let trace = sample.trace.as_mut().unwrap();
        let ports = (0..5_000).map(|port| [0x7b, port << 16, 1]).collect();
        trace.details[0] = Histogram::of(Source::Qualification, ports, 0);
        let places = (0..5_000)
            .map(|at| [0x7b, 0xffff_ffff_8100_0000 + at, 1])
            .collect();
        trace.details[1] = Histogram::of(Source::Place, places, 0);
    }
    let page = run(&record);
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    assert!(text(&page).contains("The 200 commonest of 5,000 details"));
    assert!(text(&page).contains("4,800 rarer details had 4,800 in all."));
}

#[test]
fn what_moved_stands_below_its_reason() {
    let base = detailed();
    let mut head = base.clone();
    for sample in &mut head.samples {
        sample.stats_before.as_mut().unwrap().counts[0x7b] += 7;
        let trace = sample.trace.as_mut().unwrap();
        trace.details[0].entries[0][2] += 7;
        trace.details[1].entries[1][2] += 7;
    }
    let page = text(&sides(&compared(&base, &head)));
    for words in [
        "write port 0x3f8 (COM1) +7",
        "from 0xfe05b (firmware or real mode) +7",
    ] {
        assert!(page.contains(words), "no {words:?}");
    }
}

#[test]
fn panels_have_one_scale_and_say_what_is_missing() {
    let record = record();
    let some = [Panel::of("a", Some(&record)), Panel::of("b", None)];
    let page = panels("matrix", &some);
    assert!(text(&page).contains("2 runs, 1 complete"));
    assert!(text(&page).contains("not run"));
    let many: Vec<Panel> = (0..70)
        .map(|at| Panel::of(&at.to_string(), Some(&record)))
        .collect();
    let page = panels("matrix", &many);
    assert!(text(&page).contains("… and 10 runs, of which the overview tells."));
}
