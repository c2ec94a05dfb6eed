/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVM_EXIT_CENSUS_H
#define _ASM_X86_KVM_EXIT_CENSUS_H

/*
 * Slots of the per-vCPU exit census.  A slot is a dense index: on VMX it is
 * the basic exit reason, on SVM the position of the exit code in the table of
 * defined codes.  The last slot takes every reason that the table does not
 * know, so that the sum over all slots is the number of VM exits.
 */
#define KVM_EXIT_CENSUS_SLOTS	192
#define KVM_EXIT_CENSUS_OTHER	(KVM_EXIT_CENSUS_SLOTS - 1)

#endif /* _ASM_X86_KVM_EXIT_CENSUS_H */
