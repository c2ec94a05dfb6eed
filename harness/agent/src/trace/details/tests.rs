use super::*;

const VMX: Below = Below {
    isa: Isa::Vmx,
    detail: true,
    places: false,
    time: false,
    vcpus: 1,
};

const SVM: Below = Below {
    isa: Isa::Svm,
    ..VMX
};

#[test]
fn only_what_is_asked_for_is_counted() {
    let sources = |below| {
        let root = kernel(&[]);
        let details = Details::arm(root.path(), below).unwrap();
        let read = details.read(&BTreeSet::new()).unwrap();
        read.iter().map(|h| h.source).collect::<Vec<_>>()
    };
    let places = Below {
        detail: false,
        places: true,
        ..VMX
    };
    assert_eq!(sources(places), [Source::Place]);
    assert!(!sources(VMX).contains(&Source::Place));
    assert!(sources(VMX).contains(&Source::Interruption));
    assert!(!sources(SVM).contains(&Source::Interruption));
}

/// A kernel with these tracepoints and fields.
fn kernel(events: &[(&str, &[&str])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (event, fields) in events {
        let dir = root.path().join("events/kvm").join(event);
        std::fs::create_dir_all(&dir).unwrap();
        let lines = fields
            .iter()
            .map(|field| format!("\tfield:unsigned int {field};\toffset:8;\tsize:4;\tsigned:0;\n"));
        std::fs::write(dir.join("format"), lines.collect::<String>()).unwrap();
        std::fs::write(dir.join("trigger"), "").unwrap();
    }
    root
}

fn histogram(root: &Path, event: &str, text: &str) {
    std::fs::write(root.join("events/kvm").join(event).join("hist"), text).unwrap();
}

#[test]
fn what_a_kernel_lacks_is_said_and_the_rest_is_counted_by_threads_of_the_vm() {
    let root = kernel(&[("kvm_msr", &["ecx", "write"]), ("kvm_cpuid", &["function"])]);
    let details = Details::arm(root.path(), SVM).unwrap();
    let trigger = |event: &str| {
        let path = root.path().join("events/kvm").join(event).join("trigger");
        std::fs::read_to_string(path).unwrap()
    };
    assert_eq!(
        trigger("kvm_msr"),
        "hist:keys=common_pid,ecx,write:size=4096"
    );
    assert_eq!(
        trigger("kvm_cpuid"),
        "hist:keys=common_pid,function:size=8192"
    );
    let entries = "{ common_pid: 91, ecx: 16, write: 1 } hitcount: 5
        { common_pid: 92, ecx: 16, write: 1 } hitcount: 6
        { common_pid: 93, ecx: 16, write: 1 } hitcount: 70
        Dropped: 2";
    histogram(root.path(), "kvm_msr", entries);
    let leaf = "{ common_pid: 91, function: 7 } hitcount: 1\nDropped: 0";
    histogram(root.path(), "kvm_cpuid", leaf);
    let read = details.read(&BTreeSet::from([91, 92])).unwrap();
    let of = |source| read.iter().find(|h| h.source == source).unwrap();
    assert_eq!(of(Source::Msr).entries, [[16, 1, 11]]);
    assert_eq!(of(Source::Msr).dropped, 2);
    assert_eq!(of(Source::Cpuid).entries, [[7, 0, 1]]);
    let lacks = of(Source::Mmio).lacks.as_deref().unwrap();
    assert_eq!(lacks, "KVM has no tracepoint kvm_mmio");

    let older = kernel(&[("kvm_msr", &["ecx"])]);
    let details = Details::arm(older.path(), SVM).unwrap();
    let read = details.read(&BTreeSet::new()).unwrap();
    let msr = read.iter().find(|h| h.source == Source::Msr).unwrap();
    let lacks = msr.lacks.as_deref().unwrap();
    assert_eq!(lacks, "KVM's tracepoint kvm_msr has no field write");
}

#[test]
fn a_histogram_that_is_none_is_an_error() {
    let root = kernel(&[("kvm_hypercall", &["nr"])]);
    let details = Details::arm(root.path(), VMX).unwrap();
    for (text, why) in [
        ("{ common_pid: 91, nr: x } hitcount: 5\nDropped: 0", "nr: x"),
        (
            "{ common_pid: 91, nr: 9 } hitcount: 5",
            "does not say what it dropped",
        ),
    ] {
        histogram(root.path(), "kvm_hypercall", text);
        let error = details.read(&BTreeSet::from([91])).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
