#!/bin/busybox sh
# Init of an initramfs, for a host kernel whose disks and file systems are modules: loads
# them, waits for the disks, and goes on with the init on the root.
busybox mount -t proc proc /proc
busybox mount -t devtmpfs devtmpfs /dev
. /modules/load
root=/dev/sdb
# The order is on the last disk: with it all are there.
tries=0
until [ -b /dev/sdc ]; do
	tries=$((tries + 1))
	if [ $tries -gt 300 ]; then
		echo "exitlab: the host's disks do not appear"
		busybox poweroff -f
	fi
	busybox sleep 0.1
done
if ! busybox mount -t erofs -o ro $root /root; then
	echo "exitlab: the host's root $root cannot be mounted"
	busybox poweroff -f
fi
busybox umount /proc
busybox mount --move /dev /root/dev
exec busybox switch_root /root /init
