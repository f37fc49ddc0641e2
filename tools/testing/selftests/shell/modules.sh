#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The modules themselves: which they are, when they can be unloaded, and what
# goes with them. MODULES says whose the machine should have: all the kernel's
# in C (c), both ours (rust), or one of ours (rust-tap, rust-macvtap).

. "$(dirname "$0")/lib.sh"

# To load a module takes an emulated machine half a second, when it is busy.
CASE_SECONDS=180

loaded() {
	[ -d "/sys/module/$1" ]
}

# busybox asks the kernel at once, kmod's rmmod would look for users itself.
unload() {
	busybox rmmod "$1"
}

# is_at MODULE PATH: what would be loaded lies below PATH.
is_at() {
	contains "$(modinfo -n "$1")" "$2"
}

test_are_the_ones_to_test() {
	local kernels=/kernel/drivers/net/ ours=/updates/

	# Where scripts/in-tree puts them.
	if [ -d "/lib/modules/$(uname -r)/kernel/drivers/net/macvtap_rust" ]; then
		ours=/kernel/drivers/net/macvtap_rust/
	fi
	case $MODULES in
	c) is_at tap $kernels && is_at macvtap $kernels ;;
	rust) is_at tap $ours && is_at macvtap $ours ;;
	rust-tap) is_at tap $ours && is_at macvtap $kernels ;;
	rust-macvtap) is_at tap $kernels && is_at macvtap $ours ;;
	*) fail "MODULES=$MODULES" ;;
	esac
}

test_information() {
	same "macvtap's alias" "$(modinfo -F alias macvtap)" rtnl-link-macvtap
	contains "$(modinfo -F description macvtap)" "MAC-VLAN based tap driver"
	contains "$(modinfo -F description tap)" \
		"Common library for drivers implementing the TAP interface"
	same "macvtap's parameters" "$(modinfo -F parm macvtap)" ""
	same "tap's parameters" "$(modinfo -F parm tap)" ""
	# Where C helpers are inlined into Rust, each crate brings what all of them
	# import, PWM.
	same "tap's namespaces" "$(modinfo -F import_ns tap | grep -vx PWM)" NETDEV_INTERNAL
	same "macvtap's license" "$(modinfo -F license macvtap)" GPL
	same "tap's license" "$(modinfo -F license tap)" GPL
	same "macvtap's dependencies" "$(modinfo -F depends macvtap | tr , '\n' | sort)" $'macvlan\ntap'
	same "tap's dependencies" "$(modinfo -F depends tap)" ""
}

test_loaded_by_the_first_link() {
	! loaded macvtap || unload macvtap
	! loaded tap || unload tap
	new_lower
	new_macvtap mode bridge
	loaded macvtap || fail "macvtap is not loaded"
	loaded tap || fail "tap is not loaded"
	present "$(node_of mt-tap)"
}

test_unload_with_links() {
	local node

	modprobe macvtap
	new_lower
	new_macvtap
	node=$(node_of mt-tap)
	unload macvtap
	absent "$node"
	absent /sys/class/net/mt-tap
	absent /sys/class/macvtap
	same "major" "$(major_of_macvtap)" ""
	present /sys/class/net/mt-lower
	unload tap
	! loaded tap || fail "tap is still loaded"
}

test_unload_refused_with_open_file() {
	modprobe macvtap
	new_lower
	new_macvtap
	exec 3<>"$(node_of mt-tap)"
	refused "Resource temporarily unavailable" unload macvtap
	refused "Resource temporarily unavailable" unload tap
	present "$(node_of mt-tap)"
	exec 3>&-
	unload macvtap
	unload tap
}

test_unload_refused_with_orphaned_file() {
	modprobe macvtap
	new_lower
	new_macvtap
	exec 3<>"$(node_of mt-tap)"
	ip link delete mt-tap
	refused "Resource temporarily unavailable" unload macvtap
	exec 3>&-
	unload macvtap
	unload tap
}

test_unload_of_tap_refused_while_used() {
	modprobe macvtap
	refused "Resource temporarily unavailable" unload tap
	loaded tap || fail "tap is gone"
}

test_unload_of_macvlan_refused_while_used() {
	modprobe macvtap
	refused "Resource temporarily unavailable" unload macvlan
}

test_references_of_open_files() {
	local before

	modprobe macvtap
	new_lower
	new_macvtap
	before=$(cat /sys/module/macvtap/refcnt)
	exec 3<>"$(node_of mt-tap)" 4<>"$(node_of mt-tap)"
	[ "$(cat /sys/module/macvtap/refcnt)" -ge $((before + 2)) ] || fail "no reference taken"
	exec 3>&- 4>&-
	same "references" "$(cat /sys/module/macvtap/refcnt)" "$before"
}

