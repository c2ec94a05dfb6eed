#!/bin/busybox sh
# Init of the emulated host: mounts what the agent needs, runs it, powers off.
export PATH=/bin:/usr/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t tmpfs tmpfs /tmp
busybox mount -t tmpfs tmpfs /run
# QEMU's port forward binds on the loopback interface.
busybox ifconfig lo up
busybox stty -F /dev/ttyS1 raw -echo
exitlab agent --plan /dev/sdb --events /dev/ttyS1
echo "exitlab: the agent ended with status $?"
busybox poweroff -f
