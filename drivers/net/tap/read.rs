// SPDX-License-Identifier: GPL-2.0

//! Frames from a ring to user space.

use crate::{
    offload,
    queue::{
        QueueSock,
        VnetFormat, //
    },
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
        IpSummed,
        SkBuff, //
    },
};

/// Where the VLAN tag stands in an Ethernet header, in bytes.
const VLAN_OFFSET: usize = 2 * bindings::ETH_ALEN as usize;

/// Reads one frame, and returns its length with all that comes before it, even if it was cut off.
///
/// # Errors
///
/// `EAGAIN` if there is no frame and `nonblock` is set, `ERESTARTSYS` if a signal arrives,
/// `ENETDOWN` if there will be no frame any more; and those of [`copy`], with which the frame is
/// lost.
#[inline(always)]
pub(crate) fn read(queue: &QueueSock, to: &mut IovIterDest<'_>, nonblock: bool) -> Result<usize> {
    if to.is_empty() {
        return Ok(0);
    }
    loop {
        let skb = match queue.ring.consume() {
            Some(skb) => skb,
            None if nonblock => {
                queue.notice.acknowledge();
                return Err(EAGAIN);
            }
            None => wait(queue)?,
        };
        if let Some(len) = deliver(queue, skb, to)? {
            return Ok(len);
        }
    }
}

/// Waits for a frame.
#[cold]
fn wait(queue: &QueueSock) -> Result<SkBuff> {
    queue
        .wait_queue()
        .wait_interruptible(|| queue.next_frame())?
}

/// Delivers a frame that was taken out of the ring before. `None` if it was dropped, because it was
/// received for a reader that can take what this one cannot.
#[inline(always)]
pub(crate) fn deliver(
    queue: &QueueSock,
    mut skb: SkBuff,
    to: &mut IovIterDest<'_>,
) -> Result<Option<usize>> {
    let format = queue.settings.vnet_format();
    if let Err(reason) = complete(queue, &mut skb, format.is_some()) {
        skb.drop_reason(reason);
        queue.count_rx_dropped();
        return Ok(None);
    }
    match copy(&skb, format, to) {
        Ok(len) => {
            skb.consume();
            Ok(Some(len))
        }
        Err(error) => Err(fail(skb, error)),
    }
}

/// Drops a frame that could not be copied.
#[cold]
fn fail(skb: SkBuff, error: Error) -> Error {
    skb.drop_reason(if error == EFAULT {
        DropReason::SkbUcopyFault
    } else {
        DropReason::DevHdr
    });
    error
}

/// Does what is left to do on a frame, if the reader could take more when it was received: since
/// then it may have turned its header off, or offloads.
#[inline(always)]
fn complete(queue: &QueueSock, skb: &mut SkBuff, has_vnet_hdr: bool) -> Result<(), DropReason> {
    if skb.gso_size().is_some() {
        if !skb.gso_ok(offload::accepted(queue.offload(), has_vnet_hdr)) {
            return Err(DropReason::SkbGsoSeg);
        }
    } else if skb.ip_summed() == IpSummed::Partial {
        let features = offload::accepted(queue.offload(), has_vnet_hdr);
        if skb.needs_checksum(features) && skb.complete_checksum(features).is_err() {
            return Err(DropReason::SkbCsum);
        }
    }
    Ok(())
}

/// Copies a frame, with a virtio-net header before it if one is wanted, and with its VLAN tag back
/// in its place.
///
/// # Errors
///
/// `EINVAL` if there is not even room for the header, or the frame cannot be described by one;
/// `EFAULT` if the destination cannot be written.
#[inline(always)]
fn copy(skb: &SkBuff, format: Option<VnetFormat>, to: &mut IovIterDest<'_>) -> Result<usize> {
    let mut total = skb.len();

    if let Some(format) = format {
        Header::of(skb)?.write(to, format)?;
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
    // OVERFLOW: That is a part of the frame.
    skb.copy_to_iter(copied, skb.len().wrapping_sub(copied), to)?;
    Ok(total)
}
