//! What the agent is told by others, as bytes: QEMU, the sampler in the guest, the kernel's
//! histograms. For the fuzzer, and for the tests that replay its seeds.

use exitlab_model::reasons::{Isa, ReasonTable};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::census::Counted;
use crate::{qmp, sampler, trace};

/// Lines of `exit-sampler`.
pub fn sampler(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines() {
        for counted in every_kind() {
            sampler::any_answer(line, counted);
        }
    }
}

/// A histogram of `kvm_exit`.
pub fn histogram(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for isa in [Isa::Vmx, Isa::Svm] {
        let _ = trace::tally(&text, &[91, 92].into(), ReasonTable::of(isa));
        trace::any_details(&text, &[91, 92].into(), isa);
    }
    trace::any_durations(&text, &[91, 92].into());
}

/// The kernel's ring buffer: the format of its events, a zero, and pages.
pub fn ring(data: &[u8]) {
    for isa in [Isa::Vmx, Isa::Svm] {
        trace::any_ring(data, ReasonTable::of(isa));
    }
}

/// All that QEMU sends in a session, from its greeting on.
pub fn qmp(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let Ok((ours, mut theirs)) = UnixStream::pair() else {
            return;
        };
        let data = data.to_vec();
        let talk = tokio::spawn(async move {
            let _ = theirs.write_all(&data).await;
            let _ = theirs.shutdown().await;
            theirs
        });
        let [counted, ..] = every_kind();
        qmp::any_session(ours, counted).await;
        talk.abort();
    });
}

fn every_kind() -> [Counted; 4] {
    let kind = |isa, cycles| Counted {
        reasons: ReasonTable::of(isa),
        cycles,
    };
    [
        kind(Isa::Vmx, true),
        kind(Isa::Svm, true),
        kind(Isa::Vmx, false),
        kind(Isa::Svm, false),
    ]
}

#[cfg(test)]
mod tests {
    use exitlab_fixtures::fuzz::replay;

    #[test]
    fn nothing_that_qemu_the_guest_or_the_kernel_says_panics() {
        replay("sampler", super::sampler);
        replay("histogram", super::histogram);
        replay("ring", super::ring);
        replay("qmp", super::qmp);
    }
}
