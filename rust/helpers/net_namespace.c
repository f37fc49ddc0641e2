// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>
#include <net/net_namespace.h>

__rust_helper const struct ns_common *rust_helper_net_ns_common(const struct net *net)
{
	return &net->ns;
}

/* What __skb_flow_dissect() looks for. */
__rust_helper bool rust_helper_dev_has_flow_programs(const struct net_device *dev)
{
	const int type = NETNS_BPF_FLOW_DISSECTOR;

	return rcu_access_pointer(init_net.bpf.run_array[type]) ||
	       rcu_access_pointer(dev_net_rcu(dev)->bpf.run_array[type]);
}
