#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ipvtap, which is always the kernel's own, on top of the tap.ko that is tested.

. "$(dirname "$0")/lib.sh"

modprobe ipvtap || exit

# new_ipvtap NAME
new_ipvtap() {
	ip link add link mt-lower name "$1" type ipvtap mode l2
}

minor_of() {
	cut -d : -f 2 "/sys/class/ipvtap/tap$(index_of "$1")/dev"
}

# It does not tell tap.ko which device the number is for.
test_minors_are_the_lowest_free() {
	new_lower
	new_ipvtap mt-tap
	new_ipvtap mt-tap2
	same "first" "$(minor_of mt-tap)" 1
	same "second" "$(minor_of mt-tap2)" 2
	ip link delete mt-tap
	new_ipvtap mt-tap
	same "first again" "$(minor_of mt-tap)" 1
}

test_reads_a_frame() {
	local node length

	ip netns add mt-peer
	ip link add mt-lower type veth peer name mt-far netns mt-peer
	new_ipvtap mt-tap
	# So that the frame is the first.
	silence mt-lower
	silence mt-tap
	silence mt-far mt-peer
	ip link set mt-lower up
	ip -n mt-peer link set mt-far up
	ip link set mt-tap up
	ip address add 192.0.2.2/24 dev mt-tap
	ip -n mt-peer address add 192.0.2.1/24 dev mt-far
	ip -n mt-peer neighbour add 192.0.2.2 dev mt-far lladdr "$(cat /sys/class/net/mt-tap/address)"
	node=$(node_of mt-tap)
	exec 3<>"$node"
	# This file gets it instead of the host, which does not answer.
	ip netns exec mt-peer ping -c 1 -W 1 192.0.2.2 && fail "an answer"
	length=$(timeout 10 dd bs=2000 count=1 status=none <&3 | wc -c)
	same "header and frame" "$length" $((10 + 14 + 20 + 8 + 56))
	exec 3>&-
}

test_unloads() {
	new_lower
	new_ipvtap mt-tap
	busybox rmmod ipvtap
	absent /sys/class/net/mt-tap
	absent /sys/class/ipvtap
}

run_cases "$@"
