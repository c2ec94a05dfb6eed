use super::*;
use crate::figures::fixture;

fn detail(isa: Isa, source: Source, one: u64, other: u64) -> Detail {
    let decoder = Decoder {
        symbols: Symbols::default(),
        isa,
        nested: true,
        machine: Some("q35"),
        map: None,
    };
    decoder.decode(source, [one, other]).unwrap()
}

/// Reason, kind, key, direction and name.
fn words(isa: Isa, source: Source, one: u64, other: u64) -> String {
    let detail = detail(isa, source, one, other);
    let (kind, key) = (detail.kind.name(), detail.key);
    let reason = detail.reason.map_or("-".to_owned(), |n| isa.label(n));
    let name = detail.name.unwrap_or_default();
    format!("{reason} {kind} {key:#x} [{}] {name}", detail.direction)
}

#[test]
fn what_a_real_intel_exit_tells_is_understood() {
    for (reason, info, expected) in [
        (30, 0x3f8_0000, "30 port 0x3f8 [write] COM1"),
        (
            30,
            0xcfc_0009,
            "30 port 0xcfc [read] PCI configuration data",
        ),
        (30, 0x511_0038, "30 port 0x511 [read string] fw_cfg data"),
        (28, 0x100, "28 control-register 0x0 [write] "),
        (28, 0x14, "28 control-register 0x4 [read] "),
        (29, 0x17, "29 debug-register 0x7 [read] "),
        (44, 0x10b0, "44 apic-register 0xb0 [write] EOI"),
        (48, 0x181, "48 page-fault 0x181 [read] not mapped"),
        (48, 0x18a, "48 page-fault 0x18a [write] write-protected"),
        (
            48,
            0x81,
            "48 page-fault 0x81 [read] not mapped, in the guest's page tables",
        ),
    ] {
        let found = words(Isa::Vmx, Source::Qualification, reason, info);
        assert_eq!(found, expected);
    }
}

#[test]
fn what_kvm_tells_on_a_real_intel_host_is_understood() {
    let of = |source, one, other| words(Isa::Vmx, source, one, other);
    for (found, expected) in [
        (
            of(Source::Interruption, 1, 0x8000_00ec),
            "1 interrupt 0xec [] Linux: local timer",
        ),
        (
            of(Source::Interruption, 0, 0x8000_0306),
            "0 exception 0x6 [] #UD invalid opcode",
        ),
        (
            of(Source::Msr, 0x6e0, 1),
            "32 msr 0x6e0 [write] IA32_TSC_DEADLINE",
        ),
        (of(Source::Msr, 0x1b, 0), "31 msr 0x1b [read] IA32_APICBASE"),
        (
            of(Source::Mmio, 1, 0xfec0_0010),
            "49 mmio 0xfec00010 [read] I/O APIC",
        ),
        (
            of(Source::Place, 0x8000_0021, 0xfff0),
            "33 place 0xfff0 [] firmware or real mode",
        ),
        (
            of(Source::Hypercall, 9, 0),
            "18 hypercall 0x9 [] CLOCK_PAIRING",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn keys_of_a_real_amd_host_are_understood() {
    let of = |source, one, other| words(Isa::Svm, source, one, other);
    let info = Source::Qualification;
    for (found, expected) in [
        (of(info, 0x7b, 0x3f8_0010), "0x07b port 0x3f8 [write] COM1"),
        (
            of(info, 0x7b, 0xcfc_0041),
            "0x07b port 0xcfc [read] PCI configuration data",
        ),
        (
            of(info, 0x400, 0x1_0000_000e),
            "0x400 page-fault 0x10000000e [write] a device (reserved bits)",
        ),
        (
            of(info, 0x400, 0x1_0000_0014),
            "0x400 page-fault 0x100000014 [execute] not mapped",
        ),
        (
            of(Source::Msr, 0x1b, 0),
            "0x07c msr 0x1b [read] IA32_APICBASE",
        ),
        (
            of(Source::PageFault, 4, 0xfec0_0000),
            "0x400 region 0xfec00000 [] I/O APIC",
        ),
        (
            of(Source::Ipi, 0xc4500, 0),
            "- ipi 0xc4500 [] INIT to the others",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_happens_to_be_in_ecx_tells_no_leaves_apart() {
    let leaf = |one, other| detail(Isa::Vmx, Source::Cpuid, one, other);
    assert_eq!(leaf(0x8000_0000, 7), leaf(0x8000_0000, 9));
    assert_ne!(leaf(7, 0), leaf(7, 1));
    assert_eq!(leaf(0x4fff_fff2, 7).name.unwrap(), "exit census");
}

#[test]
fn without_nested_paging_faults_are_below_no_reason() {
    let decoder = Decoder {
        symbols: Symbols::default(),
        isa: Isa::Vmx,
        nested: false,
        machine: None,
        map: None,
    };
    let reason = |source| decoder.decode(source, [1, 0xfec0_0000]).unwrap().reason;
    assert_eq!(
        (reason(Source::PageFault), reason(Source::Mmio)),
        (None, None)
    );
}

#[test]
fn sums_are_held_against_the_tracepoint_and_what_is_lost_is_told() {
    let good = Details::of(&fixture::detailed(), ReasonTable::vmx()).unwrap();
    assert_eq!((good.wrong(), &good.lost), (Vec::new(), &Vec::new()));
    let cpuid = good.sums.iter().find(|sum| sum.reason == 10).unwrap();
    assert_eq!(
        [0, 1, 2].map(|sample| cpuid.remainder(sample)),
        [-1, -1, -1]
    );

    let mut record = fixture::detailed();
    let trace = record.samples[1].trace.as_mut().unwrap();
    trace.details[0].entries[0][2] -= 3;
    trace.details[1].dropped = 7;
    let details = Details::of(&record, ReasonTable::vmx()).unwrap();
    let [(sum, 1)] = details.wrong()[..] else {
        panic!("{details:?}")
    };
    assert_eq!((sum.kind, sum.remainder(1)), (Kind::ControlRegister, 3));
    assert_eq!(details.lost, [(2, "CPUID leaves", 7)]);
}

#[test]
fn a_reason_whose_exits_have_no_details_at_all_has_a_sum() {
    let mut record = fixture::detailed();
    for sample in &mut record.samples {
        sample.trace.as_mut().unwrap().details[0].entries.clear();
    }
    let details = Details::of(&record, ReasonTable::vmx()).unwrap();
    let wrong = details.wrong();
    assert!(wrong.iter().any(|(sum, _)| sum.reason == 30), "{wrong:?}");
}

#[test]
fn runs_without_details_have_none() {
    assert_eq!(Details::of(&fixture::record(), ReasonTable::vmx()), None);
}
