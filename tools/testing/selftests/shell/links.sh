#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What an operator does with ip-link: links in every mode, and what is refused.

. "$(dirname "$0")/lib.sh"

create_show_and_delete() {
	local mode=$1 node

	new_lower
	new_macvtap mode "$mode"
	contains "$(ip -d link show mt-tap)" "macvtap mode $mode "
	contains "$(ip link show mt-tap)" "mt-tap@mt-lower:"
	ip link set mt-tap up
	node=$(node_of mt-tap)
	present "$node"
	[ -c "$node" ] || fail "$node is no character device"
	ip link delete mt-tap
	absent "$node"
	nothing_left
}

test_private() {
	create_show_and_delete private
}

test_vepa() {
	create_show_and_delete vepa
}

test_bridge() {
	create_show_and_delete bridge
}

test_passthru() {
	create_show_and_delete passthru
}

test_source() {
	create_show_and_delete source
}

test_default_mode_is_vepa() {
	new_lower
	new_macvtap
	contains "$(ip -d link show mt-tap)" "macvtap mode vepa "
}

test_passthru_makes_lower_promiscuous() {
	new_lower
	new_macvtap mode passthru
	ip link set mt-tap up
	contains "$(ip -d link show mt-lower)" "promiscuity 1 "
	ip link delete mt-tap
	contains "$(ip -d link show mt-lower)" "promiscuity 0 "
}

test_passthru_nopromisc() {
	new_lower
	new_macvtap mode passthru nopromisc
	ip link set mt-tap up
	contains "$(ip -d link show mt-tap)" "nopromisc"
	contains "$(ip -d link show mt-lower)" "promiscuity 0 "
}

test_source_addresses() {
	local macs="02:00:00:00:00:aa 02:00:00:00:00:bb" shown

	new_lower
	new_macvtap mode source
	# shellcheck disable=SC2086 # two words
	ip link set mt-tap type macvtap macaddr set $macs
	shown=$(ip -d link show mt-tap)
	contains "$shown" "remotes (2)"
	contains "$shown" "02:00:00:00:00:aa"
	contains "$shown" "02:00:00:00:00:bb"
	ip link set mt-tap type macvtap macaddr del 02:00:00:00:00:aa
	contains "$(ip -d link show mt-tap)" "remotes (1) 02:00:00:00:00:bb"
	ip link set mt-tap type macvtap macaddr add 02:00:00:00:00:cc
	contains "$(ip -d link show mt-tap)" "remotes (2)"
	ip link set mt-tap type macvtap macaddr flush
	contains "$(ip -d link show mt-tap)" "remotes (0)"
}

test_addresses_need_source_mode() {
	new_lower
	new_macvtap mode bridge
	refused "Invalid argument" \
		ip link set mt-tap type macvtap macaddr add 02:00:00:00:00:aa
}

test_broadcast_queue_length() {
	new_lower
	new_macvtap mode bridge bcqueuelen 2000
	contains "$(ip -d link show mt-tap)" "bcqueuelen 2000 "
}

test_broadcast_queue_length_changed() {
	local length

	new_lower
	new_macvtap mode bridge
	contains "$(ip -d link show mt-tap)" "bcqueuelen 1000 usedbcqueuelen 1000 "
	for length in 5 70000 0; do
		ip link set mt-tap type macvtap bcqueuelen "$length"
		contains "$(ip -d link show mt-tap)" \
			"bcqueuelen $length usedbcqueuelen $length "
	done
}

test_broadcast_cutoff() {
	new_lower
	new_macvtap mode bridge bclim 7
	contains "$(ip -d link show mt-tap)" "bclim 7 "
	ip link set mt-tap type macvtap bclim -1
	contains "$(ip -d link show mt-tap)" "bclim -1 "
}

test_flags() {
	local shown

	new_lower
	new_macvtap mode source nodst
	contains "$(ip -d link show mt-tap)" " nodst "
	ip link set mt-tap type macvtap mode source flag null
	shown=$(ip -d link show mt-tap)
	[[ $shown != *nodst* ]] || fail "nodst is left"
}

