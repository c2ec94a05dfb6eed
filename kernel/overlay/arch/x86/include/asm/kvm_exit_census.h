/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVM_EXIT_CENSUS_H
#define _ASM_X86_KVM_EXIT_CENSUS_H

#include <linux/kvm_types.h>
#include <linux/types.h>

/*
 * KVM's own name for exports to its vendor modules.  A KVM that has it refuses
 * any other in its directory, so kernels that lack it learn it here.
 */
#ifndef EXPORT_SYMBOL_FOR_KVM_INTERNAL
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(symbol) EXPORT_SYMBOL_GPL(symbol)
#endif

struct kvm_exit_census_ops;

/*
 * Slots of the per-vCPU histograms.  A slot is a dense index: on VMX it is the
 * basic exit reason, on SVM the position of the exit code in the ascending
 * table of defined codes.  KVM_EXIT_CENSUS_OTHER takes every reason that the
 * table does not know, so that the sum over all slots is the number of VM
 * exits.
 *
 * The upper half is never used: QEMU hands histograms out back to front, and
 * only a layout that never overlaps its mirror image shows its own direction.
 * Any such layout needs twice the slots in use.  SVM defines 175 codes, which
 * with OTHER makes 352 at the least; 384 leaves room for codes to come.
 */
#define KVM_EXIT_CENSUS_SLOTS	384
#define KVM_EXIT_CENSUS_OTHER	(KVM_EXIT_CENSUS_SLOTS / 2 - 1)

/**
 * struct kvm_exit_census - what a vCPU keeps beside its histograms
 * @exit_tsc: TSC when the last VM exit was counted
 * @exit_slot: slot of that exit
 * @exit_cpu: CPU on which it happened
 * @exit_period: period of cycle counting in which @exit_tsc was taken; 0 if
 *	there is nothing to be attributed
 *
 * Written only by the task that runs the vCPU, with interrupts disabled, and
 * only while cycles are counted.
 */
struct kvm_exit_census {
	u64 exit_tsc;
	unsigned int exit_slot;
	int exit_cpu;
	unsigned int exit_period;
};

#endif /* _ASM_X86_KVM_EXIT_CENSUS_H */
