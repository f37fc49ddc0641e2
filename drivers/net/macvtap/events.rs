// SPDX-License-Identifier: GPL-2.0

//! The node: following what happens to the link.

use crate::{
    ffi::TapLink,
    link::{
        self,
        Macvtap, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use kernel_net::{
    cdev::{
        DeviceNumber,
        SPARE_MINORS, //
    },
    class,
    net::{
        macvlan::Link,
        notifier::{
            Event,
            Handler, //
        },
        rtnl,
        NetDevice, //
    },
};

/// Gives each link its node, while it is registered in a network namespace.
pub(crate) struct Events {
    pub(crate) class: Arc<class::Registration>,
    /// The device number of minor 0.
    pub(crate) number: DeviceNumber,
}

impl Events {
    /// Gives a link a minor number and a node.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no number left, `ENOMEM`, and those of [`class::Device::new`].
    fn new_node(
        &self,
        link: &Link<'_, Macvtap>,
        device: &NetDevice,
        held: &mut rtnl::Held,
    ) -> Result<class::Device> {
        let name = class::Name::new(format_args!("tap{}", device.ifindex()))?;
        let minor = link.get_minor(self.number, held)?;
        let number = DeviceNumber::new(self.number.major(), minor);
        let node = self.other_node(&name, minor, held);
        class::Device::new(self.class.clone(), device, number, name, node, held)
            .inspect_err(|_| link.free_minor(self.number, held))
    }

    /// Returns what a link's node is called if another namespace's link has the same index, and so
    /// the node that is called by it: it is called by its minor number then.
    fn other_node(&self, name: &class::Name, minor: u32, held: &rtnl::Held) -> Option<class::Name> {
        if !SPARE_MINORS.contains(&minor) || !self.class.has_node(name, held) {
            return None;
        }
        class::Name::new(format_args!("tap{minor}")).ok()
    }
}

impl Handler for Events {
    fn event(&self, event: Event, device: &NetDevice, held: &mut rtnl::Held) -> Result {
        let Some(link) = link::OPS.link_of(device) else {
            return Ok(());
        };
        let private = link.private();
        match event {
            Event::Register => {
                let node = self.new_node(&link, device, held).inspect_err(|error| {
                    // Nobody else says so of a link that comes from another namespace.
                    pr_err!("interface {} has no node: {error:?}\n", device.ifindex());
                })?;
                private.node.replace(Some(node), held);
                Ok(())
            }
            Event::Unregister => {
                drop(private.node.replace(None, held));
                link.free_minor(self.number, held);
                Ok(())
            }
            // `EPERM` is what users of C's driver get if there is not enough memory.
            Event::ChangeTxQueueLen => link.resize_queues(held).map_err(|_| EPERM),
        }
    }
}