test_source_addresses_at_creation() {
	new_lower
	new_macvtap mode source macaddr set 02:00:00:00:00:aa 02:00:00:00:00:bb
	contains "$(ip -d link show mt-tap)" "remotes (2)"
}

test_refused_attributes() {
	new_lower
	new_macvtap mode source
	refused "Cannot assign requested address" \
		ip link set mt-tap type macvtap macaddr add 01:00:00:00:00:01
	refused "Invalid argument" ip link set mt-tap type macvtap mode passthru
	contains "$(ip -d link show mt-tap)" "remotes (0)"
}

test_change_mode() {
	local mode

	new_lower
	new_macvtap mode vepa
	for mode in bridge private vepa; do
		ip link set mt-tap type macvtap mode "$mode"
		contains "$(ip -d link show mt-tap)" "macvtap mode $mode "
	done
	refused "Invalid argument" ip link set mt-tap type macvtap mode passthru
	contains "$(ip -d link show mt-tap)" "macvtap mode vepa "
}

test_address() {
	new_lower
	ip link add link mt-lower name mt-tap address 02:00:00:00:00:77 type macvtap
	contains "$(ip link show mt-tap)" "link/ether 02:00:00:00:00:77 "
	ip link set mt-tap address 02:00:00:00:00:78
	contains "$(ip link show mt-tap)" "link/ether 02:00:00:00:00:78 "
}

test_stacked_on_macvtap() {
	new_lower
	new_macvtap mode bridge
	ip link add link mt-tap name mt-tap2 type macvtap mode bridge
	contains "$(ip link show mt-tap2)" "mt-tap2@mt-lower:"
	present "$(node_of mt-tap2)"
	ip link delete mt-tap
	present "$(node_of mt-tap2)"
}

test_many_on_one_lower() {
	local i

	new_lower
	for i in $(seq 20); do
		ip link add link mt-lower name "mt-tap$i" type macvtap mode bridge
	done
	for i in $(seq 20); do
		present "$(node_of "mt-tap$i")"
	done
	ip link delete mt-lower
	nothing_left
}

test_on_a_bridge_device() {
	ip link add mt-bridge type bridge
	ip link add link mt-bridge name mt-tap type macvtap mode bridge
	present "$(node_of mt-tap)"
}

test_vlan_on_top() {
	new_lower
	new_macvtap mode bridge
	ip link add link mt-tap name mt-vlan type vlan id 7
	ip link set mt-tap up
	ip link set mt-vlan up
	ip link delete mt-tap
	absent /sys/class/net/mt-vlan
}

test_transmit_queues() {
	new_lower
	ip link add link mt-lower name mt-tap numtxqueues 4 type macvtap
	contains "$(ip -d link show mt-tap)" "numtxqueues 4 "
	present /sys/class/net/mt-tap/queues/tx-3
}

test_name_from_a_template() {
	new_lower
	ip link add link mt-lower name 'mt-t%d' type macvtap
	present /sys/class/net/mt-t0
	ip link add link mt-lower name 'mt-t%d' type macvtap
	present /sys/class/net/mt-t1
}

test_chosen_index() {
	new_lower
	ip link add link mt-lower name mt-tap index 4711 type macvtap
	same index "$(index_of mt-tap)" 4711
	present /dev/tap4711
	ip link delete mt-tap
	absent /dev/tap4711
}

test_ethtool_driver() {
	new_lower
	new_macvtap
	contains "$(ethtool -i mt-tap)" "driver: macvlan"
}

test_lower_mtu_pulls_mtu_down() {
	new_lower
	new_macvtap
	ip link set mt-lower mtu 1400
	contains "$(ip link show mt-tap)" " mtu 1400 "
	ip link set mt-lower mtu 1500
	contains "$(ip link show mt-tap)" " mtu 1400 "
	ip link set mt-tap mtu 1500
	contains "$(ip link show mt-tap)" " mtu 1500 "
}

