# A guest that does a known number of known things, each of which is a VM exit: ports, MSRs,
# CPUID leaves, a device in memory, hypercalls. A multiboot image without an operating system,
# as flat.S is.
#
#   as --32 -o details.o details.S && ld -m elf_i386 -Ttext=0x100000 -o details details.o

	.set MAGIC, 0x1badb002
	.set AMD, 0x68747541		# "Auth"
	.set IO_APIC, 0xfec00000

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

	# Ports: 300 bytes to the POST code, 200 from COM1's line status, one string of 25.
	mov $300, %edi
2:	out %al, $0x80
	dec %edi
	jnz 2b
	mov $0x3fd, %dx
	mov $200, %edi
3:	in %dx, %al
	dec %edi
	jnz 3b
	mov $0xed, %dx
	mov $25, %ecx
	mov $ready, %esi
	rep outsb

	# CPUID: leaf 7, subleaf 1, 100 times; leaf 0 once, to tell whose hypercall it is.
	mov $100, %edi
4:	mov $7, %eax
	mov $1, %ecx
	cpuid
	dec %edi
	jnz 4b
	xor %eax, %eax
	cpuid
	mov %ebx, %ebp

	# MSRs: IA32_APICBASE is read 71 times and written 40 times, with what it holds.
	mov $0x1b, %ecx
	mov $71, %edi
5:	rdmsr
	dec %edi
	jnz 5b
	mov $40, %edi
6:	wrmsr
	dec %edi
	jnz 6b

	# A device in memory: the I/O APIC's index is written 60 times and its window read 50 times.
	mov $60, %edi
7:	movl $0, IO_APIC
	dec %edi
	jnz 7b
	mov $50, %edi
8:	mov IO_APIC + 0x10, %eax
	dec %edi
	jnz 8b

	# Hypercalls: 30 of a number that nobody has.
	mov $30, %edi
9:	mov $99, %eax
	cmp $AMD, %ebp
	je 10f
	vmcall
	jmp 11f
10:	vmmcall
11:	dec %edi
	jnz 9b

	# Nothing, where a test puts a CPUID of leaf 1.
	mov $1, %eax
	xor %ecx, %ecx
	data16 nop

	mov $done, %esi
	call print

	# ACPI: off. The firmware has put PM1a_CNT there; nothing sleeps in S5 but QEMU.
	mov $0x604, %dx
	mov $0x2000, %ax
	out %ax, %dx
12:	hlt
	jmp 12b

# Prints the text at %esi to the first serial port: one exit for each character.
print:	mov $0x3f8, %dx
13:	lodsb
	test %al, %al
	jz 14f
	out %al, %dx
	jmp 13b
14:	ret

ready:	.asciz "details: READY\n"
done:	.asciz "details: DONE\n"
