#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A Linux guest in QEMU, on three macvtap links: what it negotiates, and what its
# TCP connections carry. Its kernel is that of scripts/kernel-guest.
#
#   namespace "peer"  |  this namespace                    |  guest
#               far0 <-> lower0 <- tap0 <- /dev/tapN <- QEMU  <- eth0
#               far1 <-> lower1 <- tap1 <- /dev/tapN <- vhost <- eth1
#               far2 <-> lower2 <- tap2 <- /dev/tapN <- vhost <- eth2, two queues
#
# To boot, emulated twice over, takes a minute. So there is one guest for all
# cases, which are calls of this file: it is started before the first one, which
# is why nothing here has a name by which the cases' links are deleted.

. "$(dirname "$0")/guest-lib.sh"
set -o pipefail

CASE_SECONDS=900
# As the statistics count a frame of a link with the usual MTU.
LARGEST_FRAME=1514

# addresses N HOST: of the peer (1) or the guest (2) in the networks of ethN.
addresses() {
	echo "198.18.$1.$2" "2001:db8:$1::$2"
}

make_network() {
	local n address4 address6

	ip netns add peer
	ip -n peer link set lo up
	for n in 0 1 2; do
		read -r address4 address6 < <(addresses $n 1)
		ip link add lower$n up type veth peer name far$n netns peer
		ip -n peer link set far$n up
		ip -n peer address add "$address4/24" dev far$n
		ip -n peer address add "$address6/64" dev far$n nodad
		ip link add link lower$n name tap$n up type macvtap mode bridge
		# IPv6 finds the guest by groups that it joins, but the link does not.
		ip link set tap$n allmulticast on
	done
}

# nic N: the options for ethN, without its backend.
nic() {
	echo "virtio-net-pci,netdev=n$1,mq=on,romfile=,mac=$(cat "/sys/class/net/tap$1/address")"
}

run_guest() {
	run_qemu \
		-netdev tap,id=n0,fd=3 -device "$(nic 0)" \
		-netdev tap,id=n1,fd=4,vhost=on,vhostforce=on -device "$(nic 1)" \
		-netdev tap,id=n2,fds=5:6,vhost=on,vhostforce=on -device "$(nic 2)" \
		3<>"$(node_of tap0)" 4<>"$(node_of tap1)" \
		5<>"$(node_of tap2)" 6<>"$(node_of tap2)"
}

configure_guest() {
	local n address4 address6

	in_guest "ip link set lo up"
	for n in 0 1 2; do
		read -r address4 address6 < <(addresses $n 2)
		in_guest "
			echo 0 >/proc/sys/net/ipv6/conf/eth$n/accept_dad
			ip link set eth$n up
			ip address add $address4/24 dev eth$n
			ip address add $address6/64 dev eth$n"
	done
	in_guest "ethtool -L eth2 combined 2"
}

start_servers() {
	mkdir "$work/srv"
	head -c 1m /dev/urandom >"$work/srv/file"
	in_peer httpd -h "$work/srv"
	in_guest "head -c 1m /dev/urandom >/srv/file"
	in_guest "httpd -h /srv"
}

set_up() {
	modprobe vhost_net
	mkdir "$work"
	make_initramfs ethtool iperf3
	make_network
	open_console
	run_guest &
	hear_guest up
	configure_guest
	start_servers
}

tear_down() {
	local status=$? n

	set +e
	if [ "$status" != 0 ]; then
		show_guest
	fi
	[ ! -e "$work/pid" ] || kill "$(cat "$work/pid")"
	wait
	ip netns pids peer | xargs -r kill
	ip netns delete peer
	for n in 0 1 2; do
		# This deletes the others, if the namespace did not.
		ip link delete lower$n 2>/dev/null
	done
	rm -rf "$work"
	exit "$status"
}

# What the peer of ethN and ethN have sent and received, in this order.
counters() {
	local files="tx_bytes tx_packets rx_bytes rx_packets"

	in_peer sh -c "cd /sys/class/net/far$1/statistics && cat $files"
	in_guest "cd /sys/class/net/eth$1/statistics && cat $files"
}

# frames N COMMAND...: sets whether the frames that each side has sent and received
# meanwhile are small enough for a wire or large, on average.
frames() {
	local before after i size sizes=()

	mapfile -t before < <(counters "$1")
	"${@:2}"
	mapfile -t after < <(counters "$1")
	for i in 0 2 4 6; do
		size=$(((after[i] - before[i]) / (after[i + 1] - before[i + 1])))
		sizes+=("$([ $size -gt $LARGEST_FRAME ] && echo large || echo small)")
	done
	read -r peer_sent peer_received guest_sent guest_received <<<"${sizes[*]}"
}

# get_file ADDRESS: a command that prints the hash of what it gets there.
get_file() {
	local host=$1

	[[ $host != *:* ]] || host="[$host]"
	echo "wget -q -T 30 -O - http://$host/file | sha256sum"
}

# file_to_guest ADDRESS: random bytes arrive unchanged.
file_to_guest() {
	same "file from $1" "$(in_guest "$(get_file "$1")")" "$(sha256sum <"$work/srv/file")"
}

