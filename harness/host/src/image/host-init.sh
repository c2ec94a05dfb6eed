#!/bin/busybox sh
# Init of the emulated host: mounts what the agent needs, runs it, powers off.
export PATH=/bin:/usr/bin
# Of large areas the C library clears and copies a byte at a time where a processor calls that
# fast. An emulated one executes each byte as an instruction.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_rep_movsb_threshold=1073741824
# From an initramfs, the kernel mounts no devices.
[ -c /dev/ttyS1 ] || busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
# A distribution's kernel has KVM as modules.
[ ! -f /modules/load ] || . /modules/load
# KVM's own counters tell a guest that spins for good.
busybox mount -t debugfs debugfs /sys/kernel/debug
busybox mount -t tmpfs tmpfs /tmp
busybox mount -t tmpfs tmpfs /run
# QEMU's port forward binds on the loopback interface.
busybox ifconfig lo up
busybox stty -F /dev/ttyS1 raw -echo 115200
# The order is a file where the root is an initramfs, else the last disk: the second one, or
# the third where the kernel has one, too.
order=/order
[ -f $order ] || order=/dev/sdc
[ -e $order ] || order=/dev/sdb
exitlab-agent --plan $order --events /dev/ttyS1
echo "exitlab: the agent ended with status $?"
busybox poweroff -f