test_lower_goes() {
	local node

	new_lower
	new_macvtap
	node=$(node_of mt-tap)
	ip link delete mt-lower
	absent "$node"
	nothing_left
}

test_transmit_queue_length() {
	local length

	new_lower
	new_macvtap
	contains "$(ip link show mt-tap)" " qlen 500"
	for length in 1 0 32767; do
		ip link set mt-tap txqueuelen "$length"
		same length "$(cat /sys/class/net/mt-tap/tx_queue_len)" "$length"
	done
	for length in 32768 100000; do
		refused "out of range" ip link set mt-tap txqueuelen "$length"
		same length "$(cat /sys/class/net/mt-tap/tx_queue_len)" 32767
	done
}

test_refused_without_link() {
	refused "Invalid argument" ip link add name mt-tap type macvtap mode bridge
	nothing_left
}

test_refused_on_unknown_link() {
	refused "Cannot find device" ip link add link mt-none name mt-tap type macvtap
	nothing_left
}

test_refused_on_loopback() {
	refused "Invalid argument" ip link add link lo name mt-tap type macvtap
	nothing_left
}

test_refused_passthru_on_used_lower() {
	new_lower
	ip link add link mt-lower name mt-vlan type macvlan mode bridge
	refused "Invalid argument" new_macvtap mode passthru
	nothing_left
}

test_refused_second_beside_passthru() {
	new_lower
	new_macvtap mode passthru
	refused "Invalid argument" \
		ip link add link mt-lower name mt-tap2 type macvtap mode bridge
	absent /sys/class/net/mt-tap2
	present "$(node_of mt-tap)"
}

test_refused_on_a_bridge_port() {
	new_lower
	ip link add mt-bridge type bridge
	ip link set mt-lower master mt-bridge
	refused "Device or resource busy" new_macvtap mode bridge
	nothing_left
}

test_refused_as_a_bridge_port() {
	new_lower
	new_macvtap mode bridge
	ip link add mt-bridge type bridge
	refused "Device or resource busy" ip link set mt-tap master mt-bridge
	refused "Device or resource busy" ip link set mt-lower master mt-bridge
}

test_refused_mtu() {
	local add=(ip link add link mt-lower name mt-tap)

	new_lower
	refused "mtu less than device minimum" "${add[@]}" mtu 67 type macvtap
	nothing_left
	refused "Invalid argument" "${add[@]}" mtu 1501 type macvtap
	nothing_left
	refused "mtu greater than device maximum" "${add[@]}" mtu 65536 type macvtap
	nothing_left
	new_macvtap
	refused "Invalid argument" ip link set mt-tap mtu 1501
	refused "mtu less than device minimum" ip link set mt-tap mtu 67
	contains "$(ip link show mt-tap)" " mtu 1500 "
	ip link set mt-tap mtu 68
}

test_refused_duplicate_name() {
	new_lower
	new_macvtap
	refused "File exists" new_macvtap
	ip link add mt-other type dummy
	refused "File exists" ip link set mt-tap name mt-other
	present "$(node_of mt-tap)"
}

test_refused_mode() {
	new_lower
	refused 'argument of "mode" must be' new_macvtap mode tunnel
	nothing_left
}

test_refused_name_template() {
	new_lower
	refused "Invalid argument" ip link add link mt-lower name 'mt-%d%d' type macvtap
	nothing_left
}

test_refused_address() {
	local mac

	new_lower
	for mac in 01:00:00:00:00:01 ff:ff:ff:ff:ff:ff 00:00:00:00:00:00; do
		refused "Cannot assign requested address" \
			ip link add link mt-lower name mt-tap address "$mac" type macvtap
		nothing_left
	done
	new_macvtap
	refused "Cannot assign requested address" ip link set mt-tap address 01:00:00:00:00:01
}

test_refused_carrier() {
	new_lower
	new_macvtap
	refused "Operation not supported" ip link set mt-tap carrier off
}

run_cases "$@"
