/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit census, SVM: from exit codes to census slots, on the way of every VM
 * exit.
 */
#ifndef __KVM_X86_SVM_EXIT_CENSUS_H
#define __KVM_X86_SVM_EXIT_CENSUS_H

#include <asm/svm.h>

#include "exit_census.h"

/* A slot is a position in the table, which holds every code up to this one. */
#define SVM_CENSUS_LAST_DENSE	0xa6

/* Nested paging, AVIC and SEV-ES: the next positions, without a gap. */
#define SVM_CENSUS_NPF_SLOT	(SVM_CENSUS_LAST_DENSE + 1)
#define SVM_CENSUS_NPF_CODES	4

unsigned int svm_exit_census_rare(struct kvm_vcpu *vcpu, u32 code);

/*
 * Count one VM exit; @code comes from the VMCB, never from a guest's register.
 * Where KVM keeps codes in 64 bits, the low half tells all of them apart.
 */
static __always_inline void svm_exit_census_count(struct kvm_vcpu *vcpu, u32 code)
{
	unsigned int slot = code;

	if (unlikely(code > SVM_CENSUS_LAST_DENSE)) {
		if (code - SVM_EXIT_NPF < SVM_CENSUS_NPF_CODES)
			slot = code - SVM_EXIT_NPF + SVM_CENSUS_NPF_SLOT;
		else
			slot = svm_exit_census_rare(vcpu, code);
	}
	kvm_exit_census_count(vcpu, slot);
}

#endif /* __KVM_X86_SVM_EXIT_CENSUS_H */
