#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Links in network namespaces, as container runtimes make them.

. "$(dirname "$0")/lib.sh"

new_netns() {
	ip netns add "mt-$1"
}

# in_netns NAME COMMAND...: with that namespace's /sys.
in_netns() {
	local name=mt-$1

	shift
	ip netns exec "$name" "$@"
}

test_sysfs_shows_its_own_only() {
	new_lower
	new_netns a
	in_netns a ip link add mt-lower type dummy
	in_netns a ip link add link mt-lower name mt-tap index 5001 type macvtap
	present /dev/tap5001
	absent /sys/class/macvtap/tap5001
	same "devices" "$(in_netns a ls /sys/class/macvtap)" tap5001
	same "link's" "$(in_netns a ls /sys/class/net/mt-tap/macvtap)" tap5001
	new_macvtap mode bridge
	same "devices" "$(in_netns a ls /sys/class/macvtap)" tap5001
	same "devices" "$(ls /sys/class/macvtap)" "tap$(index_of mt-tap)"
}

test_link_made_in_another_namespace() {
	new_lower
	new_netns a
	ip link add link mt-lower name mt-tap netns mt-a index 5001 type macvtap mode bridge
	absent /sys/class/net/mt-tap
	in_netns a test -e /sys/class/macvtap/tap5001
	contains "$(in_netns a ip link show mt-tap)" "link-netnsid 0"
	present /dev/tap5001
	exec 3<>/dev/tap5001
	exec 3>&-
}

test_link_moved() {
	local index

	new_lower
	new_netns a
	new_macvtap mode bridge
	index=$(index_of mt-tap)
	ip link set mt-tap netns mt-a
	absent "/sys/class/macvtap/tap$index"
	absent /sys/class/net/mt-tap
	index=$(in_netns a cat /sys/class/net/mt-tap/ifindex)
	in_netns a test -e "/sys/class/macvtap/tap$index"
	present "/dev/tap$index"
	ip -n mt-a link set mt-tap netns 1
	present "$(node_of mt-tap)"
	present "/sys/class/macvtap/tap$(index_of mt-tap)"
}

test_same_index_twice() {
	local name numbers=()

	for name in a b; do
		new_netns "$name"
		in_netns "$name" ip link add mt-lower type dummy
		in_netns "$name" ip link add link mt-lower name mt-tap index 5001 type macvtap
		numbers+=("$(in_netns "$name" cat /sys/class/macvtap/tap5001/dev)")
	done
	[ "${numbers[0]}" != "${numbers[1]}" ] || fail "both are ${numbers[0]}"
	present /dev/tap5001
	# Each goes alone.
	ip -n mt-a link delete mt-tap
	same "number" "$(in_netns b cat /sys/class/macvtap/tap5001/dev)" "${numbers[1]}"
	mknod /run/mt-node c "${numbers[1]%:*}" "${numbers[1]#*:}"
	exec 3<>/run/mt-node
	exec 3>&-
	rm /run/mt-node
	ip -n mt-b link delete mt-tap
}

test_namespace_goes() {
	new_netns a
	in_netns a ip link add mt-lower type dummy
	in_netns a ip link add link mt-lower name mt-tap index 5001 type macvtap
	present /dev/tap5001
	ip netns delete mt-a
	eventually test ! -e /dev/tap5001
}

test_namespace_of_the_lower_goes() {
	new_netns a
	ip -n mt-a link add mt-lower type dummy
	ip -n mt-a link add link mt-lower name mt-tap netns 1 index 5001 type macvtap
	present /sys/class/net/mt-tap
	ip netns delete mt-a
	eventually test ! -e /sys/class/net/mt-tap
	absent /dev/tap5001
}

run_cases "$@"