file_from_guest() {
	same "file from $1" "$(in_peer sh -c "$(get_file "$1")")" "$(in_guest "sha256sum </srv/file")"
}

# carries_files N PEER_SENT GUEST_RECEIVED GUEST_SENT PEER_RECEIVED: one each way, in
# both networks, in frames of these sizes.
carries_files() {
	local address

	for address in $(addresses "$1" 1); do
		frames "$1" file_to_guest "$address"
		same "frames from $address" "$peer_sent $guest_received" "$2 $3"
	done
	for address in $(addresses "$1" 2); do
		frames "$1" file_from_guest "$address"
		same "frames from $address" "$guest_sent $peer_received" "$4 $5"
	done
}

# iperf ADDRESS [OPTIONS]: both sides tell that bytes went through.
iperf() {
	local report sum bytes

	# One server for all would refuse connections for a moment after each.
	in_guest "
		iperf3 --server --one-off >/dev/ttyS0 2>&1 &
		until netstat -ltn | grep -q :5201; do sleep 0.1; done"
	report=$(in_peer iperf3 --client "$1" --connect-timeout 10000 --bytes 4M --json "${@:2}") ||
		fail "iperf3 --client $*: $report"
	in_guest wait
	for sum in sum_sent sum_received; do
		bytes=$(sed -n "/\"$sum\"/,/}/s/.*\"bytes\":[^0-9]*\([0-9]*\).*/\1/p" <<<"$report")
		[ "$bytes" -gt 0 ] || fail "iperf3 --client $*: $sum is '$bytes' bytes"
	done
}

# set_offloads_below N on|off
set_offloads_below() {
	ethtool -K "lower$1" tx "$2"
	in_peer ethtool -K "far$1" tx "$2"
}

# carries N: ethN does, with and without offloads.
carries() {
	local address4 address6

	# What is larger than the MTU goes all the way as it is.
	carries_files "$1" large large large large
	read -r address4 address6 < <(addresses "$1" 2)
	iperf "$address4"
	iperf "$address6" --reverse

	# Frames go over the veth pair with the sizes and checksums that they have on a
	# wire. The peer checks the latter.
	set_offloads_below "$1" off
	carries_files "$1" small small large small
	set_offloads_below "$1" on

	# The guest takes no large packets, so that tap splits them, and sends none.
	in_guest "ethtool -K eth$1 rx-gro-hw off tx off"
	carries_files "$1" large small small small
}

# Prints the interrupts of eth2's queues: both that receive, both that send.
interrupts() {
	in_guest "sed -n 's/^[^:]*: *\([0-9]*\) .*virtio2-\(input\|output\).*/\1/p' /proc/interrupts"
}

# all_grew NUMBERS...: those interrupts were fewer.
all_grew() {
	local now i

	mapfile -t now < <(interrupts)
	same "eth2's queues, both ways" "${#now[@]}" 4
	for i in 0 1 2 3; do
		shift "$((i > 0))"
		[ "${now[i]}" -gt "$1" ] || return
	done
}

# The last column.
bad_checksums() {
	echo "sed -n '/^Tcp: [0-9]/s/.* //p' /proc/net/snmp"
}

test_negotiates_offloads() {
	local n features feature

	for n in 0 1 2; do
		features=$(in_guest "ethtool -k eth$n")
		for feature in rx-checksumming tx-checksumming tx-tcp-segmentation \
			tx-tcp6-segmentation rx-gro-hw; do
			contains "$features" "$feature: on"
		done
	done
}

# One for eth1, one for each of eth2's queues.
test_vhost_has_its_threads() {
	same "threads of vhost" "$(cat "/proc/$(cat "$work/pid")/task"/*/comm | grep -c '^vhost-')" 3
}

test_packets_by_qemu() {
	carries 0
}

test_packets_by_vhost() {
	carries 1
}

test_two_queues_by_vhost() {
	carries 2
}

# Which queue a connection takes is up to chance.
test_both_queues_carry_packets() {
	local before address

	read -r address _ < <(addresses 2 2)
	mapfile -t before < <(interrupts)
	for _ in 1 2 3 4 5; do
		iperf "$address" --parallel 4
		iperf "$address" --parallel 4 --reverse
		! all_grew "${before[@]}" || return 0
	done
	fail "interrupts of eth2's queues: ${before[*]}, then $(interrupts | xargs)"
}

test_nobody_complains() {
	same "what QEMU says" "$(cat "$work/qemu.log")" ""
	same "the guest's taint" "$(in_guest "cat /proc/sys/kernel/tainted")" 0
	same "call traces" "$(grep -c "Call Trace:" "$work/console")" 0
	same "wrong checksums in the guest" "$(in_guest "$(bad_checksums)")" 0
	same "wrong checksums in the peer" "$(in_peer sh -c "$(bad_checksums)")" 0
}

test_ends_and_leaves_nothing() {
	local n

	echo "reboot -f" >&8
	hear_guest "$ENDS"
	same "exit status of QEMU" "$heard" 0
	for n in 0 1 2; do
		ip link delete tap$n
	done
	modprobe -r vhost_net macvtap
	absent /sys/module/tap
}

if [ $# = 0 ]; then
	set -e
	trap tear_down EXIT
	set_up
fi
run_cases "$@"
