// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit census: the CPUID leaves by which a guest reads its own VM's counters.
 *
 * Every answer writes all four registers, so that nothing of the host or of
 * the caller is left in them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/moduleparam.h>

#include "exit_census.h"
#include "trace.h"

#define CENSUS_LEAF_DISCOVERY	0x4ffffff0
#define CENSUS_LEAF_STATUS	0x4ffffff1
#define CENSUS_LEAF_COUNT	0x4ffffffe

#define CENSUS_SIGNATURE	0x4c545845	/* "EXTL" in memory order */
#define CENSUS_VERSION		1
#define CENSUS_LEAF_MAP_V1	1

#define CENSUS_NO_SUCH_REASON	0xffffffff

static bool __read_mostly exit_census_leaves = true;
module_param(exit_census_leaves, bool, 0644);
MODULE_PARM_DESC(exit_census_leaves, "Let guests read their own exit counts by CPUID");

struct census_regs {
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
};

static u64 census_sum(struct kvm *kvm, unsigned int slot)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u64 sum = 0;

	kvm_for_each_vcpu(i, vcpu, kvm)
		sum += READ_ONCE(vcpu->stat.exits_by_reason[slot]);
	return sum;
}

/*
 * KVM switches some controls on and off while the guest runs (interrupt
 * window, preemption timer): a reason that has occurred is enabled even if its
 * control is off at the moment of asking.
 */
static enum kvm_exit_census_status census_status(struct kvm_vcpu *vcpu, int slot)
{
	const struct kvm_exit_census_ops *ops = kvm_x86_ops.exit_census;

	if (slot < 0)
		return KVM_EXIT_CENSUS_UNDEFINED;
	if (census_sum(vcpu->kvm, slot) || ops->enabled(vcpu, slot))
		return KVM_EXIT_CENSUS_ENABLED;
	return KVM_EXIT_CENSUS_NOT_ENABLED;
}

static void census_count(struct kvm_vcpu *vcpu, u32 reason, struct census_regs *r)
{
	int slot = kvm_x86_ops.exit_census->slot(reason);
	u64 count;

	if (slot < 0) {
		r->edx = CENSUS_NO_SUCH_REASON;
		return;
	}

	/* A reason that is not enabled has count 0: all registers stay 0. */
	count = census_sum(vcpu->kvm, slot);
	r->eax = lower_32_bits(count);
	r->ebx = upper_32_bits(count);
}

static void census_discovery(struct census_regs *r)
{
	const struct kvm_exit_census_ops *ops = kvm_x86_ops.exit_census;

	r->eax = CENSUS_SIGNATURE;
	r->ebx = CENSUS_VERSION | CENSUS_LEAF_MAP_V1 << 16;
	r->ecx = ops->isa;
	r->edx = ops->nr_reasons;
}

/**
 * kvm_exit_census_cpuid() - answer a CPUID leaf of the exit census
 * @vcpu: the vCPU that executes CPUID
 * @eax: in: the leaf; out: the answer
 * @ebx: out: the answer
 * @ecx: in: an exit reason, for the leaves that take one; out: the answer
 * @edx: out: the answer
 *
 * Return: true if the leaf is one of the census; false, with the registers
 * untouched, if KVM is to answer it as ever.
 */
bool kvm_exit_census_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
			   u32 *ecx, u32 *edx)
{
	const struct kvm_exit_census_ops *ops = kvm_x86_ops.exit_census;
	u32 leaf = *eax, reason = *ecx;
	struct census_regs r = {};

	if (!ops || !READ_ONCE(exit_census_leaves))
		return false;

	switch (leaf) {
	case CENSUS_LEAF_DISCOVERY:
		census_discovery(&r);
		break;
	case CENSUS_LEAF_STATUS:
		r.eax = census_status(vcpu, ops->slot(reason));
		break;
	case CENSUS_LEAF_COUNT:
		census_count(vcpu, reason, &r);
		break;
	default:
		return false;
	}

	*eax = r.eax;
	*ebx = r.ebx;
	*ecx = r.ecx;
	*edx = r.edx;
	trace_kvm_cpuid(leaf, reason, r.eax, r.ebx, r.ecx, r.edx, true, false);
	return true;
}
