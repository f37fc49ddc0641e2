// SPDX-License-Identifier: GPL-2.0

//! Links that are macvlan on one side and a character device on the other.
//!
//! `ip link add link eth0 name macvtap0 type macvtap` makes a network device on top of a lower
//! one, and a node `/dev/tapN`, N being its interface index. Who opens the node, a virtual machine
//! monitor as a rule, exchanges frames with the segment that the lower device is on.
//!
//! | module     | what is in it                                                         |
//! |------------|-----------------------------------------------------------------------|
//! | [`link`]   | the kind of link: making it, and following what happens to it         |
//! | [`filter`] | what the lower device receives, if not all                            |
//! | [`node`]   | the node of a link                                                    |
//! | [`ffi`]    | the C boundary: what `if_tap.h` declares, of which tap.ko is the user |
//!
//! The frames are tap.ko's business, and macvlan's.

#![deny(unsafe_code)]

use kernel::prelude::*;
use kernel_net::net::macvlan;

#[expect(unsafe_code, reason = "the C boundary")]
pub mod ffi;
mod filter;
mod link;
mod node;

module! {
    type: Macvtap,
    name: "macvtap",
    authors: ["The macvtap in Rust developers"],
    description: "MAC-VLAN based tap driver, in Rust",
    license: "GPL",
    alias: ["rtnl-link-macvtap"],
}

kernel_net::module_metadata!();

/// What the module has registered.
#[pin_data]
struct Macvtap {
    #[pin]
    _links: macvlan::Registration<link::Macvtap>,
}

impl kernel::InPlaceModule for Macvtap {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _links <- macvlan::Registration::new(&link::OPS, node::Nodes::new::<LocalModule>()?),
        })
    }
}
