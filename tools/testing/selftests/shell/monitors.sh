#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a virtual machine monitor does when the link of its guest is deleted: QEMU,
# with a guest that uses the link, and whose packets QEMU moves, or vhost-net.
#
#   namespace "mt-peer"    |  this namespace               |  guest
#   dnsmasq on mt-peer0 <-> mt-lower <- mt-tap <- /dev/tapN <- QEMU <- iPXE

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pxe.sh"
set -o pipefail

CASE_SECONDS=480

# How long QEMU is watched, and how much of that it may spend without the guest: it
# would be all of it if it polled without end. In seconds, and in ticks of 10 ms.
WATCHED=10
BUSY=300

# The guest is not stopped, and QEMU answers.
assert_runs() {
	local line

	monitor "info status"
	while IFS= read -r -t 20 -u 9 line; do
		[[ $line != *"VM status: "* ]] || break
	done
	contains "${line:-no answer}" "VM status: running"
}

# Processor time of QEMU and of its vhost, in ticks, but for the guest's own.
ticks() {
	local task name sum=0 fields

	for task in "/proc/$qemu/task"/*; do
		name=$(cat "$task/comm")
		[[ $name != CPU* ]] || continue
		# Behind the name, which may have spaces.
		read -ra fields <<<"$(sed 's/.*) //' "$task/stat")"
		sum=$((sum + fields[11] + fields[12]))
	done
	echo "$sum"
}

# assert_idle WHEN
assert_idle() {
	local before spent

	before=$(ticks)
	sleep "$WATCHED"
	spent=$(($(ticks) - before))
	echo "figures: QEMU spent $((spent * 10)) ms of $WATCHED s $1"
	[ "$spent" -lt "$BUSY" ] || fail "QEMU is busy $1: $spent ticks in $WATCHED s"
}

bring_up() {
	new_peer
	new_macvtap mode bridge
	ip link set mt-tap up
	serve mt-peer0
	start_qemu "$@"
	wait_for_guest
	assert_runs
}

# survives [OPTIONS OF THE NETDEV]: QEMU and its guest go on without the link, also
# when the guest starts anew and its device with it.
survives() {
	trap clean_up_pxe EXIT
	mkdir "$work"
	bring_up "$@"
	assert_idle "with the link"
	ip link delete mt-tap
	assert_idle "without it"
	assert_runs
	monitor system_reset
	sleep 5
	assert_idle "after a reset"
	assert_runs
	monitor quit
	wait "$qemu" || fail "QEMU ended with $?: $(cat "$work/qemu.log")"
	qemu=
}

test_qemu_survives_its_link() {
	survives
}

test_vhost_survives_its_link() {
	modprobe vhost_net
	survives ,vhost=on,vhostforce=on
}

run_cases "$@"
