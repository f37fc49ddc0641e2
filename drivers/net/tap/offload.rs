// SPDX-License-Identifier: GPL-2.0

//! What user space can take, in terms of the device's features.

use crate::device::TapDev;
use bindings_net as bindings;
use kernel::prelude::*;
use kernel_net::net::{
    device::Features,
    rtnl, //
};

/// `TUN_F_*` flags, of which none is unknown.
#[derive(Clone, Copy)]
pub(crate) struct Offloads(u32);

const CSUM: u32 = bindings::TUN_F_CSUM;
const TSO4: u32 = bindings::TUN_F_TSO4;
const TSO6: u32 = bindings::TUN_F_TSO6;
const TSO_ECN: u32 = bindings::TUN_F_TSO_ECN;
const UFO: u32 = bindings::TUN_F_UFO;
const USO: u32 = bindings::TUN_F_USO4 | bindings::TUN_F_USO6;

impl TryFrom<usize> for Offloads {
    type Error = Error;

    /// # Errors
    ///
    /// `EINVAL` if there is an unknown flag: so users find out which there are.
    fn try_from(flags: usize) -> Result<Self> {
        let flags = u32::try_from(flags).map_err(|_| EINVAL)?;
        if flags & !(CSUM | TSO4 | TSO6 | TSO_ECN | UFO | USO) != 0 {
            return Err(EINVAL);
        }
        Ok(Self(flags))
    }
}

impl Offloads {
    fn has(self, flags: u32) -> bool {
        self.0 & flags == flags
    }

    /// Returns which packets a reader can take that has these offloads.
    ///
    /// Without checksum offload there is no other. UDP segmentation works for both versions of IP
    /// or not at all. UDP fragmentation needs nothing of a reader.
    pub(crate) fn features(self) -> Features {
        if !self.has(CSUM) {
            return Features::NONE;
        }
        let mut features = Features::HW_CSUM;
        let tso = [(TSO4, Features::TSO), (TSO6, Features::TSO6)];
        for (flag, feature) in tso {
            if self.has(flag) {
                features = features.with(feature);
                if self.has(TSO_ECN) {
                    features = features.with(Features::TSO_ECN);
                }
            }
        }
        if self.has(USO) {
            features = features.with(Features::GSO_UDP_L4);
        }
        features
    }

    /// Returns which features the device may have that packets for this reader come from.
    pub(crate) fn allowed(self) -> Features {
        const SEGMENTED: Features = Features::TSO
            .with(Features::TSO6)
            .with(Features::GSO_UDP_L4);

        if self.features().intersects(SEGMENTED) {
            Features::ALL
        } else {
            Features::ALL.without(Features::GRO)
        }
    }
}

/// What any reader can take: a read gets all of a frame, whatever it consists of.
const ALWAYS: Features = Features::GSO.with(Features::SG).with(Features::FRAGLIST);

/// Returns which packets a reader can take that has these offloads. Without a virtio-net header, it
/// could not know what is left to do.
#[inline]
pub(crate) fn accepted(offload: Features, has_vnet_hdr: bool) -> Features {
    if has_vnet_hdr {
        ALWAYS.with(offload)
    } else {
        ALWAYS
    }
}

/// Sets what the readers of a device can take.
///
/// tun's users think of what they accept; a device's features are about what it sends. Here the
/// one is made the other: what is not accepted as a whole should not be merged by the device.
///
/// Only its own merging is switched, though. Without LRO on top the lower device would lose its,
/// and not get it back. All other features are left to those who may change them.
pub(crate) fn set(device: &TapDev, offloads: Offloads, held: &mut rtnl::Held) {
    device.set_offload(offloads.features(), held);
    device.update_features(offloads.allowed(), held);
}
