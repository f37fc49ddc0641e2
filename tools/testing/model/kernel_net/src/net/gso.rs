// SPDX-License-Identifier: GPL-2.0

//! Generic segmentation offload.

/// What a packet is segmented into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GsoKind {
    /// TCP segments over IPv4.
    TcpV4,
    /// TCP segments over IPv6.
    TcpV6,
    /// IP fragments of one UDP datagram.
    UdpFragments,
    /// UDP datagrams.
    UdpL4,
}
