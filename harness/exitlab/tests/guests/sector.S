# A disk's boot sector: writes to its disk through the firmware, says so on the first serial
# port, and shuts down.
#
#   as --32 -o sector.o sector.S && ld -m elf_i386 -Ttext=0x7c00 --oformat=binary ...

	.code16
	.text
	.globl _start
_start:
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp
	cld

	# Write this sector to the next one; the firmware has left the disk's number in %dl.
	mov $0x0301, %ax
	mov $0x7c00, %bx
	mov $0x0002, %cx
	mov $0x00, %dh
	int $0x13
	mov $failed, %si
	jc 1f
	mov $written, %si
1:	mov $0x3f8, %dx
2:	lodsb
	test %al, %al
	jz 3f
	out %al, %dx
	jmp 2b

	# ACPI: off.
3:	mov $0x604, %dx
	mov $0x2000, %ax
	out %ax, %dx
4:	hlt
	jmp 4b

written: .asciz "sector: WRITTEN\n"
failed:	.asciz "sector: FAILED\n"
	.org 510
	.word 0xaa55
