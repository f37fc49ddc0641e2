# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For tests with a guest of their own, behind lib.sh: its shell, which reads from
# descriptor 8 what it is to do and prints on descriptor 9. Its init says "up" there,
# and whoever runs the monitor says how that ended, behind $ENDS.

BOOT_SECONDS=240
ENDS="The monitor ends: "

# hear_guest START: prints what comes from the guest's shell until a line that
# begins with START; sets what follows in that line.
hear_guest() {
	local line

	while IFS= read -r -t "$BOOT_SECONDS" -u 9 line; do
		case $line in
		"$1"*)
			heard=${line#"$1"}
			return
			;;
		"$ENDS"*)
			fail "$line"
			;;
		esac
		printf '%s\n' "$line"
	done
	fail "the guest says nothing"
}

# in_guest COMMAND: runs this line of shell in the guest; its output and status.
# What a case before this one did not wait for ends otherwise.
in_guest() {
	printf '{ %s\n} </dev/null\necho "=%d $?"\n' "$1" $$ >&8
	hear_guest "=$$ "
	return "$heard"
}
