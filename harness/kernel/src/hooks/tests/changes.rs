//! What is done to trees of the fixture.

/// Changes of a tree that do not matter, as texts replaced by texts.
pub const HARMLESS: &[(&str, &[(&str, &str)])] = &[
    (
        "statistics added",
        &[
            ("\tu64 guest_mode;\n", "\tu64 guest_mode;\n\tu64 more;\n"),
            (
                "\tSTATS_DESC_IBOOLEAN(VCPU, guest_mode),\n",
                "\tSTATS_DESC_IBOOLEAN(VCPU, guest_mode),\n\tSTATS_DESC_COUNTER(VCPU, more),\n",
            ),
        ],
    ),
    (
        "statistics in another order",
        &[
            (
                "\tu64 exits;\n\tu64 guest_mode;\n",
                "\tu64 guest_mode;\n\tu64 exits;\n",
            ),
            (
                "\tSTATS_DESC_COUNTER(VCPU, exits),\n\tSTATS_DESC_IBOOLEAN(VCPU, guest_mode),\n",
                "\tSTATS_DESC_IBOOLEAN(VCPU, guest_mode),\n\tSTATS_DESC_COUNTER(VCPU, exits),\n",
            ),
        ],
    ),
    (
        "a statistic under #ifdef",
        &[(
            "\tu64 guest_mode;\n",
            "\tu64 guest_mode;\n#ifdef A\n\tu64 a;\n#endif\n",
        )],
    ),
    (
        "includes moved",
        &[
            ("#include <asm/kvm_page_track.h>\n", ""),
            (
                "#include \"cpuid.h\"\n",
                "#include \"cpuid.h\"\n#include \"regs.h\"\n",
            ),
            ("#include <linux/mm.h>\n\n", ""),
        ],
    ),
    (
        "functions renamed elsewhere",
        &[
            ("kvm_wait_lapic_expire", "kvm_lapic_wait"),
            ("svm_handle_exit", "svm_exit"),
            ("vmx_exit_handlers_fastpath", "vmx_fastpath"),
            ("is_guest_mode", "is_nested"),
        ],
    ),
    (
        "lists of the Makefile extended and broken otherwise",
        &[
            (
                "emulate.o \\\n\t\t\t   debugfs.o",
                "emulate.o msrs.o debugfs.o \\\n\t\t\t  ",
            ),
            (
                "kvm-amd-y\t\t+= svm/svm.o",
                "kvm-amd-y\t\t:= svm/ops.o svm/svm.o",
            ),
        ],
    ),
    (
        "other white space",
        &[
            (
                "\ttrace_kvm_exit(vcpu, KVM_ISA_VMX);",
                "\ttrace_kvm_exit (vcpu,\n\t\t\tKVM_ISA_VMX) ;",
            ),
            ("struct kvm_vcpu_stat {", "struct kvm_vcpu_stat\n{"),
            (
                "if (!entry && !exact_only) {",
                "if (!entry\n\t    && !exact_only)\n\t{",
            ),
        ],
    ),
    (
        "comments",
        &[
            (
                "\tvmx_vcpu_enter_exit(",
                "\t/* Enter, */ vmx_vcpu_enter_exit(",
            ),
            (
                "trace_kvm_exit(vcpu,",
                "trace_kvm_exit(vcpu, /* trace_kvm_exit( */",
            ),
            (
                "kvm_vcpu_stats_desc[] = {",
                "kvm_vcpu_stats_desc[] = { /* } */",
            ),
        ],
    ),
    (
        "another signature",
        &[
            (
                "struct kvm_vcpu *vcpu, u64 run_flags)",
                "struct kvm_vcpu *vcpu, bool now)",
            ),
            ("static __no_kcsan fastpath_t svm", "fastpath_t svm"),
            (
                "u32 *ecx, u32 *edx, bool exact_only)",
                "u32 *ecx, u32 *edx, int how)",
            ),
            ("const struct kvm_stats_desc", "static const struct stats"),
        ],
    ),
    (
        "statements between",
        &[
            (
                "\ttrace_kvm_exit(vcpu",
                "\tvmx_more(vcpu);\n\n\ttrace_kvm_exit(vcpu",
            ),
            (
                "\tx86_spec_ctrl_set_guest(svm->virt_spec_ctrl);",
                "\tx86_spec_ctrl_set_guest(svm->virt_spec_ctrl, 0);\n\tif (a)\n\t\tb();\n\telse\n\t\tc();",
            ),
        ],
    ),
    (
        "members moved and added",
        &[
            ("\tvoid (*vcpu_unblocking)(struct kvm_vcpu *vcpu);\n", ""),
            (
                "\tconst char *name;\n",
                "\tconst char *name;\n\tint (*more)(void);\n",
            ),
            (
                "\t.name = KBUILD_MODNAME,\n",
                "\t.more = more,\n\t.name = KBUILD_MODNAME,\n",
            ),
        ],
    ),
    (
        "a macro with half a block",
        &[(
            "struct kvm_x86_ops {",
            "#define BEGIN do { \\\n\tif (a) {\nstruct kvm_x86_ops {",
        )],
    ),
    (
        "a condition around what is entered",
        &[(
            "\tsvm_vcpu_enter_exit(vcpu, flags);",
            "#ifdef A\n\tif (a) {\n#else\n\tif (b) {\n#endif\n\t\tsvm_vcpu_enter_exit(vcpu, flags);\n\t}",
        )],
    ),
];

