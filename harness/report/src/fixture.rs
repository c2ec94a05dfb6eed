//! Records for tests: a real one, and others that are made of it.

use exitlab_fixtures::runs::TCG_SVM;
use exitlab_model::record::RunRecord;

/// The default experiment on `tcg-svm`.
pub fn record() -> RunRecord {
    serde_json::from_str(TCG_SVM).unwrap()
}

/// The same with so many samples, each a second after the one before.
pub fn many(samples: usize) -> RunRecord {
    let mut record = record();
    let first = record.samples[0].clone();
    let grown: Vec<u64> = {
        let counts = |at: usize| record.samples[at].counts().to_vec();
        let (one, two) = (counts(1), counts(2));
        two.iter().zip(&one).map(|(two, one)| two - one).collect()
    };
    record.samples = (0..samples)
        .map(|at| {
            let mut sample = first.clone();
            sample.number = at as u32 + 1;
            if at > 0 {
                sample.label = "+1s".to_owned();
                sample.phase = "idle".to_owned();
            }
            let seconds = at as f64;
            sample.clocks.host_s += seconds;
            sample.clocks.host_tsc += (seconds * 1e9) as u64;
            sample.clocks.guest_s = sample.clocks.guest_s.map(|start| start + seconds);
            for (count, more) in sample.cpuid.as_mut().unwrap().counts.iter_mut().zip(&grown) {
                // Not the same in each interval: a line shall be seen.
                *count += more * at as u64 + (at as u64 % 7) * (more / 9);
            }
            sample
        })
        .collect();
    record
}
