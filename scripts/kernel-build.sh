# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # the variables of those who source it
#
# Configuring and building a kernel in $tree from the options in $fragment; source
# it after common.sh.

# make in the tree, with the compiler that KASAN and Rust need together.
kmake() {
	make -C "$tree" LLVM=1 -j"$(nproc)" "$@"
}

# Adds the options to the configuration.
merge_fragment() {
	(cd "$tree" && scripts/kconfig/merge_config.sh -m .config "$fragment") &&
		kmake olddefconfig
}

# The lines of the fragment that the configuration does not have.
lost_options() {
	grep -E '^(CONFIG_|# CONFIG_)' "$fragment" | while read -r line; do
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

# Every line of the fragment must take effect.
check_options() {
	local lost

	lost=$(lost_options)
	[ -z "$lost" ] ||
		die "Linux $release does not take these options of $fragment: ${lost//$'\n'/, }"
}
