//! Trees that have what the hooks look for, and hardly more, in the shape that each series
//! has it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::source::Series;

/// Files of a tree, by their paths.
pub type Tree = BTreeMap<PathBuf, String>;

const HOST: &str = "\
#ifndef _HOST_H
#define _HOST_H

#include <linux/types.h>

#include <asm/kvm_page_track.h>
#include <asm/kvm_vcpu_regs.h>

struct kvm_vcpu_arch {
	/* Protected guests */
	bool guest_state_protected;

#if IS_ENABLED(CONFIG_HYPERV)
	hpa_t hv_root_tdp;
#endif
};

struct kvm_vcpu_stat {
	struct kvm_vcpu_stat_generic generic;
	u64 exits;
	u64 guest_mode;
};

struct kvm_x86_ops {
	const char *name;

	void (*update_cpu_dirty_logging)(struct kvm_vcpu *vcpu);

	void (*vcpu_blocking)(struct kvm_vcpu *vcpu);
	void (*vcpu_unblocking)(struct kvm_vcpu *vcpu);
};

#define KVM_X86_OP(func) \\
	DECLARE_STATIC_CALL(kvm_x86_##func, *(((struct kvm_x86_ops *)0)->func));
#include <asm/kvm-x86-ops.h>

static inline void kvm_arch_vcpu_blocking(struct kvm_vcpu *vcpu)
{
	kvm_x86_call(vcpu_blocking)(vcpu);
}

#endif
";

const MAKEFILE: &str = "\
kvm-y			+= x86.o emulate.o \\
			   debugfs.o mmu/mmu.o

ifdef CONFIG_HYPERV
kvm-y			+= kvm_onhyperv.o
endif

kvm-intel-y		+= vmx/vmx.o vmx/vmenter.o \\
			   vmx/nested.o
kvm-intel-$(CONFIG_X86_SGX_KVM)	+= vmx/sgx.o

kvm-amd-y		+= svm/svm.o svm/vmenter.o

obj-$(CONFIG_KVM)	+= kvm.o
";

const CPUID: &str = "\
#include <linux/kvm_host.h>
#include \"cpuid.h\"

static struct kvm_cpuid_entry2 *
get_out_of_range_cpuid_entry(struct kvm_vcpu *vcpu, u32 *fn_ptr, u32 index)
{
	return NULL;
}

bool kvm_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx,
	       u32 *ecx, u32 *edx, bool exact_only)
{
	struct kvm_cpuid_entry2 *entry;

	entry = kvm_find_cpuid_entry_index(vcpu, function, index);

	if (!entry && !exact_only) {
		entry = get_out_of_range_cpuid_entry(vcpu, &function, index);
		used_max_basic = !!entry;
	}
	return exact;
}
";

const X86: &str = "\
#include <linux/kvm_host.h>

const struct kvm_stats_desc kvm_vcpu_stats_desc[] = {
	KVM_GENERIC_VCPU_STATS(),
	STATS_DESC_COUNTER(VCPU, exits),
	STATS_DESC_IBOOLEAN(VCPU, guest_mode),
};
";

const VMX: &str = "\
#include <linux/mm.h>

#include \"vmx.h\"

fastpath_t vmx_vcpu_run(struct kvm_vcpu *vcpu, u64 run_flags)
{
	kvm_wait_lapic_expire(vcpu);

	/* The actual VMENTER/EXIT is in the .noinstr.text section. */
	vmx_vcpu_enter_exit(vcpu, flags);

	if (is_guest_mode(vcpu)) {
		if (run_pending &&
		    !vmx->exit_reason.failed_vmentry)
			++vcpu->stat.nested_run;
	}

	if (unlikely(vmx->fail))
		return EXIT_FASTPATH_NONE;

	trace_kvm_exit(vcpu, KVM_ISA_VMX);

	if (unlikely(vmx->exit_reason.failed_vmentry))
		return EXIT_FASTPATH_NONE;

	return vmx_exit_handlers_fastpath(vcpu);
}
";

