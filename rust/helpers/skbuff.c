// SPDX-License-Identifier: GPL-2.0

#include <linux/if_vlan.h>
#include <linux/skbuff.h>

__rust_helper __u32 rust_helper_skb_get_hash(struct sk_buff *skb)
{
	return skb_get_hash(skb);
}

__rust_helper void rust_helper_skb_zcopy_init(struct sk_buff *skb,
					      struct ubuf_info *uarg)
{
	skb_zcopy_init(skb, uarg);
}

__rust_helper int rust_helper_skb_header_cloned(const struct sk_buff *skb)
{
	return skb_header_cloned(skb);
}

__rust_helper void rust_helper_skb_reserve(struct sk_buff *skb, int len)
{
	skb_reserve(skb, len);
}

__rust_helper __be16 rust_helper_vlan_get_protocol_and_depth(struct sk_buff *skb,
							     __be16 type, int *depth)
{
	return vlan_get_protocol_and_depth(skb, type, depth);
}
