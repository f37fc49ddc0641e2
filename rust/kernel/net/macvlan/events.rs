// SPDX-License-Identifier: GPL-2.0

//! Links that come into a network namespace, and leave it.
//!
//! Unsafe: makes the device that a link owns, and sees to its end.

use super::{
    options::Configurable,
    Link,
    LinkKind,
    LinkOps,
    NeverDropped, //
};
use crate::{
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
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A link that is being registered, or has come into another network namespace.
///
/// # Invariants
///
/// The link is `device`, which does not leave its namespace during `'a`.
pub struct Registered<'a, T: LinkKind> {
    link: Link<'a, T>,
    device: &'a NetDevice,
}

impl<'a, T: LinkKind> Registered<'a, T> {
    /// Returns the link.
    pub fn link(&self) -> Link<'a, T> {
        self.link
    }

    /// Returns its device.
    pub fn device(&self) -> &'a NetDevice {
        self.device
    }

    /// Gives the link a device of a class. It has it until it leaves its namespace.
    ///
    /// Its node below `/dev`, which is the same for all namespaces, is called `node`, or as the
    /// device is.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the link has one, or the class has a device of that name, or of that number, in
    /// this namespace; `ENOMEM`.
    pub fn add_node(
        &self,
        class: Arc<class::Registration>,
        number: DeviceNumber,
        name: class::Name,
        node: Option<class::Name>,
        held: &mut rtnl::Held,
    ) -> Result {
        if self.link.node().as_ref(held).is_some() {
            return Err(EEXIST);
        }
        // SAFETY: By the type invariants, the network device is in a namespace. `leave` drops the
        // device before it is in none.
        let device = unsafe { class::Device::new(class, self.device, number, name, node, held) }?;
        self.link.node().replace(Some(device), held);
        Ok(())
    }
}

/// Undoes all of [`LinkKind::registered`].
///
/// # Safety
///
/// The link must be leaving its network namespace, or [`LinkKind::registered`] have failed.
unsafe fn leave<T: LinkKind>(link: Link<'_, T>, held: &mut rtnl::Held) {
    drop(link.node().replace(None, held));
    // SAFETY: By the safety requirements of this function.
    unsafe { T::Private::unregistered(link, held) };
}

/// What follows the links of a kind.
pub(super) struct Events<T: LinkKind> {
    pub(super) ops: &'static LinkOps<T>,
    pub(super) common: T::Common,
}

impl<T: LinkKind> Handler for Events<T> {
    fn event(&self, event: Event, device: &NetDevice, held: &mut rtnl::Held) -> Result {
        let Some(link) = self.ops.link_of(device) else {
            return Ok(());
        };
        match event {
            Event::Register => {
                // INVARIANT: `link` was made of it; RTNL is held until this returns.
                let registered = Registered { link, device };
                T::registered(&self.common, registered, held).inspect_err(|_| {
                    // SAFETY: It has failed.
                    unsafe { leave(link, held) }
                })?;
                // SAFETY: The link is registered, and stays so until this returns.
                unsafe { Configurable::new(link) }
                    .enter(held)
                    .inspect_err(|error| {
                        // Nobody else says so of a link that comes from another namespace.
                        let ifindex = device.ifindex();
                        pr_err!("interface {ifindex} does not receive all it should: {error:?}\n");
                    })
            }
            Event::Unregister => {
                // SAFETY: The link was registered until now, and is as good as that until handlers
                // of this event have returned: `ndo_uninit()` comes after them.
                unsafe { Configurable::new(link) }.leave(held);
                // SAFETY: The event says so.
                unsafe { leave(link, held) };
                Ok(())
            }
            Event::ChangeTxQueueLen => T::tx_queue_len_changed(link, held),
        }
    }
}
