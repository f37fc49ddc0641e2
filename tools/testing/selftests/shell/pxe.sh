# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests with a guest whose firmware, iPXE, gets an address by DHCP and loads a
# script by TFTP, from dnsmasq in the namespace "mt-peer", behind lib.sh. Then it
# does nothing, with its link up, but to answer pings.

# The guest boots, emulated twice over where the machine has no KVM, maybe on a busy
# host.
PXE_SECONDS=360

# In it, $work/qemu.log is what the monitor says.
work=/run/pxe

# serve LINK: to guests behind it, at 192.0.2.1.
serve() {
	mkdir -p "$work/tftp"
	printf '#!ipxe\n:again\nsleep 1\ngoto again\n' >"$work/tftp/idle.ipxe"
	in_peer dnsmasq --conf-file=/dev/null --user=root --group=root \
		--pid-file="$work/dnsmasq.pid" --log-facility="$work/dnsmasq.log" --port=0 \
		--no-ping --interface="$1" --bind-interfaces --dhcp-authoritative \
		--dhcp-range=192.0.2.100,192.0.2.150 --dhcp-leasefile="$work/leases" \
		--dhcp-boot=idle.ipxe --enable-tftp --tftp-root="$work/tftp"
}

# An emulated processor of AMD's has what KVM needs.
load_kvm() {
	modprobe kvm_amd || modprobe kvm_intel
}

# run_qemu NETDEV: with the address of mt-tap for its guest, and its monitor on 8 and 9.
run_qemu() {
	mkfifo "$work/monitor.in" "$work/monitor.out"
	exec 8<>"$work/monitor.in" 9<>"$work/monitor.out"
	qemu-system-x86_64 -accel kvm -accel tcg -m 64 -nodefaults -nographic \
		-name mt,debug-threads=on -monitor "pipe:$work/monitor" -netdev "$1" \
		-device "virtio-net-pci,netdev=n0,mac=$(cat /sys/class/net/mt-tap/address)" \
		8>&- 9>&- >"$work/qemu.log" 2>&1 &
	qemu=$!
}

# start_qemu [OPTIONS OF THE NETDEV]: with mt-tap for its guest.
start_qemu() {
	run_qemu "tap,id=n0,fd=3${1:-}" 3<>"$(node_of mt-tap)"
}

# monitor COMMAND: tells QEMU to do it.
monitor() {
	echo "$1" >&8
}

# wait_for_guest: that the process $qemu runs.
wait_for_guest() {
	local end=$((SECONDS + PXE_SECONDS))

	until grep -qs "sent .*/idle.ipxe" "$work/dnsmasq.log"; do
		[ "$SECONDS" -lt "$end" ] || fail "the guest did not load its script"
		[ -e "/proc/$qemu" ] || fail "QEMU has ended: $(cat "$work/qemu.log")"
		sleep 0.2
	done
}

# The address that the guest got, while it is alone.
guest_address() {
	cut -d ' ' -f 3 "$work/leases"
}

# For EXIT.
clean_up_pxe() {
	local status=$?

	set +e
	[ -z "${qemu:-}" ] || kill -KILL "$qemu" 2>/dev/null
	[ ! -e "$work/dnsmasq.pid" ] || kill "$(cat "$work/dnsmasq.pid")"
	[ "$status" = 0 ] || [ ! -e "$work/qemu.log" ] || sed 's/^/  /' "$work/qemu.log"
	rm -rf "$work"
	(exit "$status")
	clean_up
}
