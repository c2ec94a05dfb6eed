//! Hypercalls: KVM's (`include/uapi/linux/kvm_para.h`) and Hyper-V's (its TLFS).

use super::of;

const KVM: &[(u64, &str)] = &[
    (1, "VAPIC_POLL_IRQ"),
    (2, "MMU_OP"),
    (5, "KICK_CPU"),
    (9, "CLOCK_PAIRING"),
    (10, "SEND_IPI"),
    (11, "SCHED_YIELD"),
    (12, "MAP_GPA_RANGE"),
];

const HYPERV: &[(u64, &str)] = &[
    (0x02, "FlushVirtualAddressSpace"),
    (0x03, "FlushVirtualAddressList"),
    (0x08, "NotifyLongSpinWait"),
    (0x0b, "SendSyntheticClusterIpi"),
    (0x13, "FlushVirtualAddressSpaceEx"),
    (0x14, "FlushVirtualAddressListEx"),
    (0x15, "SendSyntheticClusterIpiEx"),
    (0x5c, "PostMessage"),
    (0x5d, "SignalEvent"),
];

/// One of KVM's.
pub fn kvm(number: u64) -> Option<&'static str> {
    of(KVM, number)
}

/// One of Hyper-V's.
pub fn hyperv(code: u64) -> Option<&'static str> {
    of(HYPERV, code)
}
