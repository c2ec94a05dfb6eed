# The first program of a guest: one instruction, then the init proper. With ONE_MORE it is a
# CPUID, which exits to the host, else a NOP of the same length, which does not: nothing
# else differs, and no byte moves.
	.globl	_start
_start:
	xor	%eax, %eax
	xor	%ecx, %ecx
	.ifdef	ONE_MORE
	cpuid
	.else
	data16 nop
	.endif
	mov	$59, %eax		# execve(proper, argv, envp)
	lea	proper(%rip), %rdi
	mov	(%rsp), %rcx		# argc
	lea	8(%rsp), %rsi
	lea	16(%rsp, %rcx, 8), %rdx
	syscall
	hlt				# as no init can go on without

	.section .rodata
proper:	.asciz	"/init.proper"
