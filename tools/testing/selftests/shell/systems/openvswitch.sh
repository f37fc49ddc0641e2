#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Open vSwitch below macvtap links: guests on one of its internal ports, and it as the
# switch that VEPA mode asks for, which sends frames back to where they came from.

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pxe.sh"
set -o pipefail

CASE_SECONDS=480

control() {
	/usr/share/openvswitch/scripts/ovs-ctl "$@"
}

# A switch, mt-switch, that learns.
start_switch() {
	trap clean_up_switch EXIT
	mkdir -p "$work"
	control start --no-monitor --system-id=mt
	ovs-vsctl add-br mt-switch
	ip netns add mt-peer
}

clean_up_switch() {
	local status=$?

	set +e
	[ "$status" = 0 ] || ovs-ofctl dump-flows mt-switch
	ovs-vsctl --if-exists del-br mt-switch
	control stop
	(exit "$status")
	clean_up_pxe
}

# mt-lower, plugged into the switch as mt-port.
plug_in() {
	ip link add mt-lower up type veth peer name mt-port
	ip link set mt-port up
	ovs-vsctl add-port mt-switch mt-port
	silence mt-lower
}

# The switch also sends frames of mt-lower back.
hairpin() {
	ovs-ofctl add-flow mt-switch in_port=mt-port,actions=normal,in_port
}

# frame TO FROM TEXT: behind an empty virtio-net header, of a type for experiments.
frame() {
	local bytes=:$1:$2:88:b5

	printf '%0.s\\x00' {1..10}
	printf '%s%-46s' "${bytes//:/\\x}" "$3"
}

# sent_and_received TEXT: what mt-tap2, on descriptor 4, gets within two seconds if
# mt-tap, on 3, sends TEXT to it.
sent_and_received() {
	# shellcheck disable=SC2059 # the frame's bytes
	printf "$(frame "$(cat /sys/class/net/mt-tap2/address)" "$(cat /sys/class/net/mt-tap/address)" "$1")" >&3
	timeout 2 dd bs=2048 count=1 status=none <&4 | tail -c +25 | sed 's/ *$//'
}

test_vepa_takes_a_hairpin() {
	local link

	start_switch
	plug_in
	for link in mt-tap mt-tap2; do
		ip link add link mt-lower name "$link" type macvtap mode vepa
		silence "$link"
		ip link set "$link" up
	done
	exec 3<>"$(node_of mt-tap)" 4<>"$(node_of mt-tap2)"
	same "without a hairpin" "$(sent_and_received one)" ""
	hairpin
	same "with one" "$(sent_and_received two)" two
	contains "$(ovs-ofctl dump-flows mt-switch)" "n_packets=1,"
	ovs-ofctl del-flows mt-switch in_port=mt-port
	ovs-ofctl add-flow mt-switch actions=normal
	same "without it again" "$(sent_and_received three)" ""
	exec 3>&- 4>&-
}

# boots [OPTIONS OF THE NETDEV]: a guest does over mt-tap, and answers.
boots() {
	load_kvm
	ip link set mt-tap up
	start_qemu "$@"
	wait_for_guest
	contains "$(in_peer ping -c 3 -W 5 "$(guest_address)")" " 3 received"
}

# The server is on the same device in VEPA mode: what it and the guest send each
# other goes to the switch and back.
boots_over_a_hairpin() {
	start_switch
	plug_in
	hairpin
	ip link add link mt-lower name mt-host netns mt-peer type macvlan mode vepa
	ip -n mt-peer link set mt-host up
	ip -n mt-peer address add 192.0.2.1/24 dev mt-host
	serve mt-host
	new_macvtap mode vepa
	boots "$@"
}

test_guest_over_a_hairpin() {
	boots_over_a_hairpin
}

test_vhost_over_a_hairpin() {
	modprobe vhost_net
	boots_over_a_hairpin ,vhost=on,vhostforce=on
}

test_guest_on_an_internal_port() {
	start_switch
	ovs-vsctl add-port mt-switch mt-lower -- set interface mt-lower type=internal
	ip link set mt-lower up
	ip link add mt-port up type veth peer name mt-peer0 netns mt-peer
	ovs-vsctl add-port mt-switch mt-port
	ip -n mt-peer link set mt-peer0 up
	ip -n mt-peer address add 192.0.2.1/24 dev mt-peer0
	serve mt-peer0
	new_macvtap mode bridge
	boots
	# The port goes with all that is on it.
	ovs-vsctl del-port mt-switch mt-lower
	eventually absent_link mt-tap
}

run_cases "$@"
