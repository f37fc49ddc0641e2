# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For the shell tests. Such a file defines its cases as functions, test_NAME,
# and ends with:	run_cases "$@"
# It is called without arguments to run them all and to report in the kernel's
# test format; with a NAME it runs that case only, and fails if the case does.

set -u
export LC_ALL=C

# Longer than any case takes on an emulated machine.
CASE_SECONDS=60
# For what a case waits for.
PATIENCE_SECONDS=10
# Of every link and network namespace that a case makes.
PREFIX=mt-

run_cases() {
	local cases number=0 failed=0 output case

	if [ $# -gt 0 ]; then
		trap clean_up EXIT
		set -e
		"test_$1"
		return
	fi
	mapfile -t cases < <(sed -n 's/^test_\([a-z0-9_]*\)() {$/\1/p' "$0")
	printf 'KTAP version 1\n1..%d\n' "${#cases[@]}"
	for case in "${cases[@]}"; do
		number=$((number + 1))
		if output=$(timeout -k 5 "$CASE_SECONDS" "$0" "$case" 2>&1); then
			sed -n 's/^figures: /# &/p' <<<"$output"
			echo "ok $number $case"
		else
			failed=1
			[ -z "$output" ] || printf '# %s\n' "${output//$'\n'/$'\n# '}"
			echo "not ok $number $case"
		fi
	done
	return "$failed"
}

clean_up() {
	local status=$? name

	set +e
	for name in $(ip netns list | sed -n "s/^\(${PREFIX}[^ ]*\).*/\1/p"); do
		ip netns delete "$name"
	done
	for name in /sys/class/net/"$PREFIX"*; do
		[ -e "$name" ] || continue
		# Some go together with others.
		ip link delete "${name##*/}" 2>/dev/null
	done
	exit "$status"
}

fail() {
	echo "$*" >&2
	exit 1
}

# refused MESSAGE COMMAND...: the command fails and says MESSAGE.
refused() {
	local message=$1 output

	shift
	if output=$("$@" 2>&1); then
		fail "not refused: $*"
	fi
	[[ $output == *"$message"* ]] || fail "$*: said '$output' instead of '$message'"
}

# same WHAT GOT WANTED
same() {
	[ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"
}

# contains TEXT PART
contains() {
	[[ $1 == *"$2"* ]] || fail "no '$2' in: $1"
}

present() {
	[ -e "$1" ] || fail "$1 is missing"
}

absent() {
	[ ! -e "$1" ] || fail "$1 is there"
}

# absent_link NAME: whether there is none, to be waited for.
absent_link() {
	[ ! -e "/sys/class/net/$1" ]
}

# Whether the macvtap.ko that is loaded has receive filters.
has_filters() {
	[ "$MODULES" = rust ] || [ "$MODULES" = rust-macvtap ]
}

# eventually COMMAND...: it succeeds soon.
eventually() {
	local end=$((SECONDS + PATIENCE_SECONDS))

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "waited in vain: $*"
		sleep 0.02
	done
}

# new_lower: a device to put macvtap links on.
new_lower() {
	ip link add mt-lower up type dummy
}

# new_macvtap [ARGUMENTS...]: mt-tap on mt-lower.
new_macvtap() {
	ip link add link mt-lower name mt-tap type macvtap "$@"
}

# new_peer: the device as new_lower makes it, with a host behind it: the namespace
# "mt-peer", where its other end mt-peer0 has the address 192.0.2.1.
new_peer() {
	ip netns add mt-peer
	ip link add mt-lower up type veth peer name mt-peer0 netns mt-peer
	ip -n mt-peer link set mt-peer0 up
	ip -n mt-peer address add 192.0.2.1/24 dev mt-peer0
}

in_peer() {
	ip netns exec mt-peer "$@"
}

# silence LINK [NAMESPACE]: it sends nothing by itself.
silence() {
	echo 1 | ${2:+ip netns exec "$2"} tee "/proc/sys/net/ipv6/conf/$1/disable_ipv6" >/dev/null
}

index_of() {
	cat "/sys/class/net/$1/ifindex"
}

node_of() {
	echo "/dev/tap$(index_of "$1")"
}

major_of_macvtap() {
	awk '$2 == "macvtap" { print $1 }' /proc/devices
}

# Nothing is left of a link that was not made, or was deleted.
nothing_left() {
	absent /sys/class/net/mt-tap
	same "device nodes" "$(compgen -G '/dev/tap*' || true)" ""
	same "devices" "$(ls /sys/class/macvtap)" ""
}
