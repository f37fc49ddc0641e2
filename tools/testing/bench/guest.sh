#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the test machine, whose modules are those in C: what TCP does between a
# Linux guest and the peer of its link, with these modules and with ours in turns,
# and with passt in place of them.
#
#   guest.sh PAIRS SECONDS
#
#   namespace "peer"  |  this namespace                     |  guest
#             far0 <-> lower0 <- tap0 <- /dev/tapN <- QEMU  <- eth0	plain
#             far0 <-> lower0 <- tap0 <- /dev/tapN <- vhost <- eth0	vhost
#             far0 <-> lower0 <- sockets of passt  <- QEMU  <- eth0	passt
#
# Prints, for each that was measured: number, side, way, what, and what iperf3 or
# netperf said, with tabs between.
#
# The guest runs under KVM, also where the test machine is emulated: QEMU emulates a
# processor that has it. Emulated twice over, the guest would get a thousandth.

# shellcheck source=../selftests/shell/guest-lib.sh
. "$(dirname "$0")/guest-lib.sh"
set -e -o pipefail

pairs=$1
seconds=$2
accelerator=kvm
kernel_arguments+=" nolapic_timer"
ours=$(dirname "$0")/../ours
peer_address=198.18.0.1
guest_address=198.18.0.2
# Who sends for passt's guest.
passt_address=198.18.0.3
mac=52:54:00:00:00:02
# What passt tells guests that ask: without offloads, large packets need a large MTU.
PASST_MTU=65520
# Far more than it takes to start, to connect and to tell the results.
PATIENCE_SECONDS=30
BOOT_SECONDS=$((seconds + 2 * PATIENCE_SECONDS))

wait_for_qemu() {
	hear_guest "$ENDS"
	same "exit status of QEMU" "$heard" 0
	wait "$qemu"
}

make_network() {
	ip netns add peer
	ip link add lower0 up type veth peer name far0 netns peer
	ip address add $passt_address/24 dev lower0
	ip -n peer link set lo up
	ip -n peer link set far0 up
	ip -n peer address add $peer_address/24 dev far0
	in_peer netserver -4 -L $peer_address >/dev/null
}

# start_guest MTU NETDEV: with a card that is connected to this.
# The card's bell and the clocks are ports, not memory: an emulated processor leaves the
# kind of the guest's last exception where KVM looks for one that is being delivered
# while the guest accesses a device's memory, which it refuses then.
start_guest() {
	run_qemu -machine hpet=off -netdev "$2,id=net" \
		-device virtio-net-pci,netdev=net,romfile=,mac=$mac,modern-pio-notify=on &
	qemu=$!
	hear_guest up
	in_guest "
		ip link set lo up
		ip link set eth0 up mtu $1
		ip address add $guest_address/24 dev eth0"
}

end_guest() {
	kill "$(cat "$work/pid")"
	wait_for_qemu
}

# report WHAT COMMAND...: one line of the output.
report() {
	local what=$1 said

	shift
	said=$("$@") || fail "$what: $said"
	printf '%d\t%s\t%s\t%s\t%s\n' "$number" "$side" "$way" "$what" "$(tr -d '\n\t' <<<"$said")"
}

listens() {
	in_peer netstat -ltn | grep -q ':5201 '
}

# iperf [OPTIONS...]: from the guest to the peer, if they do not reverse it.
iperf() {
	# One server for all would refuse connections for a moment after each.
	in_peer timeout $((seconds + PATIENCE_SECONDS)) iperf3 --server --one-off >/dev/null &
	eventually listens
	in_guest "timeout $((seconds + PATIENCE_SECONDS)) iperf3 --client $peer_address \
		--time $seconds --omit 1 --interval 0 --json $*" || return
	wait $!
}

request_response() {
	in_guest "timeout $((seconds + PATIENCE_SECONDS)) netperf -4 -H $peer_address -t TCP_RR \
		-l $seconds -j -P 0 -- -o mean_latency,p99_latency"
}

measure() {
	report send iperf
	report receive iperf --reverse
	report request request_response
}

load_c() {
	modprobe -a macvtap vhost_net
	same "taint of tap in C" "$(cat /sys/module/tap/taint)" ""
}

load_rust() {
	modprobe macvlan
	insmod "$ours/tap.ko"
	insmod "$ours/macvtap.ko"
	modprobe vhost_net
	contains "$(cat /sys/module/tap/taint)" O
}

vhost_threads() {
	cat "/proc/$(cat "$work/pid")/task"/*/comm | grep -c '^vhost-' || true
}

# on_macvtap OPTIONS THREADS: with the modules of a side, and these options of QEMU's for
# its file; vhost has so many threads then.
on_macvtap() {
	"load_$side"
	ip link add link lower0 name tap0 address $mac up type macvtap mode bridge
	start_guest 1500 "tap,fd=3$1" 3<>"$(node_of tap0)"
	same "threads of vhost" "$(vhost_threads)" "$2"
	measure
	end_guest
	ip link delete tap0
	modprobe -r vhost_net macvtap
	absent /sys/module/tap
}

on_plain() {
	on_macvtap "" 0
}

on_vhost() {
	on_macvtap ,vhost=on,vhostforce=on 1
}

passt_listens() {
	ss --listening --unix | grep -q "$work/passt "
}

on_passt() {
	local passt

	passt --foreground --quiet --one-off --socket "$work/passt" --ipv4-only --interface lower0 \
		--address $guest_address --gateway $peer_address --no-map-gw &
	passt=$!
	eventually passt_listens
	start_guest $PASST_MTU "stream,addr.type=unix,addr.path=$work/passt"
	measure
	end_guest
	wait $passt
	rm "$work/passt"
}

# Neither side is always the first one.
sides_of() {
	if (($1 % 2)); then
		echo c rust
	else
		echo rust c
	fi
}

# What is left of a round that failed.
clean_up_round() {
	killall -9 qemu-system-x86_64 passt passt.avx2 iperf3 2>/dev/null
	while pidof qemu-system-x86_64 passt passt.avx2 >/dev/null; do sleep 0.1; done
	rm -f "$work/pid" "$work/passt"
	ip link delete tap0
	modprobe -r vhost_net macvtap
	exec 8>&- 9>&-
	rm "$work"/shell.*
	open_console
}

# An emulated processor's KVM has its accidents: now and then a guest hears of no more
# packets. A round that fails is tried again, and says so; what it measured until then
# is not counted.
run_round() {
	for _ in 1 2 3; do
		("on_$way" >"$work/round") &
		if wait $!; then
			cat "$work/round"
			return
		fi
		echo "again: $number $side $way"
		show_guest
		set +e
		clean_up_round
		set -e
	done
	fail "this round fails each time"
}

tear_down() {
	local status=$?

	set +e
	if [ "$status" != 0 ]; then
		show_guest
	fi
	[ ! -e "$work/pid" ] || kill "$(cat "$work/pid")"
	exit "$status"
}

echo "# $(cat /proc/version)"
trap tear_down EXIT
modprobe kvm_amd || modprobe kvm_intel
mkdir "$work"
make_initramfs iperf3 netperf
open_console
make_network
for ((number = 1; number <= pairs; number++)); do
	for way in plain vhost; do
		for side in $(sides_of "$number"); do
			run_round
		done
	done
	side=- way=passt
	run_round
done
