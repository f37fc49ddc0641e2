// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>

__rust_helper void rust_helper_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

__rust_helper void rust_helper_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

__rust_helper struct net *rust_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

__rust_helper void *rust_helper_netdev_priv(const struct net_device *dev)
{
	return netdev_priv(dev);
}

__rust_helper bool rust_helper_netif_needs_gso(struct sk_buff *skb,
					       netdev_features_t features)
{
	return netif_needs_gso(skb, features);
}

__rust_helper __be16 rust_helper_dev_parse_header_protocol(const struct sk_buff *skb)
{
	return dev_parse_header_protocol(skb);
}

__rust_helper struct net_device *
rust_helper_netdev_notifier_info_to_dev(const struct netdev_notifier_info *info)
{
	return netdev_notifier_info_to_dev(info);
}

__rust_helper struct net_device *rust_helper_to_net_dev(struct device *dev)
{
	return to_net_dev(dev);
}
