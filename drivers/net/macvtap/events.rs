// SPDX-License-Identifier: GPL-2.0

//! The node: following what happens to the link.

use crate::{
    ffi::TapLink,
    link, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use kernel_net::{
    cdev::DeviceNumber,
    class,
    net::{
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

impl Handler for Events {
    fn event(&self, event: Event, device: &NetDevice, held: &mut rtnl::Held) -> Result {
        let Some(link) = link::OPS.link_of(device) else {
            return Ok(());
        };
        let private = link.private();
        match event {
            Event::Register => {
                let minor = link.get_minor(self.number, held)?;
                let number = DeviceNumber::new(self.number.major(), minor);
                let ifindex = device.ifindex();
                let node = class::Device::new(
                    self.class.clone(),
                    device,
                    number,
                    format_args!("tap{ifindex}"),
                    held,
                )
                .inspect_err(|_| link.free_minor(self.number, held))?;
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
            Event::Other => Ok(()),
        }
    }
}
