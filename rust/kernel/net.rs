// SPDX-License-Identifier: GPL-2.0

//! Networking.
//!
//! How a packet is owned is the heart of it: a [`SkBuff`] is consumed by whatever takes the packet
//! over, or dropped with a [`DropReason`]; there is no third way.

pub mod device;
mod drop_reason;
pub mod gso;
pub mod macvlan;
mod namespace;
pub mod netlink;
pub mod notifier;
mod ptr_ring;
pub mod rtnl;
mod skb_array;
mod skbuff;
pub mod sock;
#[cfg(CONFIG_KUNIT = "y")]
pub mod tun_vnet;
mod xdp;
mod zero_copy;

pub use device::NetDevice;
pub use drop_reason::DropReason;
pub use namespace::Namespace;
pub use skb_array::{
    SkbArray,
    SkbProducer, //
};
#[cfg(CONFIG_KUNIT = "y")]
pub use skbuff::kunit::{
    Offload,
    Snapshot, //
};
pub use skbuff::{
    FlowKeys,
    IpSummed,
    SkBuff, //
};
pub use xdp::XdpFrame;
pub use zero_copy::ZeroCopy;
