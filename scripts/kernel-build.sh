# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # the variables of those who source it
#
# Configuring and building a kernel in $tree from the options in the files
# "${fragments[@]}"; source it after common.sh.

# The newest series that scripts/kernel-prepare knows.
series=7.3

# Where the fragments are.
# shellcheck disable=SC2034 # for those who source it
kernels=$top/tools/testing/vm/kernels

# make in the tree, with the compiler that KASAN and Rust need together.
kmake() {
	make -C "$tree" LLVM=1 -j"$(nproc)" "$@"
}

# Adds the options to the configuration.
merge_fragment() {
	(cd "$tree" && scripts/kconfig/merge_config.sh -m .config "${fragments[@]}") &&
		kmake olddefconfig
}

# The lines of the fragments of which each is the last on its option.
last_options() {
	grep -E -h '^(CONFIG_|# CONFIG_)' "${fragments[@]}" |
		awk '{ option = $0; sub(/^# /, "", option); sub(/[= ].*/, "", option); last[option] = $0 }
			END { for (option in last) print last[option] }'
}

# Those that the configuration does not have.
lost_options() {
	last_options | while read -r line; do
		case $line in
		*=*) grep -qxF "$line" "$tree/.config" || echo "$line" ;;
		*) ! grep -q "^$(echo "$line" | cut -d' ' -f2)=" "$tree/.config" || echo "$line" ;;
		esac
	done
}

# To where machines are booted from.
build() {
	kmake && kmake INSTALL_MOD_PATH="$tree/debian" modules_install &&
		cp "$tree/arch/x86/boot/bzImage" "$tree/debian/vmlinuz"
}

# Every line of the fragments must take effect.
check_options() {
	local lost

	lost=$(lost_options)
	[ -z "$lost" ] ||
		die "Linux $release does not take these options of ${fragments[*]}: ${lost//$'\n'/, }"
}

# The stock kernel's source without what was built in it.
copy_source() {
	rm -rf "$tree.new" &&
		mkdir -p "$tree.new" &&
		rsync -a --exclude=/.prepared --exclude=/debian --exclude=/localversion \
			--exclude=/vmlinux "$stock/" "$tree.new/" &&
		make -s -C "$tree.new" mrproper &&
		mv "$tree.new" "$tree"
}

configure() {
	kmake tinyconfig && merge_fragment
}

# prepare NAME WHAT COMMAND: sets $tree, where COMMAND has built a kernel from
# nothing but the stock kernel's source and the options. They are part of the
# tree's name. An interrupted build goes on where it stopped.
prepare() {
	local name=$1 what=$2 command=$3

	stock=$("$top/scripts/kernel-prepare" "$series")
	release=$(make -s -C "$stock" kernelversion)
	tree=$cache/linux-$name/$release-$(cat "${fragments[@]}" | sha256sum | cut -c1-12)
	[ ! -e "$tree/.prepared" ] || return 0
	lock_cache "linux-$name"
	if [ ! -e "$tree/.prepared" ]; then
		note BUILD "Linux $release $what"
		[ -d "$tree" ] || run_logged "$cache/log/kernel-$name-copy" copy_source ||
			die "cannot copy the source of Linux $release (log: $cache/log/kernel-$name-copy)"
		run_logged "$cache/log/kernel-$name-config" configure ||
			die "cannot configure Linux $release (log: $cache/log/kernel-$name-config)"
		check_options
		run_logged "$cache/log/kernel-$name" "$command" ||
			die "cannot build Linux $release (log: $cache/log/kernel-$name)"
		touch "$tree/.prepared"
	fi
	unlock_cache
}
