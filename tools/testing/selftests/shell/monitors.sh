#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a virtual machine monitor does when the link of its guest is deleted: QEMU,
# with a guest that uses the link, and whose packets QEMU moves, or vhost-net.
#
#   namespace "mt-peer"    |  this namespace               |  guest
#   dnsmasq on mt-peer0 <-> mt-lower <- mt-tap <- /dev/tapN <- QEMU <- iPXE

. "$(dirname "$0")/lib.sh"
set -o pipefail

# The guest boots, emulated twice over.
CASE_SECONDS=240
BOOT_SECONDS=120

work=/run/monitors
# How long QEMU is watched, and how much of that it may spend without the guest: it
# would be all of it if it polled without end. In seconds, and in ticks of 10 ms.
WATCHED=10
BUSY=300

make_network() {
	ip netns add mt-peer
	ip link add mt-lower up type veth peer name mt-peer0 netns mt-peer
	ip -n mt-peer link set mt-peer0 up
	ip -n mt-peer address add 192.0.2.1/24 dev mt-peer0
	new_macvtap mode bridge
	ip link set mt-tap up
}

# The guest's firmware loads a script, and then does nothing with its link up.
serve() {
	mkdir -p "$work/tftp"
	printf '#!ipxe\n:again\nsleep 1\ngoto again\n' >"$work/tftp/idle.ipxe"
	ip netns exec mt-peer dnsmasq --conf-file=/dev/null --user=root --group=root \
		--pid-file="$work/dnsmasq.pid" --log-facility="$work/dnsmasq.log" --port=0 \
		--no-ping --interface=mt-peer0 --bind-interfaces --dhcp-authoritative \
		--dhcp-range=192.0.2.100,192.0.2.150 --dhcp-leasefile="$work/leases" \
		--dhcp-boot=idle.ipxe --enable-tftp --tftp-root="$work/tftp"
}

# start_qemu [OPTIONS OF THE NETDEV]: its monitor is on 8 and 9.
start_qemu() {
	mkfifo "$work/monitor.in" "$work/monitor.out"
	exec 8<>"$work/monitor.in" 9<>"$work/monitor.out"
	qemu-system-x86_64 -accel tcg -m 64 -nodefaults -nographic \
		-name mt,debug-threads=on -monitor "pipe:$work/monitor" \
		-netdev "tap,id=n0,fd=3${1:-}" \
		-device "virtio-net-pci,netdev=n0,mac=$(cat /sys/class/net/mt-tap/address)" \
		3<>"$(node_of mt-tap)" 8>&- 9>&- >"$work/qemu.log" 2>&1 &
	qemu=$!
}

wait_for_guest() {
	local end=$((SECONDS + BOOT_SECONDS))

	until grep -qs "sent .*/idle.ipxe" "$work/dnsmasq.log"; do
		[ "$SECONDS" -lt "$end" ] || fail "the guest did not load its script"
		[ -e "/proc/$qemu" ] || fail "QEMU has ended: $(cat "$work/qemu.log")"
		sleep 0.2
	done
}

# monitor COMMAND: tells QEMU to do it.
monitor() {
	echo "$1" >&8
}

# The guest is not stopped, and QEMU answers.
assert_runs() {
	local line

	monitor "info status"
	while IFS= read -r -t 20 -u 9 line; do
		[[ $line != *"VM status: "* ]] || break
	done
	contains "${line:-no answer}" "VM status: running"
}

# Processor time of QEMU and of its vhost, in ticks, but for the guest's own.
ticks() {
	local task name sum=0 fields

	for task in "/proc/$qemu/task"/*; do
		name=$(cat "$task/comm")
		[[ $name != CPU* ]] || continue
		# Behind the name, which may have spaces.
		read -ra fields <<<"$(sed 's/.*) //' "$task/stat")"
		sum=$((sum + fields[11] + fields[12]))
	done
	echo "$sum"
}

# assert_idle WHEN
assert_idle() {
	local before spent

	before=$(ticks)
	sleep "$WATCHED"
	spent=$(($(ticks) - before))
	echo "figures: QEMU spent $((spent * 10)) ms of $WATCHED s $1"
	[ "$spent" -lt "$BUSY" ] || fail "QEMU is busy $1: $spent ticks in $WATCHED s"
}

clean_up_monitors() {
	local status=$?

	set +e
	[ -z "${qemu:-}" ] || kill -KILL "$qemu" 2>/dev/null
	[ ! -e "$work/dnsmasq.pid" ] || kill "$(cat "$work/dnsmasq.pid")"
	[ "$status" = 0 ] || sed 's/^/  /' "$work/qemu.log"
	rm -rf "$work"
	(exit "$status")
	clean_up
}

bring_up() {
	make_network
	serve
	start_qemu "$@"
	wait_for_guest
	assert_runs
}

# survives [OPTIONS OF THE NETDEV]: QEMU and its guest go on without the link, also
# when the guest starts anew and its device with it.
survives() {
	trap clean_up_monitors EXIT
	mkdir "$work"
	bring_up "$@"
	assert_idle "with the link"
	ip link delete mt-tap
	assert_idle "without it"
	assert_runs
	monitor system_reset
	sleep 5
	assert_idle "after a reset"
	assert_runs
	monitor quit
	wait "$qemu" || fail "QEMU ended with $?: $(cat "$work/qemu.log")"
	qemu=
}

test_qemu_survives_its_link() {
	survives
}

test_vhost_survives_its_link() {
	modprobe vhost_net
	survives ,vhost=on,vhostforce=on
}

run_cases "$@"
