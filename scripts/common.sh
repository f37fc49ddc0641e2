# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # used by those who source it
#
# Shared by the scripts in this directory; source it, do not run it.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Services, DKMS among them, have no HOME.
cache=${MACVTAP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/macvtap-rust}

# Ctrl-C is no error of the command that it stops.
trap "exit 130" INT TERM

# Progress goes to standard error: standard output carries results.
note() {
	printf '  %-8s%s\n' "$1" "$2" >&2
}

die() {
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

# run_logged LOG CMD... runs CMD with its output in LOG. The caller says what went
# wrong, in one line; where nobody can look at LOG later, its end is shown.
run_logged() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		[ -z "${CI:-}" ] || tail -n 15 "$log" >&2
		return 1
	fi
}

# Serialises the preparation of NAME between concurrent invocations. The lock
# is released when the shell exits; children must not inherit it.
lock_cache() {
	mkdir -p "$cache" || die "cannot create $cache: set MACVTAP_CACHE to a writable directory"
	exec 9>"$cache/$1.lock"
	flock -n 9 || {
		note WAIT "another run is preparing $1"
		flock 9
	}
}

unlock_cache() {
	exec 9>&-
}

need_root() {
	[ "$(id -u)" = 0 ] || die "run this as root: it sets up a Debian build root"
}
