# Boot sector of the emulated host's first disk. Reads the kernel, which lies on the disk
# as it will lie in memory, and starts it by its PVH entry, as QEMU does on tcg-svm: no boot
# loader looks for files, and the kernel unpacks nothing. Those two took half of the time
# before the kernel's first instruction.
#
# The disk: these ten sectors, then the kernel, and the initramfs of one that needs it. disk.rs writes it, and fills
# in PARAMETERS and the command line.

	.set	ORIGIN, 0x7c00		# where the firmware loads the first sector
	.set	SECTORS, 10		# of this program with its parameters
	.set	BUFFER, 0x10000		# a chunk of the kernel, below the first megabyte
	.set	CHUNK, 64		# its sectors
	.set	MEMORY_MAP, 0x5000
	.set	START_INFO, 0x6000
	.set	PVH_MAGIC, 0x336ec578
	.set	SMAP, 0x534d4150

	.code16
	.globl	_start
_start:
	cli
	ljmp	$0, $here
here:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$ORIGIN, %sp
	movb	%dl, drive
	call	read			# the rest of these sectors
	jmp	map

# Reads what `packet` says.
read:
	movb	$0x42, %ah
	movb	drive, %dl
	movw	$packet, %si
	int	$0x13
	jc	failed
	ret
failed:
	movw	$message, %si
1:	lodsb
	testb	%al, %al
	jz	2f
	movb	$0x0e, %ah
	int	$0x10
	jmp	1b
2:	hlt
	jmp	2b

message:
	.asciz	"exitlab: the disk cannot be read"
drive:
	.byte	0
	.balign	4
packet:
	.byte	16, 0
count:	.word	SECTORS - 1
	.word	(ORIGIN + 512) & 0xf
segment:
	.word	(ORIGIN + 512) >> 4
lba:	.quad	1

	.org	_start + 510
	.word	0xaa55

map:
	inb	$0x92, %al		# address line 20
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92

	xorl	%ebx, %ebx		# the firmware's memory map
	movw	$MEMORY_MAP, %di
1:	movl	$0xe820, %eax
	movl	$20, %ecx
	movl	$SMAP, %edx
	int	$0x15
	jc	2f
	movl	$0, 20(%di)
	addw	$24, %di
	incl	entries
	testl	%ebx, %ebx
	jnz	1b
2:
	movw	$BUFFER >> 4, segment
	movl	$SECTORS, lba
next:
	movl	sectors, %ecx
	jecxz	start
	cmpl	$CHUNK, %ecx
	jbe	1f
	movl	$CHUNK, %ecx
1:	movw	%cx, count
	call	read
	call	widen
	movzwl	count, %ecx
	addl	%ecx, lba
	subl	%ecx, sectors
	shll	$7, %ecx		# in words of four bytes
	movl	$BUFFER, %esi
	movl	address, %edi
	cld
	addr32 rep movsl
	movl	%edi, address
	jmp	next

# Lets DS and ES reach all memory from real mode: a limit outlives the way back.
widen:
	lgdt	descriptors
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$0x10, %dx
	movw	%dx, %ds
	movw	%dx, %es
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%dx, %dx
	movw	%dx, %ds
	movw	%dx, %es
	ret

start:
	lgdt	descriptors
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $protected

	.code32
protected:
	movw	$0x10, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$START_INFO, %edi
	movl	$14, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$START_INFO, %ebx
	movl	$PVH_MAGIC, (%ebx)
	movl	$1, 4(%ebx)		# version
	movl	modules, %eax
	movl	%eax, 12(%ebx)
	movl	$initramfs, 16(%ebx)
	movl	$command_line, 24(%ebx)
	movl	$MEMORY_MAP, 40(%ebx)
	movl	entries, %eax
	movl	%eax, 48(%ebx)
	jmp	*entry

	.balign	8
table:
	.quad	0
	.quad	0x00cf9b000000ffff	# code: 4 GiB from 0
	.quad	0x00cf93000000ffff	# data
descriptors:
	.word	. - table - 1
	.long	table
entries:
	.long	0

	.org	_start + 0x800		# PARAMETERS
sectors:
	.long	0			# of the kernel
address:
	.long	0			# of its first byte in memory
entry:
	.long	0			# of its first instruction
modules:
	.long	0			# 1 with an initramfs behind the kernel
initramfs:				# as PVH describes it: address, size, two zeros
	.quad	0, 0, 0, 0
	.org	_start + 0x900
command_line:
	.org	_start + SECTORS * 512
