//! Kernels that trace, that are ready, that carry no census.

use super::*;

/// The kernel's own tracepoint counts what the census counts: every exit of every reason,
/// from the very first one on.
fn assert_trace(dir: &Path, samples: usize) {
    let record = record(dir);
    let taken = record["samples"].as_array().unwrap();
    assert_eq!(taken.len(), samples);
    for sample in taken {
        let (trace, stats) = (&sample["trace"], &sample["trace"]["stats"]);
        let numbers = |reading: &Value| -> Vec<u64> {
            let counts = reading["counts"].as_array().unwrap().iter();
            counts.map(|count| count.as_u64().unwrap()).collect()
        };
        let (events, counts) = (numbers(trace), numbers(stats));
        assert_eq!(events, counts, "sample {}", sample["number"]);
        assert_eq!(trace["other"], stats["other"]);
        let sum = events.iter().sum::<u64>() + trace["other"].as_u64().unwrap();
        assert_eq!(sum, stats["exits"], "KVM's own count");
        assert!(sum > 1000, "a guest that boots exits often: {sum}");
        assert_vcpus(trace, &events);
    }
    let table = read(dir, "table.md");
    assert!(
        table.contains("✓ The kernel's tracepoint counted the same"),
        "{table}"
    );
    assert!(!table.contains(['✗', '△']), "a check failed:\n{table}");
}

/// What the two vCPUs caused comes to what the guest did.
fn assert_vcpus(trace: &Value, events: &[u64]) {
    let vcpus = trace["vcpus"].as_array().unwrap();
    let mut sums = vec![0; events.len()];
    for vcpu in vcpus {
        let pairs = vcpu["counts"].as_array().unwrap().iter();
        let pairs: Vec<[u64; 2]> = pairs
            .map(|pair| serde_json::from_value(pair.clone()).unwrap())
            .collect();
        assert!(pairs.iter().any(|[_, count]| *count > 0));
        for [slot, count] in pairs {
            sums[slot as usize] += count;
        }
    }
    assert_eq!((vcpus.len(), &sums[..]), (2, events));
}

/// Details of ports, MSRs and all that the exit tells itself come to their reasons' counts.
fn assert_details(dir: &Path) {
    let table = read(dir, "table.md");
    assert!(table.contains("✓ Details come to"), "{table}");
    assert!(!table.contains("Not counted on this host"), "{table}");
    let details = read(dir, "details.csv");
    let wrong = details.lines().find(|line| line.contains(",remainder,"));
    let may = ["leaf", "mmio"];
    let excused = wrong.is_none_or(|line| may.iter().any(|kind| line.contains(kind)));
    assert!(excused, "{wrong:?}");
    for kind in ["port", "msr", "page-fault", "region", "injected-interrupt"] {
        assert!(details.contains(&format!(",{kind},")), "no {kind}");
    }
    // QEMU says which device is behind a transport, and what nothing answers.
    for told in [" of virtio-net-device,", ", no device\","] {
        assert!(details.contains(told), "no {told} in {details}");
    }
}

/// Places come to their reasons' counts, and the guest named those of its kernel: of HLT all.
fn assert_places(dir: &Path) {
    let table = read(dir, "table.md");
    assert!(!table.contains("has no names"), "{table}");
    let places = read(dir, "places.csv");
    let idle = [
        "pv_native_safe_halt+0x",
        "default_idle+0x",
        "acpi_safe_halt+0x",
    ];
    let hlt = if places.contains(",120,") {
        ",120,"
    } else {
        ",12,"
    };
    for halt in places.lines().filter(|line| line.contains(hlt)) {
        assert!(idle.iter().any(|name| halt.contains(name)), "{halt}");
    }
    // The SSH server runs when the guest is asked for its programs.
    for name in [idle[0], "native_write_cr4+0x", "dropbear+0x", "(dropbear)"] {
        assert!(places.contains(name), "no {name}");
    }
}

/// Each exit has a time but the last ones of both vCPUs, and the census's cycles hold it; an idle
/// guest's time is that of halting.
fn assert_times(dir: &Path) {
    let table = read(dir, "table.md");
    for held in [
        "✓ Each exit has a time",
        "✓ The times of each reason fit into its cycles",
    ] {
        assert!(table.contains(held), "{table}");
    }
    let times = read(dir, "times.csv");
    let line = |phase: &str, name: &str| -> Vec<u64> {
        let mut lines = times.lines().filter(|line| line.starts_with(phase));
        let found = lines.find(|line| line.contains(&format!(",,{name},")));
        let figures = found.unwrap().splitn(8, ',').nth(7).unwrap().split(',');
        figures.map(|figure| figure.parse().unwrap_or(0)).collect()
    };
    let (working, halting) = (
        line("1,3,idle,2,", "working"),
        line("1,3,idle,2,", "halting"),
    );
    let [sum, exits, count] = [2, 0, 1];
    assert!(halting[sum] > 10 * working[sum], "{working:?} {halting:?}");
    let open = working[exits] + halting[exits] - working[count] - halting[count];
    assert!(open <= 2, "{open} exits without a time");
    // Least, percentiles, most: at least and at most, and one after the other.
    for figures in [&working[4..], &halting[4..]] {
        assert_eq!(figures.len(), 10);
        assert!(
            figures.chunks(2).all(|bounds| bounds[0] <= bounds[1]),
            "{figures:?}"
        );
        let least: Vec<u64> = figures.iter().step_by(2).copied().collect();
        assert!(least.is_sorted(), "{least:?}");
    }
}

