# Loads the modules of /modules/order, each with its words of the kernel's command line, as
# modprobe does. Sourced by init; /proc is there.
while read -r module; do
	case $module in
	kvm_intel) flag=vmx ;;
	kvm_amd) flag=svm ;;
	*) flag= ;;
	esac
	# The other vendor's KVM has nothing to do here.
	[ -z "$flag" ] || busybox grep -qw "$flag" /proc/cpuinfo || continue
	words=
	for word in $(busybox cat /proc/cmdline); do
		case $word in
		"$module".?*) words="$words ${word#*.}" ;;
		esac
	done
	# shellcheck disable=SC2086 # several words
	busybox insmod "/modules/$module.ko" $words ||
		echo "exitlab: the kernel's module $module cannot be loaded"
done </modules/order
