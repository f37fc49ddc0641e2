#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Starts QEMU with a network card on a macvtap link, which is there and up.
#
#   samples/qemu-macvtap.sh [--vhost] [--queues N] LINK [QEMU OPTIONS...]
#   samples/qemu-macvtap.sh macvtap0 -m 2048 disk.qcow2
#
#   --vhost	the kernel (vhost-net) moves the packets instead of QEMU
#   --queues N	so many pairs of queues, for as many processors of the guest
#
# QEMU gets open files, so that it may be somebody else who runs it: who may read
# and write the link's node.

set -euo pipefail

usage() {
	echo "usage: samples/qemu-macvtap.sh [--vhost] [--queues N] LINK [QEMU OPTIONS...]" >&2
	exit 1
}

vhost=
queues=1
while [[ ${1:-} == --* ]]; do
	case $1 in
	--vhost)
		# Forced, it also serves what does not take interrupts by message, such
		# as firmware.
		vhost=,vhost=on,vhostforce=on
		;;
	--queues)
		[[ ${2:-} == [1-9]* ]] || usage
		queues=$2
		shift
		;;
	*)
		usage
		;;
	esac
	shift
done
[ $# -gt 0 ] || usage
link=$1
shift

# Each time that the node is opened, the link has another queue.
node=/dev/tap$(cat "/sys/class/net/$link/ifindex")
files=()
for ((i = 0; i < queues; i++)); do
	exec {file}<>"$node"
	files+=("$file")
done
fds=$(IFS=: && echo "${files[*]}")

# The link only gets what is sent to its own address: the guest must have that one.
card=virtio-net-pci,netdev=macvtap,mac=$(cat "/sys/class/net/$link/address")
if [ "$queues" -gt 1 ]; then
	# An interrupt for each queue, one for changes and one for what is asked.
	card+=,mq=on,vectors=$((2 * queues + 2))
fi

set -x
exec qemu-system-x86_64 -netdev "tap,id=macvtap,fds=$fds$vhost" -device "$card" "$@"
