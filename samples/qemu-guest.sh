#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A QEMU guest on a macvtap, step by step: what an operator types, with what the
# machine answers.
#
#   samples/qemu-guest.sh [--vhost] [--queues N]
#
# Run it as root, on any machine that has the modules, iproute2, kmod, dnsmasq
# and qemu-system-x86_64 with its iPXE ROMs. It touches nothing that exists:
#
#   namespace "macvtap-peer"       |  this namespace
#   dnsmasq (DHCP, TFTP) on peer0 <-> lower0 <- macvtap0 <- /dev/tapN <- QEMU
#
# The guest's firmware (iPXE) gets an address by DHCP and two scripts by TFTP.
# The second one has it print a random token that only that file holds. The exit
# status is 0 only if the token appeared on the guest's console.
#
# The guest is started by qemu-macvtap.sh, which says what the options mean.

set -euo pipefail
shopt -s extglob

lower=lower0
peer=peer0
link=macvtap0
netns=macvtap-peer
server=192.0.2.1
seconds=120	# for the guest to boot, even emulated twice over

work=
dnsmasq=
qemu=
queues=1
modules=(macvtap)
start=("${BASH_SOURCE%/*}/qemu-macvtap.sh")

die() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

say() {
	printf '\n%s\n' "$*"
}

# Shows a command as it would be typed, then what it answers.
run() {
	printf '# %s\n' "$*"
	"$@"
}

# The same for a pipeline, in one argument.
run_pipe() {
	printf '# %s\n' "$1"
	eval "$1"
}

