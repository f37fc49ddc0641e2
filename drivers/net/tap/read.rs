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
    sync::smp_rmb,
};

/// Where the VLAN tag stands in an Ethernet header, in bytes.
const VLAN_OFFSET: usize = 2 * bindings::ETH_ALEN as usize;

/// Length of that tag, in bytes.
const VLAN_HLEN: usize = bindings::VLAN_HLEN as usize;

/// Reads one frame, and returns its length with all that comes before it, even if it was cut off.
/// Into nothing, nothing is read.
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
            None if nonblock => return Err(EAGAIN),
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
    if skb.vlan_tag().is_some() || !is_finished(queue, &skb, format.is_some()) {
        return deliver_unfinished(queue, skb, format, to);
    }
    let copied = copy(&mut skb, format, to);
    delivered(skb, copied).map(Some)
}

/// Delivers a frame of which not all is in its place.
#[inline(never)]
fn deliver_unfinished(
    queue: &QueueSock,
    mut skb: SkBuff,
    format: Option<VnetFormat>,
    to: &mut IovIterDest<'_>,
) -> Result<Option<usize>> {
    // Who received the frame may have seen a setting that was not seen here: it is seen now.
    smp_rmb();
    if !is_finished(queue, &skb, format.is_some()) {
        if let Err(reason) = finish(queue, &mut skb, format.is_some()) {
            skb.drop_reason(reason);
            queue.count_rx_dropped();
            return Ok(None);
        }
    }
    let copied = match skb.vlan_tag() {
        None => copy(&mut skb, format, to),
        Some(tag) => copy_tagged(&mut skb, format, tag, to),
    };
    delivered(skb, copied).map(Some)
}

/// Frees a frame that was copied, or not.
#[inline(always)]
fn delivered(skb: SkBuff, copied: Result<usize>) -> Result<usize> {
    match copied {
        Ok(_) => skb.consume(),
        Err(error) => fail(skb, error),
    }
    copied
}

/// Drops a frame that could not be copied.
#[cold]
fn fail(skb: SkBuff, error: Error) {
    skb.drop_reason(if error == EFAULT {
        DropReason::SkbUcopyFault
    } else {
        DropReason::DevHdr
    });
}

/// Returns whether the reader can take a frame as it is. It could when that was received, but may
/// have turned its header off since then, or offloads.
#[inline(always)]
fn is_finished(queue: &QueueSock, skb: &SkBuff, has_vnet_hdr: bool) -> bool {
    let features = || offload::accepted(queue.settings.offload(), has_vnet_hdr);
    match skb.gso_size() {
        Some(_) => skb.gso_ok(features()),
        None => skb.ip_summed() != IpSummed::Partial || !skb.needs_checksum(features()),
    }
}

/// Does what is left to do on a frame that the reader cannot take as it is.
fn finish(queue: &QueueSock, skb: &mut SkBuff, has_vnet_hdr: bool) -> Result<(), DropReason> {
    if skb.gso_size().is_some() {
        return Err(DropReason::SkbGsoSeg);
    }
    let features = offload::accepted(queue.settings.offload(), has_vnet_hdr);
    skb.complete_checksum(features)
        .map_err(|_| DropReason::SkbCsum)
}

/// Copies a frame, with a virtio-net header before it if one is wanted.
///
/// # Errors
///
/// `EINVAL` if there is not even room for the header, or the frame cannot be described by one;
/// `EFAULT` if the destination cannot be written.
#[inline(always)]
fn copy(skb: &mut SkBuff, format: Option<VnetFormat>, to: &mut IovIterDest<'_>) -> Result<usize> {
    let Some(format) = format else {
        skb.copy_to_iter(0, skb.len(), to)?;
        return Ok(skb.len());
    };
    let header = Header::of(skb)?;
    // At once, if there is space before the frame. That is asked first, so that those without lose no
    // time.
    if skb.has_free_headroom(format.size) && to.len() >= format.size {
        let copied = header.with_header(skb, format, |skb| {
            skb.copy_to_iter(0, skb.len(), to).map(|()| skb.len())
        });
        if let Some(copied) = copied {
            return copied;
        }
    }
    header.write(to, format)?;
    skb.copy_to_iter(0, skb.len(), to)?;
    skb.len().checked_add(format.size).ok_or(EINVAL)
}

/// The same for a frame that has a VLAN tag beside it, which is put back in its place.
#[inline(always)]
fn copy_tagged(
    skb: &mut SkBuff,
    format: Option<VnetFormat>,
    tag: [u8; VLAN_HLEN],
    to: &mut IovIterDest<'_>,
) -> Result<usize> {
    let mut before = VLAN_HLEN;
    if let Some(format) = format {
        Header::of(skb)?.write(to, format)?;
        before = before.checked_add(format.size).ok_or(EINVAL)?;
    }
    let total = skb.len().checked_add(before).ok_or(EINVAL)?;

    // At once, if there is space before the frame, and room for more than its header.
    if to.len() > VLAN_OFFSET + VLAN_HLEN && skb.has_free_headroom(VLAN_HLEN) {
        if let Some(&addresses) = skb.linear().first_chunk::<VLAN_OFFSET>() {
            skb.pull(VLAN_OFFSET)?;
            skb.prepend(&tag)?;
            let copied = skb.with_prefix(&addresses, |skb| skb.copy_to_iter(0, skb.len(), to));
            // Who watches packets being freed sees what was received, but for metadata of XDP.
            skb.pull(VLAN_HLEN)?;
            skb.prepend(&addresses)?;
            return copied.ok_or(EINVAL)?.map(|()| total);
        }
    }
    let copied = VLAN_OFFSET.min(skb.len());
    skb.copy_to_iter(0, copied, to)?;
    // What there is no room for is cut off, which is no error.
    to.write_all(tag.get(..to.len()).unwrap_or(&tag))?;
    // OVERFLOW: That is a part of the frame.
    skb.copy_to_iter(copied, skb.len().wrapping_sub(copied), to)?;
    Ok(total)
}
