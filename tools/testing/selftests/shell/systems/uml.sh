#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# User-mode Linux on a macvtap node: it only knows /dev/net/tun, over which the node
# is mounted for it.
#
#   namespace "mt-peer"   |  this namespace                             |  guest
#               mt-peer0 <-> mt-lower <- mt-tap <- /dev/tapN <- linux.uml <- eth0

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../console.sh"
set -o pipefail

CASE_SECONDS=600
work=/run/uml

# run_uml NIC: with this network card.
run_uml() {
	local status=0

	# What it starts ends with it, and the mount is its own.
	# shellcheck disable=SC2016 # the inner shell's arguments
	unshare --mount --mount-proc --pid --fork --kill-child sh -c '
		mount --bind "$1" /dev/net/tun
		shift
		exec linux.uml "$@"
	' sh "$(node_of mt-tap)" mem=64M "initrd=$work/initramfs" "$1" \
		con=null con0=null,fd:2 con1=fd:0,fd:1 con2=fd:3,null ssl=null \
		<"$work/shell.in" 3<>"$work/knocks" >"$work/shell.out" 2>"$work/console" \
		8>&- 9>&- || status=$?
	echo "$ENDS$status" >&9
}

# It waits for signals of its files (O_ASYNC), which C's node does not send. But it
# looks at all of them when it gets one of another file.
knock() {
	while sleep 0.05; do
		echo
	done >"$work/knocks"
}

sends_signals() {
	[ "$MODULES" = rust ] || [ "$MODULES" = rust-tap ]
}

# start_uml NIC LINK: until the guest's LINK is up and has an address.
start_uml() {
	open_console
	mkfifo "$work/knocks"
	run_uml "$1" &
	uml=$!
	hear_guest up
	if ! sends_signals; then
		in_guest "cat /dev/tty2 >/dev/null &"
		knock 8>&- 9>&- &
		knocker=$!
	fi
	in_guest "ip link set $2 up && ip address add 192.0.2.2/24 dev $2"
}

clean_up_uml() {
	local status=$?

	set +e
	[ "$status" = 0 ] || tail "$work/console"
	[ -z "${knocker:-}" ] || kill "$knocker"
	[ -z "${uml:-}" ] || pkill -KILL -P "$uml"
	ip netns pids mt-peer | xargs -r kill
	rm -rf "$work"
	(exit "$status")
	clean_up
}

set_up() {
	trap clean_up_uml EXIT
	mkdir "$work"
	modprobe tun
	make_root tty1
	pack_root
	new_peer
	new_macvtap mode bridge
	ip link set mt-tap up
}

get_file() {
	echo "wget -q -T 30 -O - http://$1/file | sha256sum"
}

# The guest and its peer have each a file of the other, unchanged.
carries_files() {
	mkdir "$work/srv"
	head -c 256k /dev/urandom >"$work/srv/file"
	in_peer busybox httpd -h "$work/srv"
	in_guest "head -c 256k /dev/urandom >/srv/file && httpd -h /srv"
	same "file to the guest" "$(in_guest "$(get_file 192.0.2.1)")" "$(sha256sum <"$work/srv/file")"
	same "file from the guest" "$(in_peer busybox sh -c "$(get_file 192.0.2.2)")" \
		"$(in_guest "sha256sum </srv/file")"
}

carries() {
	contains "$(in_guest "ping -c 3 -s 1400 192.0.2.1")" " 3 packets received"
	contains "$(in_peer ping -c 3 -s 1400 192.0.2.2)" " 3 received"
	carries_files
}

ends() {
	echo "poweroff -f" >&8
	hear_guest "$ENDS"
	same "exit status" "$heard" 0
	ip link delete mt-tap
	nothing_left
}

address() {
	cat /sys/class/net/mt-tap/address
}

test_tuntap() {
	set_up
	start_uml "eth0=tuntap,mt-tap,$(address)" eth0
	carries
	ends
}

# Its newer driver, with offloads and a virtio-net header.
test_vector() {
	set_up
	start_uml "vec0:transport=tap,ifname=mt-tap,mac=$(address)" vec0
	carries
	ends
}

test_survives_its_link() {
	set_up
	start_uml "eth0=tuntap,mt-tap,$(address)" eth0
	in_guest "ping -c 1 192.0.2.1"
	ip link delete mt-tap
	same "after that" "$(in_guest "ping -c 1 -W 1 192.0.2.1 | grep received; echo there")" \
		"1 packets transmitted, 0 packets received, 100% packet loss
there"
	echo "poweroff -f" >&8
	hear_guest "$ENDS"
	same "exit status" "$heard" 0
	nothing_left
}

run_cases "$@"
