// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit census, SVM: which exit codes exist, and which controls of the VMCB let
 * them happen.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nospec.h>

#include "svm.h"
#include "svm_exit_census.h"

/* One word of the VMCB under two names. */
#ifdef SVM_MISC_ENABLE_NP
#define census_nested_ctl	misc_ctl
#define CENSUS_NP_ENABLE	SVM_MISC_ENABLE_NP
#define CENSUS_SEV_ES_ENABLE	SVM_MISC_ENABLE_SEV_ES
#else
#define census_nested_ctl	nested_ctl
#define CENSUS_NP_ENABLE	SVM_NESTED_CTL_NP_ENABLE
#define CENSUS_SEV_ES_ENABLE	SVM_NESTED_CTL_SEV_ES_ENABLE
#endif

enum census_rule {
	CENSUS_NEVER,		/* nothing that KVM ever sets up */
	CENSUS_ALWAYS,		/* unconditional */
	CENSUS_TOGGLED,		/* KVM sets the intercept only while it needs it */
	CENSUS_INTERCEPT,	/* a bit of the intercept vectors */
	CENSUS_NPT,		/* nested paging */
	CENSUS_AVIC,		/* virtual interrupt controller */
	CENSUS_SEV_ES,		/* encrypted guest state */
};

struct census_reason {
	u32 code;
	u8 rule;
	u8 intercept;
};

#define CENSUS_REASON(_code, _rule, _intercept)		\
	{						\
		.code = _code,				\
		.rule = CENSUS_##_rule,			\
		.intercept = _intercept,		\
	},

/* The rows, ascending by code, come from kernel/exit-reasons/svm.csv. */
static const struct census_reason census_reasons[] = {
#include "exit_census_reasons.h"
};

#undef CENSUS_REASON

/* The same rows once more, for their positions. */
#define CENSUS_REASON(_code, ...) CENSUS_SLOT_##_code,

enum {
#include "exit_census_reasons.h"
	CENSUS_NR_DEFINED
};

/* What svm_exit_census_count() takes for granted. */
static_assert(CENSUS_SLOT_0x0a6 == SVM_CENSUS_LAST_DENSE);
static_assert(CENSUS_SLOT_0x400 == SVM_CENSUS_NPF_SLOT);
static_assert(CENSUS_SLOT_0x403 == SVM_CENSUS_NPF_SLOT + SVM_CENSUS_NPF_CODES - 1);
static_assert(CENSUS_NR_DEFINED <= KVM_EXIT_CENSUS_OTHER);

/*
 * The code may come from a guest: the position is clamped before each use, for
 * the sake of mispredicted branches.
 */
static int svm_census_slot(u32 code)
{
	unsigned int low = 0, high = ARRAY_SIZE(census_reasons), at;

	while (low < high) {
		at = low + (high - low) / 2;
		at = array_index_nospec(at, ARRAY_SIZE(census_reasons));
		if (census_reasons[at].code == code)
			return at;
		if (census_reasons[at].code < code)
			low = at + 1;
		else
			high = at;
	}
	return -1;
}

/* VMEXIT_INVALID and its neighbours, down from -1: VMRUN did not succeed. */
static bool svm_census_failed(u32 code)
{
	return code >= 0xfffffffc;
}

/**
 * svm_exit_census_rare() - the slot of an exit code that is none of the usual
 * @vcpu: the vCPU that left the guest, or did not enter it
 * @code: the exit code
 *
 * Return: the census slot.
 */
unsigned int svm_exit_census_rare(struct kvm_vcpu *vcpu, u32 code)
{
	int slot = svm_census_slot(code);

	if (svm_census_failed(code))
		kvm_exit_census_failed_entry(vcpu);
	return slot < 0 ? KVM_EXIT_CENSUS_OTHER : slot;
}

static bool svm_census_enabled(struct kvm_vcpu *vcpu, unsigned int slot)
{
	const struct census_reason *want = &census_reasons[slot];
	struct vmcb_control_area *now = &to_svm(vcpu)->vmcb->control;

	switch (want->rule) {
	case CENSUS_ALWAYS:
	case CENSUS_TOGGLED:
		return true;
	case CENSUS_INTERCEPT:
		return vmcb_is_intercept(now, want->intercept);
	case CENSUS_NPT:
		return now->census_nested_ctl & CENSUS_NP_ENABLE;
	case CENSUS_AVIC:
		return now->int_ctl & AVIC_ENABLE_MASK;
	case CENSUS_SEV_ES:
		return now->census_nested_ctl & CENSUS_SEV_ES_ENABLE;
	default:
		return false;
	}
}

const struct kvm_exit_census_ops svm_exit_census_ops = {
	.isa = KVM_EXIT_CENSUS_SVM,
	.nr_reasons = CENSUS_NR_DEFINED,
	.slot = svm_census_slot,
	.enabled = svm_census_enabled,
};
