// SPDX-License-Identifier: GPL-2.0

//! The kind of link: making it, and following what happens to it.

use crate::{
    ffi::{
        Private,
        TapLink, //
    },
    filter::Filter,
    node::Nodes, //
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
        LinkOps,
        Registered, //
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

    type Options = Filter;

    type Common = Nodes;

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

    fn registered(nodes: &Nodes, link: Registered<'_, Self>, held: &mut rtnl::Held) -> Result {
        nodes.add(&link, held).inspect_err(|error| {
            // Nobody else says so of a link that comes from another namespace.
            pr_err!(
                "interface {} has no node: {error:?}\n",
                link.device().ifindex()
            );
        })
    }

    fn tx_queue_len_changed(link: Link<'_, Self>, held: &mut rtnl::Held) -> Result {
        // `EPERM` is what users of C's driver get if there is not enough memory.
        link.resize_queues(held).map_err(|_| EPERM)
    }
}
