/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit census: how many VM exits of each reason a VM has caused, and how many
 * cycles passed from each to the next VM entry.
 *
 * Lifetime: the counters live in struct kvm_vcpu and so as long as the vCPU.
 * Locking: none.  A counter is written only by the task that runs the vCPU,
 * with interrupts disabled; readers on other CPUs see each 64-bit counter
 * whole and sum over vCPUs at the time of reading.
 */
#ifndef __KVM_X86_EXIT_CENSUS_H
#define __KVM_X86_EXIT_CENSUS_H

#include <linux/jump_label.h>
#include <linux/kvm_host.h>

enum kvm_exit_census_isa {
	KVM_EXIT_CENSUS_VMX = 1,
	KVM_EXIT_CENSUS_SVM = 2,
};

/* What the status leaf answers; part of the guest ABI. */
enum kvm_exit_census_status {
	KVM_EXIT_CENSUS_UNDEFINED = 0,
	KVM_EXIT_CENSUS_NOT_ENABLED = 1,
	KVM_EXIT_CENSUS_ENABLED = 2,
};

/**
 * struct kvm_exit_census_ops - what the vendor module knows about its exits
 * @isa: whose exit reasons these are
 * @nr_reasons: number of defined reasons
 * @slot: the census slot of an exit reason named by a guest; negative if the
 *	reason is not defined.  Must be safe for any 32-bit value, also under
 *	speculation.
 * @enabled: whether the controls in force let this vCPU exit for the reason of
 *	a slot.  Called on the vCPU's own task with its VMCS/VMCB loaded.
 */
struct kvm_exit_census_ops {
	enum kvm_exit_census_isa isa;
	unsigned int nr_reasons;
	int (*slot)(u32 reason);
	bool (*enabled)(struct kvm_vcpu *vcpu, unsigned int slot);
};

extern const struct kvm_exit_census_ops vmx_exit_census_ops;
extern const struct kvm_exit_census_ops svm_exit_census_ops;

/* Off: each hook for cycles is a jump that is patched out. */
DECLARE_STATIC_KEY_FALSE(kvm_exit_census_timing);

void __kvm_exit_census_enter(struct kvm_vcpu *vcpu);
void __kvm_exit_census_exit(struct kvm_vcpu *vcpu, unsigned int slot);

/* Right before VM entry: what passed since the last VM exit was its cost. */
static __always_inline void kvm_exit_census_enter(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&kvm_exit_census_timing))
		__kvm_exit_census_enter(vcpu);
}

/*
 * Count one VM exit; @slot must not come from a guest.  Its cycles begin here,
 * too: a hook of their own at the VM exit would be one more jump in every exit.
 * @slot has 64 bits to be an index as it is.
 */
static __always_inline void kvm_exit_census_count(struct kvm_vcpu *vcpu,
						  unsigned long slot)
{
	if (unlikely(slot >= KVM_EXIT_CENSUS_OTHER)) {
		slot = KVM_EXIT_CENSUS_OTHER;
		/* A branch never taken is cheaper than a conditional move. */
		OPTIMIZER_HIDE_VAR(slot);
	}
	vcpu->stat.exits_by_reason[slot]++;
	if (static_branch_unlikely(&kvm_exit_census_timing))
		__kvm_exit_census_exit(vcpu, slot);
}

/* A VM entry that failed is counted under its basic reason, and here. */
static __always_inline void kvm_exit_census_failed_entry(struct kvm_vcpu *vcpu)
{
	vcpu->stat.failed_entries++;
}

bool kvm_exit_census_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
			   u32 *ecx, u32 *edx);

#endif /* __KVM_X86_EXIT_CENSUS_H */
