// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros cannot be called from Rust: these wrappers can.
 * They hold no logic, and each file wraps what one C header defines.
 *
 * Sorted alphabetically.
 */

#include <linux/compiler_types.h>

#ifndef __rust_helper
#ifdef CONFIG_X86_KERNEL_IBT
/* Nobody calls them by a pointer. */
#include <asm/ibt.h>
#define __rust_helper __noendbr
#else
#define __rust_helper
#endif
#endif

#include "bitops.c"
#include "if_macvlan.c"
#include "if_vlan.c"
#include "net_namespace.c"
#include "netdevice.c"
#include "netlink.c"
#include "ptr_ring.c"
#include "skb_array.c"
#include "skbuff.c"
#include "sock.c"
#if IS_BUILTIN(CONFIG_KUNIT)
#include "tun_vnet.c"
#endif
#include "uaccess.c"
#if IS_BUILTIN(CONFIG_KUNIT)
#include "virtio_net.c"
#endif
#include "wait.c"
