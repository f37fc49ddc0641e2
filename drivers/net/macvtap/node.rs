// SPDX-License-Identifier: GPL-2.0

//! The node of a link.

use crate::{
    ffi::{
        self,
        Chardev, //
    },
    link::Macvtap, //
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
    compat::ModuleMetadata,
    net::{
        macvlan::Registered,
        rtnl, //
    },
};

/// The class of the character devices.
static CLASS: class::NetClass = class::NetClass::new(c"macvtap");

/// What nodes need.
pub(crate) struct Nodes {
    class: Arc<class::Registration>,
    chardev: Pin<KBox<Chardev>>,
}

impl Nodes {
    /// Registers what nodes need, for the module `M`.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is no major number left, `EEXIST` if there is a class of that name,
    /// `ENOMEM`.
    pub(crate) fn new<M: ModuleMetadata>() -> Result<Self> {
        let chardev = KBox::pin_init(Chardev::new::<M>(c"macvtap"), GFP_KERNEL)?;
        Ok(Self {
            class: class::Registration::new(&CLASS)?,
            chardev,
        })
    }

    /// Gives a link a minor number and a node.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no number left, `ENOMEM`, and those of [`Registered::add_node`].
    pub(crate) fn add(&self, link: &Registered<'_, Macvtap>, held: &mut rtnl::Held) -> Result {
        let name = class::Name::new(format_args!("tap{}", link.device().ifindex()))?;
        let first = self.chardev.number();
        let minor = ffi::get_minor(link, first, held)?;
        let number = DeviceNumber::new(first.major(), minor);
        let node = self.other_node(&name, minor, held);
        link.add_node(self.class.clone(), number, name, node, held)
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
