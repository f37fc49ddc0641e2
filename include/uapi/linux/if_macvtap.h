/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a macvtap link can be told beside what a macvlan link can.
 */
#ifndef _UAPI_LINUX_IF_MACVTAP_H
#define _UAPI_LINUX_IF_MACVTAP_H

/* In IFLA_INFO_DATA of kind "macvtap", beside IFLA_MACVLAN_*. */
enum {
	/* Nested: the receive filter, as a whole. Empty for none. */
	IFLA_MACVTAP_RX_FILTER = 32,
};

/* In IFLA_MACVTAP_RX_FILTER. What is missing is empty. */
enum {
	IFLA_MACVTAP_RX_FILTER_UNSPEC,
	/* u32: IFF_PROMISC, IFF_ALLMULTI */
	IFLA_MACVTAP_RX_FILTER_FLAGS,
	/* Nested: IFLA_MACVTAP_RX_FILTER_ADDR, unicast */
	IFLA_MACVTAP_RX_FILTER_UC,
	/* Nested: IFLA_MACVTAP_RX_FILTER_ADDR, multicast */
	IFLA_MACVTAP_RX_FILTER_MC,
	/* 512 bytes: VLAN N is bit N % 8 of byte N / 8, and 1 to 4094 */
	IFLA_MACVTAP_RX_FILTER_VLAN,
};

/* In IFLA_MACVTAP_RX_FILTER_UC and _MC. */
enum {
	IFLA_MACVTAP_RX_FILTER_ADDR = 1,	/* 6 bytes; any number of them */
};

/* Of each of the two lists. */
#define MACVTAP_RX_FILTER_MAX_ADDRS	512

#endif /* _UAPI_LINUX_IF_MACVTAP_H */
