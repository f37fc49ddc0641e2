// SPDX-License-Identifier: GPL-2.0

//! The kind of link: making and deleting.

use crate::ffi::{
    Private,
    TapLink, //
};
use bindings_net as bindings;
use kernel::{
    prelude::*,
    str::CStr, //
};
use kernel_net::net::{
    device::{
        Features,
        NewDevice, //
    },
    macvlan::{
        Link,
        LinkKind,
        LinkOps, //
    },
    rtnl, //
};

/// The kind of link.
pub(crate) struct Macvtap;

/// Its operations, as rtnetlink knows them.
pub(crate) static OPS: LinkOps<Macvtap> = LinkOps::new();

/// What readers can take unless they say otherwise: macvlan supports all offloads, so this does.
const OFFLOADS: Features = Features::HW_CSUM
    .with(Features::TSO_ECN)
    .with(Features::TSO)
    .with(Features::TSO6);

impl LinkKind for Macvtap {
    const KIND: &'static CStr = c"macvtap";

    type Private = Private;

    fn setup(device: &NewDevice) {
        // It is also how many frames a queue holds.
        device.set_tx_queue_len(bindings::TUN_READQ_SIZE);
    }

    fn private() -> impl PinInit<Private> {
        Private::new(OFFLOADS)
    }

    fn newlink(link: Link<'_, Self>, held: &mut rtnl::Held) -> Result {
        link.connect(held)
    }

    fn dellink(link: Link<'_, Self>, held: &mut rtnl::Held) {
        link.disconnect(held);
    }
}
