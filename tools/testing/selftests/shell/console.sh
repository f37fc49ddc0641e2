# shellcheck shell=bash disable=SC2154 # the variables of those who source it
# SPDX-License-Identifier: GPL-2.0
#
# For tests with a guest of their own that boots Linux, behind lib.sh: its user space
# and its shell, which reads from descriptor 8 what it is to do and prints on
# descriptor 9. Its init says "up" there, and whoever runs the monitor says how that
# ended, behind $ENDS. What they need is in the directory $work.

BOOT_SECONDS=240
ENDS="The monitor ends: "

# make_root TTY: below $work/root, with the shell on /dev/TTY.
make_root() {
	local root=$work/root

	mkdir -p "$root"/{bin,dev,lib,proc,srv,sys,tmp}
	ln -s lib "$root/lib64"
	cp "$(command -v busybox)" "$root/bin/"
	cat >"$root/init" <<-INIT
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t devtmpfs dev /dev
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t tmpfs tmp /tmp
		exec </dev/$1 >/dev/$1 2>&1
		stty raw -echo
		echo up
		# With a terminal, it would prompt.
		sh 2>&1 | cat
	INIT
	chmod +x "$root/init"
}

# What is there as $work/initramfs.
pack_root() {
	(cd "$work/root" && find . | busybox cpio -o -H newc >"$work/initramfs") 2>/dev/null
}

# Both ways, so as not to wait for the other side.
open_console() {
	mkfifo "$work/shell.in" "$work/shell.out"
	exec 8<>"$work/shell.in" 9<>"$work/shell.out"
}

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
