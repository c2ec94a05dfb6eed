// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit census: the cycles from VM exit to VM entry, and the CPUID leaves by
 * which a guest reads its own VM's counters.
 *
 * Every answer writes all four registers, so that nothing of the host or of
 * the caller is left in them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/moduleparam.h>
#include <linux/smp.h>

#include <asm/msr.h>
#include <asm/tsc.h>

#include "exit_census.h"
#include "trace.h"

#define CENSUS_LEAF_DISCOVERY	0x4ffffff0
#define CENSUS_LEAF_STATUS	0x4ffffff1

/* The leaves whose meaning the leaf map decides. */
#define CENSUS_LEAF_MAPPED	0x4ffffffc

#define CENSUS_SIGNATURE	0x4c545845	/* "EXTL" in memory order */
#define CENSUS_VERSION		2
#define CENSUS_MAP_SHIFT	16
#define CENSUS_CYCLES_ON	BIT(24)

#define CENSUS_NO_SUCH_REASON	0xffffffff

static bool __read_mostly exit_census_leaves = true;
module_param(exit_census_leaves, bool, 0644);
MODULE_PARM_DESC(exit_census_leaves, "Let guests read their own exit counts by CPUID");

enum census_leaf {
	CENSUS_NOT_OURS,
	CENSUS_TOTALS,			/* count and cycles in one leaf */
	CENSUS_TOTAL_COUNT,
	CENSUS_TOTAL_CYCLES,
	CENSUS_COUNT,			/* of the reason in ecx */
	CENSUS_CYCLES,			/* of the reason in ecx */
};

#define CENSUS_FIRST_MAP	1
#define CENSUS_LAST_MAP		3

/* What the leaves from CENSUS_LEAF_MAPPED on mean, in ascending order. */
static const enum census_leaf census_maps[][4] = {
	[1] = { CENSUS_CYCLES, CENSUS_NOT_OURS, CENSUS_COUNT, CENSUS_TOTALS },
	[2] = { CENSUS_CYCLES, CENSUS_COUNT, CENSUS_TOTAL_CYCLES, CENSUS_TOTAL_COUNT },
	[3] = { CENSUS_TOTAL_COUNT, CENSUS_TOTAL_CYCLES, CENSUS_COUNT, CENSUS_CYCLES },
};

static_assert(ARRAY_SIZE(census_maps) == CENSUS_LAST_MAP + 1);

static unsigned int __read_mostly exit_census_leaf_map = CENSUS_FIRST_MAP;

static int census_set_map(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, CENSUS_FIRST_MAP, CENSUS_LAST_MAP);
}

static const struct kernel_param_ops census_map_ops = {
	.set = census_set_map,
	.get = param_get_uint,
};

module_param_cb(exit_census_leaf_map, &census_map_ops, &exit_census_leaf_map, 0644);
MODULE_PARM_DESC(exit_census_leaf_map, "Which leaf answers what: 1 (default), 2 or 3");

/*
 * Off by default: a count is exact and nearly free, a time is neither.  Two
 * reads of the TSC for each exit cost more than all of the counting, most of
 * all in a nested host whose RDTSC exits itself; and cycles tell a guest how
 * long the host was busy elsewhere.
 */
DEFINE_STATIC_KEY_FALSE(kvm_exit_census_timing);
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_census_timing);

static bool exit_census_cycles;

/*
 * How often cycle counting was switched on.  Switching does not wait for
 * vCPUs: one may be between VM exit and VM entry.  An interval whose ends are
 * in different periods is not counted.
 */
static unsigned int __read_mostly census_period;

/* Callers hold the lock of the module's parameters. */
static int census_set_cycles(const char *val, const struct kernel_param *kp)
{
	bool was = exit_census_cycles;
	int r = param_set_bool(val, kp);

	if (r || was == exit_census_cycles)
		return r;

	if (exit_census_cycles) {
		WRITE_ONCE(census_period, census_period + 1);
		static_branch_enable(&kvm_exit_census_timing);
	} else {
		static_branch_disable(&kvm_exit_census_timing);
	}
	return 0;
}

static const struct kernel_param_ops census_cycles_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = census_set_cycles,
	.get = param_get_bool,
};

module_param_cb(exit_census_cycles, &census_cycles_ops, &exit_census_cycles, 0644);
MODULE_PARM_DESC(exit_census_cycles, "Count cycles from VM exit to VM entry by exit reason");

/**
 * __kvm_exit_census_exit() - remember when and why a vCPU left the guest
 * @vcpu: the vCPU, on its CPU, with interrupts disabled
 * @slot: census slot of the exit
 *
 * An entry that failed without an exit is not counted, nor is its time.
 */
