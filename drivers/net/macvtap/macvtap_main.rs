// SPDX-License-Identifier: GPL-2.0

//! Links that are macvlan on one side and a character device on the other.
//!
//! `ip link add link eth0 name macvtap0 type macvtap` makes a network device on top of a lower
//! one, and a node `/dev/tapN`, N being its interface index. Who opens the node, a virtual machine
//! monitor as a rule, exchanges frames with the segment that the lower device is on.
//!
//! | module     | what is in it                                                         |
//! |------------|-----------------------------------------------------------------------|
//! | [`link`]   | the kind of link: making and deleting                                 |
//! | [`events`] | the node: following what happens to the link                          |
//! | [`ffi`]    | the C boundary: what `if_tap.h` declares, of which tap.ko is the user |
//!
//! The frames are tap.ko's business, and macvlan's.

#![deny(unsafe_code)]

use kernel::{
    prelude::*,
    sync::Arc, //
};
use kernel_net::{
    class,
    net::{
        macvlan,
        notifier, //
    },
};

mod events;
#[expect(unsafe_code, reason = "the C boundary")]
pub mod ffi;
mod link;

module! {
    type: Macvtap,
    name: "macvtap",
    authors: ["The macvtap in Rust developers"],
    description: "MAC-VLAN based tap driver, in Rust",
    license: "GPL",
    alias: ["rtnl-link-macvtap"],
}

kernel_net::module_metadata!();

/// The class of the character devices.
static CLASS: class::NetClass = class::NetClass::new(c"macvtap");

/// What the module has registered. Fields are dropped in order: first the links go, then, after
/// the last one has lost its node, what nodes need.
#[pin_data]
struct Macvtap {
    _links: macvlan::Registration<link::Macvtap>,
    #[pin]
    _events: notifier::Registration<events::Events>,
    _class: Arc<class::Registration>,
    #[pin]
    _chardev: Pin<KBox<ffi::Chardev>>,
}

impl kernel::InPlaceModule for Macvtap {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _chardev: KBox::pin_init(ffi::Chardev::new::<LocalModule>(c"macvtap"), GFP_KERNEL)?,
            _class: class::Registration::new(&CLASS)?,
            _events <- notifier::Registration::new(events::Events {
                class: _class.clone(),
                number: _chardev.number(),
            }),
            _links: macvlan::Registration::new(&link::OPS)?,
        })
    }
}