const TRACE: &str = "sampling.channels=[\"cpuid\", \"stats\", \"trace\"]";

fn the_tracepoint_counts_the_same(processor: &Processor) {
    let place = Place::new();
    let platform = format!("platform={}", processor.platform);
    let outcome = experiment(
        &place,
        "out",
        &[
            TRACE,
            "sampling.detail=true",
            "sampling.places=true",
            "sampling.time=true",
            "sampling.cycles=true",
            &platform,
            "guest.machine=microvm",
            "guest.vcpus=2",
        ],
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_trace(&place.path("out"), 3);
    assert_details(&place.path("out"));
    assert_places(&place.path("out"));
    assert_times(&place.path("out"));
}

#[test]
fn the_tracepoint_counts_the_same_on_bochs_vmx() {
    the_tracepoint_counts_the_same(&INTEL);
}

#[test]
fn the_tracepoint_counts_the_same_on_tcg_svm() {
    the_tracepoint_counts_the_same(&AMD);
}

/// A kernel that is in the cache, as an image of the user's own.
pub fn ready_image() -> String {
    format!("kernel.source=image:{}", built(&["kernel"]).display())
}

#[test]
fn a_ready_image_is_booted_as_it_is() {
    let place = Place::new();
    let image = ready_image();
    let outcome = experiment(&place, "out", &[&image, QUICK[0], QUICK[1]]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let provenance = &record(&place.path("out"))["provenance"];
    let path = image.strip_prefix("kernel.source=image:").unwrap();
    let digest = blake3::hash(&std::fs::read(path).unwrap());
    assert_eq!(provenance["kernel_digest"], digest.to_hex().as_str());
    assert_eq!(provenance["kernel_inputs"][0][0], "image");
    let table = read(&place.path("out"), "table.md");
    assert!(!table.contains(['✗', '△']), "a check failed:\n{table}");
}

#[test]
fn a_host_that_cannot_trace_is_recognised() {
    let place = Place::new();
    let image = ready_image();
    let outcome = experiment(&place, "out", &[&image, TRACE, QUICK[0], QUICK[1]]);
    outcome.assert_failed(5, &["kvm_exit", "CONFIG_FTRACE", "trace.config", "cure:"]);
}

#[test]
fn without_channels_commands_run_on_a_kernel_without_the_census() {
    let place = Place::new();
    let sets = [
        "kernel.census=false",
        QUICK[0],
        QUICK[1],
        "sampling.channels=[]",
        "inspect=[\"exit-sampler spin cpuid 100\", \"exit-sampler spin hypercall 100\"]",
    ];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let record = record(&place.path("out"));
    assert_eq!(record["samples"].as_array().unwrap().len(), 0);
    for (at, instruction) in ["cpuid", "hypercall"].iter().enumerate() {
        let inspection = &record["inspections"][at];
        let stdout = inspection["stdout"].as_str().unwrap();
        let start = format!("spin {instruction} per_block 16 blocks 100 min ");
        assert!(stdout.starts_with(&start), "{inspection}");
        assert_eq!(inspection.get("before"), None);
    }
}

/// Left to exitlab, the channel is the tracepoint, and its sum is KVM's own count.
#[test]
fn without_the_census_the_tracepoint_counts_alone() {
    let place = Place::new();
    let sets = ["kernel.census=false", QUICK[0], QUICK[1]];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let record = record(&place.path("out"));
    assert_eq!(
        record["plan"]["sampling"]["channels"],
        serde_json::json!(["trace"])
    );
    for sample in record["samples"].as_array().unwrap() {
        let trace = &sample["trace"];
        let counts = trace["counts"].as_array().unwrap().iter();
        let sum = counts.map(|count| count.as_u64().unwrap()).sum::<u64>();
        let sum = sum + trace["other"].as_u64().unwrap();
        assert_eq!(trace["exits"]["least"], sum);
        assert_eq!(trace["exits"]["most"], sum);
        assert_eq!((sample.get("cpuid"), trace.get("stats")), (None, None));
    }
    let table = read(&place.path("out"), "table.md");
    assert!(
        table.contains("✓ The kernel's tracepoint counted every exit"),
        "{table}"
    );
    assert!(!table.contains(['✗', '△']), "a check failed:\n{table}");
}

#[test]
fn a_kernel_without_the_census_is_recognised() {
    let place = Place::new();
    let channels = "sampling.channels=[\"cpuid\", \"stats\"]";
    let sets = ["kernel.census=false", channels, QUICK[0], QUICK[1]];
    let outcome = experiment(&place, "out", &sets);
    outcome.assert_failed(5, &["carries no exit census", "kernel.census", "cure:"]);
    assert!(
        !place.path("out/counts.csv").exists(),
        "no table of nonsense"
    );
    assert_eq!(record(&place.path("out"))["outcome"]["state"], "failed");
}
