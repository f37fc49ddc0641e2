// SPDX-License-Identifier: GPL-2.0

#include <linux/if_macvlan.h>

__rust_helper void rust_helper_macvlan_count_rx(const struct macvlan_dev *vlan,
						unsigned int len, bool success,
						bool multicast)
{
	macvlan_count_rx(vlan, len, success, multicast);
}

__rust_helper void rust_helper_macvlan_inc_tx_dropped(const struct macvlan_dev *vlan)
{
	this_cpu_inc(vlan->pcpu_stats->tx_dropped);
}
