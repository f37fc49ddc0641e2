// SPDX-License-Identifier: GPL-2.0

//! Networking.

pub mod device;
pub mod gso;
pub mod rtnl;
mod skb_array;
mod skbuff;
pub mod sock;

pub use device::NetDevice;
pub use skb_array::SkbArray;
pub use skbuff::{
    FlowKeys,
    IpSummed,
    SkBuff, //
};
