// SPDX-License-Identifier: GPL-2.0
//! What an operator asks about macvtap links, and does with them, beside "ip link".

pub mod cli;
pub mod error;
pub mod exec;
pub mod filter;
pub mod filters;
pub mod link;
pub mod list;
pub mod lower;
pub mod mac;
pub mod netlink;
pub mod node;
pub mod queues;
pub mod stats;
pub mod sysfs;
pub mod text;
pub mod vlans;

// All checkouts build in one directory. With this, cargo takes nothing for this one's that was
// built in another one.
const _: Option<&str> = option_env!("MACVTAP_CHECKOUT");
