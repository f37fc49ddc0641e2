// SPDX-License-Identifier: GPL-2.0

#include <net/net_namespace.h>

__rust_helper const struct ns_common *rust_helper_net_ns_common(const struct net *net)
{
	return &net->ns;
}
