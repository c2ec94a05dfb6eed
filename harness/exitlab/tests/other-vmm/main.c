/*
 * A virtual machine monitor that is not QEMU: one vCPU, 64 KiB, a serial port.
 *
 *   other-vmm PROGRAM IN OUT
 *
 * PROGRAM is run from address 0 in real mode. The port has a byte as soon as IN has one; what
 * the program sends goes to OUT. Both are named pipes. KVM's interface: linux/kvm.h,
 * Documentation/virt/kvm/api.rst.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY 0x10000
#define DATA 0x3f8
#define STATUS 0x3fd

static int opened(const char *path, int how)
{
	int fd = open(path, how | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static int asked(int fd, unsigned long what, unsigned long how)
{
	int answer = ioctl(fd, what, how);

	if (answer < 0)
		err(1, "ioctl %#lx", what);
	return answer;
}

static int vcpu_of(int vm)
{
	struct kvm_sregs segments;
	struct kvm_regs registers = { .rip = 0, .rflags = 2 };
	int vcpu = asked(vm, KVM_CREATE_VCPU, 0);

	asked(vcpu, KVM_GET_SREGS, (unsigned long)&segments);
	segments.cs.base = 0;
	segments.cs.selector = 0;
	asked(vcpu, KVM_SET_SREGS, (unsigned long)&segments);
	asked(vcpu, KVM_SET_REGS, (unsigned long)&registers);
	return vcpu;
}

static void serve(struct kvm_run *run, int in, int out)
{
	uint8_t *byte = (uint8_t *)run + run->io.data_offset;
	static uint8_t received;

	if (run->exit_reason != KVM_EXIT_IO || run->io.size != 1 || run->io.count != 1)
		errx(1, "exit for a reason that has no place here: %u", run->exit_reason);
	if (run->io.port == DATA && run->io.direction == KVM_EXIT_IO_OUT) {
		if (write(out, byte, 1) != 1)
			err(1, "write");
	} else if (run->io.port == STATUS) {
		if (read(in, &received, 1) != 1)
			err(1, "read");
		*byte = 1;
	} else {
		*byte = received;
	}
}

int main(int argc, char **argv)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	int kvm, vm, vcpu, program, in, out;
	struct kvm_run *run;
	void *memory;

	if (argc != 4)
		errx(2, "usage: other-vmm PROGRAM IN OUT");
	kvm = opened("/dev/kvm", O_RDWR);
	vm = asked(kvm, KVM_CREATE_VM, 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	program = opened(argv[1], O_RDONLY);
	if (memory == MAP_FAILED || read(program, memory, MEMORY) <= 0)
		err(1, "%s", argv[1]);
	region.userspace_addr = (unsigned long)memory;
	asked(vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region);
	vcpu = vcpu_of(vm);
	run = mmap(NULL, asked(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED,
		   vcpu, 0);
	if (run == MAP_FAILED)
		err(1, "mmap");
	/* Open for both: a pipe whose other end is closed for a while does not end. */
	in = opened(argv[2], O_RDWR);
	out = opened(argv[3], O_RDWR);
	for (;;) {
		asked(vcpu, KVM_RUN, 0);
		serve(run, in, out);
	}
}
