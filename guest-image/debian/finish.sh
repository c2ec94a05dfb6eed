# Runs outside of the new system, on its directory $1, when every package is installed:
# network and SSH server, and nothing that differs from one build to the next.
set -eu
cat >"$1/etc/systemd/network/10-exitlab.network" <<'END'
[Match]
Name=en* eth*
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
END
cat >"$1/etc/ssh/sshd_config.d/exitlab.conf" <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
UseDNS no
END
chroot "$1" systemctl --quiet enable systemd-networkd.service
echo exitlab >"$1/etc/hostname"
echo "127.0.0.1 localhost exitlab" >"$1/etc/hosts"
# A fixed identity: with none, each boot would draw one, and be a first boot.
echo 65786974-6c61-6265-7869-746c61620001 | tr -d - >"$1/etc/machine-id"
rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/resolv.conf"
rm -rf "$1"/var/log/* "$1"/var/cache/*
