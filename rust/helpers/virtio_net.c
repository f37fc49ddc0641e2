// SPDX-License-Identifier: GPL-2.0

/* For KUnit suites. */
#include <linux/virtio_net.h>

__rust_helper int rust_helper_virtio_net_hdr_from_skb(const struct sk_buff *skb,
						      struct virtio_net_hdr *hdr,
						      bool little_endian,
						      bool has_data_valid, int vlan_hlen)
{
	return virtio_net_hdr_from_skb(skb, hdr, little_endian, has_data_valid, vlan_hlen);
}
