#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's tools/testing/selftests/net/ipvtap_test.sh, as it is: ipvtap links
# in many network namespaces get and lose addresses at the same time.

. "$(dirname "$0")/lib.sh"

# Of these it changes addresses for a minute at most. In the kernel that finds faults,
# to end the links and namespaces takes two more.
CASE_SECONDS=600

test_ipvtap_test() {
	local output

	cd kernel-net
	output=$(./ipvtap_test.sh 2>&1) || fail "$output"
	contains "$output" "TEST: test multithreaded ip set"
	contains "$output" "[ OK ]"
}

run_cases "$@"
