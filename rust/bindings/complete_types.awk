# SPDX-License-Identifier: GPL-2.0
#
# Prints a --blocklist-type parameter for each type that a file made by bindgen
# defines completely: all but empty forward types, those it knows no more of than
# an address, and the numbered names of anonymous ones, which mean another type in
# every run.

function name(s)
{
	sub(/[^A-Za-z0-9_].*/, "", s)
	return s
}

/^pub (struct|union) / {
	type = name($3)
	if (/;$/)
		print "--blocklist-type " type
	else
		pending = type
	next
}

pending != "" {
	if (!/_unused: \[u8; 0\]|_address: u8/)
		print "--blocklist-type " pending
	pending = ""
}

/^pub type / {
	type = name($3)
	if (type !~ /^_bindgen_ty_/)
		print "--blocklist-type " type
}
