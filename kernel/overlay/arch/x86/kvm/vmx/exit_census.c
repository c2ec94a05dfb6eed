// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit census, VMX: which basic exit reasons exist, and which controls of the
 * VMCS let them happen.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nospec.h>

#include "exit_census.h"
#include "vmx.h"

enum census_rule {
	CENSUS_NEVER,		/* no control that KVM ever sets */
	CENSUS_ALWAYS,		/* unconditional, or by bitmaps KVM always uses */
	CENSUS_ANY,		/* any one of the controls */
	CENSUS_ALL,		/* all of the controls */
	CENSUS_TOGGLED,		/* KVM sets the control only while it needs it */
	CENSUS_EXCEPTIONS,	/* exception bitmap or NMI exiting */
	CENSUS_CR,		/* CR masks, CR3 and CR8 load/store exiting */
};

struct census_reason {
	bool defined;
	u8 rule;
	u32 pin;
	u32 primary;
	u32 secondary;
	u64 tertiary;
};

#define CENSUS_REASON(_nr, _rule, _pin, _primary, _secondary, _tertiary)	\
	[_nr] = {								\
		.defined = true,						\
		.rule = CENSUS_##_rule,						\
		.pin = _pin,							\
		.primary = _primary,						\
		.secondary = _secondary,					\
		.tertiary = _tertiary,						\
	},

/* The rows, one for each defined reason, come from kernel/exit-reasons/vmx.csv. */
static const struct census_reason census_reasons[] = {
#include "exit_census_reasons.h"
};

#undef CENSUS_REASON

static int vmx_census_slot(u32 reason)
{
	if (reason >= ARRAY_SIZE(census_reasons))
		return -1;

	reason = array_index_nospec(reason, ARRAY_SIZE(census_reasons));
	return census_reasons[reason].defined ? (int)reason : -1;
}

/*
 * The secondary and tertiary words count only where the primary word activates
 * them.
 */
static struct census_reason vmx_census_in_force(struct vcpu_vmx *vmx)
{
	struct census_reason now = {
		.pin = pin_controls_get(vmx),
		.primary = exec_controls_get(vmx),
	};

	if (now.primary & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		now.secondary = secondary_exec_controls_get(vmx);
	if (now.primary & CPU_BASED_ACTIVATE_TERTIARY_CONTROLS)
		now.tertiary = tertiary_exec_controls_get(vmx);
	return now;
}

static bool vmx_census_any(const struct census_reason *have,
			   const struct census_reason *want)
{
	return (have->pin & want->pin) || (have->primary & want->primary) ||
	       (have->secondary & want->secondary) ||
	       (have->tertiary & want->tertiary);
}

static bool vmx_census_all(const struct census_reason *have,
			   const struct census_reason *want)
{
	return (have->pin & want->pin) == want->pin &&
	       (have->primary & want->primary) == want->primary &&
	       (have->secondary & want->secondary) == want->secondary &&
	       (have->tertiary & want->tertiary) == want->tertiary;
}

static bool vmx_census_cr(const struct census_reason *now)
{
	return (now->primary & (CPU_BASED_CR3_LOAD_EXITING |
				CPU_BASED_CR3_STORE_EXITING |
				CPU_BASED_CR8_LOAD_EXITING |
				CPU_BASED_CR8_STORE_EXITING)) ||
	       vmcs_readl(CR0_GUEST_HOST_MASK) ||
	       vmcs_readl(CR4_GUEST_HOST_MASK);
}

static bool vmx_census_enabled(struct kvm_vcpu *vcpu, unsigned int slot)
{
	const struct census_reason *want = &census_reasons[slot];
	struct census_reason now = vmx_census_in_force(to_vmx(vcpu));
	const struct census_reason supported = {
		.pin = vmcs_config.pin_based_exec_ctrl,
		.primary = vmcs_config.cpu_based_exec_ctrl,
	};

	switch (want->rule) {
	case CENSUS_ALWAYS:
		return true;
	case CENSUS_ANY:
		return vmx_census_any(&now, want);
	case CENSUS_ALL:
		return vmx_census_all(&now, want);
	case CENSUS_TOGGLED:
		return vmx_census_any(&now, want) || vmx_census_any(&supported, want);
	case CENSUS_EXCEPTIONS:
		return (now.pin & PIN_BASED_NMI_EXITING) ||
		       vmcs_read32(EXCEPTION_BITMAP);
	case CENSUS_CR:
		return vmx_census_cr(&now);
	default:
		return false;
	}
}

#ifdef KVM_X86_TDX_VM
/*
 * The controls of a TDX guest are the TDX module's: there is no VMCS to be
 * read.  Beside unconditional exits only what has occurred is known.
 */
static bool vt_census_enabled(struct kvm_vcpu *vcpu, unsigned int slot)
{
	if (vcpu->kvm->arch.vm_type == KVM_X86_TDX_VM)
		return census_reasons[slot].rule == CENSUS_ALWAYS;
	return vmx_census_enabled(vcpu, slot);
}
#else
#define vt_census_enabled vmx_census_enabled
#endif

/* The same rows once more, to count them. */
#define CENSUS_REASON(_nr, ...) CENSUS_DEFINED_##_nr,

enum {
#include "exit_census_reasons.h"
	CENSUS_NR_DEFINED
};

const struct kvm_exit_census_ops vmx_exit_census_ops = {
	.isa = KVM_EXIT_CENSUS_VMX,
	.nr_reasons = CENSUS_NR_DEFINED,
	.slot = vmx_census_slot,
	.enabled = vt_census_enabled,
};

static_assert(ARRAY_SIZE(census_reasons) <= KVM_EXIT_CENSUS_OTHER);