# A line of the guest's console without the firmware's cursor movements, and
# without what it wrote only to erase it again.
readable() {
	local text=${1##*$'\b'}

	text=${text//$'\e'@(c|\[*([0-9;?])[A-Za-z])/}
	text=${text//[[:cntrl:]]/}
	echo "${text%%*( )}"
}

loaded() {
	[ -d "/sys/module/$1" ]
}

# Takes away what was made, in reverse; a failure here is one of the run.
tear_down() {
	local module status=0

	say "Everything goes away again."
	[ -z "$qemu" ] || { kill "$qemu" && wait "$qemu"; } 2>/dev/null || :
	qemu=
	if [ -e "/sys/class/net/$link" ]; then
		run ip link delete "$link" || status=1
	fi
	if [ -e "/sys/class/net/$lower" ]; then
		run ip link delete "$lower" || status=1
	fi
	[ -z "$dnsmasq" ] || { kill "$dnsmasq" && wait "$dnsmasq"; } 2>/dev/null || :
	dnsmasq=
	if [ -e "/run/netns/$netns" ]; then
		run ip netns delete "$netns" || status=1
	fi
	for module in "${unload[@]}"; do
		run modprobe -r "$module" || status=1
	done
	rm -rf "$work"
	return $status
}

# Waits until COMMAND succeeds, for a few seconds at most.
wait_for() {
	local i
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

while [ $# -gt 0 ]; do
	case $1 in
	--vhost)
		modules+=(vhost_net)
		start+=(--vhost)
		;;
	--queues)
		queues=${2:?"so many queues"}
		start+=(--queues "$queues")
		shift
		;;
	*)
		die "usage: samples/qemu-guest.sh [--vhost] [--queues N]"
		;;
	esac
	shift
done

[ "$(id -u)" = 0 ] || die "run this as root"
for tool in ip modprobe lsmod modinfo dnsmasq qemu-system-x86_64; do
	command -v "$tool" >/dev/null || die "there is no $tool here: install it"
done
for name in "$lower" "$link"; do
	[ ! -e "/sys/class/net/$name" ] || die "there is a link $name already: remove or rename it"
done
[ ! -e "/run/netns/$netns" ] || die "there is a network namespace $netns already: remove it"

# Unloaded at the end is only what was not there before.
unload=()
for module in "${modules[@]}"; do
	loaded "$module" || unload=("$module" "${unload[@]}")
done
trap 'tear_down || :' EXIT
trap 'exit 130' INT TERM HUP
work=$(mktemp -d)

say "The modules."
run modprobe -a tap "${modules[@]}"
run lsmod
run_pipe "modinfo tap macvtap | grep '^[a-rt-z]'"	# without signatures

say "A network: a veth pair, one end in a namespace of its own, where dnsmasq serves."
run ip netns add "$netns"
run ip link add "$lower" type veth peer name "$peer" netns "$netns"
run ip link set "$lower" up
run ip -n "$netns" link set lo up
run ip -n "$netns" link set "$peer" up
run ip -n "$netns" address add "$server/24" dev "$peer"

token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
mkdir "$work/tftp"
cat >"$work/tftp/boot.ipxe" <<-'IPXE'
	#!ipxe
	chain tftp://${next-server}/token.ipxe
IPXE
cat >"$work/tftp/token.ipxe" <<-IPXE
	#!ipxe
	echo \${net0/ip} says $token
IPXE
run head "$work"/tftp/*.ipxe

command=(ip netns exec "$netns" dnsmasq --conf-file=/dev/null --keep-in-foreground \
	--user=root --group=root --pid-file="$work/dnsmasq.pid" \
	--log-facility="$work/dnsmasq.log" --port=0 --no-ping \
	--interface="$peer" --bind-interfaces \
	--dhcp-range="${server%.*}.100,${server%.*}.150" --dhcp-authoritative \
	--dhcp-leasefile="$work/leases" --dhcp-boot=boot.ipxe \
	--enable-tftp --tftp-root="$work/tftp")
printf '# %s &\n' "${command[*]}"
"${command[@]}" &
dnsmasq=$!
wait_for test -s "$work/dnsmasq.pid" || die "dnsmasq did not start: $(cat "$work/dnsmasq.log")"

say "The macvtap, and its character device."
run ip link add link "$lower" name "$link" type macvtap mode bridge
run ip link set "$link" up
run ip -d link show "$link"
index=$(cat "/sys/class/net/$link/ifindex")
mac=$(cat "/sys/class/net/$link/address")
node=/dev/tap$index
wait_for test -c "$node" || die "$node did not appear: is devtmpfs or udev at work?"
run ls -l "$node"
minor=$(($(stat -c 0x%T "$node")))
if [ "$minor" = "$index" ]; then
	echo "The minor number of $node is the link's index, $index."
else
	echo "The minor number of $node is $minor, the link's index is $index."
	# The C modules, which are all by one author, number nodes as they come.
	run_pipe "modinfo -F author tap macvtap | grep 'Arnd Bergmann'" ||
		die "the minor number ought to be the index"
fi

say "The guest, on the open device. Its console:"
command=("${start[@]}" "$link" -accel tcg -m 64 -nodefaults -nographic -no-reboot -serial stdio)
printf '# %s\n' "${command[*]}"
exec 4< <(exec "${command[@]}" 2>&1 </dev/null)
qemu=$!
seen=
address=
end=$((SECONDS + seconds))
while [ -z "$seen" ] && [ $SECONDS -lt $end ] && IFS= read -r -t $((end - SECONDS)) -u 4 line; do
	line=$(readable "$line")
	[ -z "$line" ] || printf '| %s\n' "$line"
	case $line in
	*" says $token"*)
		seen=yes
		address=${line%% says*}
		address=${address##* }
		;;
	*"No more network devices"*)
		break
		;;
	*"falling back on userspace virtio"*)
		die "the kernel does not move the packets: vhost-net did not start"
		;;
	esac
done
[ -n "$seen" ] || {
	run cat "$work/dnsmasq.log" || :
	die "the guest did not say its token: see its console and dnsmasq's log above"
}

say "What the network saw of it."
run cat "$work/leases"
grep -q " $mac $address " "$work/leases" || die "dnsmasq leased no $address to $mac"
run_pipe "grep -E 'DHCP|sent' $work/dnsmasq.log"
grep -q "sent .*/token.ipxe to $address" "$work/dnsmasq.log" ||
	die "dnsmasq did not send the token's file"
run ip -s link show "$link"
for counter in rx_packets tx_packets rx_bytes tx_bytes; do
	[ "$(cat "/sys/class/net/$link/statistics/$counter")" -gt 0 ] ||
		die "the link did not count: $counter is 0"
done
run lsmod
if [[ ${modules[*]} == *vhost_net* ]]; then
	run_pipe "cat /proc/$qemu/task/*/comm | grep '^vhost-'" || die "the guest runs without vhost-net"
fi
run_pipe "ls -l /proc/$qemu/fd | grep $node\$"
files=(/proc/"$qemu"/fd/*)
opened=$(readlink "${files[@]}" | grep -c "^$node\$") || :
[ "$opened" = "$queues" ] || die "QEMU has $opened queues"

trap - EXIT
tear_down || die "not everything could be taken away again"
say "The guest got $address by DHCP and its token by TFTP, through $node."
