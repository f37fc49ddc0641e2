// SPDX-License-Identifier: GPL-2.0

//! Frames from a ring to user space.

use crate::{
    queue::QueueSock,
    vnet::Header, //
};
use bindings_net as bindings;
use kernel::{
    iov::IovIterDest,
    prelude::*, //
};
use kernel_net::{
    iov::DestExt,
    net::{
        DropReason,
        SkBuff, //
    },
};

/// Where the VLAN tag stands in an Ethernet header, in bytes.
const VLAN_OFFSET: usize = 2 * bindings::ETH_ALEN as usize;

/// Reads one frame, and returns its length with all that comes before it, even if it was cut off.
///
/// # Errors
///
/// `EAGAIN` if there is no frame and `nonblock` is set, `ERESTARTSYS` if a signal arrives; and
/// those of [`copy`], with which the frame is lost.
#[inline]
pub(crate) fn read(queue: &QueueSock, to: &mut IovIterDest<'_>, nonblock: bool) -> Result<usize> {
    if to.is_empty() {
        return Ok(0);
    }
    let skb = if nonblock {
        queue.ring.consume().ok_or(EAGAIN)?
    } else {
        queue
            .wait_queue()
            .wait_interruptible(|| queue.ring.consume())?
    };
    deliver(queue, skb, to)
}

/// Delivers a frame that was taken out of the ring before.
#[inline]
pub(crate) fn deliver(queue: &QueueSock, skb: SkBuff, to: &mut IovIterDest<'_>) -> Result<usize> {
    match copy(queue, &skb, to) {
        Ok(len) => {
            skb.consume();
            Ok(len)
        }
        Err(error) => {
            skb.drop_reason(DropReason::SkbUcopyFault);
            Err(error)
        }
    }
}

/// Copies a frame, with a virtio-net header before it if the queue wants one, and with its VLAN
/// tag back in its place.
///
/// # Errors
///
/// `EINVAL` if there is not even room for the header, or the frame cannot be described by one;
/// `EFAULT` if the destination cannot be written.
#[inline]
fn copy(queue: &QueueSock, skb: &SkBuff, to: &mut IovIterDest<'_>) -> Result<usize> {
    let mut total = skb.len();

    if let Some(format) = queue.settings.vnet_format() {
        let header = Header::of(skb)?.encode(format.endian);
        let rest = format.size.checked_sub(header.len()).ok_or(EINVAL)?;
        if to.len() < format.size {
            return Err(EINVAL);
        }
        to.write_all(&header)?;
        to.write_zeroes(rest)?;
        total = total.checked_add(format.size).ok_or(EINVAL)?;
    }

    let mut copied = 0;
    if let Some(tag) = skb.vlan_tag() {
        let [proto0, proto1] = tag.proto;
        let [tci0, tci1] = tag.tci;
        let tag = [proto0, proto1, tci0, tci1];

        copied = VLAN_OFFSET.min(skb.len());
        skb.copy_to_iter(0, copied, to)?;
        // What there is no room for is cut off, which is no error.
        to.write_all(tag.get(..to.len()).unwrap_or(&tag))?;
        total = total.checked_add(tag.len()).ok_or(EINVAL)?;
    }
    skb.copy_to_iter(copied, skb.len() - copied, to)?;
    Ok(total)
}