# Each registers its range of numbers with tap. In C nothing protects the list of
# these, and now and then one is lost, which nothing mends: there, they take
# turns.
test_macvtap_and_ipvtap_loaded_at_once() {
	local module

	for _ in $(seq 10); do
		for module in macvtap ipvtap; do
			modprobe $module &
			in_c_wait
		done
		wait
		loaded macvtap || fail "macvtap is not loaded"
		loaded ipvtap || fail "ipvtap is not loaded"
		new_lower
		new_macvtap
		present "$(node_of mt-tap)"
		ip link delete mt-lower
		for module in macvtap ipvtap; do
			unload $module &
			in_c_wait
		done
		wait
		unload tap
	done
}

in_c_wait() {
	case $MODULES in
	c | rust-macvtap) wait ;;
	esac
}

test_loaded_and_unloaded_often() {
	new_lower
	for _ in $(seq 10); do
		new_macvtap
		present "$(node_of mt-tap)"
		unload macvtap
		unload tap
		absent /sys/class/net/mt-tap
	done
}

# Whose symbols each uses, of those that may be ours or use what may be.
declare -A uses=(
	[macvlan]='' [tap]='' [macvtap]='macvlan tap' [ipvtap]=tap [vhost_net]=tap
)
declare -A file_of tried

# orders BEFORE MODULES...: every order of the modules in which each comes behind
# those that it uses, a line for each, behind those that are there before.
orders() {
	local before=$1 module other

	shift
	[ $# -gt 0 ] || echo "$before"
	for module in "$@"; do
		for other in ${uses[$module]}; do
			[[ " $before " == *" $other "* ]] || continue 2
		done
		# shellcheck disable=SC2046 # names without spaces
		orders "$before $module" $(printf '%s\n' "$@" | grep -vx "$module")
	done
}

# reversed ORDER: its words, the last one first.
reversed() {
	local word line=''

	for word in $1; do
		line="$word $line"
	done
	echo "$line"
}

load() {
	busybox insmod "${file_of[$1]}"
}

# What the kernel says to loading the module, or nothing if it may be loaded.
objection_to_loading() {
	local other

	if loaded "$1"; then
		echo "File exists"
		return
	fi
	for other in ${uses[$1]}; do
		if ! loaded "$other"; then
			echo "unknown symbol in module"
			return
		fi
	done
}

objection_to_unloading() {
	local other

	if ! loaded "$1"; then
		echo "No such file or directory"
		return
	fi
	for other in "${!uses[@]}"; do
		if [[ " ${uses[$other]} " == *" $1 "* ]] && loaded "$other"; then
			echo "Resource temporarily unavailable"
			return
		fi
	done
}

which_are_loaded() {
	local module

	for module in "${!uses[@]}"; do
		! loaded "$module" || echo "$module"
	done
}

# With those loaded that are, whatever must not be done is refused and changes
# nothing. Tried once with each set of modules.
try_what_is_refused() {
	local before module objection

	before=$(which_are_loaded)
	[ -z "${tried[set $before]-}" ] || return 0
	tried[set $before]=yes
	for module in "${!uses[@]}"; do
		objection=$(objection_to_loading "$module")
		[ -z "$objection" ] || refused "$objection" load "$module"
		objection=$(objection_to_unloading "$module")
		[ -z "$objection" ] || refused "$objection" unload "$module"
	done
	same "loaded modules" "$(which_are_loaded)" "$before"
}

test_loaded_and_unloaded_in_every_order() {
	local all module number

	# What they use besides is loaded and stays.
	modprobe -a "${!uses[@]}"
	for module in "${!uses[@]}"; do
		file_of[$module]=$(modinfo -n "$module")
	done
	mapfile -t all < <(orders '' "${!uses[@]}")
	for module in $(reversed "${all[0]}"); do
		unload "$module"
	done

	for number in "${!all[@]}"; do
		for module in ${all[number]}; do
			try_what_is_refused
			load "$module"
			loaded "$module" || fail "$module is not loaded"
		done
		# Another order for the way back.
		for module in $(reversed "${all[-1 - number]}"); do
			try_what_is_refused
			unload "$module"
			! loaded "$module" || fail "$module is not unloaded"
		done
	done
	same "orders" "$number" 17
	same "sets of modules" ${#tried[@]} 14
}

run_cases "$@"
