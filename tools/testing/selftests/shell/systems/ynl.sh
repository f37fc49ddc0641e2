#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own netlink tool, tools/net/ynl, that knows what our specification
# says, Documentation/netlink/specs/rt-link-macvtap.yaml.

. "$(dirname "$0")/../lib.sh"

CASE_SECONDS=180
here=$(dirname "$0")/../..
filter='{"flags": ["allmulti"], "uc": {"addr": ["02:00:00:00:00:aa", "02:00:00:00:00:bb"]},
	"mc": {"addr": ["01:00:5e:00:00:aa"]}, "vlan": "0200'$(printf '00%.0s' {1..509})40'"}'

ynl() {
	python3 "$here/ynl/cli.py" --schema "$here/ynl/netlink-raw.yaml" \
		--spec "$here/ynl/rt-link-macvtap.yaml" --process-unknown --output-json "$@"
}

# linkinfo FILTER: the attributes of a link in mode passthru.
linkinfo() {
	echo '"linkinfo": {"kind": "macvtap", "data": {"mode": ["passthru"], "rx-filter": '"$1"'}}'
}

# told: the filter of mt-tap, or null.
told() {
	ynl --do getlink --json '{"ifname": "mt-tap"}' | python3 -c '
import json, sys
data = json.load(sys.stdin)["linkinfo"]["data"]
assert data["mode"] == ["passthru"], data
print(json.dumps(data.get("rx-filter"), sort_keys=True))'
}

# is_told FILTER: the kernel tells it of mt-tap, if it has filters.
is_told() {
	local wanted=null

	if has_filters; then
		wanted=$(python3 -c 'import json, sys
print(json.dumps(json.loads(sys.argv[1]), sort_keys=True))' "$1")
	fi
	same "the filter" "$(told)" "$wanted"
}

test_the_specification_is_one() {
	ynl --validate
}

test_filter() {
	new_lower
	ynl --create --excl --do newlink --json \
		'{"ifname": "mt-tap", "link": '"$(index_of mt-lower), $(linkinfo "$filter")}"
	is_told "$filter"
	ynl --do newlink --json '{"ifname": "mt-tap", '"$(linkinfo '{"flags": ["promisc"]}')}"
	is_told '{"flags": ["promisc"]}'
	ynl --do newlink --json '{"ifname": "mt-tap", '"$(linkinfo '{}')}"
	is_told null
}

# Others do not mind what they do not know.
test_iproute2() {
	new_lower
	ynl --create --excl --do newlink --json \
		'{"ifname": "mt-tap", "link": '"$(index_of mt-lower), $(linkinfo "$filter")}"
	contains "$(ip -d link show mt-tap)" "macvtap mode passthru"
	ip -d -json link show mt-tap | python3 -c 'import json, sys; json.load(sys.stdin)'
	ip link set mt-tap type macvtap mode passthru
	is_told "$filter"
}

run_cases "$@"
