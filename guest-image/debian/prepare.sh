# Runs outside of the new system, on its directory $1, before the kernel is installed:
# says what the initramfs is to hold. The kernel's package then makes it.
set -eu
tools=$1/etc/initramfs-tools
mkdir -p "$tools/conf.d" "$tools/hooks" "$tools/scripts/init-bottom"

cat >"$tools/conf.d/exitlab" <<'END'
MODULES=list
COMPRESS=zstd
BUSYBOX=n
END

cat >"$tools/hooks/exitlab" <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_mmio virtio_blk virtio_net squashfs overlay
copy_exec /bin/cp
END

# The root file system is read-only; what is written goes to memory, as on a live system.
# The keys come with this boot, in an archive of their own behind the initramfs.
cat >"$tools/scripts/init-bottom/exitlab" <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
set -e
mkdir -p /overlay
mount -t tmpfs -o size=90%,mode=755 tmpfs /overlay
mkdir /overlay/disk /overlay/upper /overlay/work
mount -o move "$rootmnt" /overlay/disk
mount -t overlay -o lowerdir=/overlay/disk,upperdir=/overlay/upper,workdir=/overlay/work \
	overlay "$rootmnt"
if [ -d /exitlab ]; then
	cp -a /exitlab/. "$rootmnt/"
fi
END
chmod 755 "$tools/hooks/exitlab" "$tools/scripts/init-bottom/exitlab"
