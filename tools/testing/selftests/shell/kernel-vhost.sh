#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's tools/virtio/vhost_net_test.c, as it is. It is written for tun:
# it makes a link by opening /dev/net/tun, sends to that with a packet socket, and
# receives there what it has sent through vhost. Here, /dev/net/tun is a node of
# macvtap's, where the name that a link is to have does not matter, and the far
# end of the wire has that name.

. "$(dirname "$0")/lib.sh"

# In each direction. After each, it may wait for a tenth of a second for what has
# happened already, so that how long it takes depends on chance.
BUFFERS=2000
CASE_SECONDS=240

modprobe vhost_net || exit

is_operational() {
	[ "$(cat "/sys/class/net/$1/operstate")" = up ]
}

# passes [OPTIONS...]: the test does, with these options.
passes() {
	(
		# It calls its link by the number of its process, which this one becomes.
		far=tun_$BASHPID
		ip link add mt-lower type veth peer name "$far"
		# In bridge mode, nothing leaves that is sent to oneself.
		new_macvtap mode vepa
		for link in mt-lower "$far" mt-tap; do
			silence $link
			ip link set $link up
		done
		eventually is_operational mt-tap
		# shellcheck disable=SC2016 # the inner shell's variables
		exec unshare -m sh -euc '
			mount --bind "$1" /dev/net/tun
			shift
			exec ./kernel-vhost "$@"
		' sh "$(node_of mt-tap)" --buf-num $BUFFERS "$@"
	)
	same "sent" "$(cat /sys/class/net/mt-tap/statistics/tx_packets)" $BUFFERS
	same "received" "$(cat /sys/class/net/mt-tap/statistics/rx_packets)" $BUFFERS
}

test_default() {
	passes
}

test_no_event_idx() {
	passes --no-event-idx
}

test_no_indirect() {
	passes --no-indirect
}

test_delayed_interrupt() {
	passes --delayed-interrupt
}

run_cases "$@"