void __kvm_exit_census_exit(struct kvm_vcpu *vcpu, unsigned int slot)
{
	struct kvm_exit_census *census = &vcpu->arch.exit_census;

	census->exit_tsc = rdtsc();
	census->exit_slot = slot;
	census->exit_cpu = smp_processor_id();
	census->exit_period = READ_ONCE(census_period);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(__kvm_exit_census_exit);

/**
 * __kvm_exit_census_enter() - attribute the time since the last VM exit to it
 * @vcpu: the vCPU, on its CPU, with interrupts disabled
 *
 * Fast paths, time blocked in HLT and time in user space are part of it, as in
 * perf kvm stat.
 *
 * The vCPU may have moved to another CPU since.  If that CPU's TSC is behind,
 * the interval counts as 0 and not as nearly 2^64.  If the kernel knows that
 * TSCs are not synchronised, no interval over two CPUs means anything: it
 * counts as 0, too.
 */
void __kvm_exit_census_enter(struct kvm_vcpu *vcpu)
{
	struct kvm_exit_census *census = &vcpu->arch.exit_census;
	unsigned int period = census->exit_period;
	s64 delta;

	/* Used up, even if the hook after this entry is off already. */
	census->exit_period = 0;
	if (period != READ_ONCE(census_period))
		return;
	if (unlikely(census->exit_cpu != smp_processor_id()) && check_tsc_unstable())
		return;

	delta = rdtsc() - census->exit_tsc;
	if (unlikely(delta < 0))
		return;

	vcpu->stat.exit_cycles_by_reason[census->exit_slot] += delta;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(__kvm_exit_census_enter);

struct census_regs {
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
};

#define CENSUS_COUNTS	offsetof(struct kvm_vcpu, stat.exits_by_reason)
#define CENSUS_CYCLES_OF	offsetof(struct kvm_vcpu, stat.exit_cycles_by_reason)

/*
 * Sum of neighbouring slots of one histogram, by its place in struct kvm_vcpu,
 * over the vCPUs of a VM: the only loop that a guest can cause.  It is as long
 * as its VM has vCPUs, times the slots in use where the guest asks for a total.
 */
static u64 census_sum(struct kvm *kvm, size_t histogram, unsigned int first,
		      unsigned int last)
{
	struct kvm_vcpu *vcpu;
	unsigned int slot;
	unsigned long i;
	u64 sum = 0;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		const u64 *slots = (void *)vcpu + histogram;

		for (slot = first; slot <= last; slot++)
			sum += READ_ONCE(slots[slot]);
	}
	return sum;
}

static u64 census_slot_count(struct kvm *kvm, unsigned int slot)
{
	return census_sum(kvm, CENSUS_COUNTS, slot, slot);
}

static u64 census_slot_cycles(struct kvm *kvm, unsigned int slot)
{
	return census_sum(kvm, CENSUS_CYCLES_OF, slot, slot);
}

/* Totals are not kept: that would cost every exit, and only a guest asks. */
static u64 census_total_count(struct kvm *kvm)
{
	return census_sum(kvm, CENSUS_COUNTS, 0, KVM_EXIT_CENSUS_OTHER);
}

static u64 census_total_cycles(struct kvm *kvm)
{
	return census_sum(kvm, CENSUS_CYCLES_OF, 0, KVM_EXIT_CENSUS_OTHER);
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
	if (census_slot_count(vcpu->kvm, slot) || ops->enabled(vcpu, slot))
		return KVM_EXIT_CENSUS_ENABLED;
	return KVM_EXIT_CENSUS_NOT_ENABLED;
}

static void census_put_count(struct census_regs *r, u64 count)
{
	r->eax = lower_32_bits(count);
	r->ebx = upper_32_bits(count);
}

static void census_put_cycles(struct census_regs *r, u64 cycles)
{
	r->ebx = upper_32_bits(cycles);
	r->ecx = lower_32_bits(cycles);
}

static void census_discovery(struct census_regs *r)
{
	const struct kvm_exit_census_ops *ops = kvm_x86_ops.exit_census;

	r->eax = CENSUS_SIGNATURE;
	r->ebx = CENSUS_VERSION | READ_ONCE(exit_census_leaf_map) << CENSUS_MAP_SHIFT;
	if (static_key_enabled(&kvm_exit_census_timing))
		r->ebx |= CENSUS_CYCLES_ON;
	r->ecx = ops->isa;
	r->edx = ops->nr_reasons;
}

/* A reason that is not enabled has count 0 and cycles 0: all registers stay 0. */
static void census_reason(struct kvm *kvm, enum census_leaf leaf, int slot,
			  struct census_regs *r)
{
	if (slot < 0)
		r->edx = CENSUS_NO_SUCH_REASON;
	else if (leaf == CENSUS_COUNT)
		census_put_count(r, census_slot_count(kvm, slot));
	else
		census_put_cycles(r, census_slot_cycles(kvm, slot));
}

static void census_mapped(struct kvm *kvm, enum census_leaf leaf, u32 reason,
			  struct census_regs *r)
{
	switch (leaf) {
	case CENSUS_TOTALS:
		/* Cycles have ebx: there is no room for the count's high half. */
		r->eax = lower_32_bits(census_total_count(kvm));
		census_put_cycles(r, census_total_cycles(kvm));
		break;
	case CENSUS_TOTAL_COUNT:
		census_put_count(r, census_total_count(kvm));
		break;
	case CENSUS_TOTAL_CYCLES:
		census_put_cycles(r, census_total_cycles(kvm));
		break;
	default:
		census_reason(kvm, leaf, kvm_x86_ops.exit_census->slot(reason), r);
		break;
	}
}

/* The lowest bits of a leaf alone choose: no index to clamp. */
static enum census_leaf census_leaf(u32 function)
{
	unsigned int map = READ_ONCE(exit_census_leaf_map);

	if ((function & ~3U) != CENSUS_LEAF_MAPPED)
		return CENSUS_NOT_OURS;
	return census_maps[map][function & 3];
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
	u32 function = *eax, reason = *ecx;
	struct census_regs r = {};
	enum census_leaf leaf;

	if (!ops || !READ_ONCE(exit_census_leaves))
		return false;

	switch (function) {
	case CENSUS_LEAF_DISCOVERY:
		census_discovery(&r);
		break;
	case CENSUS_LEAF_STATUS:
		r.eax = census_status(vcpu, ops->slot(reason));
		break;
	default:
		leaf = census_leaf(function);
		if (leaf == CENSUS_NOT_OURS)
			return false;
		census_mapped(vcpu->kvm, leaf, reason, &r);
		break;
	}

	*eax = r.eax;
	*ebx = r.ebx;
	*ecx = r.ecx;
	*edx = r.edx;
	trace_kvm_cpuid(function, reason, r.eax, r.ebx, r.ecx, r.edx, true, false);
	return true;
}
