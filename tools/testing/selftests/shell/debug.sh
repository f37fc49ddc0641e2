#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a kernel that finds faults has not said on its console: that something
# that was allocated is lost, or that it has given up looking. Run this when all
# else has been run.

. "$(dirname "$0")/lib.sh"

kmemleak=/sys/kernel/debug/kmemleak
# A scan takes an emulated machine minutes.
CASE_SECONDS=900

# The lock validator gives up at its first complaint.
test_locks_are_still_watched() {
	contains "$(tr -s ' ' </proc/lockdep_stats)" "debug_locks: 1"
}

# Nothing holds a network device or namespace on behalf of these modules.
test_no_references_left() {
	local held references=/sys/kernel/debug/ref_tracker

	[ -n "$(ls "$references")" ] || fail "nothing is tracked"
	# With the modules, whose addresses have no names later.
	held=$(grep -r -e '\[tap\]' -e '\[macvtap\]' "$references") || true
	same "references held" "$held" ""
	unload_all
}

# Between two scans everything that is still changing changes, and what is new
# grows old enough to be looked at. The modules are gone, so that what only their
# data refers to is lost, too.
test_no_memory_lost() {
	unload_all
	for _ in 1 2 3; do
		echo scan >"$kmemleak" || fail "kmemleak has given up"
		sleep 6
	done
	same "lost memory" "$(cat "$kmemleak")" ""
}

unload_all() {
	local module

	for module in vhost_net ipvtap macvtap tap; do
		[ ! -d "/sys/module/$module" ] || rmmod "$module"
	done
}

run_cases "$@"
