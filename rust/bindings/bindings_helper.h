/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The headers whose declarations the kernel's own Rust bindings lack. What of
 * them is bound is listed in rust/bindgen_parameters.
 *
 * Sorted alphabetically.
 */

#include <linux/cdev.h>
#include <linux/device/class.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/if_macvlan.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/ptr_ring.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/sockios.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>
#include <linux/wait.h>
#include <net/flow_dissector.h>
#include <net/gso.h>
#include <net/netlink.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/xdp.h>
#include <uapi/linux/virtio_net.h>

#include "../../include/uapi/linux/if_macvtap.h"

/* bindgen cannot evaluate macros with casts: give it constants. */
const unsigned long RUST_CONST_HELPER_EPOLLIN = (unsigned long)EPOLLIN;
const unsigned long RUST_CONST_HELPER_EPOLLRDNORM = (unsigned long)EPOLLRDNORM;
const unsigned long RUST_CONST_HELPER_EPOLLRDBAND = (unsigned long)EPOLLRDBAND;
const unsigned long RUST_CONST_HELPER_EPOLLOUT = (unsigned long)EPOLLOUT;
const unsigned long RUST_CONST_HELPER_EPOLLWRNORM = (unsigned long)EPOLLWRNORM;
const unsigned long RUST_CONST_HELPER_EPOLLWRBAND = (unsigned long)EPOLLWRBAND;
const unsigned long RUST_CONST_HELPER_EPOLLERR = (unsigned long)EPOLLERR;
const u8 RUST_CONST_HELPER_SEND_SHUTDOWN = SEND_SHUTDOWN;
const gfp_t RUST_CONST_HELPER_GFP_KERNEL_NOFAIL = GFP_KERNEL | __GFP_NOFAIL;
const fmode_t RUST_CONST_HELPER_FMODE_NOWAIT = FMODE_NOWAIT;
const long RUST_CONST_HELPER_SOCK_NOSPACE = SOCK_NOSPACE;
const long RUST_CONST_HELPER_SOCKWQ_ASYNC_NOSPACE = SOCKWQ_ASYNC_NOSPACE;
const int RUST_CONST_HELPER_IOCB_NOWAIT = IOCB_NOWAIT;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_CSUM_MASK = NETIF_F_CSUM_MASK;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_FRAGLIST = NETIF_F_FRAGLIST;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_GRO = NETIF_F_GRO;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_GSO = NETIF_F_GSO;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_GSO_MASK = NETIF_F_GSO_MASK;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_GSO_PARTIAL = NETIF_F_GSO_PARTIAL;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_GSO_UDP_L4 = NETIF_F_GSO_UDP_L4;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_HIGHDMA = NETIF_F_HIGHDMA;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_HW_CSUM = NETIF_F_HW_CSUM;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_SG = NETIF_F_SG;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_TSO = NETIF_F_TSO;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_TSO6 = NETIF_F_TSO6;
const netdev_features_t RUST_CONST_HELPER_NETIF_F_TSO_ECN = NETIF_F_TSO_ECN;
const size_t RUST_CONST_HELPER_SKB_MAX_HEAD_RESERVE2 = SKB_MAX_HEAD(HH_DATA_OFF(ETH_HLEN));
const u16 RUST_CONST_HELPER_HH_DATA_OFF_ETH = HH_DATA_OFF(ETH_HLEN);
const unsigned int RUST_CONST_HELPER_SKB_GSO_DODGY = SKB_GSO_DODGY;
const unsigned int RUST_CONST_HELPER_SKB_GSO_TCPV4 = SKB_GSO_TCPV4;
const unsigned int RUST_CONST_HELPER_SKB_GSO_TCPV6 = SKB_GSO_TCPV6;
const unsigned int RUST_CONST_HELPER_SKB_GSO_TCP_ECN = SKB_GSO_TCP_ECN;
const unsigned int RUST_CONST_HELPER_SKB_GSO_UDP = SKB_GSO_UDP;
const unsigned int RUST_CONST_HELPER_SKB_GSO_UDP_L4 = SKB_GSO_UDP_L4;
const unsigned int RUST_CONST_HELPER_TUNSETIFF = TUNSETIFF;
const unsigned int RUST_CONST_HELPER_TUNGETIFF = TUNGETIFF;
const unsigned int RUST_CONST_HELPER_TUNSETQUEUE = TUNSETQUEUE;
const unsigned int RUST_CONST_HELPER_TUNGETFEATURES = TUNGETFEATURES;
const unsigned int RUST_CONST_HELPER_TUNSETSNDBUF = TUNSETSNDBUF;
const unsigned int RUST_CONST_HELPER_TUNSETOFFLOAD = TUNSETOFFLOAD;
const unsigned int RUST_CONST_HELPER_TUNGETVNETHDRSZ = TUNGETVNETHDRSZ;
const unsigned int RUST_CONST_HELPER_TUNSETVNETHDRSZ = TUNSETVNETHDRSZ;
const unsigned int RUST_CONST_HELPER_TUNGETVNETLE = TUNGETVNETLE;
const unsigned int RUST_CONST_HELPER_TUNSETVNETLE = TUNSETVNETLE;
const unsigned int RUST_CONST_HELPER_TUNGETVNETBE = TUNGETVNETBE;
const unsigned int RUST_CONST_HELPER_TUNSETVNETBE = TUNSETVNETBE;
