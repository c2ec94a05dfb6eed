# Spends a fifth of a second of the guest's time: busy, or with an argument in naps of 50 us.
	.equ	SPENT, 200000000
	.globl	_start
_start:
	mov	(%rsp), %rbp		# argc
	# prctl(PR_SET_TIMERSLACK, 1): a nap ends when it is to end
	mov	$157, %eax
	mov	$29, %edi
	mov	$1, %esi
	syscall
	call	now
	lea	SPENT(%rax), %r12
again:
	cmp	$1, %rbp
	je	awake
	mov	$35, %eax		# nanosleep(&nap, NULL)
	lea	nap(%rip), %rdi
	xor	%esi, %esi
	syscall
awake:
	call	now
	cmp	%r12, %rax
	jb	again
	mov	$60, %eax		# exit(0)
	xor	%edi, %edi
	syscall

# clock_gettime(CLOCK_MONOTONIC), in ns
now:
	mov	$228, %eax
	mov	$1, %edi
	lea	time(%rip), %rsi
	syscall
	mov	time(%rip), %rax
	imul	$1000000000, %rax, %rax
	add	time+8(%rip), %rax
	ret

	.section .rodata
nap:	.quad	0, 50000
	.comm	time, 16, 8
