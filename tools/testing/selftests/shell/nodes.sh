#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device node and sysfs, where libvirt and start scripts look.

. "$(dirname "$0")/lib.sh"

test_major_is_registered() {
	[ -n "$(major_of_macvtap)" ] || fail "no macvtap in /proc/devices"
}

test_node_numbers() {
	local node index

	new_lower
	new_macvtap
	index=$(index_of mt-tap)
	node=/dev/tap$index
	same "type, owner and mode" "$(stat -c '%F %U %G %a' "$node")" \
		"character special file root root 600"
	same "numbers" "$((0x$(stat -c %t "$node"))):$((0x$(stat -c %T "$node")))" \
		"$(cat "/sys/class/macvtap/tap$index/dev")"
	same "major" "$((0x$(stat -c %t "$node")))" "$(major_of_macvtap)"
}

test_sysfs_layout() {
	local index device

	new_lower
	new_macvtap
	index=$(index_of mt-tap)
	device=$(realpath "/sys/class/net/mt-tap/macvtap/tap$index")
	[ -d "$device" ] || fail "no $device"
	# By class, by link, and as one of the kernel's character devices.
	same "class" "$(realpath "/sys/class/macvtap/tap$index")" "$device"
	same "link" "$(realpath "/sys/class/net/mt-tap/tap$index")" "$device"
	same "number" "$(realpath "/sys/dev/char/$(cat "$device/dev")")" "$device"
	same "parent" "$(realpath "$device/device")" "$(realpath /sys/class/net/mt-tap)"
	same "subsystem" "$(realpath "$device/subsystem")" /sys/class/macvtap
	ip link delete mt-tap
	absent "$device"
	absent "/sys/class/macvtap/tap$index"
}

test_uevent() {
	local index uevent dev

	new_lower
	new_macvtap
	index=$(index_of mt-tap)
	uevent=$(sort "/sys/class/macvtap/tap$index/uevent")
	dev=$(cat "/sys/class/macvtap/tap$index/dev")
	same uevent "$uevent" "DEVNAME=tap$index
MAJOR=${dev%:*}
MINOR=${dev#*:}"
}

test_rename_keeps_node() {
	local index before

	new_lower
	new_macvtap
	index=$(index_of mt-tap)
	before=$(stat -c '%i %t %T' "/dev/tap$index")
	exec 3<>"/dev/tap$index"
	ip link set mt-tap name mt-other
	same node "$(stat -c '%i %t %T' "/dev/tap$index")" "$before"
	same "link" "$(realpath "/sys/class/net/mt-other/tap$index")" \
		"$(realpath "/sys/class/net/mt-other/macvtap/tap$index")"
	present "/sys/class/macvtap/tap$index"
	ip link set mt-other name mt-tap
	exec 3>&-
}

test_rename_while_up() {
	local node

	new_lower
	new_macvtap
	ip link set mt-tap up
	node=$(node_of mt-tap)
	ip link set mt-tap name mt-other
	present "$node"
}

test_alternative_name() {
	new_lower
	new_macvtap
	ip link property add dev mt-tap altname mt-a-name-longer-than-ifnamsiz
	ip link delete mt-a-name-longer-than-ifnamsiz
	nothing_left
}

test_open_by_the_shell() {
	local node

	new_lower
	new_macvtap
	node=$(node_of mt-tap)
	# As QEMU's file descriptors are opened.
	exec 3<>"$node" 4<>"$node"
	same "file" "$(readlink /proc/self/fd/3)" "$node"
	exec 3>&- 4>&-
	ip link delete mt-tap
	nothing_left
}

test_delete_with_open_file() {
	local node

	new_lower
	new_macvtap
	node=$(node_of mt-tap)
	exec 3<>"$node"
	ip link delete mt-tap
	absent "$node"
	nothing_left
	# A link of the same name is another.
	new_macvtap
	present "$(node_of mt-tap)"
	exec 3>&-
	present "$(node_of mt-tap)"
}

test_open_after_delete() {
	local node

	new_lower
	new_macvtap
	node=$(node_of mt-tap)
	mknod /run/mt-node c $((0x$(stat -c %t "$node"))) $((0x$(stat -c %T "$node")))
	exec 3<>/run/mt-node
	exec 3>&-
	ip link delete mt-tap
	refused "No such device" cat /run/mt-node
	rm /run/mt-node
}

test_created_and_deleted_often() {
	local node

	new_lower
	for _ in $(seq 10); do
		new_macvtap mode bridge
		node=$(node_of mt-tap)
		exec 3<>"$node"
		ip link delete mt-tap
		exec 3>&-
	done
	nothing_left
}

run_cases "$@"
