#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Those who speak in frames over a UNIX stream socket, connected to a link by
# samples/macvtap-stream: passt and QEMU.
#
#   namespace "mt-peer"    |  this namespace
#               mt-peer0  <-> mt-lower <- mt-tap <- macvtap-stream <- passt or QEMU

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pxe.sh"
set -o pipefail

CASE_SECONDS=400
# Its root file system is slow.
PXE_SECONDS=240
relay_program=$(realpath "$(dirname "$0")/../../macvtap-stream")

set_up() {
	trap clean_up_streams EXIT
	mkdir -p "$work"
	new_peer
	new_macvtap mode bridge
	silence mt-lower
	silence mt-tap
	ip link set mt-tap up
}

clean_up_streams() {
	local status=$?

	set +e
	[ -z "${relay:-}" ] || kill -KILL "$relay" 2>/dev/null
	[ -z "${passt:-}" ] || kill -KILL "$passt" 2>/dev/null
	ip netns pids mt-server 2>/dev/null | xargs -r kill
	[ "$status" = 0 ] || cat "$work"/*.log
	: >>"$work/qemu.log"
	(exit "$status")
	clean_up_pxe
}

start_relay() {
	"$relay_program" mt-tap "$@" "$work/socket" >"$work/relay.log" 2>&1 &
	relay=$!
}

# The relay ends by itself, and has nothing to complain of.
relay_has_ended() {
	wait "$relay" || fail "the relay ended with $?"
	relay=
	same "what the relay says" "$(cat "$work/relay.log")" ""
}

in_server() {
	ip netns exec mt-server "$@"
}

# mt-uplink is passt's network: a host at 198.51.100.2, with a server in the namespace
# mt-server as its router.
make_uplink() {
	ip netns add mt-uplink
	ip netns add mt-server
	ip -n mt-server link add mt-server0 up type veth peer name mt-uplink0 netns mt-uplink
	ip -n mt-server address add 198.51.100.1/24 dev mt-server0
	ip -n mt-uplink link set lo up
	ip -n mt-uplink link set mt-uplink0 up
	ip -n mt-uplink address add 198.51.100.2/24 dev mt-uplink0
	ip -n mt-uplink route add default via 198.51.100.1
	mkdir "$work/srv"
	head -c 1M /dev/urandom >"$work/srv/file"
	in_server busybox httpd -h "$work/srv"
}

# The link only gets what is sent to its own address, which passt takes for that reason.
start_passt() {
	ip netns exec mt-uplink passt --foreground --one-off --socket "$work/socket" \
		--ipv4-only --no-map-gw --mtu 1500 --mac-addr "$(cat /sys/class/net/mt-tap/address)" \
		>"$work/passt.log" 2>&1 &
	passt=$!
	eventually passt_listens
}

passt_listens() {
	[ -n "$(ip netns exec mt-uplink ss -Hxl src "$work/socket")" ]
}

# The peer gives up what address it has.
get_address() {
	cat >"$work/dhcp" <<-'DHCP'
		#!/bin/sh
		[ "$1" = bound ] || exit 0
		ip address add "$ip/$mask" dev "$interface"
		ip route add default via "$router"
	DHCP
	chmod +x "$work/dhcp"
	ip -n mt-peer address flush dev mt-peer0
	in_peer busybox udhcpc -i mt-peer0 -n -q -f -s "$work/dhcp"
}

test_passt_serves_the_segment() {
	set_up
	make_uplink
	start_passt
	start_relay --connect
	get_address
	contains "$(ip -n mt-peer address show mt-peer0)" "inet 198.51.100.2/24"
	same "file over TCP" "$(in_peer busybox wget -q -T 30 -O - http://198.51.100.1/file | sha256sum)" \
		"$(sha256sum <"$work/srv/file")"
	# passt serves one connection here, and ends with it.
	kill "$relay"
	relay_has_ended
	wait "$passt" || fail "passt ended with $?"
	passt=
}

test_qemu_boots_over_it() {
	set_up
	serve mt-peer0
	start_relay --listen
	eventually test -S "$work/socket"
	run_qemu "stream,id=n0,server=off,addr.type=unix,addr.path=$work/socket"
	wait_for_guest
	contains "$(in_peer ping -c 3 -W 5 "$(guest_address)")" " 3 received"
	monitor quit
	wait "$qemu" || fail "QEMU ended with $?"
	qemu=
	relay_has_ended
}

run_cases "$@"
