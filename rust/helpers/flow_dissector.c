// SPDX-License-Identifier: GPL-2.0

#include <linux/skbuff.h>
#include <net/flow_dissector.h>

__rust_helper bool
rust_helper_skb_flow_dissect_flow_keys_basic(const struct net *net,
					     const struct sk_buff *skb,
					     struct flow_keys_basic *flow,
					     const void *data, __be16 proto,
					     int nhoff, int hlen,
					     unsigned int flags)
{
	return skb_flow_dissect_flow_keys_basic(net, skb, flow, data, proto,
						nhoff, hlen, flags);
}
