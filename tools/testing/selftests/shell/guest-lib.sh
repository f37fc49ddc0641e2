# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For what boots a Linux guest in QEMU, whose kernel is that of scripts/kernel-guest,
# and whose shell is on its second serial port.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/console.sh"

kernel=$(dirname "$0")/../guest/vmlinux
work=/run/guest
accelerator=tcg
kernel_arguments="console=ttyS0 panic=-1 oops=panic panic_on_warn=1 reboot=t no_timer_check tsc=unstable"

# make_initramfs PROGRAM...: the user space of the guest, with these of what is here.
make_initramfs() {
	local root=$work/root file

	make_root ttyS1
	for file in "$@"; do
		cp "$(command -v "$file")" "$root/bin/"
		/lib64/ld-linux-x86-64.so.2 --list "$root/bin/$file"
	done | grep -o '/lib[^ ]*' | sort -u | xargs -I{} cp {} "$root/lib/"
	# What ends a thread, and so iperf3's.
	cp /lib/x86_64-linux-gnu/libgcc_s.so.1 "$root/lib/"
	pack_root
}

# run_qemu OPTIONS...: with these besides the machine; then says so where the guest's
# shell does.
# A processor with few features takes the least time to boot, if it does not have
# to wait for random numbers.
run_qemu() {
	local status=0

	qemu-system-x86_64 -accel "$accelerator" -cpu qemu64,+rdrand -smp 1 -m 128 -pidfile "$work/pid" \
		-nodefaults -no-reboot -display none -machine q35 -bios /usr/share/qemu/qboot.rom \
		-kernel "$kernel" -initrd "$work/initramfs" \
		-append "$kernel_arguments" \
		-serial "file:$work/console" -serial "pipe:$work/shell" \
		"$@" 8>&- 9>&- 2>"$work/qemu.log" ||
		status=$?
	echo "$ENDS$status" >&9
}

in_peer() {
	ip netns exec peer "$@"
}

# Of a failure: the guest's console and what QEMU said.
show_guest() {
	sed 's/^/# /' "$work/console" "$work/qemu.log"
}
