// SPDX-License-Identifier: GPL-2.0

/* For KUnit suites. It includes nothing of what it uses. */
#include <linux/if_tun.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>
#include <../drivers/net/tun_vnet.h>

__rust_helper int rust_helper_tun_vnet_hdr_get(int sz, unsigned int flags,
					       struct iov_iter *from,
					       struct virtio_net_hdr *hdr)
{
	return tun_vnet_hdr_get(sz, flags, from, hdr);
}

__rust_helper int rust_helper_tun_vnet_hdr_put(int sz, struct iov_iter *iter,
					       const struct virtio_net_hdr *hdr)
{
	return tun_vnet_hdr_put(sz, iter, hdr);
}

__rust_helper int rust_helper_tun_vnet_hdr_to_skb(unsigned int flags, struct sk_buff *skb,
						  const struct virtio_net_hdr *hdr)
{
	return tun_vnet_hdr_to_skb(flags, skb, hdr);
}

__rust_helper int rust_helper_tun_vnet_hdr_from_skb(unsigned int flags,
						    const struct net_device *dev,
						    const struct sk_buff *skb,
						    struct virtio_net_hdr *hdr)
{
	return tun_vnet_hdr_from_skb(flags, dev, skb, hdr);
}