const OPERATIONS: &str = "
struct kvm_x86_ops vmx_x86_ops __initdata = {
	.name = KBUILD_MODNAME,

	.vcpu_blocking = vmx_vcpu_blocking,
};
";

const SVM: &str = "\
#include <linux/kvm_host.h>

#include \"svm.h\"

static int svm_handle_exit(struct kvm_vcpu *vcpu, fastpath_t exit_fastpath)
{
	return 1;
}

static __no_kcsan fastpath_t svm_vcpu_run(struct kvm_vcpu *vcpu, u64 run_flags)
{
	kvm_wait_lapic_expire(vcpu);

	/*
	 * If this vCPU has touched SPEC_CTRL, restore the guest's value.
	 */
	if (!static_cpu_has(X86_FEATURE_V_SPEC_CTRL))
		x86_spec_ctrl_set_guest(svm->virt_spec_ctrl);

	svm_vcpu_enter_exit(vcpu, flags);

	trace_kvm_exit(vcpu, KVM_ISA_SVM);

	svm_complete_interrupts(vcpu);

	return svm_exit_handlers_fastpath(vcpu);
}

static struct kvm_x86_ops svm_x86_ops __initdata = {
	.name = KBUILD_MODNAME,
};
";

const TDX: &str = "\
#include <linux/cpu.h>
#include \"tdx.h\"

fastpath_t tdx_vcpu_run(struct kvm_vcpu *vcpu, u64 run_flags)
{
	tdx_vcpu_enter_exit(vcpu);

	if (unlikely((tdx->vp_enter_ret & TDX_SW_ERROR) == TDX_SW_ERROR))
		return EXIT_FASTPATH_NONE;

	trace_kvm_exit(vcpu, KVM_ISA_VMX);

	if (unlikely(tdx_failed_vmentry(vcpu)))
		return EXIT_FASTPATH_NONE;

	return tdx_exit_handlers_fastpath(vcpu);
}
";

/// A tree of `series`: 6.1, 6.12 or later.
pub fn tree(series: Series) -> Tree {
    let later = (series.major, series.minor) > (6, 12);
    let mut vmx = VMX.to_owned();
    let mut svm = SVM.to_owned();
    let mut x86 = X86.to_owned();
    if later {
        // KVM has a helper for the reason.
        vmx = vmx.replace("vmx->exit_reason", "vmx_get_exit_reason(vcpu)");
    }
    let main = (series.minor != 1).then(|| format!("#include \"x86_ops.h\"\n{OPERATIONS}"));
    if main.is_none() {
        vmx += OPERATIONS;
        x86 = x86.replace("struct kvm_stats_desc", "struct _kvm_stats_desc");
        // The tracepoint is in the exit handler.
        let trace = "\ttrace_kvm_exit(vcpu, KVM_ISA_SVM);\n\n";
        svm = svm.replace(trace, "");
        svm = svm.replace("\treturn 1;", &format!("{trace}\treturn 1;"));
    }
    let files = [
        ("arch/x86/include/asm/kvm_host.h", Some(HOST.to_owned())),
        ("arch/x86/kvm/Makefile", Some(MAKEFILE.to_owned())),
        ("arch/x86/kvm/cpuid.c", Some(CPUID.to_owned())),
        ("arch/x86/kvm/x86.c", Some(x86)),
        ("arch/x86/kvm/vmx/main.c", main),
        ("arch/x86/kvm/vmx/vmx.c", Some(vmx)),
        ("arch/x86/kvm/vmx/tdx.c", later.then(|| TDX.to_owned())),
        ("arch/x86/kvm/svm/svm.c", Some(svm)),
    ];
    let there = |(path, text): (&str, Option<String>)| Some((PathBuf::from(path), text?));
    files.into_iter().filter_map(there).collect()
}
