# A guest of a few hundred bytes, as kvm-unit-tests build them: a multiboot image without an
# operating system. It prints READY, waits without a VM exit, executes CPUID 1000 times,
# prints DONE, and shuts down.
#
#   as --32 -o flat.o flat.S && ld -m elf_i386 -Ttext=0x100000 -o flat flat.o

	.set MAGIC, 0x1badb002
	.set TIMES, 1000

	.text
	.globl _start
	.align 4
	.long MAGIC, 0, -MAGIC		# multiboot header: no wishes

_start:
	mov $ready, %esi
	call print

	# Long enough for the counters to be read: 200 million instructions.
	mov $100000000, %ecx
1:	dec %ecx
	jnz 1b

	mov $TIMES, %edi
2:	xor %eax, %eax
	cpuid
	dec %edi
	jnz 2b

	mov $done, %esi
	call print

	# isa-debug-exit, if there is one: its way out.
	mov $0xf4, %dx
	xor %eax, %eax
	out %al, %dx

	# ACPI: off. The firmware has put PM1a_CNT there; nothing sleeps in S5 but QEMU.
	mov $0x604, %dx
	mov $0x2000, %ax
	out %ax, %dx
3:	hlt
	jmp 3b

# Prints the text at %esi to the first serial port: one exit for each character.
print:	mov $0x3f8, %dx
4:	lodsb
	test %al, %al
	jz 5f
	out %al, %dx
	jmp 4b
5:	ret

ready:	.asciz "flat: READY\n"
done:	.asciz "flat: DONE\n"
