#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools/net/macvtap: what it tells of links, and what it does with them.

. "$(dirname "$0")/lib.sh"
PATH=$(realpath "$(dirname "$0")/.."):$PATH

MAC=02:00:00:00:00:01
OTHER_MAC=02:00:00:00:00:02

holders=()

end_holders() {
	local status=$?

	set +e
	[ ${#holders[@]} = 0 ] || kill "${holders[@]}"
	wait
	(exit "$status")
	clean_up
}

# hold COMMAND...: it stays in the background, as process "$holder".
hold() {
	trap end_holders EXIT
	"$@" &
	holder=$!
	holders+=("$holder")
}

# new_link NAME ADDRESS [ARGUMENTS...]: a macvtap link on mt-lower.
new_link() {
	local name=$1 address=$2

	shift 2
	ip link add link mt-lower name "$name" address "$address" type macvtap "$@"
}

# row NAME: what the list says of that link, with single spaces.
row() {
	macvtap list | tr -s ' ' | grep "^$1 "
}

# shows NAME TEXT: the row ends so.
shows() {
	[[ $(row "$1") == *" $2" ]]
}

# ends STATUS COMMAND...: the command's exit status.
ends() {
	local wanted=$1 status=0

	shift
	"$@" >/dev/null 2>&1 || status=$?
	same "status of $*" "$status" "$wanted"
}

as_nobody() {
	su -s /bin/bash nobody -c "PATH=$PATH $*"
}

test_list_of_none() {
	ip link add mt-lower up type dummy
	ip link add link mt-lower name mt-vlan type macvlan mode bridge
	same list "$(macvtap list | tr -s ' ')" "LINK LOWER MODE STATE MAC NODE QUEUES"
	same JSON "$(macvtap list --json)" "[]"
}

test_list() {
	local mode last=1

	new_lower
	for mode in bridge private vepa source; do
		new_link "mt-$mode" "02:00:00:00:00:0$last" mode "$mode"
		last=$((last + 1))
	done
	# The only link that has the address of its lower device.
	ip link add mt-alone address 02:00:00:00:00:0a up type dummy
	ip link add link mt-alone name mt-passthru type macvtap mode passthru
	ip link set mt-passthru up
	same lines "$(macvtap list | wc -l)" 6
	last=1
	for mode in bridge private vepa source; do
		same "$mode" "$(row "mt-$mode")" \
			"mt-$mode mt-lower $mode down 02:00:00:00:00:0$last $(node_of "mt-$mode") 0"
		last=$((last + 1))
	done
	same passthru "$(row mt-passthru)" \
		"mt-passthru mt-alone passthru $(cat /sys/class/net/mt-passthru/operstate) 02:00:00:00:00:0a $(node_of mt-passthru) 0"
}

test_list_in_json() {
	local lower node

	new_lower
	new_link mt-tap "$MAC" mode bridge
	lower="{\"name\":\"mt-lower\",\"index\":$(index_of mt-lower),\"namespace\":null}"
	node="{\"path\":\"$(node_of mt-tap)\",\"exists\":true}"
	hold macvtap exec mt-tap --queues 2 -- sleep 1000
	eventually shows mt-tap "2: sleep ($holder)"
	same JSON "$(macvtap list --json)" "[{\"link\":\"mt-tap\",\"index\":$(index_of mt-tap),\
\"lower\":$lower,\"mode\":\"bridge\",\"state\":\"down\",\"mac\":\"$MAC\",\"node\":$node,\
\"queues\":{\"open\":2,\"complete\":true,\
\"users\":[{\"pid\":$holder,\"command\":\"sleep\",\"queues\":2}]}}]"
}

test_queues_of_several_processes() {
	local first

	new_lower
	new_link mt-tap "$MAC" mode bridge
	new_link mt-other "$OTHER_MAC" mode bridge
	hold macvtap exec mt-tap --queues 3 -- sleep 1000
	first=$holder
	eventually shows mt-tap "3: sleep ($first)"
	hold macvtap exec mt-tap -- sleep 1000
	eventually shows mt-tap "4: sleep ($first), sleep ($holder)"
	shows mt-other 0 || fail "$(row mt-other)"
	contains "$(macvtap stats mt-tap | tr -s ' ')" "PROCESS COMMAND QUEUES
$first sleep 3
$holder sleep 1
all 4"
	kill "$first"
	wait "$first" || :
	holders=("$holder")
	eventually shows mt-tap "1: sleep ($holder)"
}

# A file that processes share is one queue, if the kernel tells that they do.
test_queues_that_are_shared() {
	local open=2 child

	! grep -q ' __do_sys_kcmp$' /proc/kallsyms || open=1
	new_lower
	new_link mt-tap "$MAC"
	rm -f /run/mt-child
	# shellcheck disable=SC2016 # of the inner shell
	hold macvtap exec mt-tap -- bash -c \
		'sleep 1000 & trap "kill $!" EXIT TERM; echo $! >/run/mt-child; wait'
	eventually test -s /run/mt-child
	child=$(cat /run/mt-child)
	eventually shows mt-tap "$open: bash ($holder), sleep ($child)"
}

test_queues_that_others_may_not_see() {
	new_lower
	new_link mt-tap "$MAC"
	hold macvtap exec mt-tap -- sleep 1000
	eventually shows mt-tap "1: sleep ($holder)"
	contains "$(as_nobody macvtap list | tr -s ' ')" "$(node_of mt-tap) 0 or more"
	contains "$(as_nobody macvtap list --json)" '"open":0,"complete":false'
}

test_missing_node() {
	local node

	new_lower
	new_link mt-tap "$MAC"
	node=$(node_of mt-tap)
	rm "$node"
	shows mt-tap "$node (missing) 0" || fail "$(row mt-tap)"
	contains "$(macvtap list --json)" "\"node\":{\"path\":\"$node\",\"exists\":false}"
	# Another device of that name is no better.
	mknod "$node" c 1 3
	shows mt-tap "$node (missing) 0" || fail "$(row mt-tap)"
	hold macvtap exec mt-tap -- sleep 1000
	eventually shows mt-tap "1: sleep ($holder)"
	contains "$(readlink "/proc/$holder/fd/3")" " (deleted)"
	same "nodes left behind" "$(compgen -G '/dev/.macvtap-*' || true)" ""
	same "the other device" "$(stat -c '%t %T' "$node")" "1 3"
	rm "$node"
}

test_lower_in_a_named_namespace() {
	local lower

	ip netns add mt-a
	ip -n mt-a link add mt-lower index 4711 type dummy
	ip -n mt-a link add link mt-lower name mt-tap netns 1 address "$MAC" type macvtap
	lower="mt-lower in /run/netns/mt-a"
	same row "$(row mt-tap)" "mt-tap $lower vepa down $MAC $(node_of mt-tap) 0"
	contains "$(macvtap list --json)" "\"lower\":{\"name\":\"mt-lower\",\"index\":4711,\
\"namespace\":{\"id\":0,\"path\":\"/run/netns/mt-a\"}}"
	contains "$(as_nobody macvtap list)" " if4711 in /run/netns/mt-a "
}

test_lower_in_the_first_namespace() {
	local list

	new_lower
	ip netns add mt-a
	new_link mt-tap "$MAC" mode bridge
	ip link set mt-tap netns mt-a
	same "links here" "$(macvtap list | wc -l)" 1
	list=$(ip netns exec mt-a macvtap list)
	contains "$list" " mt-lower in /proc/1/ns/net "
	contains "$(ip netns exec mt-a su -s /bin/bash nobody -c "PATH=$PATH macvtap list")" \
		" if$(index_of mt-lower) in netnsid 0 "
}

# Who enters a namespace only has the sysfs of another one.
test_namespace_without_its_sysfs() {
	local enter=(nsenter --net=/run/netns/mt-a) index

	ip netns add mt-a
	ip -n mt-a link add mt-lower type dummy
	ip -n mt-a link add link mt-lower name mt-tap index 5001 type macvtap
	# Another link of the same name.
	new_lower
	new_link mt-tap "$OTHER_MAC"
	contains "$("${enter[@]}" macvtap list)" " /dev/tap5001 "
	# shellcheck disable=SC2016 # of the inner shell
	same "file" "$("${enter[@]}" macvtap exec mt-tap -- readlink /proc/self/fd/3)" /dev/tap5001
	contains "$("${enter[@]}" su -s /bin/bash nobody -c "PATH=$PATH macvtap list" | tr -s ' ')" " ? ?"
	index=$(index_of mt-tap)
	same "file" "$(macvtap exec mt-tap -- readlink /proc/self/fd/3)" "/dev/tap$index"
}

# bytes HEX: as they are.
bytes() {
	echo -n "$1" | xxd -r -p
}

# Each of the queues is one: a frame that is written there arrives at the other link.
test_exec_passes_queues() {
	local queue frame header=00000000000000000000 addresses=020000000002020000000001

	new_lower
	silence mt-lower
	new_link mt-tap "$MAC" mode bridge
	new_link mt-other "$OTHER_MAC" mode bridge
	for name in mt-tap mt-other; do
		silence "$name"
		ip link set "$name" up
	done
	exec 9<>"$(node_of mt-other)"
	for queue in 3 4 5; do
		frame=$header$addresses"88b50000000$queue"
		# shellcheck disable=SC2016 # of the inner shell
		macvtap exec mt-tap --queues 3 -- bash -c 'echo -n "$1" | xxd -r -p >&"$2"' \
			bash "$frame" "$queue"
		same "frame" "$(timeout 10 dd bs=4096 count=1 <&9 2>/dev/null | xxd -p)" "$frame"
	done
	same "statistics" "$(macvtap stats mt-tap | tr -s ' ' | head -3)" \
		"mt-tap ON THE HOST PACKETS BYTES ERRORS DROPPED
to the guest rx 0 0 0 0
from the guest tx 3 54 0 0"
	same "statistics" "$(macvtap stats mt-other | tr -s ' ' | sed -n 2,3p)" \
		"to the guest rx 3 54 0 0
from the guest tx 0 0 0 0"
	contains "$(macvtap stats mt-tap --json)" "\"from_guest\":{\"packets\":3,\"bytes\":54,\
\"errors\":0,\"dropped\":0}"
}

# Prints which descriptors a shell has.
# shellcheck disable=SC2016 # its variables
OPEN='for i in {0..19}; do [ ! -e /proc/$$/fd/$i ] || echo -n "$i "; done'

test_exec_leaves_nothing_else_open() {
	new_lower
	new_link mt-tap "$MAC"
	same "descriptors" "$(macvtap exec mt-tap --queues 3 -- bash -c "$OPEN")" "0 1 2 3 4 5 "
	same "descriptors" "$(macvtap exec mt-tap -- bash -c "$OPEN")" "0 1 2 3 "
	# What the caller has open is its own matter, but for those that are replaced.
	exec 4</dev/null 7</dev/null
	same "descriptors" "$(macvtap exec mt-tap --queues 2 -- bash -c "$OPEN")" "0 1 2 3 4 7 "
	same "fourth" "$(macvtap exec mt-tap --queues 2 -- readlink /proc/self/fd/4)" "$(node_of mt-tap)"
	same "seventh" "$(macvtap exec mt-tap --queues 2 -- readlink /proc/self/fd/7)" /dev/null
}

# As the shell opens them: O_RDWR, but not O_NONBLOCK, besides O_LARGEFILE.
test_exec_opens_as_the_shell() {
	new_lower
	new_link mt-tap "$MAC"
	contains "$(macvtap exec mt-tap -- grep flags: /proc/self/fdinfo/3)" 0100002
}

test_exec_is_no_fork() {
	new_lower
	new_link mt-tap "$MAC"
	hold macvtap exec mt-tap -- sleep 1000
	eventually grep -qx sleep "/proc/$holder/comm"
}

test_exec_by_other_names() {
	local node

	new_lower
	new_link mt-tap "$MAC"
	node=$(node_of mt-tap)
	ip link property add dev mt-tap altname mt-a-name-longer-than-ifnamsiz
	same file "$(macvtap exec mt-a-name-longer-than-ifnamsiz -- readlink /proc/self/fd/3)" "$node"
	ip link set mt-tap name mt-new
	same file "$(macvtap exec mt-new -- readlink /proc/self/fd/3)" "$node"
	refused "there is no link mt-tap in this network namespace" macvtap exec mt-tap -- true
}

test_exec_for_others_than_root() {
	local node

	new_lower
	new_link mt-tap "$MAC"
	node=$(node_of mt-tap)
	refused "cannot open $node of mt-tap: Permission denied" as_nobody macvtap exec mt-tap -- true
	chown nobody "$node"
	as_nobody macvtap exec mt-tap --queues 2 -- true
	rm "$node"
	refused "there is no $node of mt-tap, and none can be made: Permission denied" \
		as_nobody macvtap exec mt-tap -- true
}

test_exec_status() {
	new_lower
	new_link mt-tap "$MAC"
	ends 0 macvtap exec mt-tap -- true
	ends 7 macvtap exec mt-tap -- sh -c "exit 7"
	ends 125 macvtap exec mt-none -- true
	ends 126 macvtap exec mt-tap -- /etc/passwd
	ends 127 macvtap exec mt-tap -- mt-no-program
	ends 2 macvtap exec mt-tap true
	ends 2 macvtap exec mt-tap --queues 257 -- true
	refused "cannot run mt-no-program: No such file" macvtap exec mt-tap -- mt-no-program
}

test_exec_more_queues_than_there_are() {
	new_lower
	new_link mt-tap "$MAC"
	macvtap exec mt-tap --queues 256 -- true
	hold macvtap exec mt-tap -- sleep 1000
	eventually shows mt-tap "1: sleep ($holder)"
	refused "a link has no more than 256 queues" macvtap exec mt-tap --queues 256 -- true
	macvtap exec mt-tap --queues 255 -- true
}

test_what_is_no_macvtap_link() {
	local command

	new_lower
	ip link add link mt-lower name mt-vlan type macvlan
	for command in "stats NAME" "exec NAME -- true" "filter show NAME" "filter set NAME" "filter clear NAME"; do
		# shellcheck disable=SC2086 # words
		{
			refused "mt-vlan is not a macvtap link: it is a macvlan" macvtap ${command/NAME/mt-vlan}
			refused "lo is not a macvtap link: it is a hardware or loopback device" \
				macvtap ${command/NAME/lo}
			refused "there is no link mt-none in this network namespace" \
				macvtap ${command/NAME/mt-none}
		}
	done
	ends 3 macvtap stats mt-none
	ends 3 macvtap filter show mt-vlan
	ends 3 macvtap stats ''
	ends 3 macvtap stats "$(printf 'a%.0s' {1..200})"
}

# Names come from whoever may make links.
test_odd_names() {
	local name=$'mt-\e[7m'

	new_lower
	new_link "$name" "$MAC"
	contains "$(macvtap list)" "mt-?[7m "
	contains "$(macvtap stats "$name")" "mt-?[7m "
	contains "$(macvtap list --json)" '"link":"mt-\u001b[7m"'
	same file "$(macvtap exec "$name" -- readlink /proc/self/fd/3)" "$(node_of "$name")"
}

test_reader_that_has_seen_enough() {
	new_lower
	new_link mt-tap "$MAC"
	macvtap list | true
	same status "${PIPESTATUS[0]}" 0
	ends 1 bash -c 'macvtap list >/dev/full'
}

test_no_filter() {
	new_lower
	new_link mt-tap "$MAC" mode passthru
	same "filter" "$(macvtap filter show mt-tap)" "mt-tap has no receive filter"
	same "filter" "$(macvtap filter show mt-tap --json)" '{"link":"mt-tap","filter":null}'
	same "filter" "$(macvtap filter clear mt-tap)" "mt-tap has no receive filter"
}

test_filter_is_for_root() {
	new_lower
	new_link mt-tap "$MAC" mode passthru
	refused "cannot set the receive filter of mt-tap: Operation not permitted: run as root" \
		as_nobody macvtap filter set mt-tap
	ends 4 as_nobody macvtap filter set mt-tap
}

# A driver that does not know them says nothing when it is asked to set one.
not_supported() {
	refused "the macvtap driver that is loaded has no receive filters: load the one in Rust" \
		macvtap filter set mt-tap "$@"
	ends 5 macvtap filter set mt-tap "$@"
	same "filter" "$(macvtap filter show mt-tap)" "mt-tap has no receive filter"
}

test_filter() {
	local parts=(--unicast 52:54:00:00:00:02 --unicast 52:54:00:00:00:01 --allmulti
		--multicast 01:00:5e:00:00:01 --vlan 1-10 --vlan 12)

	new_lower
	new_link mt-tap "$MAC" mode passthru
	ip link set mt-tap up
	if ! has_filters; then
		not_supported "${parts[@]}"
		return
	fi
	macvtap filter set mt-tap "${parts[@]}"
	same "filter" "$(macvtap filter show mt-tap)" "mt-tap
  flags      allmulti
  unicast    52:54:00:00:00:01, 52:54:00:00:00:02
  multicast  01:00:5e:00:00:01
  VLANs      1-10, 12"
	contains "$(bridge fdb show dev mt-lower)" "52:54:00:00:00:01"
	# All of it is replaced.
	macvtap filter set mt-tap --promisc --vlan 4094
	same "JSON" "$(macvtap filter show mt-tap --json)" '{"link":"mt-tap","filter":{'\
'"promisc":true,"allmulti":false,"unicast":[],"multicast":[],"vlans":[4094]}}'
	# A filter with nothing in it is one.
	macvtap filter set mt-tap
	same "filter" "$(macvtap filter show mt-tap | tr -s ' ')" "mt-tap
 flags none
 unicast none
 multicast none
 VLANs none"
	contains "$(ip -d link show mt-lower)" "promiscuity 0 "
	same "output" "$(macvtap filter clear mt-tap)" ""
	same "filter" "$(macvtap filter show mt-tap)" "mt-tap has no receive filter"
	contains "$(ip -d link show mt-lower)" "promiscuity 1 "
}

test_filter_of_another_mode() {
	new_lower
	new_link mt-tap "$MAC" mode bridge
	if ! has_filters; then
		not_supported --vlan 1
		return
	fi
	refused "cannot set the receive filter of mt-tap: Operation not supported: Only links in mode passthru have a receive filter" \
		macvtap filter set mt-tap --vlan 1
}

test_filter_that_is_too_long() {
	local i parts=()

	new_lower
	new_link mt-tap "$MAC" mode passthru
	for i in {1..512}; do
		parts+=(--unicast "02:01:00:00:$(printf %02x:%02x $((i >> 8)) $((i & 255)))")
	done
	if ! has_filters; then
		not_supported "${parts[@]}"
		return
	fi
	macvtap filter set mt-tap "${parts[@]}"
	same "addresses" "$(macvtap filter show mt-tap --json | grep -o 02:01 | wc -l)" 512
	refused "Too many addresses in the receive filter" \
		macvtap filter set mt-tap "${parts[@]}" --unicast 02:02:00:00:00:00
	# What was set before stays.
	same "addresses" "$(macvtap filter show mt-tap --json | grep -o 02:01 | wc -l)" 512
}

run_cases "$@"
