#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/udev/60-macvtap.rules, by Debian's udev.

. "$(dirname "$0")/lib.sh"

start_udevd() {
	(exec -a systemd-udevd udevadm --daemon)
}

# names_are DIRECTORY NAMES...
names_are() {
	local directory=$1
	shift
	[ "$(cd "/dev/$directory" 2>/dev/null && shopt -s nullglob && echo *)" = "$*" ]
}

points_to() {
	[ "$(readlink -f "/dev/$1")" = "$2" ]
}

# named NAME [INTERFACE]: that is the only name, and it leads to the interface's
# node.
named() {
	eventually points_to "macvtap/$1" "$(node_of "${2:-$1}")"
	eventually names_are macvtap "$1"
}

nameless() {
	udevadm settle
	eventually names_are macvtap
}

test_name_comes_and_goes() {
	new_lower
	new_macvtap mode bridge
	named mt-tap
	exec 3<>/dev/macvtap/mt-tap
	ip link delete mt-tap
	nameless
	exec 3>&-
}

test_links_that_were_there_before() {
	udevadm control --exit
	new_lower
	new_macvtap
	start_udevd
	nameless
	udevadm trigger --subsystem-match=macvtap --action=add
	named mt-tap
}

test_name_follows_the_interface() {
	new_lower
	new_macvtap
	named mt-tap
	ip link set mt-tap name mt-other
	named mt-other
	# A new link of the old name.
	new_macvtap
	eventually points_to macvtap/mt-tap "$(node_of mt-tap)"
	points_to macvtap/mt-other "$(node_of mt-other)" || fail "the other name is gone"
}

# What udev lets through, and what it replaces.
test_odd_names() {
	local name shown

	new_lower
	while read -r name shown; do
		ip link add link mt-lower name "$name" type macvtap
		named "$shown" "$name"
		ip link delete "$name"
	done <<-'NAMES'
		mt-a.b+c=d@e mt-a.b+c=d@e
		mt-#1 mt-#1
		mt-schlüssel mt-schlüssel
		mt-a;b$c*d mt-a_b_c_d
		mt-"q'&|<> mt-_q_____
	NAMES
}

test_named_in_the_first_namespace_only() {
	ip netns add mt-ns
	ip -n mt-ns link add mt-lower type dummy
	ip -n mt-ns link add link mt-lower name mt-tap type macvtap
	nameless
	ip -n mt-ns link set mt-tap netns 1
	named mt-tap
	ip link set mt-tap netns mt-ns
	nameless
}

test_ipvtap() {
	new_lower
	ip link add link mt-lower name mt-tap type ipvtap
	eventually points_to ipvtap/mt-tap "$(node_of mt-tap)"
	ip link set mt-tap name mt-other
	eventually points_to ipvtap/mt-other "$(node_of mt-other)"
	eventually names_are ipvtap mt-other
}

# One for all cases, which are calls of this file.
if ! udevadm control --ping 2>/dev/null; then
	mkdir -p /run/udev/rules.d
	cp "$(dirname "$0")/60-macvtap.rules" /run/udev/rules.d/
	start_udevd
	trap 'udevadm control --exit' EXIT
fi
run_cases "$@"