/// For each hook, what takes its places away.
pub const GONE: &[(&str, &str, &[&str])] = &[
    ("header of the counters", "kvm_host.h", &["#include"]),
    ("state of a vCPU", "kvm_host.h", &["struct kvm_vcpu_arch"]),
    (
        "counters of a vCPU",
        "kvm_host.h",
        &["struct kvm_vcpu_stat {"],
    ),
    ("table of statistics", "x86.c", &["kvm_vcpu_stats_desc"]),
    ("common part", "Makefile", &["kvm-y"]),
    ("VMX part", "Makefile", &["kvm-intel-y"]),
    ("SVM part", "Makefile", &["kvm-amd-y"]),
    ("header for CPUID", "cpuid.c", &["#include"]),
    ("CPUID leaves", "cpuid.c", &["get_out_of_range_cpuid_entry"]),
    (
        "pointer to the vendor's part",
        "kvm_host.h",
        &["struct kvm_x86_ops {"],
    ),
    ("header for VMX's operations", "main.c", &["#include"]),
    ("VMX's operations", "main.c", &["__initdata"]),
    ("SVM's operations", "svm.c", &["struct kvm_x86_ops"]),
    ("header for VMX", "vmx.c", &["#include"]),
    ("VM entry on VMX", "vmx.c", &["vmx_vcpu_enter_exit"]),
    ("VM exit on VMX", "vmx.c", &["trace_kvm_exit"]),
    (
        "failed VM entry on VMX",
        "vmx.c",
        &["unlikely(vmx_get_exit_reason"],
    ),
    ("header for TDX", "tdx.c", &["#include"]),
    ("VM entry of a TDX guest", "tdx.c", &["tdx_vcpu_enter_exit"]),
    ("VM exit of a TDX guest", "tdx.c", &["trace_kvm_exit"]),
    (
        "failed VM entry of a TDX guest",
        "tdx.c",
        &["tdx_failed_vmentry"],
    ),
    ("header for SVM", "svm.c", &["#include"]),
    ("VM entry on SVM", "svm.c", &["x86_spec_ctrl_set_guest"]),
    (
        "VM exit on SVM",
        "svm.c",
        &["trace_kvm_exit", "svm_complete_interrupts"],
    ),
];

/// The harmless changes after which a hook's text has other neighbours than before.
pub const MOVES: &[&str] = &[
    "statistics added",
    "a statistic under #ifdef",
    "lists of the Makefile extended and broken otherwise",
    "statements between",
    "members moved and added",
];
