// SPDX-License-Identifier: GPL-2.0

//! What a device receives beside frames to its own address.
//!
//! Unsafe: lists that C code keeps, under RTNL.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/linux/if_vlan.h`](srctree/include/linux/if_vlan.h)

use super::NetDevice;
use crate::net::rtnl;
use bindings_net as bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// An Ethernet address.
pub type MacAddress = [u8; bindings::ETH_ALEN as usize];

/// Frames that a device can be asked for. It passes them on as long as somebody wants them: what
/// was asked for twice is to be given up twice.
#[derive(Clone, Copy)]
pub enum Reception {
    /// Those to this unicast address (`dev_uc_add()`).
    Unicast(MacAddress),
    /// Those to this multicast address (`dev_mc_add()`).
    Multicast(MacAddress),
    /// Those to all multicast addresses (`dev_set_allmulti()`).
    AllMulticast,
    /// Those with this VLAN id in their 802.1Q tag (`vlan_vid_add()`).
    Vlan(u16),
}

/// The protocol of such tags, in the byte order of the network.
const TAG: u16 = (bindings::ETH_P_8021Q as u16).to_be();

impl NetDevice {
    /// Asks the device for frames.
    ///
    /// A device that has no such filter passes all frames on; then this is remembered only.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not registered any more, `EINVAL` if it is no Ethernet device or
    /// there is no such VLAN, `ENOMEM`, and what the driver returns.
    pub(crate) fn receive(&self, what: Reception, held: &mut rtnl::Held) -> Result {
        if !self.is_registered() {
            return Err(ENODEV);
        }
        self.check(what, held)?;
        let dev = self.as_raw();
        // SAFETY: The device is registered. An address has the length that its addresses have, and
        // there is such a VLAN. RTNL is held, and lent, because notifiers run.
        to_result(unsafe {
            match what {
                Reception::Unicast(address) => bindings::dev_uc_add(dev, address.as_ptr()),
                Reception::Multicast(address) => bindings::dev_mc_add(dev, address.as_ptr()),
                Reception::AllMulticast => bindings::dev_set_allmulti(dev, 1),
                Reception::Vlan(id) => bindings::vlan_vid_add(dev, TAG, id),
            }
        })
    }

    /// Gives up what [`receive`](Self::receive) has asked for.
    ///
    /// # Safety
    ///
    /// That must have succeeded once more often than this was called, and the device must not have
    /// left its driver's `ndo_uninit()` behind: drivers pass this on to devices below theirs.
    pub(crate) unsafe fn stop_receiving(&self, what: Reception, held: &mut rtnl::Held) {
        if self.check(what, held).is_err() {
            return;
        }
        let dev = self.as_raw();
        // SAFETY: By the safety requirements of this function; otherwise as above.
        unsafe {
            match what {
                Reception::Unicast(address) => drop(bindings::dev_uc_del(dev, address.as_ptr())),
                Reception::Multicast(address) => drop(bindings::dev_mc_del(dev, address.as_ptr())),
                Reception::AllMulticast => drop(bindings::dev_set_allmulti(dev, -1)),
                Reception::Vlan(id) => bindings::vlan_vid_del(dev, TAG, id),
            }
        }
    }

    /// Checks that the device's lists can have such an entry.
    fn check(&self, what: Reception, held: &rtnl::Held) -> Result {
        let possible = match what {
            Reception::Unicast(address) | Reception::Multicast(address) => {
                usize::from(self.addr_len(held)) == address.len()
            }
            Reception::AllMulticast => true,
            Reception::Vlan(id) => u32::from(id) < bindings::VLAN_N_VID,
        };
        possible.then_some(()).ok_or(EINVAL)
    }
}
